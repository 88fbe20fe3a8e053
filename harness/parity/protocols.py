"""Small protocols that together have all that a protocol can ask of an adapter.

`samestep check` climbs the ladder on a few of them that cover what the adapter supports (see
`covering`); `--full` and the tests, on all.
"""

import tomllib
from functools import cache
from typing import Any

from harness.data import fetching
from harness.experiment.loading import CATALOGUE, catalogue_names, load, parse
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of

STEPS = 24
"""Nearly five epochs of the short-batch protocols; enough for every rung but the highest."""
WIDTHS = (9, 7, 5)
"""Units of the hidden layers: no two are equal, so that no kernel is square."""


@cache
def every() -> dict[str, Experiment]:
    """Return all protocols of the ladder, by name."""
    groups = (
        _first(),
        _behind_activations(),
        _extremes(),
        _activations(),
        _kinks(),
        _before_the_loss(),
        _losses(),
        _losses_of_values(),
        _smoothed_and_weighted(),
        _optimizers(),
        _family_of_adam(),
        _penalties(),
        _around_updates(),
        _batches(),
        _dropout(),
        _images(),
    )
    variants = {name: _variant(name, changes) for group in groups for name, changes in group}
    predicting = {"step-forward": forward("step"), "sigmoid-forward": forward("sigmoid")}
    return predicting | variants


@cache
def of_catalogue() -> dict[str, Experiment]:
    """Return the protocols of the catalogue whose data is here, at the length of a proof."""
    proofs = {name: proof_of(load(name)) for name in catalogue_names()}
    return {name: experiment for name, experiment in proofs.items() if _has_data(experiment)}


def _has_data(experiment: Experiment) -> bool:
    dataset = experiment.data.dataset
    try:
        if dataset is not None and experiment.data.facts.fetched:
            fetching.files(dataset, fetching.folder(dataset))
    except fetching.DataMissingError:
        return False
    return True


def _variant(name: str, changes: dict[str, Any]) -> Experiment:
    """A catalogue protocol (`base`, by default digits-mlp) with changed parts, 24 steps long."""
    base = changes.get("base", "digits-mlp")
    values = tomllib.loads((CATALOGUE / f"{base}.toml").read_text(encoding="utf-8"))
    values.pop("quick", None)
    values["name"] = name
    values["training"] |= {"length": {"steps": STEPS}, "evaluation": {"every_steps": STEPS}}
    if base == "digits-mlp":
        values["initializers"] |= {"biases": {"name": "normal", "std": 0.2}}
    for part in ("data", "initializers", "training"):
        values[part] |= changes.get(part, {})
    hidden = changes.get("hidden", (changes["layer"],) if "layer" in changes else None)
    if hidden is not None:
        units = values["network"]["layers"][-1]["units"]
        output = {"units": units, **_layer(changes.get("output", "identity"))}
        values["network"]["layers"] = [
            *({"units": width, **layer} for width, layer in zip(WIDTHS, hidden, strict=False)),
            output,
        ]
    values["network"] |= changes.get("network", {})
    if "layers" in changes:
        values["network"]["layers"] = changes["layers"]
    return parse(values, name)


def _layer(activation: str) -> dict[str, Any]:
    """The table of a layer with this activation."""
    slope = {"slope": LEAKY_SLOPE} if activation == "leaky_relu" else {}
    return {"activation": activation, **slope}


def forward(activation: str) -> Experiment:
    """Return the fixed forward pass, through two hidden layers of this activation."""
    experiment = load("fixed-forward")
    *hidden, output = experiment.network.dense_layers
    layers = [layer.model_copy(update={"activation": activation}) for layer in hidden]
    network = experiment.network.model_copy(update={"layers": (*layers, output)})
    return experiment.model_copy(
        update={"name": f"{activation.replace('_', '-')}-forward", "network": network}
    )


