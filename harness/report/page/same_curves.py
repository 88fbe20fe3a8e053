"""Curves that lie on each other: whether anyone could see a difference, and how large it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.report.page.curve_chart import HEIGHT, WIDE_RANGE
from harness.report.page.learning_curves import Curves

Floats = NDArray[np.float64]

ONE_PIXEL = 1 / HEIGHT
"""Of the height of a chart. Curves that are closer cannot be told apart."""


@dataclass(frozen=True)
class SameCurves:
    """Proven curves that nobody can tell apart.

    Args:
        curves: at least two.
        steps: of their points.
        values: name of a score to its medians over the curves.
        gaps: name of a score to the largest difference between two curves at one step.
    """

    curves: Sequence[Curves]
    steps: NDArray[np.int64]
    values: dict[str, Floats]
    gaps: dict[str, float]

    @property
    def label(self) -> str:
        """`all 9 that are proven`."""
        return f"all {len(self.curves)} that are proven"


def same_curves(all_curves: Sequence[Curves]) -> SameCurves | None:
    """Return the proven curves in one, where no score differs by a pixel; else None."""
    proven = [curves for curves in all_curves if curves.proven]
    if len(proven) < 2 or not all(np.array_equal(c.steps, proven[0].steps) for c in proven):
        return None
    values, gaps = {}, {}
    for name in proven[0].values:
        of_score = np.array([curves.values[name] for curves in proven])
        if np.isnan(of_score).any():
            if not np.isnan(of_score).all():
                return None
            values[name] = of_score[0]
            continue
        if _visible(of_score):
            return None
        values[name] = np.median(of_score, axis=0)
        gaps[name] = float((of_score.max(axis=0) - of_score.min(axis=0)).max())
    return SameCurves(proven, proven[0].steps, values, gaps)


def _visible(of_score: Floats) -> bool:
    """Whether curves (curves, points) differ by a pixel or more at some point of their chart."""
    low, high = float(of_score.min()), float(of_score.max())
    if low > 0 and high / low > WIDE_RANGE:  # the axis is logarithmic
        of_score = np.log(of_score)
        low, high = math.log(low), math.log(high)
    apart = float((of_score.max(axis=0) - of_score.min(axis=0)).max())
    return apart > 0 and apart >= ONE_PIXEL * (high - low)
