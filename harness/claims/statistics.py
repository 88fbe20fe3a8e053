"""The statistics that verdicts rest on: tolerance of a level, rate of a success, equivalence."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Bools = NDArray[np.bool_]
CONFIDENCE = 0.95
ROWS_FLOOR = 2
SHARE_FLOOR = 0.0002
"""What rounding alone may move an accuracy by: 0.02 percentage points, or two rows."""
MARGIN = 0.002
"""Two frameworks are called equivalent if they differ by less, in share of test rows."""


@dataclass(frozen=True)
class Tolerance:
    """How far the mean of n runs may lie from the published number, and what makes it up.

    Args:
        seeds: half-width of the prediction interval of the published mean, from the spread over
            seeds: t(0.975, n - 1) * s * sqrt(1 / runs + 1 / n).
        sampling: 1.96 * sqrt(2) * sqrt(p (1 - p) / rows), where the test rows are another draw;
            on the same rows both numbers share them, and it is 0.
        rounding: half a unit of the last printed digit.
        floor: numerics.
    """

    seeds: float
    sampling: float
    rounding: float
    floor: float

    @property
    def total(self) -> float:
        """All of them, added in quadrature."""
        return math.hypot(self.seeds, self.sampling, self.rounding, self.floor)


def seeds_term(spread: float, seeds: int, runs: int, stated: bool) -> float:
    """The seeds' part of a tolerance; a stated spread is taken as known, not as estimated."""
    factor = 1.96 if stated else float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))
    return factor * spread * math.sqrt(1 / runs + 1 / seeds)


def sampling_term(share: float, rows: int) -> float:
    """The test draw's part, for a share of `rows` rows."""
    share = min(max(share, 0.0), 1.0)
    return 1.96 * math.sqrt(2 * share * (1 - share) / rows)


def floor_term(rows: int) -> float:
    """What numerics may do to a share."""
    return max(SHARE_FLOOR, ROWS_FLOOR / rows)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927)."""
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Equivalence:
    """Whether two frameworks' predictions on the same rows are worth the same.

    Two one-sided tests at 5 % (TOST): equivalent if the 90 % interval of the difference lies
    within the margin. The difference of two shares on the same rows depends only on the rows
    that one of them has right and the other wrong (McNemar 1947).

    Args:
        only_first, only_second: rows that only the one has right.
        rows: all rows.
    """

    only_first: int
    only_second: int
    rows: int

    @property
    def difference(self) -> float:
        """First minus second, as a share of the rows."""
        return (self.only_first - self.only_second) / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """Its 90 % interval; no narrower than one discordant row would allow."""
        discordant = max(self.only_first + self.only_second, 1)
        variance = discordant - (self.only_first - self.only_second) ** 2 / self.rows
        half = float(stats.norm.ppf(0.95)) * math.sqrt(max(variance, 0.0)) / self.rows
        return self.difference - half, self.difference + half

    @property
    def holds(self) -> bool:
        """Whether they are equivalent within the margin."""
        low, high = self.interval
        return low > -MARGIN and high < MARGIN


def equivalence(first: Bools, second: Bools) -> Equivalence:
    """Compare which rows are right, bool (rows,) each."""
    return Equivalence(int(np.sum(first & ~second)), int(np.sum(~first & second)), len(first))
