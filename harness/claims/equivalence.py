"""Whether two frameworks are right on test rows equally often."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Bools = NDArray[np.bool_]
MARGIN = 0.002
"""Two frameworks are equivalent if they differ by less, as a share of the test rows."""


@dataclass(frozen=True)
class Equivalence:
    """Whether two frameworks are right equally often on the same rows.

    Two one-sided tests at 5 % (TOST): equivalent if the 90 % interval of the difference lies
    within the margin. The difference of two shares on the same rows depends only on the rows
    that one of them has right and the other wrong (McNemar 1947).

    Args:
        only_first: how many rows only the first has right.
        only_second: how many rows only the second has right.
        rows: how many rows there are.
    """

    only_first: int
    only_second: int
    rows: int

    @property
    def difference(self) -> float:
        """The first minus the second, as a share of the rows."""
        return (self.only_first - self.only_second) / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """The 90 % interval of the difference; never narrower than for one discordant row."""
        discordant = max(self.only_first + self.only_second, 1)
        variance = discordant - (self.only_first - self.only_second) ** 2 / self.rows
        half = float(stats.norm.ppf(0.95)) * math.sqrt(max(variance, 0.0)) / self.rows
        return self.difference - half, self.difference + half

    @property
    def holds(self) -> bool:
        """Whether both are equivalent within the margin."""
        low, high = self.interval
        return low > -MARGIN and high < MARGIN


def equivalence(first: Bools, second: Bools) -> Equivalence:
    """Compare which rows two frameworks have right, bool (rows,) each."""
    return Equivalence(int(np.sum(first & ~second)), int(np.sum(~first & second)), len(first))
