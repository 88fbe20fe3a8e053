"""Layers of images in Keras, which are (rows, height, width, channels)."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.trainer import Array, AveragePool, Conv, Flatten, MaxPool

Shape = tuple[int, ...]


class ProductConv2D(keras.layers.Conv2D):
    """`Conv2D` as one product of patches, without padding.

    In the loop of an XLA program on a CPU it takes, with the pools below, a sixteenth of the time
    of XLA's own convolutions and pools, in `mnist-cnn`.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Return z without biases."""
        patches = ops.concatenate(_shifted(inputs, self.kernel_size, self.strides), axis=-1)
        rows = ops.reshape(patches, (-1, patches.shape[-1]))
        z = ops.matmul(rows, ops.reshape(kernel, (-1, self.filters)))
        return ops.reshape(z, (-1, *patches.shape[1:3], self.filters))


class ShiftedPool(keras.layers.Layer):
    """A pool whose windows are compared or added number by number.

    The gradient of the largest number goes to the first of equals.
    """

    def __init__(self, layer: MaxPool | AveragePool) -> None:
        super().__init__()
        self.layer = layer

    def call(self, images: Any) -> Any:
        """Return the largest numbers or the means of windows."""
        pooled, *others = _shifted(images, self.layer.size, self.layer.stride)
        if isinstance(self.layer, AveragePool):
            return sum(others, pooled) / (self.layer.size[0] * self.layer.size[1])
        for each in others:
            pooled = ops.where(each > pooled, each, pooled)
        return pooled


def _shifted(images: Any, size: Shape, stride: Shape) -> list[Any]:
    """Return for every place in a window, row by row, the numbers at it in all windows."""
    below, right = images.shape[1] - size[0], images.shape[2] - size[1]
    return [
        images[:, row : row + below + 1 : stride[0], column : column + right + 1 : stride[1]]
        for row in range(size[0])
        for column in range(size[1])
    ]


def convolution(
    layer: Conv,
    shape: Shape,
    entry: tuple[Array | None, ...],
    activation: Any,
    settings: dict[str, Any],
    by_products: bool,
) -> Iterator[keras.layers.Layer]:
    """Yield `Conv2D` with the given parameters, behind a `ZeroPadding2D` where zeros are stated.

    Args:
        layer: channels, kernel, stride, padding and bias.
        shape: (height, width, channels) of its inputs.
        entry: kernels (height, width, in, out) as in Keras, and biases.
        activation: as Keras takes it.
        settings: regularizers.
        by_products: take `ProductConv2D`.
    """
    padding, (top, bottom, left, right) = layer.padding, layer.sides(shape)
    if by_products or not isinstance(padding, str):
        padding, zeros = "valid", ((top, bottom), (left, right))
        yield keras.layers.ZeroPadding2D(zeros, data_format="channels_last")
        shape = (shape[0] + top + bottom, shape[1] + left + right, shape[2])
    kind = ProductConv2D if by_products else keras.layers.Conv2D
    conv = kind(
        layer.channels,
        layer.kernel,
        strides=layer.stride,
        padding=padding,
        data_format="channels_last",
        activation=activation,
        use_bias=layer.bias,
        **settings,
    )
    conv.build((None, *shape))
    conv.set_weights([np.array(values) for values in entry if values is not None])
    yield conv


def without_parameters(
    layer: MaxPool | AveragePool | Flatten, shape: Shape, by_products: bool
) -> Iterator[keras.layers.Layer]:
    """Yield what pools images, or makes vectors of them. `shape` is that of the inputs.

    Keras's own `Flatten` makes channels last of both data formats, so channels first are permuted.
    """
    if isinstance(layer, Flatten):
        if layer.order == "channels_first":
            yield keras.layers.Permute((3, 1, 2))
        yield reshape((math.prod(shape),))
        return
    if by_products:
        yield ShiftedPool(layer)
        return
    kind = keras.layers.MaxPooling2D
    if isinstance(layer, AveragePool):
        kind = keras.layers.AveragePooling2D
    yield kind(layer.size, layer.stride, padding="valid", data_format="channels_last")


def reshape(shape: Shape) -> keras.layers.Layer:
    """Return a layer that makes rows of this shape."""
    return keras.layers.Reshape(shape)
