"""The oracle's losses of values: of every output, and its derivative by the output."""

import math
from typing import assert_never

import numpy as np

from harness.experiment.losses import (
    Hinge,
    Huber,
    LogCosh,
    LossOfValues,
    MeanAbsoluteError,
    MeanSquaredError,
    SquaredHinge,
)
from harness.parity.functions import Floats


def of_values(loss: LossOfValues, a: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the loss of every output and its derivative, as `harness.experiment.losses` says.

    Args:
        loss: with its numbers as adapters receive them.
        a: (rows, outputs), the outputs behind their activation.
        y: (rows, outputs), the targets.
    """
    e = a - y
    match loss:
        case MeanSquaredError():
            factor = 0.5 if loss.half else 1.0
            return factor * e**2, 2 * factor * e
        case MeanAbsoluteError():
            return np.abs(e), np.sign(e)
        case Huber():
            return _huber(loss, e)
        case LogCosh():
            return np.logaddexp(e, -e) - math.log(2), np.tanh(e)
        case Hinge():
            return np.maximum(1 - y * a, 0), np.where(y * a < 1, -y, 0)
        case SquaredHinge():
            margin = np.maximum(1 - y * a, 0)
            return margin**2, -2 * y * margin
        case unknown:
            assert_never(unknown)


def _huber(loss: Huber, e: Floats) -> tuple[Floats, Floats]:
    """e^2 / 2 and e where |e| <= delta, else delta (|e| - delta / 2) and delta sign(e)."""
    delta, is_small = loss.delta, np.abs(e) <= loss.delta
    losses = np.where(is_small, e**2 / 2, delta * (np.abs(e) - delta / 2))
    slopes = np.where(is_small, e, delta * np.sign(e))
    divisor = delta if loss.over_delta else 1.0
    return losses / divisor, slopes / divisor


def jump_at_kink(loss: LossOfValues, a: Floats, y: Floats) -> Floats:
    """How much larger the derivative is right below a kink, where an output is at it; else 0."""
    if isinstance(loss, MeanAbsoluteError):
        return np.where(a == y, -1, 0).astype(a.dtype)
    if isinstance(loss, Hinge):
        return np.where(y * a == 1, -y, 0).astype(a.dtype)
    return np.zeros_like(a)
