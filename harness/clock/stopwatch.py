"""Time a region of code.

The clock is bound here before any adapter is imported: one that replaces
`time.perf_counter_ns` does not change what is measured.
"""

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns


@dataclass
class Stopwatch:
    """The seconds of a timed region; NaN until the region ends."""

    seconds: float = math.nan


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time a region with garbage collection off."""
    stopwatch = Stopwatch()
    gc.disable()
    began = perf_counter_ns()
    try:
        yield stopwatch
    finally:
        stopwatch.seconds = (perf_counter_ns() - began) * 1e-9
        gc.enable()
