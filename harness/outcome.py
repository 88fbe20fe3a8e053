"""What a trial leaves, how it may end, and the clock of its phases."""

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.trainer import Array


class Unsupported(Exception):  # noqa: N818 (an outcome, not a fault)
    """The adapter cannot follow the protocol; the message says why."""


class Diverged(Exception):  # noqa: N818
    """Loss or outputs are no longer finite; the message says since when."""


@dataclass
class Outcome:
    """What a trial has found so far: columns of the row, and arrays kept beside it."""

    columns: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    untold_s: float = 0.0
    """Spent on the limit, which is no phase of the trial."""


class Stopwatch(Protocol):
    """Filled when the timed region ends."""

    seconds: float


@dataclass
class _Elapsed:
    seconds: float = math.nan


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time a region with garbage collection off."""
    elapsed = _Elapsed()
    gc.disable()
    began = time.perf_counter_ns()
    try:
        yield elapsed
    finally:
        elapsed.seconds = (time.perf_counter_ns() - began) * 1e-9
        gc.enable()
