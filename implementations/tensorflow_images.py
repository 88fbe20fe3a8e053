"""Layers of images in TensorFlow, between rows of numbers, which are images as views."""

import math

import tensorflow as tf

from harness.trainer import AveragePool, Conv, Flatten, MaxPool


def convolved(layer: Conv, x: tf.Tensor, shape: tuple[int, ...], kernels: tf.Tensor) -> tf.Tensor:
    """Return images (rows, height, width, out) without biases, of rows (rows, numbers)."""
    images = tf.reshape(x, (-1, *shape))
    if isinstance(layer.padding, str):
        return tf.nn.conv2d(images, kernels, layer.stride, layer.padding.upper())
    top, bottom, left, right = layer.sides(shape)
    padded = tf.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
    return tf.nn.conv2d(padded, kernels, layer.stride, "VALID")


def image_layer(
    layer: MaxPool | AveragePool | Flatten, x: tf.Tensor, shape: tuple[int, ...]
) -> tf.Tensor:
    """Return rows of a layer of images without parameters.

    The gradient of the largest number of a window goes to the first of equals.
    """
    images = tf.reshape(x, (-1, *shape))
    if isinstance(layer, Flatten):
        if layer.order == "channels_first":
            images = tf.transpose(images, (0, 3, 1, 2))
        return tf.reshape(images, (-1, math.prod(shape)))
    pool = tf.nn.max_pool2d if isinstance(layer, MaxPool) else tf.nn.avg_pool2d
    pooled = pool(images, layer.size, layer.stride, "VALID")
    return tf.reshape(pooled, (-1, math.prod(layer.output_shape(shape))))
