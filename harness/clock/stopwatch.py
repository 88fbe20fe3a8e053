"""Time a region of code."""

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stopwatch:
    """The seconds of a timed region; NaN until the region ends."""

    seconds: float = math.nan


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time a region with garbage collection off."""
    stopwatch = Stopwatch()
    gc.disable()
    began = time.perf_counter_ns()
    try:
        yield stopwatch
    finally:
        stopwatch.seconds = (time.perf_counter_ns() - began) * 1e-9
        gc.enable()
