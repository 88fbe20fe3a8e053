"""Protocols drawn at random over the whole language, corner cases more often than they deserve."""

from typing import Any

import numpy as np

from harness.experiment.loading import ProtocolError, parse
from harness.experiment.model import Experiment

RELATIVES = ("adamw", "amsgrad", "nadam", "adamax", "adadelta")
SMOOTH = ("identity", "sigmoid", "tanh", "elu", "swish", "softplus", "gelu", "gelu_tanh")
LATER = ("selu", "softsign", "log_sigmoid", "mish", "relu6", "hard_tanh", "hard_sigmoid",
         "hard_sigmoid_fifth", "hard_swish")  # fmt: skip
OTHER_VALUES = ("mean_absolute_error", "huber", "log_cosh")
OF_SIGNS = ("hinge", "squared_hinge")
BITS = ("mean_squared_error", "binary_cross_entropy", *OTHER_VALUES, *OF_SIGNS)
DATASETS = {
    # name: inputs, outputs, rows, losses
    "and": (2, 1, 4, BITS),
    "xor": (2, 1, 4, BITS),
    "iris": (4, 3, 150, (*BITS, "softmax_cross_entropy", "softmax_cross_entropy")),
    "digits": (64, 10, 1797, ("mean_squared_error", *OF_SIGNS, *["softmax_cross_entropy"] * 4)),
    "diabetes": (10, 1, 442, ("mean_squared_error", *OTHER_VALUES)),
}


class Draw:
    """Draws of one protocol."""

    def __init__(self, number: int) -> None:
        self.generator = np.random.default_rng(number)
        self.has_relative_of_adam = number % 3 == 0
        self.has_dropout = number % 7 == 1

    def one_of(self, *choices: Any) -> Any:
        return choices[self.generator.integers(len(choices))]

    def often(self, likely: float) -> bool:
        return bool(self.generator.random() < likely)


def drawn(number: int) -> Experiment:
    """Return the protocol of that number; draws that the language refuses are drawn again."""
    draw = Draw(number)
    for _ in range(100):
        try:
            return parse(_protocol(draw), f"drawn-{number}")
        except ProtocolError:
            continue
    raise AssertionError(f"no protocol in 100 draws (number {number})")


def _protocol(draw: Draw) -> dict[str, Any]:
    dataset = draw.one_of(*DATASETS)
    inputs, outputs, rows, losses = DATASETS[dataset]
    split, training_rows = _split(draw, rows)
    loss = _loss(draw, draw.one_of(*losses), outputs)
    signs = {"target_values": [-1.0, 1.0]} if loss["name"] in OF_SIGNS else {}
    scales = ("none", "standardize", "min_max", "minus_one_to_one", "divide_by_16")
    steps = draw.one_of(1, 2, 3, 30, 100)
    training = {
        "loss": loss,
        "optimizer": _optimizer(draw),
        "batches": _batches(draw, training_rows),
        "length": {"steps": steps},
        "evaluation": {"every_steps": steps},
    }
    if draw.often(0.3):
        training["l2"] = {
            "strength": draw.one_of(1e-4, 0.1, 3.0),
            "half": draw.often(0.5),
            "per_row": draw.often(0.5),
            "on": draw.one_of("weights", "all"),
        }
    if draw.often(0.3):
        training["schedule"] = _schedule(draw)
        if training["optimizer"]["name"] in ("momentum", "nesterov"):
            training["optimizer"]["rate_inside_velocity"] = draw.often(0.5)
    return {
        "name": "drawn",
        "title": "A drawn protocol",
        "data": {"dataset": dataset, "scale": draw.one_of(*scales), "split": split, **signs},
        "network": {"inputs": inputs, "layers": _layers(draw, outputs, loss)},
        "initializers": {"weights": _initializer(draw), "biases": _initializer(draw)},
        "training": training,
    }


