"""Layers of images in TensorFlow, between rows of numbers, which are images as views."""

import math

import tensorflow as tf

from harness.trainer import AveragePool, Conv, Flatten, MaxPool


def convolved(
    layer: Conv, x: tf.Tensor, shape: tuple[int, ...], kernels: tf.Tensor, by_products: bool
) -> tf.Tensor:
    """Return images (rows, height, width, out) without biases, of rows (rows, numbers).

    Args:
        layer: stride and padding.
        x: rows.
        shape: (height, width, in) of a row.
        kernels: (height, width, in, out).
        by_products: compute one product of patches. In the loop of an XLA program on a CPU that
            takes a sixteenth of the time of XLA's convolutions and pools, in `mnist-cnn`.
    """
    images = tf.reshape(x, (-1, *shape))
    if isinstance(layer.padding, str) and not by_products:
        return tf.nn.conv2d(images, kernels, layer.stride, layer.padding.upper())
    top, bottom, left, right = layer.sides(shape)
    padded = tf.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
    if not by_products:
        return tf.nn.conv2d(padded, kernels, layer.stride, "VALID")
    patches = tf.concat(_shifted(padded, layer.kernel, layer.stride), axis=-1)
    rows = tf.reshape(patches, (-1, patches.shape[-1]))
    z = tf.matmul(rows, tf.reshape(kernels, (-1, layer.channels)))
    return tf.reshape(z, (-1, *layer.output_shape(shape)))


def image_layer(
    layer: MaxPool | AveragePool | Flatten, x: tf.Tensor, shape: tuple[int, ...], by_products: bool
) -> tf.Tensor:
    """Return rows of a layer of images without parameters.

    The gradient of the largest number of a window goes to the first of equals. `by_products` is
    as in `convolved`: then windows are compared number by number.
    """
    images = tf.reshape(x, (-1, *shape))
    if isinstance(layer, Flatten):
        if layer.order == "channels_first":
            images = tf.transpose(images, (0, 3, 1, 2))
        return tf.reshape(images, (-1, math.prod(shape)))
    if by_products:
        first, *others = _shifted(images, layer.size, layer.stride)
        pooled = first
        for each in others:
            pooled = pooled + each if isinstance(layer, AveragePool) else _larger(pooled, each)
        if isinstance(layer, AveragePool):
            pooled = pooled / (layer.size[0] * layer.size[1])
        return tf.reshape(pooled, (-1, math.prod(layer.output_shape(shape))))
    pool = tf.nn.max_pool2d if isinstance(layer, MaxPool) else tf.nn.avg_pool2d
    pooled = pool(images, layer.size, layer.stride, "VALID")
    return tf.reshape(pooled, (-1, math.prod(layer.output_shape(shape))))


def _larger(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Return the larger numbers; of equals the gradient goes to the first."""
    return tf.where(other > one, other, one)


def _shifted(images: tf.Tensor, size: tuple[int, int], stride: tuple[int, int]) -> list[tf.Tensor]:
    """Return for every place in a window, row by row, the numbers at it in all windows."""
    below, right = images.shape[1] - size[0], images.shape[2] - size[1]
    return [
        images[:, row : row + below + 1 : stride[0], column : column + right + 1 : stride[1]]
        for row in range(size[0])
        for column in range(size[1])
    ]
