"""Small protocols that together have every activation, loss, optimizer and order of batches.

`samestep check` climbs the ladder on a covering set of twelve; `--full` and the tests, on all.
"""

import tomllib
from functools import cache
from typing import Any

from harness.experiment.loading import CATALOGUE, load, parse
from harness.experiment.model import Experiment

STEPS = 24
"""Nearly five epochs of the short-batch protocols; enough for every rung but the highest."""
COVERING = (
    "xor-sigmoid-full",
    "regression",
    "relu-adam",
    "adam-hat",
    "short-batch-momentum-decay",
    "with-replacement-nesterov",
    "saturated-bce",
    "leaky-rmsprop",
    "gelu-adagrad",
    "swish-l2",
    "mse-no-bias",
    "step-forward",
)


@cache
def every() -> dict[str, Experiment]:
    """Return all protocols of the ladder, by name."""
    groups = _covering(), _activations(), _losses(), _optimizers(), _penalties(), _batches()
    variants = {name: _variant(name, changes) for group in groups for name, changes in group}
    return {"step-forward": _step_forward(), **variants}


def covering() -> dict[str, Experiment]:
    """Return at most twelve that have each kind of part at least once."""
    return {name: every()[name] for name in COVERING}


def _variant(name: str, changes: dict[str, Any]) -> Experiment:
    """A catalogue protocol (`base`, by default digits-mlp) with changed parts, 24 steps long."""
    base = changes.get("base", "digits-mlp")
    values = tomllib.loads((CATALOGUE / f"{base}.toml").read_text(encoding="utf-8"))
    values.pop("quick", None)
    values["name"] = name
    values["training"] |= {"length": {"steps": STEPS}, "evaluation": {"every_steps": STEPS}}
    if base == "digits-mlp":
        values["initializers"] |= {"biases": {"name": "normal", "std": 0.2}}
    for part in ("initializers", "training"):
        values[part] |= changes.get(part, {})
    if "layer" in changes:
        output = {"units": 10, "activation": changes.get("output", "identity")}
        values["network"]["layers"] = [{"units": 9, **changes["layer"]}, output]
    return parse(values, name)


def _step_forward() -> Experiment:
    """The fixed forward pass, through the step function."""
    experiment = load("fixed-forward")
    *hidden, output = experiment.network.layers
    steps = [layer.model_copy(update={"activation": "step"}) for layer in hidden]
    network = experiment.network.model_copy(update={"layers": (*steps, output)})
    return experiment.model_copy(update={"name": "step-forward", "network": network})


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
MOMENTUM = {"name": "momentum", "learning_rate": 0.1, "momentum": 0.9}
NESTEROV = MOMENTUM | {"name": "nesterov"}
DECAY = {"name": "step_decay", "factor": 0.1, "every_steps": 10}
SHORT = {"order": "shuffled", "size": 300, "last": "keep"}
"""1,437 rows: four whole batches and one of 237."""
RMSPROP = {"name": "rmsprop", "learning_rate": 1e-2, "rho": 0.9, "epsilon": 1e-3}
ADAGRAD = {"name": "adagrad", "learning_rate": 1e-2, "initial_accumulator": 0.1, "epsilon": 1e-3}
FORMS = ("epsilon_inside_root", "epsilon_outside_root")

Changes = list[tuple[str, dict[str, Any]]]


def _covering() -> Changes:
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


def _activations() -> Changes:
    names = ("identity", "sigmoid", "tanh", "elu", "swish", "softplus", "gelu", "gelu_tanh")
    return [(f"{name.replace('_', '-')}-adam", {"layer": {"activation": name}}) for name in names]


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
            changes.append((name, {"training": {"optimizer": stated, "schedule": DECAY}}))
    return changes


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


def _batches() -> Changes:
    orders: Changes = [
        (f"{order.replace('_', '-')}-short", {"training": {"batches": SHORT | {"order": order}}})
        for order in ("sequential", "shuffled", "with_replacement")
    ]
    dropped = {"training": {"batches": SHORT | {"last": "drop"}}}
    return [*orders, ("shuffled-dropped", dropped), ("iris", {"base": "iris-softmax"})]