def _schedule(draw: Draw) -> dict[str, Any]:
    counted = {"by": "step", "first": draw.one_of("unchanged", "changed")}
    every, length = {"every_steps": draw.one_of(1, 5, 10)}, {"steps": draw.one_of(5, 30, 200)}
    match draw.one_of("step_decay", "inverse_time_decay", "cosine_restarts", "one_cycle"):
        case "step_decay":
            schedule = {"name": "step_decay", "factor": 0.5, **every}
        case "inverse_time_decay":
            fields = {"factor": 2.0, "staircase": draw.often(0.5), **every, **counted}
            schedule = {"name": "inverse_time_decay", **fields}
        case "cosine_restarts":
            fields = {"end_rate": 0.0, "growth": 1.5, "peak_factor": 0.5, **length, **counted}
            schedule = {"name": "cosine_restarts", **fields}
        case _:
            shape = {"annealing": "linear", "three_phases": draw.often(0.5)}
            parts = {"rising": 0.4, "start_divisor": 25.0, "end_divisor": 1e4}
            schedule = {"name": "one_cycle", **parts, **shape, **length, **counted}
    if draw.often(0.4):
        waits = {"schedule_waits": draw.often(0.5)}
        schedule["warm_up"] = {"steps": draw.one_of(1, 3, 30), "start": 0.0, **counted, **waits}
    return schedule


def _split(draw: Draw, rows: int) -> tuple[dict[str, Any], int]:
    kind = draw.one_of("all", "all", "stratified", "random", "one row", "one class")
    if kind == "all" or rows == 4:
        return {"name": "all"}, rows
    if kind == "one row":
        return {"name": "first", "train": 1}, 1
    if kind == "one class":  # iris and digits are sorted, or begin with a run
        return {"name": "first", "train": min(50, rows - 1)}, 50
    return {"name": kind, "test": 0.3, "seed": 0}, rows - int(np.ceil(0.3 * rows))


def _loss(draw: Draw, name: str, outputs: int) -> dict[str, Any]:
    loss = {"name": name, "batch": draw.one_of("mean", "sum")}
    if name != "softmax_cross_entropy":
        loss["outputs"] = draw.one_of("mean", "sum")
    if name == "mean_squared_error":
        loss["half"] = draw.often(0.5)
    if name == "huber":
        loss |= {"delta": draw.one_of(0.1, 1.0, 20.0), "over_delta": draw.often(0.5)}
    if "cross_entropy" in name and draw.often(0.2):
        shared_by = draw.one_of("all_classes", "other_classes")
        loss["label_smoothing"] = {"amount": draw.one_of(0.01, 0.1, 0.4), "shared_by": shared_by}
    elif "cross_entropy" in name and draw.often(0.2) and (outputs == 1 or name[0] == "s"):
        values = [draw.one_of(0.01, 1.0, 2.0, 30.0) for _ in range(max(outputs, 2))]
        over = {"mean_over": draw.one_of("weights", "rows")} if loss["batch"] == "mean" else {}
        loss["class_weights"] = {"values": values, **over}
    return loss


def _optimizer(draw: Draw) -> dict[str, Any]:
    rules = ("sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam")
    name = draw.one_of(*(RELATIVES if draw.has_relative_of_adam else rules))
    rate = draw.one_of(1e-5, 1e-3, 1e-2, 0.1)
    rule = {"name": name, "learning_rate": rate}
    epsilon = draw.one_of(1e-8, 1e-7, 1e-3, 1e-10)
    match name:
        case "momentum" | "nesterov":
            rule |= {"momentum": draw.one_of(0.5, 0.9, 0.99)}
        case "rmsprop":
            form = draw.one_of("epsilon_outside_root", "epsilon_inside_root")
            rule |= {"rho": draw.one_of(0.9, 0.99), "epsilon": epsilon, "form": form}
        case "adagrad":
            form = draw.one_of("epsilon_outside_root", "epsilon_inside_root")
            start = draw.one_of(0.0, 0.1)
            rule |= {"initial_accumulator": start, "epsilon": epsilon, "form": form}
        case "adam":
            form = draw.one_of("algorithm_1", "epsilon_hat")
            rule |= {"beta1": 0.9, "beta2": draw.one_of(0.99, 0.999)}
            rule |= {"epsilon": epsilon, "form": form}
        case "adadelta":
            rule |= {"rho": draw.one_of(0.9, 0.99), "epsilon": epsilon}
        case _:
            if name in RELATIVES:
                rule |= {"beta1": draw.one_of(0.0, 0.9), "beta2": draw.one_of(0.99, 0.999)}
                rule |= {"epsilon": epsilon, **_of_relative(draw, name)}
    return rule


