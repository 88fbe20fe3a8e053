"""What a rule is given, what it returns, and how numbers read in its words."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.claims.model import Claim, Verdict
from harness.claims.number import Number

DIGITS = {"percent": 2, "fraction": 4, "number": 4}
"""How many digits behind the point a difference is written with."""


@dataclass(frozen=True)
class Measured:
    """What was measured of one number.

    Args:
        values: in the number's unit, one per seed, or one per best of several.
        rows: of the part that they were scored on.
        drawn: what every seed draws anew, as fields of the protocol; empty where nothing is.
        repeats_source: whether seed 0 is the source's own run.
        noise: standard deviation in the number's unit that drawing the scored rows gives; 0 of
            numbers that count no rows, and where nothing is drawn.
        dataset: of the protocol.
    """

    values: tuple[float, ...]
    rows: int
    drawn: tuple[str, ...] = ()
    repeats_source: bool = False
    noise: float = 0.0
    dataset: str = ""

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.values))

    @property
    def spread(self) -> float:
        """The standard deviation over seeds; NaN for a single value."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class Ruling:
    """A verdict on one number and why.

    Args:
        verdict: on the number.
        why: the verdict in words.
        difference: mean minus published, where there is one number to subtract.
        tolerance: how large the difference may be, where the rule has a tolerance.
        limit: a wider tolerance is inconclusive.
        p: of the test that the number is the published one; None where the rule tests nothing.
    """

    verdict: Verdict
    why: str
    difference: float | None = None
    tolerance: float | None = None
    limit: float | None = None
    p: float | None = None


Rule = Callable[[Claim, Number, Measured], Ruling]


def side(number: Number, difference: float) -> Verdict:
    """Return whether a measured number beyond the published one is better or worse."""
    return Verdict.BETTER if (difference > 0) == number.more_is_better else Verdict.WORSE


def value_text(value: float, number: Number) -> str:
    """Return a value with the digits that the number is printed with."""
    decimals = DIGITS[number.unit] if number.rule == "range" else max(number.decimals, 0)
    return f"{value:.{decimals}f}"


def also(words: str, more: str) -> str:
    """Return both, the second only where there is one."""
    return f"{words}; {more}" if more else words
