"""Losses of values but the squared error: of every output by itself, from a and its target y.

Each class takes the value and the slope of its loss; `ValueLoss` reduces both. With e = a - y:

absolute error  |e|                                           slope sign(e), 0 where e = 0
Huber           e^2 / 2 where |e| <= delta, else              slope e, or delta sign(e)
                delta (|e| - delta / 2)
log cosh        log cosh e                                    slope tanh e
hinge           max(1 - y a, 0)                               slope -y where 1 - y a > 0, else 0
squared hinge   max(1 - y a, 0)^2                             slope -2 y max(1 - y a, 0)
"""

import math
from abc import ABC, abstractmethod

import numpy as np

from harness.trainer import (
    Array,
    Hinge,
    Huber,
    LogCosh,
    LossOfValues,
    MeanAbsoluteError,
)


class ValueLoss(ABC):
    """A loss of every output, reduced as the protocol says; see `losses` for the call.

    Args:
        loss: the protocol's.
        outputs: of a row.
        rows: at most so many are given at once.
        dtype: of the outputs.
    """

    def __init__(self, loss: LossOfValues, outputs: int, rows: int, dtype: str) -> None:
        self.mean_over_batch = loss.batch == "mean"
        self.factor = 1 / outputs if loss.outputs == "mean" else 1.0
        self.values = np.empty((rows, outputs), dtype)

    def factor_of(self, batch_size: float) -> float:
        """Return what the sum over all rows and outputs is multiplied by."""
        return self.factor / batch_size if self.mean_over_batch else self.factor

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the loss; z <- factor * slope."""
        values, factor = self.values[: len(z)], self.factor_of(batch_size)
        self.take(z, targets, values)
        total: float = np.add.reduce(values, axis=None)
        if factor != 1:
            np.multiply(z, factor, out=z)
        return total * factor

    @abstractmethod
    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- the loss of every output, z <- its slope.

        Args:
            z: the outputs, of any shape.
            y: their targets, of a shape that fits.
            values: of the shape of z.
        """


class AbsoluteError(ValueLoss):
    """|e|. d|e| / de is 1 above 0 and -1 below; between them the protocol states 0."""

    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- |e|, z <- sign(e)."""
        np.subtract(z, y, out=z)
        np.absolute(z, out=values)
        np.sign(z, out=z)


class HuberLoss(ValueLoss):
    """c (e - c / 2) with c = e, cut to [-delta, delta].

    Where |e| <= delta, c = e and this is e^2 / 2. Beyond, c = delta sign(e), and this is
    delta |e| - delta^2 / 2. The slope is c in both places: that of the square is e, that of the
    line delta sign(e).
    """

    def __init__(self, loss: Huber, outputs: int, rows: int, dtype: str) -> None:
        super().__init__(loss, outputs, rows, dtype)
        self.delta = loss.delta
        if loss.over_delta:
            self.factor /= loss.delta

    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- c (e - c / 2), z <- c."""
        np.subtract(z, y, out=z)
        c = np.clip(z, -self.delta, self.delta)
        np.multiply(c, -0.5, out=values)
        np.add(values, z, out=values)
        np.multiply(values, c, out=values)
        np.copyto(z, c)


class LogCoshLoss(ValueLoss):
    """log cosh e = log((exp(e) + exp(-e)) / 2) = |e| + log(1 + exp(-2 |e|)) - log 2.

    The last form has no large exponential in it. The slope is sinh e / cosh e = tanh e.
    """

    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- |e| + log(1 + exp(-2 |e|)) - log 2, z <- tanh e."""
        np.subtract(z, y, out=z)
        size = np.absolute(z)
        np.multiply(size, -2, out=values)
        np.exp(values, out=values)
        np.log1p(values, out=values)
        np.add(values, size, out=values)
        np.subtract(values, math.log(2), out=values)
        np.tanh(z, out=z)


class HingeLoss(ValueLoss):
    """max(1 - y a, 0): 0 once the output is on its side, of targets -1 and 1, by 1 or more."""

    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- max(1 - y a, 0), z <- -y where that is above 0."""
        _margins(z, y, values)
        np.sign(values, out=z)
        np.multiply(z, y, out=z)
        np.negative(z, out=z)


class SquaredHingeLoss(ValueLoss):
    """max(1 - y a, 0)^2, whose slope is continuous."""

    def take(self, z: Array, y: Array, values: Array) -> None:
        """values <- max(1 - y a, 0)^2, z <- -2 y max(1 - y a, 0)."""
        _margins(z, y, values)
        np.multiply(values, y, out=z)
        np.multiply(z, -2, out=z)
        np.square(values, out=values)


def _margins(z: Array, y: Array, values: Array) -> None:
    """values <- max(1 - y a, 0)."""
    np.multiply(z, y, out=values)
    np.subtract(1, values, out=values)
    np.maximum(values, 0, out=values)


def make(loss: LossOfValues, outputs: int, rows: int, dtype: str) -> ValueLoss:
    """Return the loss of a protocol, with work space for `rows` rows."""
    match loss:
        case MeanAbsoluteError():
            return AbsoluteError(loss, outputs, rows, dtype)
        case Huber():
            return HuberLoss(loss, outputs, rows, dtype)
        case LogCosh():
            return LogCoshLoss(loss, outputs, rows, dtype)
        case Hinge():
            return HingeLoss(loss, outputs, rows, dtype)
    return SquaredHingeLoss(loss, outputs, rows, dtype)
