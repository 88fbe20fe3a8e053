"""How much of the gap between two frameworks is in their libraries of matrix products."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.model import Line

WORTH_SPLITTING = 1.5
"""A smaller factor between two steps is not split into its causes: single trials of one line
differ by as much."""


@dataclass(frozen=True)
class ProductGap:
    """The gap between the steps of two lines, split in two.

    Args:
        slow, fast: proven lines of two frameworks, with undisturbed trials.
        gap_s: seconds between their steps.
        products_s: seconds between the matrix products of their steps alone, below 0 where those
            of the slower line are faster.
    """

    slow: Line
    fast: Line
    gap_s: float
    products_s: float

    @property
    def share(self) -> float:
        """The products' share of the gap; above 1 where they explain more than the whole of it."""
        return self.products_s / self.gap_s

    @property
    def is_split(self) -> bool:
        """Whether the products take a part of the gap, from 0 to 100 % when rounded."""
        return 0 <= self.percent <= 100

    @property
    def percent(self) -> int:
        """The products' share in whole percent."""
        return round(100 * self.share)


def product_gaps(lines: Sequence[Line]) -> list[ProductGap]:
    """Return the gap of every framework to the one with the fastest step, the slowest last.

    Each framework takes part with its fastest loop among those whose steps and products were
    measured on an undisturbed machine. Small gaps are left out.
    """
    quickest: dict[str, Line] = {}
    for line in sorted((line for line in lines if _is_measured(line)), key=_step_s):
        quickest.setdefault(line.framework, line)
    if not quickest:
        return []
    fast, *others = quickest.values()
    return [_gap(slow, fast) for slow in others if _step_s(slow) >= WORTH_SPLITTING * _step_s(fast)]


def _gap(slow: Line, fast: Line) -> ProductGap:
    products_s = (slow.products_s or 0.0) - (fast.products_s or 0.0)
    return ProductGap(slow, fast, _step_s(slow) - _step_s(fast), products_s)


def _is_measured(line: Line) -> bool:
    known = line.step is not None and line.products_s is not None
    return line.ranked and not line.is_bound and known


def _step_s(line: Line) -> float:
    return line.step.value if line.step else 0.0
