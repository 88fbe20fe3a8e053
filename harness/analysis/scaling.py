"""How step time grows with the work of a step: the fitted law, and which framework is faster where.

The law has two terms, neither negative:

    step time = overhead + work / rate

`overhead` is what a step costs before it computes anything; `work` is the floating-point
operations of its matrix products (`Experiment.step_flop`). A third term, parameters over a rate
of updating them, was tried on two measured sweeps and left out: for all five frameworks zero
lay in its interval, and it made the residuals smaller by 0 to 2 %.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from harness.analysis import sweep_points

POINTS_AT_LEAST = 3
"""One more than the law has terms."""
RESAMPLES = 1000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Timing:
    """A measured point: its name, the FLOP of a step, and the microseconds of a step."""

    point: str
    work: float
    step_us: float


@dataclass(frozen=True)
class Term:
    """A fitted number with its 95 % interval; a rate may be infinite."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """The law of one framework and loop.

    Args:
        points: how many points were fitted.
        overhead_us: of every step.
        gflop_per_s: rate of the matrix products.
        rms: root mean square of (fitted - measured) / measured.
        worst: the largest of these errors, with its sign.
        worst_point: the point with this error.
    """

    points: int
    overhead_us: Term
    gflop_per_s: Term
    rms: float
    worst: float
    worst_point: str

    def step_us(self, work: float) -> float:
        """Return the fitted time of a step of `work` FLOP."""
        return self.overhead_us.value + work * 1e-3 / self.gflop_per_s.value


def fit(timings: Sequence[Timing]) -> Fit:
    """Fit the law by least squares on relative errors; intervals by bootstrap.

    Sizes span several orders of magnitude, so every equation is divided by its measured time.
    The interval of a term is that of 1,000 fits to points drawn with replacement (seed 0).

    Raises:
        ValueError: points of fewer than three different sizes, or a time that is not positive.
    """
    _check_timings(timings)
    measured = np.array([timing.step_us for timing in timings])
    work = np.array([timing.work for timing in timings])
    relative = np.stack([np.ones_like(work), work * 1e-3], axis=1) / measured[:, None]
    solution = _solve(relative)
    draws = np.random.default_rng(0).integers(len(timings), size=(RESAMPLES, len(timings)))
    usable = [draw for draw in draws if np.ptp(work[draw])]  # one size cannot tell two terms apart
    low, high = np.percentile([_solve(relative[draw]) for draw in usable], INTERVAL, axis=0)
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


def _check_timings(timings: Sequence[Timing]) -> None:
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


def _solve(relative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative x with relative x = 1; columns are scaled to norm 1 first."""
    size = np.linalg.norm(relative, axis=0)
    solution: NDArray[np.float64] = nnls(relative / size, np.ones(len(relative)))[0] / size
    return solution


# ---------------------------------------------------------------- who is faster where


@dataclass(frozen=True)
class Stretch:
    """Widths from `low` to `high` where one framework is faster; None where neither is clearly."""

    faster: str | None
    low: int
    high: int


@dataclass(frozen=True)
class Comparison:
    """Two fits compared along the width, at the centre's batch and depth.

    Args:
        pair: the two names.
        stretches: consecutive, over all measured widths; at most three.
        crossing: the width where the fitted times are equal; None unless one framework is
            clearly faster below this width and the other above.
    """

    pair: tuple[str, str]
    stretches: tuple[Stretch, ...]
    crossing: float | None


def crossovers(fits: Mapping[str, Fit], widths: tuple[int, int]) -> list[Comparison]:
    """Compare every two fits between the smallest and the largest measured width.

    A framework is faster only where the fitted times differ by more than the residuals of both
    laws, combined as the root of the sum of their squares.
    """
    return [
        _compare(pair, (fits[pair[0]], fits[pair[1]]), widths)
        for pair in itertools.combinations(fits, 2)
    ]


def _compare(pair: tuple[str, str], laws: tuple[Fit, Fit], widths: tuple[int, int]) -> Comparison:
    _, batch, depth = sweep_points.CENTRE
    residual = math.hypot(laws[0].rms, laws[1].rms)

    def faster(width: int) -> str | None:
        first, second = (law.step_us(sweep_points.work_at(width, batch, depth)) for law in laws)
        if abs(first - second) <= residual * min(first, second):
            return None
        return pair[0] if first < second else pair[1]

    stretches = []
    for name, group in itertools.groupby(range(widths[0], widths[1] + 1), faster):
        consecutive = list(group)
        stretches.append(Stretch(name, consecutive[0], consecutive[-1]))
    ends = stretches[0].faster, stretches[-1].faster
    crosses = None not in ends and ends[0] != ends[1]
    return Comparison(pair, tuple(stretches), _equal_width(laws) if crosses else None)


def _equal_width(laws: tuple[Fit, Fit]) -> float:
    """Return the width where two laws of different rates give the same time."""
    first, second = laws
    us_per_flop = 1e-3 / first.gflop_per_s.value - 1e-3 / second.gflop_per_s.value
    work = (second.overhead_us.value - first.overhead_us.value) / us_per_flop
    return sweep_points.width_at(work, *sweep_points.CENTRE[1:])
