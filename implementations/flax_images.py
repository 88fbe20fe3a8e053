"""Layers of images in Flax NNX, between rows of numbers, which are images as views."""

from typing import Any

import jax
import jax.numpy as jnp
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
        on_cpu: whether to compute it as one product of patches. With XLA's own convolutions and
            pools a step of `mnist-cnn` took 16 times as long in the loop of a program.
    """

    def __init__(self, layer: Conv, shape: Shape, dtype: Any, rngs: nnx.Rngs, on_cpu: bool) -> None:
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
            conv_general_dilated=_by_products if on_cpu else jax.lax.conv_general_dilated,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return rows of z."""
        z: jax.Array = self.conv(x.reshape(-1, *self.shape))
        return z.reshape(len(x), -1)


class Pool(nnx.Module):
    """The largest number or the mean of each window, by comparing or adding shifted images.

    The gradient of the largest number goes to the first of equals. `nnx.max_pool` does the same,
    and takes longer on a CPU, as XLA's convolution does.
    """

    def __init__(self, layer: MaxPool | AveragePool, shape: Shape) -> None:
        self.shape, self.size, self.stride = shape, layer.size, layer.stride
        self.takes_largest = isinstance(layer, MaxPool)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return rows of the largest numbers or the means."""
        pooled, *others = _shifted(x.reshape(-1, *self.shape), self.size, self.stride)
        if self.takes_largest:
            for each in others:
                pooled = jnp.where(each > pooled, each, pooled)
        else:
            pooled = sum(others, pooled) / jnp.asarray(self.size[0] * self.size[1], x.dtype)
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


def _by_products(
    images: jax.Array, kernels: jax.Array, stride: Shape, padding: Any, **_: Any
) -> jax.Array:
    """Return what `jax.lax.conv_general_dilated` does, of images with channels last."""
    images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    patches = jnp.concatenate(_shifted(images, kernels.shape[:2], stride), axis=-1)
    return patches @ kernels.reshape(-1, kernels.shape[-1])


def _shifted(images: jax.Array, size: Shape, stride: Shape) -> list[jax.Array]:
    """Return for every place in a window, row by row, the numbers at it in all windows."""
    below, right = images.shape[1] - size[0], images.shape[2] - size[1]
    return [
        images[:, row : row + below + 1 : stride[0], column : column + right + 1 : stride[1]]
        for row in range(size[0])
        for column in range(size[1])
    ]
