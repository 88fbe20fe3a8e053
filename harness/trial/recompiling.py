"""Whether later segments of a timed run compiled again.

Compiling belongs to the first step. A program that is made for one number of steps is compiled
again for every new number, on the clock. Then the first segment of a length takes longer than all
that come later. A busy machine looks alike, so a segment must be slower than the slowest of the
others by a factor and by an amount, and both by the clock and in CPU time of the process.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

TIMES_AS_LONG = 2.0
"""The first segment of a length takes at least this many times as long as the slowest other."""
AT_LEAST_S = 0.03
"""And at least these seconds longer. XLA takes 50 ms for the smallest network."""
OTHERS_AT_LEAST = 2
"""Fewer segments to compare with say nothing."""
NOT_SHORTER_THAN = 0.5
"""What a call costs would count several times in a much shorter segment, brought to this length."""


@dataclass(frozen=True)
class Segment:
    """One call of `advance`.

    Args:
        steps: its length.
        seconds: how long it took.
        cpu_s: CPU time of the process, all threads together.
    """

    steps: int
    seconds: float
    cpu_s: float

    def scaled_to(self, steps: int) -> "Segment":
        """Return an upper bound of the same work at another length.

        A longer segment takes at most as much longer as it has more steps, because a call costs
        something too. A shorter one takes at most as long.
        """
        factor = max(1.0, steps / self.steps)
        return Segment(steps, factor * self.seconds, factor * self.cpu_s)


def recompile_s(first: Segment, later: Sequence[Segment]) -> float | None:
    """Return the seconds that later segments of new lengths seem to have compiled.

    Args:
        first: the first step, in which a program may compile what it likes.
        later: the segments after it, in order.

    Returns:
        What the first segments of new lengths took beyond the slowest other one, or None where
        nothing points at a compiler, or too few lengths come twice.
    """
    lengths = [segment.steps for segment in (first, *later)]
    is_new = [steps not in lengths[:index] for index, steps in enumerate(lengths)][1:]
    others = [segment for segment, new in zip(later, is_new, strict=True) if not new]
    excess_s = [_excess_s(s, others) for s, new in zip(later, is_new, strict=True) if new]
    return math.fsum(excess_s) or None


def _excess_s(segment: Segment, others: Sequence[Segment]) -> float:
    """Return what a segment took longer than all others; 0 where that shows no compiler."""
    same = [other for other in others if other.steps == segment.steps]
    similar = [other for other in others if other.steps >= NOT_SHORTER_THAN * segment.steps]
    compared = same if len(same) >= OTHERS_AT_LEAST else similar
    if len(compared) < OTHERS_AT_LEAST:
        return 0.0
    bounds = [other.scaled_to(segment.steps) for other in compared]
    slowest_s = max(bound.seconds for bound in bounds)
    busiest_s = max(bound.cpu_s for bound in bounds)
    if _is_far_beyond(segment.seconds, slowest_s) and _is_far_beyond(segment.cpu_s, busiest_s):
        return segment.seconds - slowest_s
    return 0.0


def _is_far_beyond(value_s: float, other_s: float) -> bool:
    return value_s >= max(TIMES_AS_LONG * other_s, other_s + AT_LEAST_S)
