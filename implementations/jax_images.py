"""Layers of images in JAX, between rows of numbers, which are images as views."""

import jax
import jax.numpy as jnp

from harness.trainer import AveragePool, Conv, Flatten, MaxPool

LAYOUT = ("NHWC", "HWIO", "NHWC")
"""Of images, kernels and results: that of rows and of the contract's kernels."""


def convolved(
    layer: Conv, x: jax.Array, shape: tuple[int, ...], kernels: jax.Array, on_cpu: bool
) -> jax.Array:
    """Return images (rows, height, width, out) without biases, of rows (rows, numbers).

    On a CPU they are one product of patches. With XLA's own convolutions and pools a step of
    `mnist-cnn` took 1.4 times as long there, and 16 times as long in the loop of a program.
    """
    top, bottom, left, right = layer.sides(shape)
    images = x.reshape(-1, *shape)
    if on_cpu:
        images = jnp.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
        patches = jnp.concatenate(_shifted(images, layer.kernel, layer.stride), axis=-1)
        return patches @ kernels.reshape(-1, layer.channels)
    return jax.lax.conv_general_dilated(
        images,
        kernels,
        layer.stride,
        ((top, bottom), (left, right)),
        dimension_numbers=LAYOUT,
    )


def image_layer(
    layer: MaxPool | AveragePool | Flatten, x: jax.Array, shape: tuple[int, ...]
) -> jax.Array:
    """Return rows of a layer of images without parameters.

    The gradient of the largest number of a window goes to the first of equals.
    """
    images = x.reshape(-1, *shape)
    if isinstance(layer, Flatten):
        if layer.order == "channels_first":
            images = images.transpose(0, 3, 1, 2)
        return images.reshape(len(x), -1)
    first, *others = _shifted(images, layer.size, layer.stride)
    if isinstance(layer, MaxPool):
        pooled = first
        for each in others:
            pooled = jnp.where(each > pooled, each, pooled)
    else:
        pooled = sum(others, first) / jnp.asarray(layer.size[0] * layer.size[1], x.dtype)
    return pooled.reshape(len(x), -1)


def _shifted(images: jax.Array, size: tuple[int, int], stride: tuple[int, int]) -> list[jax.Array]:
    """Return for every place in a window, row by row, the numbers at it in all windows."""
    below, right = images.shape[1] - size[0], images.shape[2] - size[1]
    return [
        images[:, row : row + below + 1 : stride[0], column : column + right + 1 : stride[1]]
        for row in range(size[0])
        for column in range(size[1])
    ]
