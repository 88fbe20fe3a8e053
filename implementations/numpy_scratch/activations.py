"""Activation functions a = f(z) and their derivatives, in place.

Each class has two methods on arrays of shape (rows, units):

- `forward(z)` overwrites z with a = f(z);
- `backward(a, da)` overwrites da = dL/da with dL/dz = dL/da * f'(z).

Every derivative here can be written with the output a alone, so z need not be kept.
"""

from typing import Protocol

import numpy as np

from harness.trainer import Array, Layer


class Activation(Protocol):
    """Forward and backward of one function, in place."""

    def forward(self, z: Array) -> None:
        """Overwrite z with f(z)."""

    def backward(self, a: Array, da: Array) -> None:
        """Overwrite dL/da with dL/dz."""


class Identity:
    """f(z) = z, f'(z) = 1."""

    def forward(self, z: Array) -> None:
        """Leave z as it is."""

    def backward(self, a: Array, da: Array) -> None:
        """Leave the gradient as it is."""


class Sigmoid:
    """f(z) = 1 / (1 + exp(-z)).

    f'(z) = exp(-z) / (1 + exp(-z))^2 = f(z) * (1 - f(z)), because
    1 - f(z) = exp(-z) / (1 + exp(-z)). For z far below 0 exp(-z) overflows to infinity and
    f(z) becomes the 0 that it should be.
    """

    def __init__(self, work: Array) -> None:
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- 1 / (1 + exp(-z))."""
        np.negative(z, out=z)
        np.exp(z, out=z)
        np.add(z, 1, out=z)
        np.reciprocal(z, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * a * (1 - a)."""
        slope = self.work[: len(a)]
        np.subtract(1, a, out=slope)
        np.multiply(slope, a, out=slope)
        np.multiply(da, slope, out=da)


class Tanh:
    """f(z) = tanh(z), f'(z) = 1 - tanh(z)^2 = 1 - a^2."""

    def __init__(self, work: Array) -> None:
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- tanh(z)."""
        np.tanh(z, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * (1 - a^2)."""
        slope = self.work[: len(a)]
        np.multiply(a, a, out=slope)
        np.subtract(1, slope, out=slope)
        np.multiply(da, slope, out=da)


class ReLU:
    """f(z) = max(z, 0); f'(z) = 1 where z > 0, else 0 (at z = 0 too, as in the frameworks).

    a > 0 exactly where z > 0, so the output tells the slope.
    """

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def forward(self, z: Array) -> None:
        """z <- max(z, 0)."""
        np.maximum(z, 0, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da where a > 0, else 0."""
        on = self.mask[: len(a)]
        np.greater(a, 0, out=on)
        np.multiply(da, on, out=da)


class LeakyReLU:
    """f(z) = z where z > 0, else slope * z; f'(z) = 1 or slope (slope at z = 0).

    slope > 0, so a has the sign of z and tells which side it is on.
    """

    def __init__(self, slope: float, work: Array) -> None:
        self.slope = slope
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- max(z, 0) + slope * min(z, 0)."""
        below = self.work[: len(z)]
        np.minimum(z, 0, out=below)
        np.multiply(below, self.slope, out=below)
        np.maximum(z, 0, out=z)
        np.add(z, below, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da where a > 0, else slope * da."""
        factor = self.work[: len(a)]
        np.greater(a, 0, out=factor)
        np.multiply(factor, 1 - self.slope, out=factor)
        np.add(factor, self.slope, out=factor)
        np.multiply(da, factor, out=da)


class Step:
    """f(z) = 1 where z > 0, else 0. It has no useful derivative: nothing can be learned."""

    def forward(self, z: Array) -> None:
        """z <- 1 where z > 0, else 0."""
        np.greater(z, 0, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """Refuse: the derivative is 0 wherever it exists."""
        raise TypeError("the step function cannot be trained through")


def make(layer: Layer, rows: int, dtype: str) -> Activation:
    """The activation of a layer, with work space for `rows` rows."""
    shape = (rows, layer.units)
    match layer.activation:
        case "identity":
            return Identity()
        case "sigmoid":
            return Sigmoid(np.empty(shape, dtype))
        case "tanh":
            return Tanh(np.empty(shape, dtype))
        case "relu":
            return ReLU(np.empty(shape, bool))
        case "leaky_relu":
            return LeakyReLU(float(np.float32(layer.slope)), np.empty(shape, dtype))
        case "step":
            return Step()
    raise ValueError(f"activation {layer.activation!r} is not known here")
