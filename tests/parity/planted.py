# ruff: noqa: E501
"""The mistakes that are planted to test the diagnosis, the protocols, and what must be said.

`python -m tests.parity.count_mistakes` plants each in every protocol and counts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from harness import data
from harness.experiment.loading import parse
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.parity.protocols import every
from harness.parity.trace import FIRST_20_STEPS, KEPT_STEPS, Trace, record
from harness.start import BatchPlan, task_of
from tests.conftest import protocol
from tests.parity.mutant import Mutant
from tests.parity.own_rates import SCHEDULES, can_be_made, own_rates

OF_RATES = "rates: "

CE, BINARY, SQUARED = "softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error"
NORMAL = {"weights": {"name": "he_normal"}, "biases": {"name": "normal", "std": 0.3}}
LENGTH = {"training__length": {"steps": 100}, "training__evaluation": {"every_steps": 100}}
SGD = {"name": "sgd", "learning_rate": 0.1}
ADAM = {
    "name": "adam",
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-4,
    "form": "algorithm_1",
}
MOMENTUM = {"name": "momentum", "learning_rate": 0.05, "momentum": 0.9}
RMSPROP = {"name": "rmsprop", "learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-4}
ADAGRAD = {"name": "adagrad", "learning_rate": 1e-2, "initial_accumulator": 0.1, "epsilon": 1e-2}
DECAY = {"name": "step_decay", "factor": 0.5, "every_steps": 20}
SHORT = {"order": "shuffled", "size": 300, "last": "keep"}
BCE = {"name": "binary_cross_entropy", "batch": "mean", "outputs": "mean"}
MSE = {"name": "mean_squared_error", "half": False, "batch": "mean", "outputs": "mean"}
L2 = {"strength": 1e-2, "half": True, "per_row": True, "on": "weights"}


def layers(activation, output="identity", **more):
    return [{"units": 12, "activation": activation, **more}, {"units": 10, "activation": output}]


@cache
def protocols() -> dict[str, Experiment]:
    """Fourteen protocols: every optimizer and loss, short and full batches, one to three layers."""
    hidden = {"initializers": NORMAL}
    rates = {"rate_inside_velocity": False}
    three = [{"units": 12, "activation": "relu"}, {"units": 12, "activation": "relu"}]
    changes = {
        "sgd": {"network__layers": layers("tanh"), "training__optimizer": SGD, "training__batches": SHORT, **hidden},
        "momentum": {"network__layers": layers("softplus"), "training__optimizer": MOMENTUM | rates, "training__schedule": DECAY, **hidden},
        "adam": {"network__layers": layers("tanh"), "training__optimizer": ADAM, **hidden},
        "rmsprop": {"network__layers": layers("elu"), "training__optimizer": RMSPROP | {"form": "epsilon_outside_root"}, **hidden},
        "adagrad": {"network__layers": layers("gelu"), "training__optimizer": ADAGRAD | {"form": "epsilon_inside_root"}, **hidden},
        "l2": {"network__layers": layers("swish"), "training__optimizer": SGD, "training__batches": SHORT, "training__l2": L2, **hidden},
        "squared": {"network__layers": layers("sigmoid", "sigmoid"), "training__loss": MSE, "training__optimizer": SGD, **hidden},
        "binary": {"network__layers": layers("sigmoid"), "training__loss": BCE, "training__optimizer": SGD, **hidden},
        "three layers": {"network__layers": [*three, {"units": 10, "activation": "identity"}], "training__optimizer": MOMENTUM | {"name": "nesterov"}, "training__batches": SHORT, **hidden},
        "one layer": {"base": "digits-softmax", "training__batches": SHORT | {"size": 100}},
        "iris": {"base": "iris-softmax"},
        "diabetes": {"base": "diabetes-linear"},
        "xor": {"base": "xor-mlp", "network__layers": [{"units": 4, "activation": "relu"}, {"units": 1, "activation": "identity"}], "initializers__biases": {"name": "zeros"}, "training__optimizer": {"name": "sgd", "learning_rate": 0.02}},
        "saturated": {"network__layers": layers("tanh"), "training__loss": BCE, "training__optimizer": SGD, "initializers": NORMAL | {"weights": {"name": "normal", "std": 20.0}}},
    }  # fmt: skip
    return {name: _made(**values) for name, values in changes.items()}


@cache
def scheduled() -> dict[str, Experiment]:
    """A protocol for each schedule of `own_rates`, of five steps an epoch."""
    inside = {"rate_inside_velocity": True}
    rmsprop = RMSPROP | {"form": "epsilon_inside_root"}
    rules = (SGD, MOMENTUM | inside, ADAM, SGD, rmsprop, SGD, MOMENTUM | inside, SGD)
    changes = {
        "network__layers": layers("tanh"),
        "training__batches": SHORT,
        "initializers": NORMAL,
    }
    return {
        name: _made(training__schedule=schedule, training__optimizer=rule, **changes)
        for (name, schedule), rule in zip(SCHEDULES.items(), rules, strict=True)
    }


@cache
def activations() -> dict[str, Experiment]:
    """Protocols of activations that the others do not have, and of one before the softmax."""
    names = (
        "selu",
        "softsign",
        "log_sigmoid",
        "mish",
        "relu6",
        "hard_tanh",
        "hard_sigmoid",
        "hard_sigmoid_fifth",
        "hard_swish",
    )
    behind = {"name": CE, "batch": "mean", "behind_activation": True}
    changes = {name: {"network__layers": layers(name)} for name in names}
    changes["elu"] = {"network__layers": layers("elu", alpha=0.3)}
    changes["softmax behind relu"] = {
        "network__layers": layers("tanh", "relu"),
        "training__loss": behind,
    }
    changes["softmax behind sigmoid"] = {
        "network__layers": layers("tanh", "sigmoid"),
        "training__loss": behind,
    }
    plain = {"initializers": NORMAL, "training__optimizer": SGD}
    made = {name: _made(**values, **plain) for name, values in changes.items()}
    kinked = {name: experiment for name, experiment in every().items() if "at-kinks" in name}
    return made | {name: proof_of(experiment) for name, experiment in kinked.items()}


@cache
def relatives() -> dict[str, Experiment]:
    """A protocol for each form of AdamW, AMSGrad, Nadam, Adamax and Adadelta."""
    betas = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3}
    adamw = betas | {"name": "adamw", "weight_decay": 0.05}
    amsgrad, nadam = betas | {"name": "amsgrad"}, betas | {"name": "nadam"}
    adamax = betas | {"name": "adamax"}
    before, after = {"maximum": "before_correction"}, {"maximum": "after_correction"}
    one, hat = {"form": "algorithm_1"}, {"form": "epsilon_hat"}
    rules = {
        "adamw": adamw | one | {"decay_times_rate": True, "decay_on": "all"},
        "adamw by itself": adamw
        | hat
        | {"weight_decay": 0.03, "decay_times_rate": False, "decay_on": "weights"},
        "amsgrad": amsgrad | one | before,
        "amsgrad corrected": amsgrad | hat | after,
        "nadam": nadam | {"form": "scheduled_momentum", "momentum_decay": 0.5},
        "nadam constant": nadam | {"form": "constant_momentum"},
        "adamax": adamax | {"form": "epsilon_inside_maximum"},
        "adamax outside": adamax | {"form": "epsilon_outside_maximum"},
        "adadelta": {"name": "adadelta", "learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-4},
    }
    decay = {"training__schedule": DECAY, "training__batches": SHORT}
    three_classes = [{"units": 12, "activation": "tanh"}, {"units": 3, "activation": "identity"}]
    # no gradient of iris is 0, so that Adamax without epsilon divides by none
    iris = {"base": "iris-softmax", "network__layers": three_classes}
    more = dict.fromkeys(("adamw", "nadam", "adadelta"), decay)
    more |= dict.fromkeys(("adamax", "adamax outside"), iris)
    return {
        name: _made(
            **{"network__layers": layers("tanh"), **more.get(name, {})},
            training__optimizer=rule,
            initializers=NORMAL,
        )
        for name, rule in rules.items()
    }


@cache
def around() -> dict[str, Experiment]:
    """Protocols with an L1 penalty, clipped gradients and bounded norms."""
    l2 = {"strength": 0.2, "half": True, "per_row": False, "on": "all"}
    l1 = {"strength": 2e-3, "per_row": False, "on": "weights"}
    norm = {"name": "global_norm", "bound": 0.3, "epsilon": 1e-3}
    momentum = MOMENTUM | {"rate_inside_velocity": True}
    changes = {
        "l1": {"training__l1": l1 | {"strength": 0.3, "per_row": True}, "training__batches": SHORT},
        "l1 on all": {"training__l1": l1 | {"on": "all"}, "training__optimizer": momentum},
        "clipped values": {
            "training__l2": l2,
            "training__clipping": {"name": "value", "bound": 0.03, "includes_penalty": True},
        },
        "clipped norm": {
            "training__l1": l1 | {"strength": 0.03},
            "training__clipping": norm | {"includes_penalty": False},
        },
        "clipped arrays": {"training__clipping": norm | {"name": "array_norm"}},
        "max-norm": {
            "training__max_norm": {
                "bound": 0.9, "of": "units", "epsilon": 1e-3, "form": "every_norm"
            },
        },
        "max-norm beyond": {
            "training__optimizer": momentum,
            "training__max_norm": {
                "bound": 0.7, "of": "inputs", "epsilon": 1e-3, "form": "beyond_bound"
            },
        },
    }  # fmt: skip
    plain = {"network__layers": layers("tanh"), "initializers": NORMAL, "training__optimizer": SGD}
    return {name: _made(**(plain | values)) for name, values in changes.items()}


@cache
def dropouts() -> dict[str, Experiment]:
    """Protocols with dropout: between layers of one width, on inputs, and classic."""
    tanh, relu, sigmoid = (
        {"units": 12, "activation": name} for name in ("tanh", "relu", "sigmoid")
    )
    output = {"units": 10, "activation": "identity"}
    momentum = MOMENTUM | {"rate_inside_velocity": True}
    changes = {
        "dropout": {
            "network__layers": [tanh, _dropped(0.3), tanh, _dropped(0.4), output],
            "training__optimizer": SGD,
            "training__batches": SHORT,
        },
        "dropout of inputs": {
            "network__layers": [_dropped(0.2), relu, output],
            "training__optimizer": momentum,
        },
        "classic dropout": {
            "network__layers": [sigmoid, _dropped(0.35, "classic"), output],
            "training__optimizer": ADAM,
        },
    }
    return {name: _made(**values, initializers=NORMAL) for name, values in changes.items()}


@cache
def images() -> dict[str, Experiment]:
    """Protocols with layers of images: both kinds of pooling, both orders, zeros of three sorts."""
    output = {"units": 10, "activation": "identity"}
    pool = {"size": [2, 2], "stride": [2, 2]}
    changes = {
        "valid": {
            "network__image": [8, 8, 1],
            "network__layers": [_conv(4, [3, 3], "valid"), {"kind": "max_pool", **pool}, _flatten("last"), output],
            "training__optimizer": SGD,
            "training__batches": SHORT,
        },
        "same": {
            "network__image": [8, 8, 1],
            "network__layers": [_conv(3, [2, 4], "same", "relu"), {"kind": "average_pool", **pool}, _conv(4, [2, 2], "same"), _flatten("first"), output],
            "training__optimizer": ADAM,
        },
        "zeros": {
            "network__image": [4, 8, 2],
            "network__layers": [_conv(5, [3, 3], [1, 2], stride=[1, 2]), {"kind": "max_pool", "size": [2, 3], "stride": [1, 1]}, _flatten("first"), output],
            "training__optimizer": MOMENTUM | {"rate_inside_velocity": True},
        },
    }  # fmt: skip
    return {name: _made(**values, initializers=NORMAL) for name, values in changes.items()}


def _conv(channels, kernel, padding, activation="tanh", **more):
    conv = {"kind": "conv", "channels": channels, "kernel": kernel, "padding": padding}
    return conv | {"activation": activation} | more


def _flatten(end):
    return {"kind": "flatten", "order": f"channels_{end}"}


def _dropped(rate, form="inverted"):
    return {"kind": "dropout", "rate": rate, "form": form}


@cache
def losses() -> dict[str, Experiment]:
    """Protocols of the losses that the others do not have; two of them at their kinks."""
    both = {"batch": "mean", "outputs": "mean"}
    signs = {"data__target_values": [-1.0, 1.0]}
    huber = {"name": "huber", "delta": 0.3, "over_delta": False, **both}
    changes = {
        "absolute error": {"training__loss": {"name": "mean_absolute_error", **both}},
        "huber": {"training__loss": huber, "training__batches": SHORT},
        "huber over delta": {
            "training__loss": huber | {"over_delta": True},
            "network__layers": layers("tanh", "sigmoid"),
        },
        "log cosh": {"training__loss": {"name": "log_cosh", **both, "outputs": "sum"}},
        "hinge": {"training__loss": {"name": "hinge", **both}, **signs},
        "squared hinge": {
            "training__loss": {"name": "squared_hinge", **both, "batch": "sum"},
            "training__optimizer": {"name": "sgd", "learning_rate": 1e-3},
            **signs,
        },
    }
    softmax = {"name": CE, "batch": "mean"}
    smoothed = {"label_smoothing": {"amount": 0.125, "shared_by": "all_classes"}}
    weights = {
        "class_weights": {"values": [0.5 + k / 4 for k in range(10)], "mean_over": "weights"}
    }
    changes |= {
        "smoothed": {"training__loss": softmax | smoothed, "training__batches": SHORT},
        "smoothed bits": {
            "training__loss": BCE
            | {"label_smoothing": {"amount": 0.2, "shared_by": "other_classes"}},
        },
        "weighted": {"training__loss": softmax | weights, "training__batches": SHORT},
        "weighted rows": {
            "training__loss": softmax
            | {"class_weights": weights["class_weights"] | {"mean_over": "rows"}},
            "training__optimizer": ADAM,
        },
    }
    plain = {"network__layers": layers("tanh"), "initializers": NORMAL, "training__optimizer": SGD}
    made = {name: _made(**(plain | values)) for name, values in changes.items()}
    kinked = ("absolute-error-at-kink", "hinge-at-kink")
    return made | {name: proof_of(every()[name]) for name in kinked}


@cache
def every_protocol() -> dict[str, Experiment]:
    """Return the protocols of all groups of mistakes."""
    return (
        protocols()
        | scheduled()
        | relatives()
        | activations()
        | around()
        | losses()
        | dropouts()
        | images()
    )


def protocols_of(group: str) -> dict[str, Experiment]:
    """Return the protocols in which the mistakes of a group are planted."""
    groups = {
        "rates": scheduled,
        "relatives of Adam": relatives,
        "activations": activations,
        "around updates": around,
        "dropout": dropouts,
        "images": images,
        "losses": losses,
    }
    return groups.get(group, protocols)()


def _made(base="digits-mlp", **changes) -> Experiment:
    return proof_of(parse(protocol(base, quick=None, native=None, **LENGTH, **changes), "test"))


def trace_of(
    experiment: Experiment, mistake: str, keep_first_20_steps: bool = False, adapter=Mutant
) -> Trace:
    """The trace that the mutant leaves, taken as a worker takes it in float64."""
    prepared = data.load(experiment.data, experiment.loss, "float64")

    def build(changed):
        task = task_of(changed, prepared, seed=0, loop="stepwise", dtype="float64")
        trainer = adapter(task, mistake)
        if mistake.startswith(OF_RATES) and changed.training.schedule is not None:
            trainer.rates = _own_rates(changed, mistake.removeprefix(OF_RATES), task)
        return trainer

    kept = FIRST_20_STEPS if keep_first_20_steps else KEPT_STEPS
    shown_by = "own trainer" if keep_first_20_steps else "first update"
    return record(build, experiment, prepared, 0, kept, shown_by)


def _own_rates(experiment, mistake, task):
    schedule = experiment.training.schedule
    (name,) = (each for each, e in scheduled().items() if e.training.schedule == schedule)
    given = BatchPlan.of(experiment, 0).segment(0, experiment.steps + 1).learning_rates.tolist()
    return own_rates(mistake, name, task.optimizer.learning_rate, given)


@dataclass(frozen=True)
class Planted:
    """A mistake of the mutant.

    Args:
        mistake: its name there.
        words: what must be said of it, as a regular expression.
        fits: whether a protocol has what the mistake is about.
    """

    mistake: str
    words: str
    fits: Callable[[Experiment], bool] = lambda experiment: True

    def named_in(self, text: str) -> bool:
        """Whether the words are said."""
        return re.search(self.words, text) is not None


def optimizer(*names: str) -> Callable[[Experiment], bool]:
    return lambda e: e.training.optimizer.name in names


def loss(*names: str) -> Callable[[Experiment], bool]:
    return lambda e: e.loss.name in names


def hidden(e: Experiment) -> bool:
    return len(e.network.dense_layers) > 1


def drawn(e: Experiment) -> bool:
    return e.training.batches.order != "full"


def short(e: Experiment) -> bool:
    return e.has_short_batch


def penalised(e: Experiment) -> bool:
    return e.training.l2 is not None


def unpenalised(e: Experiment) -> bool:
    return e.training.l2 is None


def has(activation: str) -> Callable[[Experiment], bool]:
    return lambda e: any(layer.activation == activation for layer in e.network.dense_layers)


def hidden_is(*names: str) -> Callable[[Experiment], bool]:
    return lambda e: e.network.dense_layers[0].activation in names


def many(e: Experiment) -> bool:
    return e.network.outputs > 1


def saturated(e: Experiment) -> bool:
    return getattr(e.initializers.weights, "std", 0) == 20


OLD = [
    Planted("kernel transposed", r"^the kernel of layer 2 is transposed", hidden),
    Planted("all transposed", r"^every kernel is transposed|^the kernel of layer 1 is transposed"),
    Planted("biases missing", r"^there are no biases|\(or there are none\)"),
    Planted("biases frozen", r"^biases( of layer 1 and biases of layer 2)? are never updated"),
    Planted("biases zero", r"^biases start at 0"),
    Planted("loss summed over the batch", r"summed over the batch|averaged over the batch"),
    Planted("loss summed over the outputs", "summed over the outputs", loss(BINARY, SQUARED)),
    Planted("loss halved", "^the loss is halved"),
    Planted("loss doubled", "^the loss is doubled"),
    Planted("loss returned as sum", "^the returned loss is summed over the batch"),
    Planted("softmax twice", "^softmax is applied twice", loss(CE)),
    Planted("clipped", "clipped probabilities", saturated),
    Planted("other form", "Adam has the|epsilon is (in|out)side the root", optimizer("adam", "rmsprop", "adagrad")),
    Planted("epsilon 1e-7", "epsilon is 1e-07", optimizer("adam", "rmsprop", "adagrad")),
    Planted("epsilon 1e-8", "epsilon is 1e-08", optimizer("adam", "rmsprop", "adagrad")),
    Planted("no bias correction", "Adam has no bias correction", optimizer("adam")),
    Planted("state reset", "memory is emptied between calls", lambda e: e.training.optimizer.name != "sgd"),
    Planted("momentum dampened", "^momentum is dampened$", optimizer("momentum", "nesterov")),
    Planted("nesterov swapped", "^momentum is (Nesterov's|plain)", optimizer("momentum", "nesterov")),
    Planted("velocity the other way", "inside the velocity", lambda e: e.rate_changes),
    Planted("weight decay", r"^a weight decay of 0\.01 is added on the weights", unpenalised),
    Planted("weight decay on all", r"^a weight decay of 0\.01 is added on weights and biases", unpenalised),
    Planted("decoupled decay", r"(?s)^a weight decay of 0\.05 is added on (weights and biases|the weights)"),
    Planted("rate scaled", "3 times the given one"),
    Planted("own rate", r"0\.01 whatever is given|0\.\d+ times the given one"),
    Planted("rate decays", r"decays by itself, by 0\.97 a step"),
    Planted("rows of the start", "other rows than the given ones|rows in their own order|first batch", drawn),
    Planted("rows in order", "rows in their own order", drawn),
    Planted("rows shuffled anew", "other rows than the given ones", drawn),
    Planted("short batch dropped", "the short last batch is dropped", short),
    Planted("padding counted", "padded rows count", short),
    Planted("inputs scaled twice", "divided by 255 again"),
    Planted("inputs not scaled", "16 times too large"),
    Planted("activation relu", "hidden layers have relu", lambda e: hidden(e) and not has("relu")(e)),
    Planted("activation elu", "hidden layers have elu", lambda e: hidden(e) and not has("elu")(e)),
    Planted("activation gelu_tanh", "GELU is approximated by tanh", has("gelu")),
    Planted("slope 0.2", r"leaky ReLU with slope 0\.2", hidden),
    Planted("width wrong", r"^layer 1 has \d+ units, not", hidden),
    Planted("layer 1 frozen", "^layer 1 is never updated", hidden),
    Planted("layer 2 frozen", "^layer 2 is never updated", hidden),
    Planted("float32", "float32 inside a float64 proof"),
    Planted("own start", "^it draws initial weights of its own"),
    Planted("sign flipped", "the sign of the update is flipped"),
    Planted("probabilities", "^predict gives probabilities", loss(CE, BINARY)),
    Planted("classes reversed", "^predict has the classes reversed", many),
]  # fmt: skip

LISTED = [
    Planted("labels next", "labels are off by one: the next class", many),
    Planted("labels previous", "labels are off by one: the previous class", many),
    Planted("smoothing 0.1", r"^labels are smoothed by 0\.1", loss(CE, BINARY)),
    Planted("clip value 0.02", r"^gradients are clipped to values of at most 0\.02"),
    Planted("clip each 0.1", r"^gradients are clipped to a norm of 0\.1, each tensor alone"),
    Planted("clip norm 0.3", r"^gradients are clipped to a norm of 0\.3, that of all"),
    Planted("clip norm 1", r"^gradients are clipped to a norm of 1, that of all"),
    Planted("average 0.9", r"parameters returned are moving averages with factor 0\.9"),
    Planted("corrected average 0.9", r"parameters returned are moving averages with factor 0\.9"),
    Planted("mean of all parameters", "parameters returned are means"),
    Planted("biases at twice the rate", "^biases( of layer . and biases of layer .)? move at 2 times"),
    Planted("layer 1 at twice the rate", "layer 1 move at 2 times", hidden),
    Planted("weights of layer 2 frozen", "weights of layer 2 are never updated", hidden),
    Planted("bias gradient doubled", "^biases( of layer . and biases of layer .)? move at 2 times|gradient of biases is 2 times"),
    Planted("warm-up 5", "warms up over 5 steps"),
    Planted("warm-up from zero 5", "warms up over 5 steps"),
    Planted("decoupled decay on weights", r"^a weight decay of 0\.05 is added on the weights"),
    Planted("amsgrad", "AMSGrad", optimizer("adam")),
    Planted("amsgrad, corrected", "AMSGrad", optimizer("adam")),
    Planted("momentum dampened as torch by 0.9", "dampened.*except for the first velocity", optimizer("momentum", "nesterov")),
    Planted("momentum dampened as torch by 0.5", r"dampened by 0\.5, except for the first", optimizer("momentum", "nesterov")),
    Planted("softmax over the batch", "softmax sums over the whole batch", loss(CE)),
    Planted("softmax over the batch, by hand", "softmax sums over the whole batch", loss(CE)),
    Planted("biases added twice", "biases are added twice"),
    Planted("biases added twice, by hand", "biases are added twice"),
    Planted("first row dropped", "first row of every batch is left out"),
    Planted("last row dropped", "last row of every batch is left out"),
    Planted("first row dropped, all divide", "first row of every batch is left out"),
    Planted("batch twice every 1", "every batch is trained twice"),
    Planted("batch twice every 2", "every 2nd batch is trained twice"),
    Planted("batch twice every 10", "every 10th batch is trained twice"),
    Planted("batch twice every 30", "every 30th batch is trained twice"),
    Planted("no zero_grad", "no zero_grad"),
    Planted("inputs scaled in training by 2", "inputs are doubled in training only"),
    Planted("inputs scaled in training by 0.00392156862745098", "inputs are divided by 255 again in training only"),
    Planted("predict scaled", "inputs are divided by 255 again in predict only"),
    Planted("max-norm 0.8", r"weights of each unit are kept at a norm of at most 0\.8"),
    Planted("gradients centralised", "gradients of kernels are centralised"),
    Planted("noise on gradients", "draws random numbers"),
    Planted("noise on inputs", "draws random numbers"),
    Planted("dropout", "draws random numbers", hidden),
    Planted("products of float16", "about 10 bits"),
    Planted("products of tf32", "about 10 bits"),
    Planted("products of bfloat16", "about 7 bits"),
    Planted("products of float32", "float32 inside a float64 proof"),
    Planted("products of float16 training", "about 10 bits"),
    Planted("nominal divisor", "means divide by the rows of a whole batch", short),
    Planted("kernel updated early", "kernel is updated before the error", lambda e: len(e.network.layers) == 2 and optimizer("sgd")(e)),
    Planted("log epsilon 1e-7", "epsilon of 1e-07 in its logarithm", loss(CE, BINARY)),
    Planted("output slope missing", "derivative of the output's activation is missing", lambda e: e.network.output_layer.activation != "identity"),
    Planted("relu slope 1 at 0", "derivative of ReLU at 0 is 1", lambda e: e.data.dataset == "xor"),
    Planted("class weights", r"rows weigh by class \(class 1: 2", loss(CE)),
    Planted("class weights, plain", r"rows weigh by class \(class 1: 2", loss(CE)),
    Planted("mean loss", "one mean loss is returned"),
    Planted("losses after", "losses are those after the update"),
    Planted("rows shuffled at random", "draws random numbers|other rows than the given ones", drawn),
    Planted("kernels shown as (outputs, inputs)", r"kernels are returned as \(outputs, inputs\)|kernel of layer . is returned as \(outputs, inputs\)"),
    Planted("biases shown as (1, units)", r"biases are returned in shape \(1, "),
    Planted("biases shown as a scalar", "biases (are returned in|of layer . have the) shape of a scalar"),
    Planted("biases shown as None", "None is returned in their place"),
    Planted("biases missing, None", "None is returned in their place"),
    Planted("views", "returns views, not copies"),
]  # fmt: skip

THREADS = [
    Planted("always half", "the loss is halved", loss(SQUARED)),
    Planted("gradient halved", r"0\.5 times the given one|gradient is that of a loss that is halved"),
    Planted("pairs of all", r"\(N, 1\) minus \(N,\)", lambda e: loss(SQUARED)(e) and not many(e)),
    Planted("penalty as torch", "the penalty is", penalised),
    Planted("penalty as Keras", "the penalty is not halved and is not divided by the rows", penalised),
    Planted("penalty decoupled", "the penalty is (a decoupled weight decay|not divided by the rows and is missing)", penalised),
    Planted("penalty missing", "the penalty is missing", penalised),
    Planted("penalty not returned", "the penalty is missing in the returned loss", penalised),
    Planted("dropout, seeded", "dropout|random", hidden),
    Planted("weight decay in the gradient", r"^a weight decay of 0\.01 is added on the weights", unpenalised),
]  # fmt: skip

COUSINS = [
    Planted("beta2 0.99", "beta2 is 0.99", optimizer("adam")),
    Planted("betas swapped", "beta1 and beta2 are swapped", optimizer("adam")),
    Planted("t of every tensor", "t counts tensors", optimizer("adam")),
    Planted("t starts at 2", "t starts at 2", optimizer("adam")),
    Planted("rho 0.99", "rho is 0.99", optimizer("rmsprop")),
    Planted("accumulator of zero", "accumulator starts at 0", optimizer("adagrad")),
    Planted("added momentum 0.9", r"^a momentum of 0\.9 is added", optimizer("sgd")),
    Planted("added momentum 0.7", r"^a momentum of 0\.7 is added", optimizer("sgd")),
    Planted("added nesterov 0.9", r"^Nesterov's momentum of 0\.9 is added", optimizer("sgd")),
    Planted("momentum of 0.5", r"^momentum is 0\.5, not", optimizer("momentum", "nesterov")),
    Planted("l1 0.001", r"L1 penalty of 0\.001"),
    Planted("targets of the next row", "targets are those of the next row"),
    Planted("targets flipped", "targets are flipped", loss(BINARY)),
    Planted("rows reversed", "predict has the rows reversed"),
    Planted("log probabilities", "predict gives logarithms of probabilities", loss(CE)),
    Planted("losses in running means", "losses are means of all steps so far"),
    Planted("memory emptied every epoch", "memory is emptied after every epoch", lambda e: short(e) and e.training.optimizer.name != "sgd"),
    Planted("batch skipped every 7", "every 7th batch is skipped"),
    Planted("weights within 0.5", r"parameters are clipped to values of at most 0\.5"),
    Planted("hidden slopes missing", "derivative of the hidden activations is missing", hidden),
    Planted("inputs standardised", "inputs are standardised"),
    Planted("parameters before", "parameters returned are those before the last update"),
    Planted("softmax over columns", "softmax sums over the rows of a class", loss(CE)),
    Planted("decay without the rate", r"weights and biases lose 0\.001 of themselves|decay of 0\.01 is added on weights and b"),
    Planted("no zero_grad within a call", "no zero_grad"),
    Planted("rows drawn anew", "other rows than the given ones", drawn),
]  # fmt: skip


def _of_rates(mistake: str, words: str) -> Planted:
    """A mistake of `own_rates`, in the protocols in which it can be made."""
    names = [name for name in SCHEDULES if can_be_made(mistake, name)]
    schedules = [scheduled()[name].training.schedule for name in names]
    return Planted(OF_RATES + mistake, words, lambda e: e.training.schedule in schedules)


OWN_RATES = [
    _of_rates("its own", "learning rates are its own"),
    _of_rates("constant", "the schedule is left out"),
    _of_rates("of the step after", "that of the step after|too early"),
    _of_rates("of the step before", "that of the step before|too late"),
    _of_rates("early", "that of the (step|epoch) after|changes one (step|epoch) too early"),
    _of_rates("late", "that of the (step|epoch) before|changes one (step|epoch) too late"),
    _of_rates("per step", "the schedule counts steps"),
    _of_rates("per epoch", "the schedule counts epochs"),
    _of_rates("continuous", "not a staircase|in every step, not only between epochs"),
    _of_rates("staircase", "the decay is a staircase"),
    _of_rates("no warm-up", "the warm-up is left out"),
    _of_rates("early warm-up", "the warm-up is one step too early"),
    _of_rates("chained", "the schedule begins with the warm-up"),
    _of_rates("no restarts", "restarts are left out"),
    _of_rates("equal cycles", "all cycles are as long as the first"),
    _of_rates("linear cycle", "the cycle is linear, not cosine"),
    _of_rates("three phases", "the cycle has three phases"),
]  # fmt: skip

ACTIVATIONS = [
    Planted("activation elu", "hidden layers have elu, not selu", hidden_is("selu")),
    Planted("alpha 1", "(SELU|ELU) has alpha 1", hidden_is("selu", "elu")),
    Planted("selu without scale", "SELU lacks its scale", hidden_is("selu")),
    Planted("activation hard_sigmoid", "hard sigmoid has slope 1/6", hidden_is("hard_sigmoid_fifth")),
    Planted("activation hard_sigmoid_fifth", "hard sigmoid has slope 1/5", hidden_is("hard_sigmoid")),
    Planted("activation relu", "hidden layers have relu, not relu6", hidden_is("relu6")),
    Planted("activation tanh", "hidden layers have tanh, not (softsign|hard_tanh)", hidden_is("softsign", "hard_tanh")),
    Planted("activation swish", "hidden layers have swish, not (mish|hard_swish)", hidden_is("mish", "hard_swish")),
    Planted("activation softplus", "hidden layers have softplus, not log_sigmoid", hidden_is("log_sigmoid")),
    Planted("clamped", "derivative of (relu6|hard_tanh|hard_sigmoid) at a kink is that of the other side", hidden_is("relu6", "hard_tanh", "hard_sigmoid")),
    Planted("output is identity", "the activation (before the softmax|of the last layer) .* is missing", lambda e: e.network.output_layer.activation != "identity"),
    Planted("output is relu", "the last layer has relu, not identity", lambda e: e.network.output_layer.activation == "identity"),
    Planted("output is sigmoid", "the last layer has sigmoid, not identity", lambda e: e.network.output_layer.activation == "identity"),
    Planted("output slope missing", "derivative of the output's activation is missing", lambda e: e.network.output_layer.activation != "identity"),
    Planted("hidden slopes missing", "derivative of the hidden activations is missing", hidden),
    Planted("softmax twice", "^softmax is applied twice", loss(CE)),
]  # fmt: skip


def scheduled_momentum(e: Experiment) -> bool:
    return getattr(e.training.optimizer, "momentum_decay", None) is not None


RELATIVES = [
    Planted("other form", "has (the|epsilon)", optimizer("adamw", "amsgrad", "adamax")),
    Planted("epsilon 1e-7", "epsilon is 1e-07"),
    Planted("epsilon 1e-8", "epsilon is 1e-08"),
    Planted("beta2 0.999", "beta2 is 0.999", optimizer("adamw", "amsgrad", "adamax")),
    Planted("no bias correction", "has no bias correction", optimizer("adamw", "amsgrad", "adamax")),
    Planted("t starts at 2", "t starts at 2", optimizer("adamw", "amsgrad", "nadam")),
    Planted("state reset", "memory is emptied between calls"),
    Planted("memory emptied every epoch", "memory is emptied after every epoch", short),
    Planted("decay coupled", "the weight decay is coupled, in loss and gradient: ", optimizer("adamw")),
    Planted("decay coupled, in the gradient", "the weight decay is coupled, in the gradient: ", optimizer("adamw")),
    Planted("no decay", "the weight decay is missing", optimizer("adamw")),
    Planted("decay times the rate, or not", "the weight decay is (not )?multiplied by the learning rate", optimizer("adamw")),
    Planted("decay on the others", "the weight decay is on", optimizer("adamw")),
    Planted("decay after the step", "the weights decay after Adam's step", optimizer("adamw")),
    Planted("decay of 0.01", r"the weight decay is 0\.01, not 0\.0", optimizer("adamw")),
    Planted("decay of 0.004", r"the weight decay is 0\.004, not 0\.0", optimizer("adamw")),
    Planted("no maximum", "AMSGrad is plain Adam", optimizer("amsgrad")),
    Planted("maximum at the other place", "AMSGrad takes its maximum", optimizer("amsgrad")),
    Planted("no schedule of the momentum", "Nadam's momentum has no schedule", scheduled_momentum),
    Planted("momentum decay of 1", "Nadam's momentum_decay is 1, not 0.5", scheduled_momentum),
    Planted("momentum decay of 0.004", "Nadam's momentum_decay is 0.004, not 0.5", scheduled_momentum),
    Planted("momentum of the schedule in m", "Nadam's m is taken with the momentum of the schedule", scheduled_momentum),
    Planted("powers of beta1", "Nadam corrects by powers of beta1", scheduled_momentum),
    Planted("no nesterov", "Nadam is plain Adam", optimizer("nadam")),
    Planted("m corrected by this step", "Nadam corrects m by this step's product", optimizer("nadam")),
    Planted("no epsilon", "Adamax has no epsilon", optimizer("adamax")),
    Planted("averages swapped", "Adadelta's averages are swapped", optimizer("adadelta")),
    Planted("epsilon outside the roots", "Adadelta's epsilon is outside the roots", optimizer("adadelta")),
    Planted("rate in the average", "average of steps takes them times the learning rate", optimizer("adadelta")),
    Planted("no rate", "the learning rate is 1 whatever is given", optimizer("adadelta")),
    Planted("rho 0.99", "Adadelta's rho is 0.99", optimizer("adadelta")),
    Planted("rate scaled", "3 times the given one"),
    Planted("loss halved", "^the loss is halved"),
    Planted("weight decay", r"^a weight decay of 0\.01 is added on the weights"),
    Planted("clip norm 0.3", r"^gradients are clipped to a norm of 0\.3, that of all"),
    Planted("biases at twice the rate", "^biases( of layer . and biases of layer .)? move at 2 times"),
    Planted("sign flipped", "the sign of the update is flipped"),
    Planted("biases missing", r"^there are no biases|\(or there are none\)"),
    Planted("labels next", "labels are off by one: the next class"),
]  # fmt: skip


def has_l1(e: Experiment) -> bool:
    return e.training.l1 is not None


def clips(*names: str) -> Callable[[Experiment], bool]:
    return lambda e: e.training.clipping is not None and e.training.clipping.name in names


def bounded(e: Experiment) -> bool:
    return e.training.max_norm is not None


AROUND = [
    Planted("no l1", "the L1 penalty is missing$", has_l1),
    Planted("l1 not returned", "the L1 penalty is missing in the returned loss", has_l1),
    Planted("l1 on the others", "the L1 penalty is on", has_l1),
    Planted("l1 per row, or not", "the L1 penalty is (not )?divided by the rows", has_l1),
    Planted("l1 is l2", "the L1 penalty is an L2 penalty", has_l1),
    Planted("no clipping", "gradients are not clipped|clipped number by number", clips("value", "array_norm", "global_norm")),
    Planted("norm of each array", "clipped to the norm of each array, not", clips("value", "global_norm")),
    Planted("norm of all", "clipped to the norm of all arrays together, not", clips("value", "array_norm")),
    Planted("clipping of values", "clipped number by number, not|gradients are not clipped", clips("array_norm", "global_norm")),
    Planted("epsilon of torch", "norm of gradients is 1e-06", clips("array_norm", "global_norm")),
    Planted("no epsilon in the norm", "norm of gradients is 0, not", clips("array_norm", "global_norm")),
    Planted("clipping bound of 0.5", r"the bound of gradients is 0\.5", clips("array_norm", "global_norm")),
    Planted("penalty on the other side of the clipping", "the penalty's gradient is", lambda e: clips("value", "global_norm")(e)),
    Planted("no max-norm", "norms of weights are not bounded", bounded),
    Planted("norms of the others", "the norms that are bounded are those of each", bounded),
    Planted("other form of max-norm", r"are divided by norm \+ epsilon", bounded),
    Planted("max-norm without epsilon", "norm of weights is 0, not", bounded),
    Planted("max-norm bound of 0.5", r"the bound of norms is 0\.5", bounded),
    Planted("rate scaled", "3 times the given one"),
    Planted("loss halved", "^the loss is halved|^the gradient is that of a loss that is halved"),
    Planted("biases at twice the rate", "^biases( of layer . and biases of layer .)? move at 2 times"),
    Planted("labels next", "labels are off by one: the next class"),
]  # fmt: skip


def dropout_is(form: str) -> Callable[[Experiment], bool]:
    return lambda e: any(layer.form == form for layer in e.network.dropout_layers[:1])


def two_dropouts(e: Experiment) -> bool:
    return len(e.network.dropout_layers) > 1


def equal_widths(e: Experiment) -> bool:
    return two_dropouts(e) and len({*e.network.dropout_widths}) == 1


INVERTED, CLASSIC = dropout_is("inverted"), dropout_is("classic")
DROPOUT = [
    Planted("nothing dropped", "^nothing is dropped in training"),
    Planted("dropout missing on the first", "^dropout layer 2 is missing", two_dropouts),
    Planted("scaled twice", "divided by 1 - rate twice", INVERTED),
    Planted("not scaled", "not divided by 1 - rate in training", INVERTED),
    Planted("divided by the rate", "divided by the rate, not by 1 - rate", INVERTED),
    Planted("multiplied by 1 - rate", "multiplied by 1 - rate in training"),
    Planted("dropout of the other form", "dropout is (classic, not inverted|inverted, not classic)"),
    Planted("scaled in predict, or not", "predict (multiplies by 1 - rate, too|does not multiply by 1 - rate)"),
    Planted("dropped for kept", "what should be kept is dropped"),
    Planted("masks of the step before", "masks of the step before"),
    Planted("masks of the first step", "masks of the first step of a call"),
    Planted("one mask for all rows", "all rows of a batch have the mask of the first"),
    Planted("masks of each other", "take each other's masks", equal_widths),
    Planted("bits the other way round", "read from the most significant"),
    Planted("gradient past the masks", "does not go through the masks", lambda e: e.network.layers[0].kind == "dense"),
    Planted("dropout on in predict", "dropout is on in predict"),
    Planted("dropout", "draws random numbers of its own"),
    Planted("loss halved", "^the loss is halved|the loss that is halved"),
    Planted("rate scaled", "3 times the given one"),
    Planted("biases at twice the rate", "^biases( of layer . and biases of layer .)? move at 2 times"),
    Planted("kernel transposed", r"^the kernel of layer . is transposed", equal_widths),
    Planted("labels next", "labels are off by one: the next class"),
]  # fmt: skip


def pools(kind: str) -> Callable[[Experiment], bool]:
    return lambda e: any(layer.kind == kind for layer in e.network.layers)


def padded(e: Experiment) -> bool:
    return any(any(zeros) for zeros in _zeros(e))


def padded_oddly(e: Experiment) -> bool:
    return any((top, left) != (bottom, right) for top, bottom, left, right in _zeros(e))


def _zeros(e: Experiment) -> list[tuple[int, ...]]:
    pairs = zip(e.network.layers, e.network.row_shapes, strict=False)
    return [layer.sides(shape) for layer, shape in pairs if layer.kind == "conv"]


def square_kernels(e: Experiment) -> bool:
    return all(
        layer.kernel[0] == layer.kernel[1] for layer in e.network.layers if layer.kind == "conv"
    )


def square_images(e: Experiment) -> bool:
    return e.network.takes_images and e.network.image[0] == e.network.image[1]


def several_channels(e: Experiment) -> bool:
    return e.network.takes_images and e.network.image[2] > 1


IMAGES = [
    Planted("kernels turned", "^kernels are turned by 180 degrees"),
    Planted("kernels transposed", "^rows and columns of kernels are swapped", square_kernels),
    Planted("images transposed", "^rows and columns of the input images are swapped", square_images),
    Planted("images channels first", "^input images are read as", several_channels),
    Planted("more zeros above", "^padding has its odd zeros above", padded_oddly),
    Planted("all zeros above", "^all zeros of the padding are above", padded),
    Planted("all zeros below", "^all zeros of the padding are below", padded),
    Planted("mean for largest", "^max pooling takes means", pools("max_pool")),
    Planted("largest for mean", "^average pooling takes the largest", pools("average_pool")),
    Planted("sum for mean", "^average pooling does not divide", pools("average_pool")),
    Planted("other order", "^flatten has its channels in the other order"),
    Planted("columns first", "^flatten goes through an image column by column"),
    Planted("loss halved", "^the loss is halved|the loss that is halved"),
    Planted("rate scaled", "3 times the given one"),
    Planted("biases at twice the rate", "^biases( of layer . and biases of layer .)? move at 2 times"),
    Planted("biases frozen", r"^biases( of layer . and biases of layer .)? are never updated"),
    Planted("inputs not scaled", "16 times too large"),
    Planted("labels next", "labels are off by one: the next class"),
]  # fmt: skip


def smooths(e: Experiment) -> bool:
    return getattr(e.loss, "label_smoothing", None) is not None


def weighs(e: Experiment) -> bool:
    return getattr(e.loss, "class_weights", None) is not None


LOSSES = [
    Planted("loss is mean_absolute_error", "the loss is the absolute error, not", loss("huber", "log_cosh")),
    Planted("loss is mean_squared_error", "the loss is the squared error, not", loss("huber", "log_cosh", "mean_absolute_error")),
    Planted("loss is huber", "the loss is (Huber's loss|the squared error), not", loss("mean_absolute_error", "log_cosh")),
    Planted("loss is log_cosh", "the loss is log cosh, not", loss("huber", "mean_absolute_error")),
    Planted("loss is hinge", "the loss is the hinge loss, not", loss("squared_hinge")),
    Planted("loss is squared_hinge", "the loss is the squared hinge loss, not", loss("hinge")),
    Planted("over delta, or not", "Huber's loss is (not )?divided by delta|the loss is", loss("huber")),
    Planted("delta of 1", "delta of Huber's loss is 1, not 0.3|the loss is the squared error", loss("huber")),
    Planted("delta of 0.1", "delta of Huber's loss is 0.1, not 0.3", loss("huber")),
    Planted("targets of 0 and 1", "targets are 0 and 1, not -1 and 1", loss("hinge", "squared_hinge")),
    Planted("hinge by clamp", "the derivative of the hinge loss where y a = 1 is -y, not 0", loss("hinge")),
    Planted("hinge by maximum", "the derivative of the hinge loss where y a = 1 is -y / 2, not 0", loss("hinge")),
    Planted("absolute error by where", "the derivative of the absolute error where a = y is 1, not 0", loss("mean_absolute_error")),
    Planted("no smoothing", "labels are not smoothed", smooths),
    Planted("shared by the others", "the smoothing is shared by", smooths),
    Planted("smoothing 0.3", r"labels are smoothed by 0\.\d+, not 0\.", smooths),
    Planted("all classes weigh the same", "all classes weigh the same", weighs),
    Planted("mean over the others", "the mean over the batch divides by", weighs),
    Planted("weights reversed", "the weights of the classes are in reversed order", weighs),
    Planted("softmax twice", "^softmax is applied twice", loss(CE)),
    Planted("nominal divisor", "means divide by the rows of a whole batch", lambda e: short(e) and not weighs(e)),
    Planted("loss halved", "^the loss is halved"),
    Planted("loss summed over the batch", r"summed over the batch|averaged over the batch", lambda e: not weighs(e)),
    Planted("loss summed over the outputs", "summed over the outputs", lambda e: many(e) and getattr(e.loss, "outputs", "") == "mean"),
    Planted("labels next", "labels are off by one: the next class", many),
    Planted("hidden slopes missing", "derivative of the hidden activations is missing", hidden),
    Planted("rate scaled", "3 times the given one"),
]  # fmt: skip

GROUPS = {
    "old": OLD,
    "listed": LISTED,
    "threads": THREADS,
    "cousins": COUSINS,
    "rates": OWN_RATES,
    "relatives of Adam": RELATIVES,
    "around updates": AROUND,
    "activations": ACTIVATIONS,
    "dropout": DROPOUT,
    "images": IMAGES,
    "losses": LOSSES,
}
