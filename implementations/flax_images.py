"""Layers of images in Flax NNX, between rows of numbers, which are images as views."""

from typing import Any

import jax
from flax import nnx

from harness.trainer import AveragePool, Conv, Flatten, MaxPool

Shape = tuple[int, ...]


class Convolution(nnx.Module):
    """`nnx.Conv`, whose kernel has the contract's layout.

    Args:
        layer: channels, kernel, stride, padding and bias.
        shape: (height, width, channels) of a row that comes in.
        dtype: of the parameters.
        rngs: what `nnx.Conv` asks for.
    """

    def __init__(self, layer: Conv, shape: Shape, dtype: Any, rngs: nnx.Rngs) -> None:
        self.shape = shape
        top, bottom, left, right = layer.sides(shape)
        self.conv = nnx.Conv(
            shape[2],
            layer.channels,
            layer.kernel,
            strides=layer.stride,
            padding=((top, bottom), (left, right)),
            use_bias=layer.bias,
            param_dtype=dtype,
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return rows of z."""
        z: jax.Array = self.conv(x.reshape(-1, *self.shape))
        return z.reshape(len(x), -1)


class Pool(nnx.Module):
    """`nnx.max_pool`, whose gradient goes to the first of equals, or `nnx.avg_pool`."""

    def __init__(self, layer: MaxPool | AveragePool, shape: Shape) -> None:
        self.shape, self.size, self.stride = shape, layer.size, layer.stride
        self.takes_largest = isinstance(layer, MaxPool)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return rows of the largest numbers or the means."""
        pool = nnx.max_pool if self.takes_largest else nnx.avg_pool
        pooled: jax.Array = pool(
            x.reshape(-1, *self.shape), self.size, strides=self.stride, padding="VALID"
        )
        return pooled.reshape(len(x), -1)


class Flattened(nnx.Module):
    """Images as vectors, in the layer's order."""

    def __init__(self, layer: Flatten, shape: Shape) -> None:
        self.shape, self.order = shape, layer.order

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the vectors."""
        if self.order == "channels_last":
            return x
        return x.reshape(-1, *self.shape).transpose(0, 3, 1, 2).reshape(len(x), -1)
