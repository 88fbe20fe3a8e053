"""Activation functions a = f(z) and their derivatives, in place.

Each class has two methods on arrays of shape (rows, units):

- `forward(z)` overwrites z with a = f(z);
- `backward(a, da)` overwrites da = dL/da with dL/dz = dL/da * f'(z).

Most derivatives can be written with the output a alone, so z need not be kept. Where they
cannot (swish, GELU), `forward` leaves the slope f'(z) behind for `backward`. Functions with two
kinks, such as the hard sigmoid, are in `hard_activations`.
"""

import math
from typing import Protocol

import numpy as np

from harness.trainer import Array, Conv, Dense
from implementations.numpy_scratch.hard_activations import Clipped, HardSigmoid, HardSwish

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""SELU is ELU with these constants (Klambauer et al. 2017, section 2)."""


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


def sigmoid(z: Array) -> None:
    """z <- 1 / (1 + exp(-z))."""
    np.negative(z, out=z)
    np.exp(z, out=z)
    np.add(z, 1, out=z)
    np.reciprocal(z, out=z)


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
        sigmoid(z)

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

    a > 0 exactly where z > 0, so the output gives the slope. The zeros are an array because
    `np.maximum` of two arrays is vectorised and takes a fifth of the time of `np.maximum(z, 0)`.
    """

    def __init__(self, zeros: Array, mask: Array) -> None:
        self.zeros, self.mask = zeros, mask

    def forward(self, z: Array) -> None:
        """z <- max(z, 0)."""
        np.maximum(z, self.zeros[: len(z)], out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da where a > 0, else 0."""
        on = self.mask[: len(a)]
        np.greater(a, 0, out=on)
        np.multiply(da, on, out=da)


class LeakyReLU:
    """f(z) = z where z > 0, else slope * z; f'(z) = 1 or slope (slope at z = 0).

    slope > 0, so a has the sign of z.
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


class ELU:
    """f(z) = scale z where z > 0, else scale alpha (exp(z) - 1).

    ELU has scale 1 (Clevert et al. 2016), SELU the constants above.

    f'(z) = scale where z > 0, else scale alpha exp(z) = a + scale alpha, at z = 0 too. With scale
    and alpha 1 that is min(a, 0) + 1 everywhere.
    """

    def __init__(self, work: Array, mask: Array, alpha: float = 1.0, scale: float = 1.0) -> None:
        self.work, self.mask = work, mask
        self.alpha, self.scale = alpha, scale

    def forward(self, z: Array) -> None:
        """z <- scale max(z, 0) + scale alpha (exp(min(z, 0)) - 1)."""
        below = self.work[: len(z)]
        np.minimum(z, 0, out=below)
        np.expm1(below, out=below)
        np.maximum(z, 0, out=z)
        if self.alpha * self.scale != 1:
            np.multiply(below, self.alpha * self.scale, out=below)
        if self.scale != 1:
            np.multiply(z, self.scale, out=z)
        np.add(z, below, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * scale where a > 0, else da * (a + scale alpha)."""
        slope = self.work[: len(a)]
        np.minimum(a, 0, out=slope)
        np.add(slope, self.alpha * self.scale, out=slope)
        if self.alpha != 1:
            np.copyto(slope, self.scale, where=np.greater(a, 0, out=self.mask[: len(a)]))
        np.multiply(da, slope, out=da)


class Softplus:
    """f(z) = log(1 + exp(z)).

    f'(z) = exp(z) / (1 + exp(z)) = 1 - 1 / (1 + exp(z)) = 1 - exp(-a).
    """

    def __init__(self, work: Array) -> None:
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- log(exp(0) + exp(z)), without overflow."""
        np.logaddexp(z, 0, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * (1 - exp(-a))."""
        slope = self.work[: len(a)]
        np.negative(a, out=slope)
        np.expm1(slope, out=slope)
        np.multiply(da, slope, out=da)
        np.negative(da, out=da)


class Softsign:
    """f(z) = z / (1 + |z|).

    f'(z) = 1 / (1 + |z|)^2 = (1 - |a|)^2, because 1 - |a| = 1 / (1 + |z|).
    """

    def __init__(self, work: Array) -> None:
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- z / (1 + |z|)."""
        divisor = self.work[: len(z)]
        np.abs(z, out=divisor)
        np.add(divisor, 1, out=divisor)
        np.divide(z, divisor, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * (1 - |a|)^2."""
        slope = self.work[: len(a)]
        np.abs(a, out=slope)
        np.subtract(1, slope, out=slope)
        np.multiply(slope, slope, out=slope)
        np.multiply(da, slope, out=da)


class LogSigmoid:
    """f(z) = log(1 / (1 + exp(-z))) = -log(1 + exp(-z)).

    f'(z) = exp(-z) / (1 + exp(-z)) = 1 - sigmoid(z) = 1 - exp(a).
    """

    def __init__(self, work: Array) -> None:
        self.work = work

    def forward(self, z: Array) -> None:
        """z <- -log(exp(0) + exp(-z)), without overflow."""
        np.negative(z, out=z)
        np.logaddexp(z, 0, out=z)
        np.negative(z, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * (1 - exp(a))."""
        slope = self.work[: len(a)]
        np.expm1(a, out=slope)
        np.multiply(da, slope, out=da)
        np.negative(da, out=da)


class Mish:
    """f(z) = z t with t = tanh(log(1 + exp(z))) (Misra 2019).

    t' = (1 - t^2) s with s = sigmoid(z), because softplus' = sigmoid, so
    f'(z) = t + z (1 - t^2) s.
    """

    def __init__(self, slope: Array, work: Array) -> None:
        self.slope, self.work = slope, work

    def forward(self, z: Array) -> None:
        """z <- z t; slope <- t + z (1 - t^2) s."""
        t, slope = self.work[: len(z)], self.slope[: len(z)]
        np.logaddexp(z, 0, out=t)
        np.tanh(t, out=t)
        np.copyto(slope, z)
        sigmoid(slope)
        np.multiply(slope, z, out=slope)
        np.multiply(z, t, out=z)
        np.subtract(1, t, out=t)  # 1 - t^2 = (1 - t) (2 - (1 - t))
        np.multiply(slope, t, out=slope)
        np.subtract(2, t, out=t)
        np.multiply(slope, t, out=slope)
        np.subtract(t, 1, out=t)
        np.add(slope, t, out=slope)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * slope."""
        np.multiply(da, self.slope[: len(a)], out=da)


class Swish:
    """f(z) = z s with s = sigmoid(z); f'(z) = s + z s (1 - s) = s + a (1 - s)."""

    def __init__(self, slope: Array, work: Array) -> None:
        self.slope, self.work = slope, work

    def forward(self, z: Array) -> None:
        """z <- z s; slope <- s + z s (1 - s)."""
        s, slope = self.work[: len(z)], self.slope[: len(z)]
        np.copyto(s, z)
        sigmoid(s)
        np.multiply(z, s, out=z)
        np.subtract(1, s, out=slope)
        np.multiply(slope, z, out=slope)
        np.add(slope, s, out=slope)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * slope."""
        np.multiply(da, self.slope[: len(a)], out=da)


class GELU:
    """f(z) = z P(z), with P the standard normal's distribution function.

    P(z) = (1 + erf(z / sqrt 2)) / 2 and P'(z) = exp(-z^2 / 2) / sqrt(2 pi), so
    f'(z) = P(z) + z P'(z). NumPy has no erf; SciPy's is used.
    """

    def __init__(self, slope: Array, work: Array) -> None:
        from scipy.special import erf

        self.erf = erf
        self.slope, self.work = slope, work

    def forward(self, z: Array) -> None:
        """z <- z P(z); slope <- P(z) + z P'(z)."""
        p, slope = self.work[: len(z)], self.slope[: len(z)]
        np.multiply(z, z, out=slope)
        np.multiply(slope, -0.5, out=slope)
        np.exp(slope, out=slope)
        np.multiply(slope, 1 / math.sqrt(2 * math.pi), out=slope)
        np.multiply(slope, z, out=slope)
        np.multiply(z, math.sqrt(0.5), out=p)
        self.erf(p, out=p)
        np.add(p, 1, out=p)
        np.multiply(p, 0.5, out=p)
        np.add(slope, p, out=slope)
        np.multiply(z, p, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * slope."""
        np.multiply(da, self.slope[: len(a)], out=da)


class TanhGELU:
    """f(z) = z (1 + t) / 2 with t = tanh(k (z + 0.044715 z^3)), k = sqrt(2 / pi).

    t' = (1 - t^2) k (1 + 3 * 0.044715 z^2), so
    f'(z) = (1 + t) / 2 + z (1 - t^2) k (1 + 0.134145 z^2) / 2.
    """

    def __init__(self, slope: Array, work: Array) -> None:
        self.slope, self.work = slope, work

    def forward(self, z: Array) -> None:
        """z <- z (1 + t) / 2; slope <- f'(z)."""
        t, slope = self.work[: len(z)], self.slope[: len(z)]
        k = math.sqrt(2 / math.pi)
        np.multiply(z, z, out=slope)
        np.multiply(slope, 0.044715, out=t)
        np.add(t, 1, out=t)
        np.multiply(t, z, out=t)
        np.multiply(t, k, out=t)
        np.tanh(t, out=t)
        np.multiply(slope, 3 * 0.044715, out=slope)
        np.add(slope, 1, out=slope)
        np.multiply(slope, z, out=slope)
        np.multiply(slope, 0.5 * k, out=slope)
        np.add(t, 1, out=t)  # 1 - t^2 = (1 + t) (2 - (1 + t))
        np.multiply(slope, t, out=slope)
        np.multiply(z, t, out=z)
        np.subtract(2, t, out=t)
        np.multiply(slope, t, out=slope)
        np.subtract(2, t, out=t)
        np.multiply(t, 0.5, out=t)
        np.add(slope, t, out=slope)
        np.multiply(z, 0.5, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * slope."""
        np.multiply(da, self.slope[: len(a)], out=da)


class Step:
    """f(z) = 1 where z > 0, else 0. It has no useful derivative: nothing can be learned."""

    def forward(self, z: Array) -> None:
        """z <- 1 where z > 0, else 0."""
        np.greater(z, 0, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """Raise TypeError: the derivative is 0 wherever it exists."""
        raise TypeError("the step function cannot be trained through")


def make(layer: Dense | Conv, units: int, rows: int, dtype: str) -> Activation:
    """Return the activation of a layer, with work space for (rows, units) numbers.

    Raises:
        ValueError: the activation is not known here.
    """
    shape = (rows, units)
    match layer.activation:
        case "identity":
            return Identity()
        case "sigmoid":
            return Sigmoid(np.empty(shape, dtype))
        case "tanh":
            return Tanh(np.empty(shape, dtype))
        case "relu":
            return ReLU(np.zeros(shape, dtype), np.empty(shape, bool))
        case "leaky_relu":
            assert layer.slope is not None
            return LeakyReLU(layer.slope, np.empty(shape, dtype))
        case "elu":
            return ELU(np.empty(shape, dtype), np.empty(shape, bool), layer.alpha)
        case "selu":
            return ELU(np.empty(shape, dtype), np.empty(shape, bool), SELU_ALPHA, SELU_SCALE)
        case "softplus":
            return Softplus(np.empty(shape, dtype))
        case "swish":
            return Swish(np.empty(shape, dtype), np.empty(shape, dtype))
        case "gelu":
            return GELU(np.empty(shape, dtype), np.empty(shape, dtype))
        case "gelu_tanh":
            return TanhGELU(np.empty(shape, dtype), np.empty(shape, dtype))
        case "step":
            return Step()
        case "softsign":
            return Softsign(np.empty(shape, dtype))
        case "log_sigmoid":
            return LogSigmoid(np.empty(shape, dtype))
        case "mish":
            return Mish(np.empty(shape, dtype), np.empty(shape, dtype))
        case "relu6":
            return Clipped(np.empty(shape, bool), 0, 6)
        case "hard_tanh":
            return Clipped(np.empty(shape, bool), -1, 1)
        case "hard_sigmoid":
            return HardSigmoid(np.empty(shape, bool), 1 / 6)
        case "hard_sigmoid_fifth":
            return HardSigmoid(np.empty(shape, bool), 0.2)
        case "hard_swish":
            return HardSwish(np.empty(shape, dtype), np.empty(shape, dtype), np.empty(shape, bool))
    raise ValueError(f"activation {layer.activation!r} is not known here")