def _of_relative(draw: Draw, name: str) -> dict[str, Any]:
    """What AdamW, AMSGrad, Nadam and Adamax state besides."""
    form = draw.one_of("algorithm_1", "epsilon_hat")
    match name:
        case "adamw":
            times, on = draw.often(0.5), draw.one_of("weights", "all")
            decay = {"weight_decay": draw.one_of(1e-4, 0.1), "decay_times_rate": times}
            return {"form": form, "decay_on": on, **decay}
        case "amsgrad":
            return {"form": form, "maximum": draw.one_of("before_correction", "after_correction")}
        case "adamax":
            return {"form": draw.one_of("epsilon_inside_maximum", "epsilon_outside_maximum")}
    if draw.often(0.5):
        return {"form": "constant_momentum"}
    return {"form": "scheduled_momentum", "momentum_decay": draw.one_of(0.004, 1.0)}


def _batches(draw: Draw, rows: int) -> dict[str, Any]:
    if draw.often(0.4):
        return {"order": "full"}
    size = draw.one_of(1, min(rows, 7), min(rows, 32), max(rows // 2, 1), rows)
    order = draw.one_of("sequential", "shuffled", "with_replacement")
    return {"order": order, "size": size, "last": draw.one_of("keep", "drop")}


def _layers(draw: Draw, outputs: int, loss: dict[str, Any]) -> list[dict[str, Any]]:
    layers = [_layer(draw, draw.one_of(1, 3, 8)) for _ in range(draw.one_of(0, 1, 1, 2, 4))]
    last = _layer(draw, outputs)
    if draw.has_dropout:
        rate, form = draw.one_of(0.1, 0.5, 0.9), draw.one_of("inverted", "classic")
        dropout = {"kind": "dropout", "rate": rate, "form": form}
        layers.insert(draw.generator.integers(len(layers) + 1), dropout)
    if "cross_entropy" not in loss["name"]:
        return [*layers, last]
    loss["behind_activation"] = draw.often(0.2)
    if not loss["behind_activation"] or last["activation"] == "identity":
        loss.pop("behind_activation")
        last = {"units": outputs, "activation": "identity", "bias": last["bias"]}
    return [*layers, last]


def _layer(draw: Draw, units: int) -> dict[str, Any]:
    activation = draw.one_of(*SMOOTH, *LATER, "relu", "relu", "relu", "leaky_relu")
    layer = {"units": units, "activation": activation, "bias": draw.often(0.85)}
    if activation == "elu" and draw.often(0.5):
        layer["alpha"] = draw.one_of(0.1, 1.7)
    return layer | ({"slope": 0.07} if activation == "leaky_relu" else {})


def _initializer(draw: Draw) -> dict[str, Any]:
    return draw.one_of(
        {"name": "zeros"},
        {"name": "zeros"},
        {"name": "constant", "value": draw.one_of(0.1, -1.0, 5.0)},
        {"name": "normal", "std": draw.one_of(1e-4, 0.01, 1.0, 20.0)},
        {"name": "normal", "std": 0.1},
        {"name": "uniform", "low": -0.5, "high": 0.5},
        {"name": "glorot_uniform"},
        {"name": "he_normal"},
        {"name": "truncated_normal", "std": 0.1},
    )
