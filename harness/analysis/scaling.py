"""How step time grows with the work of a step: what is measured, the law fitted, who crosses whom.

The law has two terms, neither negative:

    step time = overhead + work / rate

`overhead` is what a step costs before it computes anything; `work` is the floating-point
operations of its matrix products (`Experiment.step_flop`). A third term, parameters over a rate
of updating them, was tried on two measured sweeps and left out: for all five frameworks zero
lay in its interval, and it made the residuals smaller by 0 to 2 %.
"""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from harness.experiment.loading import parse
from harness.experiment.model import Experiment

INPUTS, OUTPUTS, ROWS = 64, 10, 1437
"""Of the 8x8 digits: pixels, classes, training rows."""
CENTRE = (256, 128, 2)
"""Width, batch and hidden layers that a sweep keeps while it varies one of them."""
WIDTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64, 128, 256, 512, ROWS)
DEPTHS = (1, 2, 3, 4)

POINT_S = {True: 0.5, False: 3.0}
"""Training time that a point is given, quick or not, on a machine as slow as assumed below."""
SEGMENTS = {True: 9, False: 3}
"""Timed stretches whose median is taken, where evaluating between them is cheap. Few where there
are idiomatic loops, which pay for every one: a call of Keras' `fit` costs 45 ms."""
SLOW_FLOP_PER_S, SLOW_OVERHEAD_S = 20e9, 3e-4
STEPS_AT_LEAST = 30
QUICK_AT_MOST_S = 2.0
"""A point that takes longer on the slow machine is left out of the quick sweep."""

POINTS_AT_LEAST = 3
"""One more than the law has terms."""
RESAMPLES = 1000
INTERVAL = (2.5, 97.5)


# ---------------------------------------------------------------- what is measured


def points(quick: bool) -> list[Experiment]:
    """The sweep: width, batch and depth varied one at a time around the centre."""
    width, batch, depth = CENTRE
    places = [
        CENTRE,  # a long one first: the first trial of a process is the most disturbed
        *((each, batch, depth) for each in WIDTHS),
        *((width, each, depth) for each in BATCHES),
        *((width, batch, each) for each in DEPTHS),
    ]
    return [
        protocol(*place, quick)
        for place in dict.fromkeys(places)
        if not quick or STEPS_AT_LEAST * _slow_step_s(*place) <= QUICK_AT_MOST_S
    ]


def protocol(width: int, batch: int, depth: int, quick: bool = True) -> Experiment:
    """One point: a perceptron 64-width(-width ...)-10 on the 8x8 digits, plain SGD."""
    steps = max(STEPS_AT_LEAST, round(POINT_S[quick] / _slow_step_s(width, batch, depth)))
    evaluations_s = SEGMENTS[quick] * work_at(width, ROWS, depth) / SLOW_FLOP_PER_S / 3
    every = math.ceil(steps / SEGMENTS[quick]) if evaluations_s < POINT_S[quick] else steps
    hidden = [{"units": width, "activation": "relu"}] * depth
    full = {"order": "full"}
    drawn = {"order": "shuffled", "size": batch, "last": "drop"}  # every step the same work
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
            "batches": full if batch == ROWS else drawn,
            "length": {"steps": steps},
            "evaluation": {"every_steps": every},
        },
    }
    return parse(values, name_of(width, batch, depth))


def name_of(width: int, batch: int, depth: int) -> str:
    """Such as `scale-w256-b128-d2`."""
    return f"scale-w{width}-b{batch}-d{depth}"


def place_of(experiment: Experiment) -> tuple[int, int, int]:
    """(width, batch, hidden layers) of a point."""
    layers = experiment.network.layers
    return layers[0].units, experiment.batch_size, len(layers) - 1


def to_toml(experiment: Experiment) -> str:
    """A protocol as TOML, as a user would hand it to `samestep report`."""
    values = experiment.model_dump(mode="json", exclude_none=True)
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


# ---------------------------------------------------------------- how large a step is


def work_at(width: float, batch: int, depth: int) -> float:
    """Floating-point operations of a step's matrix products, as `Experiment.step_flop`.

    2 batch inputs units for x W and for x^T d, and for d W^T in every layer but the first.
    """
    linear, square = _in_width(batch, depth)
    return linear * width + square * width**2


def width_at(work: float, batch: int, depth: int) -> float:
    """The width whose step is that much work."""
    linear, square = _in_width(batch, depth)
    if not square:
        return work / linear
    return (math.sqrt(linear**2 + 4 * square * work) - linear) / (2 * square)


def _in_width(batch: int, depth: int) -> tuple[int, int]:
    """What width and its square are multiplied with in `work_at`."""
    return 2 * batch * (2 * INPUTS + 3 * OUTPUTS), 2 * batch * 3 * (depth - 1)


def _slow_step_s(width: int, batch: int, depth: int) -> float:
    return SLOW_OVERHEAD_S + work_at(width, batch, depth) / SLOW_FLOP_PER_S


# ---------------------------------------------------------------- the law


@dataclass(frozen=True)
class Timing:
    """A measured point: its name, the FLOP of a step, and the step's microseconds."""

    point: str
    work: float
    step_us: float


