"""Layers of images in JAX, between rows of numbers, which are images as views."""

import jax
import jax.numpy as jnp
import numpy as np

from harness.trainer import AveragePool, Conv, Flatten, MaxPool

LAYOUT = ("NHWC", "HWIO", "NHWC")
"""Of images, kernels and results: that of rows and of the contract's kernels."""


def convolved(layer: Conv, x: jax.Array, shape: tuple[int, ...], kernels: jax.Array) -> jax.Array:
    """Return images (rows, height, width, out) without biases, of rows (rows, numbers)."""
    top, bottom, left, right = layer.sides(shape)
    return jax.lax.conv_general_dilated(
        x.reshape(-1, *shape),
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
    window, stride = (1, *layer.size, 1), (1, *layer.stride, 1)
    if isinstance(layer, MaxPool):
        pooled = jax.lax.reduce_window(images, -np.inf, jax.lax.max, window, stride, "VALID")
    else:
        sums = jax.lax.reduce_window(images, 0.0, jax.lax.add, window, stride, "VALID")
        pooled = sums / jnp.asarray(layer.size[0] * layer.size[1], x.dtype)
    return pooled.reshape(len(x), -1)
