"""The points of `samestep scale`: which networks are measured, and how large their steps are.

A point varies the width, the batch or the number of hidden layers of one network, while the
others stay at the centre.
"""

import math

from harness.experiment.loading import parse
from harness.experiment.model import Experiment

INPUTS, OUTPUTS, ROWS = 64, 10, 1437
"""Of the 8x8 digits: pixels, classes, training rows."""
CENTRE = (256, 128, 2)
"""Width, batch and number of hidden layers where another one is varied."""
WIDTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64, 128, 256, 512, ROWS)
DEPTHS = (1, 2, 3, 4)

POINT_S = {True: 0.5, False: 3.0}
"""Training time of a point, quick or not, on a machine as slow as assumed below."""
SEGMENTS = {True: 9, False: 3}
"""Timed segments whose median is taken, where evaluating between them is cheap. They are few
where idiomatic loops run, which pay for every segment: a call of Keras' `fit` costs 45 ms."""
SLOW_FLOP_PER_S, SLOW_OVERHEAD_S = 20e9, 3e-4
STEPS_AT_LEAST = 30
QUICK_AT_MOST_S = 2.0
"""A point that takes longer on the slow machine is left out of the quick sweep."""


def points(quick: bool) -> list[Experiment]:
    """Return the sweep: width, batch and depth varied one at a time around the centre."""
    centre_width, centre_batch, centre_depth = CENTRE
    places = [
        CENTRE,  # a long one first: the first trial of a process is the most disturbed
        *((width, centre_batch, centre_depth) for width in WIDTHS),
        *((centre_width, batch, centre_depth) for batch in BATCHES),
        *((centre_width, centre_batch, depth) for depth in DEPTHS),
    ]
    return [
        protocol(*place, quick)
        for place in dict.fromkeys(places)
        if not quick or STEPS_AT_LEAST * _slow_step_s(*place) <= QUICK_AT_MOST_S
    ]


def protocol(width: int, batch: int, depth: int, quick: bool = True) -> Experiment:
    """Return one point: a perceptron 64-width(-width ...)-10 on the 8x8 digits, plain SGD."""
    steps = max(STEPS_AT_LEAST, round(POINT_S[quick] / _slow_step_s(width, batch, depth)))
    evaluations_s = SEGMENTS[quick] * work_at(width, ROWS, depth) / SLOW_FLOP_PER_S / 3
    every = math.ceil(steps / SEGMENTS[quick]) if evaluations_s < POINT_S[quick] else steps
    hidden = [{"units": width, "activation": "relu"}] * depth
    full_batch = {"order": "full"}
    mini_batches = {"order": "shuffled", "size": batch, "last": "drop"}  # every step equal work
    values = {
        "name": name_of(width, batch, depth),
        "title": f"Width {width}, batch {batch}, {depth} hidden layer{'s' * (depth != 1)}",
        "data": {
            "dataset": "digits",
            "scale": "divide_by_16",
            "split": {"name": "stratified", "test": 0.2, "seed": 0},
        },
        "network": {
            "inputs": INPUTS,
            "layers": [*hidden, {"units": OUTPUTS, "activation": "identity"}],
        },
        "initializers": {"weights": {"name": "he_normal"}, "biases": {"name": "zeros"}},
        "training": {
            "loss": {"name": "softmax_cross_entropy", "batch": "mean"},
            "optimizer": {"name": "sgd", "learning_rate": 0.1},
            "batches": full_batch if batch == ROWS else mini_batches,
            "length": {"steps": steps},
            "evaluation": {"every_steps": every},
        },
    }
    return parse(values, name_of(width, batch, depth))


def name_of(width: int, batch: int, depth: int) -> str:
    """Return a name such as `scale-w256-b128-d2`."""
    return f"scale-w{width}-b{batch}-d{depth}"


def place_of(experiment: Experiment) -> tuple[int, int, int]:
    """Return (width, batch, hidden layers) of a point."""
    layers = experiment.network.dense_layers
    return layers[0].units, experiment.batch_size, len(layers) - 1


# ---------------------------------------------------------------- how large a step is


def work_at(width: float, batch: int, depth: int) -> float:
    """Return the floating-point operations of a step's products, as `Experiment.step_flop`.

    2 batch inputs units for x W and for x^T d, and for d W^T in every layer but the first.
    """
    linear, square = _coefficients(batch, depth)
    return linear * width + square * width**2


def width_at(work: float, batch: int, depth: int) -> float:
    """Return the width whose step needs that much work."""
    linear, square = _coefficients(batch, depth)
    if not square:
        return work / linear
    return (math.sqrt(linear**2 + 4 * square * work) - linear) / (2 * square)


def _coefficients(batch: int, depth: int) -> tuple[int, int]:
    """Return the coefficients of the width and of its square in `work_at`."""
    return 2 * batch * (2 * INPUTS + 3 * OUTPUTS), 2 * batch * 3 * (depth - 1)


def _slow_step_s(width: int, batch: int, depth: int) -> float:
    """Return the time of a step on the slow machine."""
    return SLOW_OVERHEAD_S + work_at(width, batch, depth) / SLOW_FLOP_PER_S
