"""Activation functions of three straight pieces, in place, as in `activations`.

Each is flat, or the identity, beyond two kinks. At a kink the slope is that of the outer piece,
as in PyTorch.
"""

import numpy as np

from harness.trainer import Array


class Clipped:
    """f(z) = min(max(z, low), high); f'(z) = 1 where low < z < high, else 0.

    ReLU6 is clipped to [0, 6] (Krizhevsky 2010), hard tanh to [-1, 1]. low < a < high exactly
    where low < z < high, so the output gives the slope.
    """

    def __init__(self, mask: Array, low: float, high: float) -> None:
        self.mask, self.low, self.high = mask, low, high

    def forward(self, z: Array) -> None:
        """z <- min(max(z, low), high)."""
        np.clip(z, self.low, self.high, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da where low < a < high, else 0."""
        inside = self.mask[: len(a)]
        np.greater(a, self.low, out=inside)
        np.multiply(da, inside, out=da)
        np.less(a, self.high, out=inside)
        np.multiply(da, inside, out=da)


class HardSigmoid:
    """f(z) = min(max(slope z + 1/2, 0), 1); f'(z) = slope where 0 < a < 1, else 0.

    With slope 1/6 it is min(max(z + 3, 0), 6) / 6, with kinks at -3 and 3: PyTorch, JAX, Keras 3.
    Theano and Keras up to version 2 have slope 1/5, with kinks at -2.5 and 2.5.
    """

    def __init__(self, mask: Array, slope: float) -> None:
        self.inside = Clipped(mask, 0, 1)
        self.slope = slope

    def forward(self, z: Array) -> None:
        """z <- min(max(slope z + 1/2, 0), 1)."""
        np.multiply(z, self.slope, out=z)
        np.add(z, 0.5, out=z)
        self.inside.forward(z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- slope da where 0 < a < 1, else 0."""
        self.inside.backward(a, da)
        np.multiply(da, self.slope, out=da)


class HardSwish:
    """f(z) = z h with h = min(max(z + 3, 0), 6) / 6, the hard sigmoid (Howard et al. 2019).

    f'(z) = h + z h' with h' = 1/6 where 0 < h < 1, else 0. At z = -3 that is 0, at z = 3 it is 1.
    """

    def __init__(self, slope: Array, work: Array, mask: Array) -> None:
        self.slope, self.work, self.mask = slope, work, mask

    def forward(self, z: Array) -> None:
        """z <- z h; slope <- h + z h'."""
        h, slope, mask = self.work[: len(z)], self.slope[: len(z)], self.mask[: len(z)]
        np.add(z, 3, out=h)
        np.clip(h, 0, 6, out=h)
        np.multiply(h, 1 / 6, out=h)
        np.multiply(z, 1 / 6, out=slope)
        np.multiply(slope, np.greater(h, 0, out=mask), out=slope)
        np.multiply(slope, np.less(h, 1, out=mask), out=slope)
        np.add(slope, h, out=slope)
        np.multiply(z, h, out=z)

    def backward(self, a: Array, da: Array) -> None:
        """da <- da * slope."""
        np.multiply(da, self.slope[: len(a)], out=da)