@dataclass(frozen=True)
class Term:
    """A fitted number between the ends of its 95 % interval; a rate may be infinite."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """The law of one framework and loop.

    Args:
        points: how many were fitted.
        overhead_us: of every step.
        gflop_per_s: rate of the matrix products.
        rms: root mean square of (fitted - measured) / measured.
        worst: the largest of them, with its sign.
        worst_point: where that is.
    """

    points: int
    overhead_us: Term
    gflop_per_s: Term
    rms: float
    worst: float
    worst_point: str

    def step_us(self, work: float) -> float:
        """The fitted time of a step of so many FLOP."""
        return self.overhead_us.value + work * 1e-3 / self.gflop_per_s.value


def fit(timings: Sequence[Timing]) -> Fit:
    """Least squares on relative errors, neither term negative; intervals by bootstrap.

    Sizes span several orders of magnitude, so every equation is divided by its measured time.
    The interval of a term is that of 1,000 fits to points drawn with replacement (seed 0).

    Raises:
        ValueError: points of fewer than three different sizes, or a time that is not positive.
    """
    for timing in timings:
        if not (math.isfinite(timing.step_us) and timing.step_us > 0):
            raise ValueError(
                f"step_us of {timing.point} must be a positive number. Got {timing.step_us}"
            )
    sizes = len({timing.work for timing in timings})
    if sizes < POINTS_AT_LEAST:
        raise ValueError(
            f"a fit needs points of at least {POINTS_AT_LEAST} different sizes. Got {sizes}"
        )
    measured = np.array([timing.step_us for timing in timings])
    work = np.array([timing.work for timing in timings])
    relative = np.stack([np.ones_like(work), work * 1e-3], axis=1) / measured[:, None]
    solution = _solved(relative)
    draws = np.random.default_rng(0).integers(len(timings), size=(RESAMPLES, len(timings)))
    usable = [draw for draw in draws if np.ptp(work[draw])]  # one size cannot tell two terms apart
    low, high = np.percentile([_solved(relative[draw]) for draw in usable], INTERVAL, axis=0)
    residuals = relative @ solution - 1
    worst = int(np.abs(residuals).argmax())
    fastest, rate, slowest = (1 / c if c > 0 else math.inf for c in (low[1], solution[1], high[1]))
    return Fit(
        points=len(timings),
        overhead_us=Term(float(solution[0]), float(low[0]), float(high[0])),
        gflop_per_s=Term(float(rate), float(slowest), float(fastest)),
        rms=float(np.sqrt(np.mean(residuals**2))),
        worst=float(residuals[worst]),
        worst_point=timings[worst].point,
    )


def _solved(relative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative x with relative x = 1; columns brought to one size first, as they differ."""
    size = np.linalg.norm(relative, axis=0)
    solution: NDArray[np.float64] = nnls(relative / size, np.ones(len(relative)))[0] / size
    return solution


# ---------------------------------------------------------------- who is faster where


@dataclass(frozen=True)
class Stretch:
    """Widths from `low` to `high` where one is faster, or where the fits cannot tell (None)."""

    faster: str | None
    low: int
    high: int


@dataclass(frozen=True)
class Comparison:
    """Two fits along the width, at the centre's batch and depth.

    Args:
        pair: the two names.
        stretches: consecutive, over all measured widths; at most three.
        crossing: the width where the fitted times are equal, if one is clearly faster before
            and the other after it.
    """

    pair: tuple[str, str]
    stretches: tuple[Stretch, ...]
    crossing: float | None


def crossovers(fits: Mapping[str, Fit], widths: tuple[int, int]) -> list[Comparison]:
    """Compare every two fits between the smallest and the largest measured width.

    One is faster only where the fitted times differ by more than the residuals of the two laws,
    put together as the root of the sum of their squares.
    """
    return [
        _compared(pair, (fits[pair[0]], fits[pair[1]]), widths)
        for pair in itertools.combinations(fits, 2)
    ]


def _compared(pair: tuple[str, str], laws: tuple[Fit, Fit], widths: tuple[int, int]) -> Comparison:
    _, batch, depth = CENTRE
    blur = math.hypot(laws[0].rms, laws[1].rms)

    def faster(width: int) -> str | None:
        first, second = (law.step_us(work_at(width, batch, depth)) for law in laws)
        if abs(first - second) <= blur * min(first, second):
            return None
        return pair[0] if first < second else pair[1]

    stretches = []
    for name, group in itertools.groupby(range(widths[0], widths[1] + 1), faster):
        inside = list(group)
        stretches.append(Stretch(name, inside[0], inside[-1]))
    ends = stretches[0].faster, stretches[-1].faster
    crossed = None not in ends and ends[0] != ends[1]
    return Comparison(pair, tuple(stretches), _equal_width(laws) if crossed else None)


def _equal_width(laws: tuple[Fit, Fit]) -> float:
    """Where two laws of different rate give the same time."""
    first, second = laws
    us_per_flop = 1e-3 / first.gflop_per_s.value - 1e-3 / second.gflop_per_s.value
    work = (second.overhead_us.value - first.overhead_us.value) / us_per_flop
    return width_at(work, *CENTRE[1:])