LEAKY_SLOPE = 0.07
ELU_ALPHA = 0.4
BCE = {"name": "binary_cross_entropy", "batch": "mean", "outputs": "mean"}
MSE = {"name": "mean_squared_error", "half": False, "batch": "mean", "outputs": "mean"}
SGD = {"name": "sgd", "learning_rate": 0.1}
SLOW = {"name": "sgd", "learning_rate": 1e-3}
ADAM = {
    "name": "adam",
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "form": "algorithm_1",
}
FAMILY = {"learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3}
ADAMW = FAMILY | {"name": "adamw", "form": "algorithm_1", "weight_decay": 0.1}
AMSGRAD = FAMILY | {"name": "amsgrad"}
NADAM = FAMILY | {"name": "nadam"}
ADAMAX = FAMILY | {"name": "adamax"}
ADADELTA = {"name": "adadelta", "learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-4}
MOMENTUM = {"name": "momentum", "learning_rate": 0.1, "momentum": 0.9}
NESTEROV = MOMENTUM | {"name": "nesterov"}
DECAY = {"name": "step_decay", "factor": 0.1, "every_steps": 10}
WARM_DECAY = DECAY | {
    "warm_up": {
        "steps": 4,
        "start": 0.0,
        "by": "step",
        "first": "unchanged",
        "schedule_waits": False,
    }
}
"""The first step has a rate of 0: an adapter that divides by the rate of before shows it."""
SHORT = {"order": "shuffled", "size": 300, "last": "keep"}
"""1,437 rows: four whole batches and one of 237."""
RMSPROP = {"name": "rmsprop", "learning_rate": 1e-2, "rho": 0.9, "epsilon": 1e-3}
ADAGRAD = {"name": "adagrad", "learning_rate": 1e-2, "initial_accumulator": 0.1, "epsilon": 1e-3}
FORMS = ("epsilon_inside_root", "epsilon_outside_root")
L1_ON_ALL = {"strength": 1e-3, "per_row": False, "on": "all"}
L1_PER_ROW = {"strength": 0.1, "per_row": True, "on": "weights"}
CLIP_VALUES = {"name": "value", "bound": 0.01}
CLIP_NORM = {"name": "global_norm", "bound": 0.5, "epsilon": 0.0}
CLIP_ARRAYS = {"name": "array_norm", "bound": 0.2, "epsilon": 0.0}
WITH_PENALTY, APART = {"includes_penalty": True}, {"includes_penalty": False}
EVERY_NORM = {"bound": 1.0, "of": "units", "epsilon": 1e-7, "form": "every_norm"}
BEYOND_BOUND = {"bound": 0.5, "of": "inputs", "epsilon": 1e-3, "form": "beyond_bound"}
"""Bounds are such that some steps are clipped, others not."""

Changes = list[tuple[str, dict[str, Any]]]


def _first() -> Changes:
    inside = {"rate_inside_velocity": True}
    return [
        ("xor-sigmoid-full", {"base": "xor-mlp"}),
        ("regression", {"base": "diabetes-linear"}),
        ("relu-adam", {}),
        (
            "adam-hat",
            {
                "layer": {"activation": "tanh"},
                "training": {"optimizer": ADAM | {"form": "epsilon_hat", "epsilon": 1e-3}},
            },
        ),
        (
            "short-batch-momentum-decay",
            {
                "layer": {"activation": "tanh"},
                "training": {"optimizer": MOMENTUM | inside, "batches": SHORT, "schedule": DECAY},
            },
        ),
        (
            "with-replacement-nesterov",
            {
                "layer": {"activation": "softplus"},
                "training": {
                    "optimizer": NESTEROV,
                    "batches": SHORT | {"order": "with_replacement"},
                },
            },
        ),
        (
            "saturated-bce",
            {
                "layer": {"activation": "sigmoid"},
                "initializers": {"weights": {"name": "normal", "std": 4.0}},
                "training": {"loss": BCE | {"outputs": "sum"}, "optimizer": SGD},
            },
        ),
        (
            "leaky-rmsprop",
            {
                "layer": {"activation": "leaky_relu", "slope": 0.07},
                "training": {"optimizer": RMSPROP | {"form": FORMS[1]}},
            },
        ),
        (
            "gelu-adagrad",
            {
                "layer": {"activation": "gelu"},
                "training": {"optimizer": ADAGRAD | {"form": FORMS[0]}},
            },
        ),
        (
            "swish-l2",
            {
                "layer": {"activation": "swish"},
                "training": {
                    "l2": {"strength": 0.1, "half": True, "per_row": True, "on": "weights"},
                    "batches": SHORT,
                    "optimizer": SGD,
                },
            },
        ),
        (
            "mse-no-bias",
            {
                "layer": {"activation": "elu", "bias": False},
                "output": "sigmoid",
                "training": {"loss": MSE, "optimizer": SGD},
            },
        ),
    ]


def _behind_activations() -> Changes:
    """Squared error behind every output activation, each with what else a protocol may have."""
    inside, outside = {"rate_inside_velocity": True}, {"rate_inside_velocity": False}
    l2 = {"strength": 0.1, "half": True, "per_row": True, "on": "weights"}
    on_all = {"strength": 0.05, "half": False, "per_row": False, "on": "all"}
    hat = ADAM | {"form": "epsilon_hat", "epsilon": 1e-3}
    drawn, warm = SHORT | {"order": "with_replacement"}, WARM_DECAY
    one_row = {"order": "sequential", "size": 1, "last": "keep"}
    parts: list[tuple[str, str, dict[str, Any]]] = [
        (
            "tanh",
            "identity",
            {
                "optimizer": hat,
                "l2": on_all,
                "batches": SHORT,
                "schedule": DECAY,
                "clipping": CLIP_VALUES | WITH_PENALTY,
            },
        ),
        (
            "relu",
            "tanh",
            {
                "optimizer": MOMENTUM | inside,
                "schedule": warm,
                "batches": SHORT,
                "l1": L1_ON_ALL,
            },
        ),
        (
            "leaky_relu",
            "gelu_tanh",
            {
                "optimizer": MOMENTUM | outside,
                "schedule": warm,
                "l2": l2,
                "clipping": CLIP_NORM | WITH_PENALTY | {"bound": 0.06},
            },
        ),
        (
            "elu",
            "softplus",
            {
                "optimizer": NESTEROV | inside,
                "schedule": DECAY,
                "batches": drawn,
                "max_norm": EVERY_NORM,
            },
        ),
        (
            "swish",
            "leaky_relu",
            {
                "optimizer": RMSPROP | {"form": FORMS[1]},
                "batches": one_row,
                "clipping": CLIP_ARRAYS,
            },
        ),
        (
            "softplus",
            "gelu",
            {
                "optimizer": ADAGRAD | {"form": FORMS[0]},
                "schedule": DECAY,
                "l1": L1_PER_ROW,
            },
        ),
        (
            "gelu",
            "swish",
            {
                "optimizer": RMSPROP | {"form": FORMS[0]},
                "schedule": DECAY,
                "max_norm": BEYOND_BOUND,
            },
        ),
        ("gelu_tanh", "elu", {"optimizer": ADAGRAD | {"form": FORMS[1]}}),
    ]
    changes: Changes = []
    for index, (output, hidden, training) in enumerate(parts):
        half, batch, outputs = index % 2 == 0, "sum" if index == 4 else "mean", "sum"
        loss = MSE | {"half": half, "batch": batch, "outputs": outputs if index > 3 else "mean"}
        name = f"mse-behind-{output.replace('_', '-')}"
        biases = {"biases": {"name": "normal", "std": 0.2}}
        layers = {"hidden": [_layer(hidden)], "output": output}
        changes.append(
            (name, layers | {"initializers": biases, "training": {"loss": loss, **training}})
        )
    return changes


def _extremes() -> Changes:
    """Kinks, saturated outputs, large gradients, single outputs and starts of zeros."""
    zeros = {"name": "zeros"}
    far = {"weights": [{"name": "normal", "std": 0.3}, {"name": "normal", "std": 40.0}]}
    summed = {"name": "softmax_cross_entropy", "batch": "sum"}
    bce_sum = BCE | {"batch": "sum", "outputs": "sum"}
    outside = NESTEROV | {"rate_inside_velocity": False, "learning_rate": 1e-4}
    return [
        (
            "relu-at-zero",
            {
                "base": "xor-mlp",
                "hidden": [_layer("relu"), _layer("leaky_relu"), _layer("tanh")],
                "initializers": {"biases": zeros},
            },
        ),
        (
            "relu-at-zero-mse",
            {
                "base": "xor-mlp",
                "hidden": [_layer("relu")],
                "output": "sigmoid",
                "initializers": {"biases": zeros},
                "training": {"loss": MSE, "optimizer": SGD},
            },
        ),
        (
            "relu-from-zeros",
            {
                "layer": {"activation": "relu"},
                "initializers": {"weights": [zeros, {"name": "glorot_uniform"}], "biases": zeros},
                "training": {"optimizer": SGD, "batches": SHORT},
            },
        ),
        (
            "far-softmax",
            {
                "layer": {"activation": "sigmoid"},
                "initializers": far,
                "training": {
                    "loss": summed,
                    "optimizer": SLOW,
                    "schedule": DECAY,
                    "batches": SHORT,
                },
            },
        ),
        (
            "far-bce",
            {
                "layer": {"activation": "tanh"},
                "initializers": far,
                "training": {
                    "loss": bce_sum,
                    "optimizer": outside,
                    "schedule": DECAY,
                    "batches": SHORT,
                },
            },
        ),
        (
            "three-tanh-layers",
            {
                "hidden": [_layer("tanh")] * 3,
                "training": {"optimizer": SGD, "batches": SHORT},
            },
        ),
        (
            "softmax-from-zeros",
            {
                "hidden": [],
                "initializers": {"weights": zeros, "biases": zeros},
                "training": {"optimizer": SGD, "batches": SHORT},
            },
        ),
    ]


def _activations() -> Changes:
    names = ("identity", "sigmoid", "tanh", "elu", "swish", "softplus", "gelu", "gelu_tanh")
    return [(f"{name.replace('_', '-')}-adam", {"layer": {"activation": name}}) for name in names]


def _kinks() -> Changes:
    """Inputs exactly at the kinks, by x = 0 or 1 with w = k, b = -k, where z is -k, 0 or k.

    Squared error is behind the other new output activations, and each update is by another
    relative of Adam.
    """
    rules = _rules_like_adam()
    places: list[tuple[str, float, float, str, str]] = [
        ("relu6", 3.0, 0.0, "selu", "adamw"),
        ("hard_tanh", 1.0, -1.0, "softsign", "adamw-hat"),
        ("hard_sigmoid", 3.0, -3.0, "mish", "amsgrad-hat"),
        ("hard_sigmoid_fifth", 2.5, -2.5, "log_sigmoid", "amsgrad-corrected"),
        ("hard_swish", 3.0, -3.0, "hard_tanh", "nadam"),
        ("selu", 1.0, 0.0, "hard_sigmoid", "nadam-constant"),
        ("elu", 1.0, 0.0, "hard_swish", "adadelta"),
    ]
    changes: Changes = []
    for hidden, weight, bias, output, rule in places:
        name = f"{hidden.replace('_', '-')}-at-kinks"
        starts = ({"name": "constant", "value": value} for value in (weight, bias))
        weights, biases = ([start, {"name": "normal", "std": 0.5}] for start in starts)
        alpha = {"alpha": ELU_ALPHA} if hidden == "elu" else {}
        layers = {"base": "xor-mlp", "hidden": [_layer(hidden) | alpha], "output": output}
        initializers = {"weights": weights, "biases": biases}
        training = rules[rule] | {"loss": MSE, "batches": {"order": "full"}}
        changes.append((name, layers | {"initializers": initializers, "training": training}))
    return changes


def _before_the_loss() -> Changes:
    """An activation before the softmax or sigmoid of the loss; new activations in hidden layers."""
    softmax = {"name": "softmax_cross_entropy", "batch": "mean", "behind_activation": True}
    smooth = [_layer(name) for name in ("mish", "softsign", "log_sigmoid")]
    rules = _rules_like_adam()
    nesterov = {"optimizer": NESTEROV | {"rate_inside_velocity": False}, "schedule": DECAY}
    momentum = {"optimizer": MOMENTUM, "batches": SHORT, "clipping": CLIP_NORM | {"bound": 0.06}}
    parts: list[tuple[str, list[dict[str, Any]], str, dict[str, Any]]] = [
        ("softmax-behind-relu", [_layer("selu")], "relu", rules["adamax"] | {"loss": softmax}),
        ("softmax-behind-sigmoid", smooth, "sigmoid", rules["adamax-outside"] | {"loss": softmax}),
        (
            "bce-behind-sigmoid",
            [_layer("hard_sigmoid")],
            "sigmoid",
            nesterov | {"loss": BCE | {"behind_activation": True}},
        ),
        ("mse-behind-relu6", [_layer("hard_swish")], "relu6", momentum | {"loss": MSE}),
        (
            "mse-behind-hard-sigmoid-fifth",
            [_layer("relu6")],
            "hard_sigmoid_fifth",
            {"loss": MSE},
        ),
    ]
    return [
        (name, {"hidden": hidden, "output": output, "training": training})
        for name, hidden, output, training in parts
    ]


def _losses() -> Changes:
    losses = {
        "softmax-sum": ({"name": "softmax_cross_entropy", "batch": "sum"}, SLOW),
        "bce-mean": (BCE, SGD),
        "bce-sum": (BCE | {"batch": "sum", "outputs": "sum"}, SLOW),
        "mse-outputs-sum": (MSE | {"outputs": "sum"}, SGD),
        "mse-half-sum": (MSE | {"half": True, "batch": "sum"}, SLOW),
        "mse-half-adam": (MSE | {"half": True}, ADAM),
    }
    return [
        (name, {"training": {"loss": loss, "optimizer": optimizer}})
        for name, (loss, optimizer) in losses.items()
    ]


def _losses_of_values() -> Changes:
    """The others, of several outputs and of one, with what else a protocol may have.

    Two of them begin at their kinks.
    """
    both = {"batch": "mean", "outputs": "mean"}
    summed = {"batch": "sum", "outputs": "sum"}
    signs = {"data": {"target_values": [-1.0, 1.0]}}
    huber = {"name": "huber", "delta": 0.3, "over_delta": False}
    cosh, more = {"name": "log_cosh"}, _trainings()
    ones = {
        "weights": [{"name": "normal", "std": 0.5}, {"name": "zeros"}],
        "biases": [{"name": "normal", "std": 0.5}, {"name": "constant", "value": 1.0}],
    }
    one_output = {"base": "xor-mlp", "hidden": [_layer("tanh")]}
    several = {"layer": _layer("tanh")}
    parts: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ("absolute-error", {"name": "mean_absolute_error", **both}, several, more["adamw"]),
        (
            "absolute-error-at-kink",
            {"name": "mean_absolute_error", **summed},
            one_output | {"initializers": ones},
            {},
        ),
        ("huber", huber | both, several | {"output": "tanh"}, more["adamw-hat"]),
        ("huber-over-delta", huber | {"over_delta": True} | summed, one_output, more["l1"]),
        ("log-cosh", cosh | both | {"outputs": "sum"}, several, more["amsgrad-corrected-hat"]),
        (
            "log-cosh-regression",
            cosh | both,
            {"base": "diabetes-linear"},
            more["clip-array-norm"],
        ),
        ("hinge", {"name": "hinge", **both}, several | signs, more["amsgrad"]),
        (
            "hinge-at-kink",
            {"name": "hinge", **summed},
            one_output | signs | {"initializers": ones},
            {},
        ),
        (
            "squared-hinge",
            {"name": "squared_hinge", "batch": "mean", "outputs": "sum"},
            several | signs,
            more["nadam"],
        ),
        (
            "squared-hinge-sum",
            {"name": "squared_hinge", **summed, "outputs": "mean"},
            one_output | signs,
            more["max-norm"] | {"optimizer": SGD},
        ),
    ]
    return [_with_loss(*part) for part in parts]


def _smoothed_and_weighted() -> Changes:
    """Smoothed labels and weights of classes in each form, with what else a protocol may have."""
    softmax, summed = {"name": "softmax_cross_entropy", "batch": "mean"}, {"batch": "sum"}
    to_all = {"label_smoothing": {"amount": 0.1, "shared_by": "all_classes"}}
    to_others = {"label_smoothing": {"amount": 0.2, "shared_by": "other_classes"}}
    ten, two = [0.5 + k / 4 for k in range(10)], [1.5, 0.4]
    by_weights, by_rows = {"mean_over": "weights"}, {"mean_over": "rows"}
    one_output = {"base": "xor-mlp", "hidden": [_layer("tanh")]}
    several, more = {"layer": _layer("tanh")}, _trainings()
    of_ten = {
        name: {"class_weights": {"values": ten, **over}}
        for name, over in (("weights", by_weights), ("rows", by_rows), ("sum", {}))
    }
    of_two = {
        name: {"class_weights": {"values": two, **over}}
        for name, over in (("weights", by_weights), ("rows", by_rows), ("sum", {}))
    }
    parts: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ("smoothed-softmax", softmax | to_all, several, more["nadam-constant"]),
        ("smoothed-softmax-others", softmax | to_others, several, {"batches": SHORT}),
        ("smoothed-bce", BCE | to_all, several, {"batches": SHORT}),
        ("smoothed-bce-others", BCE | summed | to_others, one_output, more["adamax-outside"]),
        ("weighted-softmax", softmax | of_ten["weights"], several, {"batches": SHORT}),
        ("weighted-softmax-rows", softmax | of_ten["rows"], several, {"batches": SHORT}),
        (
            "weighted-softmax-sum",
            softmax | summed | of_ten["sum"],
            several,
            more["adadelta"],
        ),
        ("weighted-bce", BCE | of_two["weights"], one_output, {}),
        ("weighted-bce-rows", BCE | of_two["rows"], one_output, more["adamax"]),
        ("weighted-bce-sum", BCE | summed | of_two["sum"], one_output, {}),
    ]
    return [_with_loss(*part) for part in parts]


