"""Layers of images in Keras, which are (rows, height, width, channels)."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from harness.trainer import Array, AveragePool, Conv, Flatten, MaxPool

Shape = tuple[int, ...]


def convolution(
    layer: Conv,
    shape: Shape,
    entry: tuple[Array | None, ...],
    activation: Any,
    settings: dict[str, Any],
) -> Iterator[keras.layers.Layer]:
    """Yield `Conv2D` with the given parameters, behind a `ZeroPadding2D` where zeros are stated.

    Args:
        layer: channels, kernel, stride, padding and bias.
        shape: (height, width, channels) of its inputs.
        entry: kernels (height, width, in, out) as in Keras, and biases.
        activation: as Keras takes it.
        settings: regularizers.
    """
    padding, (top, bottom, left, right) = layer.padding, layer.sides(shape)
    if not isinstance(padding, str):
        padding, zeros = "valid", ((top, bottom), (left, right))
        yield keras.layers.ZeroPadding2D(zeros, data_format="channels_last")
        shape = (shape[0] + top + bottom, shape[1] + left + right, shape[2])
    conv = keras.layers.Conv2D(
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
    layer: MaxPool | AveragePool | Flatten, shape: Shape
) -> Iterator[keras.layers.Layer]:
    """Yield what pools images, or makes vectors of them. `shape` is that of the inputs.

    Keras's own `Flatten` makes channels last of both data formats, so channels first are permuted.
    """
    if isinstance(layer, Flatten):
        if layer.order == "channels_first":
            yield keras.layers.Permute((3, 1, 2))
        yield reshape((math.prod(shape),))
        return
    kind = keras.layers.MaxPooling2D
    if isinstance(layer, AveragePool):
        kind = keras.layers.AveragePooling2D
    yield kind(layer.size, layer.stride, padding="valid", data_format="channels_last")


def reshape(shape: Shape) -> keras.layers.Layer:
    """Return a layer that makes rows of this shape."""
    return keras.layers.Reshape(shape)
