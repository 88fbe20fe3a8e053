"""Numbers of a mistake, estimated from its trace: a wrong learning rate, a weight decay."""

from typing import Literal

import numpy as np

from harness.parity.functions import Floats
from harness.parity.trace import Trace
from harness.trainer import Parameters


def rate_ratio(trace: Trace, expected: Trace, start: int, end: int) -> float | None:
    """Return the size of an update relative to the right one, along the right one.

    The update is all that happens between two steps, `start` and `end`. None is returned where
    one of them was not kept, or where nothing can be said.
    """
    if not {start, end} <= set(trace.parameters) & set(expected.parameters):
        return None
    right = _update(expected, start, end)
    update = _update(trace, start, end)
    squared = float(right @ right)
    if not squared or update.shape != right.shape or not np.isfinite(update).all():
        return None
    return float(update @ right) / squared


def _update(trace: Trace, start: int, end: int) -> Floats:
    """All parameters at the end minus those at the start, as one vector."""
    pairs = zip(trace.parameters[end], trace.parameters[start], strict=True)
    parts = [
        np.subtract(a, b).ravel()
        for after, before in pairs
        for a, b in zip(after, before, strict=True)
        if a is not None and b is not None
    ]
    return np.concatenate(parts)


def weight_decay(trace: Trace, expected: Trace, on: Literal["weights", "all"]) -> float:
    """Return the strength s of a decay: what the gradient has beside the right one is s * w."""
    residual = _vector(trace.gradients, on) - _vector(expected.gradients, on)
    direction = _vector(expected.parameters[0], on)
    squared = float(direction @ direction)
    return float(residual @ direction) / squared if squared else 0.0


def _vector(pairs: Parameters, on: Literal["weights", "all"]) -> Floats:
    arrays = [W for W, _ in pairs]
    if on == "all":
        arrays = [v for pair in pairs for v in pair if v is not None]
    return np.concatenate([np.asarray(v, np.float64).ravel() for v in arrays])