def _trainings() -> dict[str, dict[str, Any]]:
    """Update rules, schedules, penalties and batches of other protocols, by name."""
    others = [*_family_of_adam(), *_around_updates()]
    return {name: changes["training"] for name, changes in others}


def _with_loss(
    name: str, loss: dict[str, Any], changes: dict[str, Any], training: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A protocol of this loss; on data of a full batch it stays one."""
    given = {"optimizer": SGD} | training | {"loss": loss}
    if "base" in changes:
        given.pop("batches", None)
    return name, changes | {"training": given}


def _optimizers() -> Changes:
    changes: Changes = [
        ("momentum", {"training": {"optimizer": MOMENTUM}}),
        ("adam-epsilon", {"training": {"optimizer": ADAM | {"epsilon": 1e-3}}}),
        ("rmsprop-inside", {"training": {"optimizer": RMSPROP | {"form": FORMS[0]}}}),
        ("adagrad-outside", {"training": {"optimizer": ADAGRAD | {"form": FORMS[1]}}}),
    ]
    for rule in (MOMENTUM, NESTEROV):
        for inside in (True, False):
            stated = rule | {"rate_inside_velocity": inside}
            name = f"{rule['name']}-rate-{'inside' if inside else 'outside'}-decay"
            changes.append((name, {"training": {"optimizer": stated, "schedule": WARM_DECAY}}))
    return changes


def _family_of_adam() -> Changes:
    return [
        (name, {"training": training, "layer": _layer("tanh")})
        for name, training in _rules_like_adam().items()
    ]


def _rules_like_adam() -> dict[str, dict[str, Any]]:
    """Every form of the rules that come from Adam, and Adadelta; some with a changing rate."""
    by_itself = {"decay_times_rate": False, "decay_on": "weights"}
    times_rate = {"decay_times_rate": True, "decay_on": "all"}
    hat = {"form": "epsilon_hat"}
    l2 = {"strength": 0.1, "half": True, "per_row": True, "on": "all"}
    return {
        "adamw": {"optimizer": ADAMW | times_rate, "schedule": WARM_DECAY},
        "adamw-hat": {"optimizer": ADAMW | hat | by_itself, "schedule": DECAY, "batches": SHORT},
        "amsgrad": {
            "optimizer": AMSGRAD | {"form": "algorithm_1", "maximum": "before_correction"},
            "l2": l2,
        },
        "amsgrad-hat": {"optimizer": AMSGRAD | hat | {"maximum": "before_correction"}},
        "amsgrad-corrected": {
            "optimizer": AMSGRAD | {"form": "algorithm_1", "maximum": "after_correction"},
            "batches": SHORT,
        },
        "amsgrad-corrected-hat": {"optimizer": AMSGRAD | hat | {"maximum": "after_correction"}},
        "nadam": {
            "optimizer": NADAM | {"form": "scheduled_momentum", "momentum_decay": 0.5},
            "schedule": DECAY,
        },
        "nadam-constant": {"optimizer": NADAM | {"form": "constant_momentum"}, "batches": SHORT},
        "adamax": {"optimizer": ADAMAX | {"form": "epsilon_inside_maximum"}},
        "adamax-outside": {
            "optimizer": ADAMAX | {"form": "epsilon_outside_maximum"},
            "schedule": DECAY,
        },
        "adadelta": {"optimizer": ADADELTA, "schedule": DECAY, "batches": SHORT},
    }


def _penalties() -> Changes:
    changes: Changes = []
    for on in ("weights", "all"):
        for per_row in (False, True):
            l2 = {"strength": 0.1, "half": not per_row, "per_row": per_row, "on": on}
            name = f"l2-{on}{'-per-row' if per_row else ''}"
            training = {"l2": l2, "optimizer": SGD, "batches": SHORT}
            changes.append((name, {"training": training}))
    l2 = {"strength": 0.1, "half": True, "per_row": False, "on": "weights"}
    drawn, summed = SHORT | {"order": "with_replacement"}, BCE | {"batch": "sum", "outputs": "sum"}
    return [
        *changes,
        ("l2-mse", {"training": {"l2": l2, "loss": MSE, "optimizer": SGD, "batches": SHORT}}),
        (
            "l2-bce-sum-adam",
            {
                "training": {
                    "l2": l2 | {"per_row": True},
                    "loss": summed,
                    "optimizer": ADAM,
                    "batches": drawn,
                },
            },
        ),
    ]


def _around_updates() -> Changes:
    """L1, clipping and bounded norms, each almost alone."""
    l2 = {"strength": 0.05, "half": True, "per_row": False, "on": "all"}
    trainings: dict[str, dict[str, Any]] = {
        "l1": {"l1": L1_ON_ALL, "batches": SHORT},
        "l1-per-row": {"l1": L1_PER_ROW, "batches": SHORT, "optimizer": ADAM},
        "l1-clip-value": {"l1": L1_PER_ROW, "clipping": CLIP_VALUES | APART},
        "l2-clip-value": {"l2": l2, "clipping": CLIP_VALUES | WITH_PENALTY},
        "clip-array-norm": {"clipping": CLIP_ARRAYS},
        "clip-global-norm": {"clipping": CLIP_NORM, "optimizer": MOMENTUM, "batches": SHORT},
        "l2-clip-global-norm": {"l2": l2, "clipping": CLIP_NORM | {"epsilon": 1e-6} | WITH_PENALTY},
        "l2-clip-apart": {
            "l2": l2,
            "clipping": CLIP_NORM | {"epsilon": 1e-3} | APART,
            "batches": SHORT,
        },
        "max-norm": {"max_norm": EVERY_NORM, "optimizer": MOMENTUM},
        "max-norm-inputs": {"max_norm": BEYOND_BOUND, "optimizer": ADAM, "clipping": CLIP_NORM},
    }
    from_zero = {"initializers": {"biases": {"name": "zeros"}}}  # where |b| has its kink
    return [
        (
            name,
            {"layer": _layer("tanh"), "training": {"optimizer": SGD} | training}
            | (from_zero if name == "l1" else {}),
        )
        for name, training in trainings.items()
    ]


def _batches() -> Changes:
    orders: Changes = [
        (f"{order.replace('_', '-')}-short", {"training": {"batches": SHORT | {"order": order}}})
        for order in ("sequential", "shuffled", "with_replacement")
    ]
    dropped = {"training": {"batches": SHORT | {"last": "drop"}}}
    return [*orders, ("shuffled-dropped", dropped), ("iris", {"base": "iris-softmax"})]


def _dropout() -> Changes:
    """Both forms, on inputs and between layers; widths that fill a last byte of masks or do not."""
    relu, tanh = ({"units": 9, "activation": name} for name in ("relu", "tanh"))
    sigmoid = {"units": 16, "activation": "sigmoid"}
    output = {"units": 10, "activation": "identity"}
    drawn = SHORT | {"order": "with_replacement"}
    return [
        (
            "dropout",
            {
                "layers": [_dropped(0.2), relu, _dropped(0.4), output],
                "training": {"optimizer": MOMENTUM, "batches": SHORT},
            },
        ),
        (
            "dropout-classic",
            {
                "layers": [
                    tanh,
                    _dropped(0.3, "classic"),
                    sigmoid,
                    _dropped(0.5, "classic"),
                    output,
                ],
                "training": {"optimizer": ADAM, "batches": drawn},
            },
        ),
        (
            "dropout-full-batch",
            {
                "base": "xor-mlp",
                "layers": [sigmoid, _dropped(0.25), {"units": 1, "activation": "identity"}],
            },
        ),
    ]


def _images() -> Changes:
    """Digits as images of 8 x 8, as 4 x 8 of two channels, or as 8 x 4; no two sizes are equal.

    Kernels, strides and images are not square, so that rows and columns cannot be mistaken.
    """
    output = {"units": 10, "activation": "identity"}
    largest = {"kind": "max_pool", "size": [2, 2], "stride": [2, 2]}
    last, first = ({"kind": "flatten", "order": f"channels_{end}"} for end in ("last", "first"))
    return [
        (
            "conv",
            {
                "network": {"image": [8, 8, 1]},
                "layers": [_conv(3, [3, 2], "relu"), largest, last, output],
                "training": {"optimizer": MOMENTUM, "batches": SHORT},
            },
        ),
        (
            "conv-same",
            {
                "network": {"image": [4, 8, 2]},
                "layers": [
                    _conv(4, [3, 4], "tanh", padding="same", stride=[1, 2]),
                    {"kind": "average_pool", "size": [2, 3], "stride": [1, 1]},
                    _conv(5, [2, 2], "relu", padding="same"),
                    first,
                    output,
                ],
                "training": {"optimizer": ADAM, "batches": SHORT},
            },
        ),
        (
            "conv-padded",
            {
                "network": {"image": [8, 4, 2]},
                "layers": [
                    _conv(3, [3, 3], "tanh", padding=[2, 1], stride=[2, 1], bias=False),
                    {"kind": "max_pool", "size": [3, 2], "stride": [2, 1]},
                    _conv(4, [1, 2], "tanh"),
                    first,
                    {"units": 7, "activation": "tanh"},
                    output,
                ],
                "training": {"optimizer": SGD, "batches": SHORT | {"order": "with_replacement"}},
            },
        ),
    ]


def _conv(
    channels: int, kernel: list[int], activation: str, padding: Any = "valid", **more: Any
) -> dict[str, Any]:
    layer = {"kind": "conv", "channels": channels, "kernel": kernel, "padding": padding}
    return layer | {"activation": activation} | more


def _dropped(rate: float, form: str = "inverted") -> dict[str, Any]:
    return {"kind": "dropout", "rate": rate, "form": form}
