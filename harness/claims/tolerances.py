"""How far a measured mean may lie from a published number, and how certain a measured rate is."""

import math
from dataclasses import dataclass

from scipy import stats

CONFIDENCE = 0.95
ROWS_FLOOR = 2
SHARE_FLOOR = 0.0002
"""Rounding alone may change an accuracy by this much: 0.02 percentage points, or two rows."""


@dataclass(frozen=True)
class Tolerance:
    """How far the mean of n runs may lie from the published number, by source of error.

    Args:
        seeds: half-width of the prediction interval of the published mean, from the spread over
            seeds: t(0.975, n - 1) * s * sqrt(1 / runs + 1 / n).
        sampling: 1.96 * sqrt(2) * sqrt(p (1 - p) / rows), where the test rows are another draw;
            0 where both numbers were measured on the same rows.
        rounding: half a unit of the last printed digit.
        floor: rounding of floating-point numbers.
    """

    seeds: float
    sampling: float
    rounding: float
    floor: float

    @property
    def total(self) -> float:
        """All sources of error, added in quadrature."""
        return math.hypot(self.seeds, self.sampling, self.rounding, self.floor)


def seeds_term(spread: float, seeds: int, runs: int, stated: bool) -> float:
    """Return the part of the seeds; a stated spread is taken as known, not as estimated."""
    factor = 1.96 if stated else float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))
    return factor * spread * math.sqrt(1 / runs + 1 / seeds)


def sampling_term(share: float, rows: int) -> float:
    """Return the part of drawing other test rows, for a share of `rows` rows."""
    share = min(max(share, 0.0), 1.0)
    return 1.96 * math.sqrt(2 * share * (1 - share) / rows)


def floor_term(rows: int) -> float:
    """Return how much numerics may change a share of `rows` rows."""
    return max(SHARE_FLOOR, ROWS_FLOOR / rows)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)
