"""Dropout by masks that are given; `keras.layers.Dropout` draws its own."""

from typing import Any

import keras
from keras import ops

from harness.trainer import Dropout

Tensor = Any
"""A tensor of the backend."""


class GivenDropout(keras.layers.Layer):
    """A dropout layer of the protocol.

    Args:
        specification: with rate and form.
    """

    def __init__(self, specification: Dropout) -> None:
        super().__init__()
        self.training_scale = specification.training_scale
        self.prediction_scale = specification.prediction_scale
        self.built = True

    def call(self, x: Tensor, bits: Tensor | None = None) -> Tensor:
        """Return x with the bits of a mask (rows, ceil(width / 8)), or in prediction."""
        if bits is None:
            return x if self.prediction_scale == 1 else x * self.prediction_scale
        each = ops.right_shift(
            ops.expand_dims(bits, 2), ops.cast(ops.arange(8, dtype="int32"), "uint8")
        )
        each = ops.bitwise_and(each, ops.ones((), dtype="uint8"))
        kept = ops.reshape(each, (-1, 8 * bits.shape[1]))[:, : x.shape[1]]
        return x * (ops.cast(kept, x.dtype) * self.training_scale)


class MaskedNetwork(keras.Model):
    """Layers in a row, of which some are `GivenDropout`.

    It takes (x, the bits of each dropout layer) in training, and x alone in prediction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[keras.layers.Layer] = []
        self.built = True  # the layers are, before they are added

    def add(self, layer: keras.layers.Layer) -> None:
        """Add a layer behind the others."""
        self.stack.append(layer)

    def call(self, inputs: Tensor) -> Tensor:
        """Return logits or values."""
        x, *masks = inputs if isinstance(inputs, list | tuple) else (inputs,)
        of_layers = iter(masks)
        for layer in self.stack:
            is_masked = isinstance(layer, GivenDropout) and masks
            x = layer(x, next(of_layers)) if is_masked else layer(x)
        return x
