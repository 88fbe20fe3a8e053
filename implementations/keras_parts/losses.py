"""Loss and penalty, by Keras's functions."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from harness.trainer import L2, BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy

Tensor = Any
"""A tensor of the backend."""


class RowLoss(keras.losses.Loss):
    """The protocol's loss: that of each row by Keras's functions of logits, reduced as stated."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(reduction="sum_over_batch_size" if loss.batch == "mean" else "sum")
        self.protocol = loss

    def call(self, y: Tensor, z: Tensor) -> Tensor:
        """Return the loss of every row (rows,)."""
        match self.protocol:
            case SoftmaxCrossEntropy():
                return _softmax_cross_entropy(self.protocol, ops.reshape(y, (-1,)), z)
            case MeanSquaredError():
                per_output = ops.square(z - y) * (0.5 if self.protocol.half else 1.0)
            case BinaryCrossEntropy():
                per_output = _binary_cross_entropy(self.protocol, y, z)
        total = ops.sum(per_output, axis=-1)
        # not ops.mean, which rounds float64 to float32 on JAX
        return total / per_output.shape[-1] if self.protocol.outputs == "mean" else total

    def of_batch(self, z: Tensor, y: Tensor, size: Tensor | None) -> Tensor:
        """Return the loss from logits. Rows beyond `size` weigh nothing; None: all count."""
        rows = self.call(y, z)
        if size is not None:
            counts = ops.arange(rows.shape[0], dtype="int32") < size
            rows = ops.where(counts, rows, ops.zeros_like(rows))
        total = ops.sum(rows)
        if self.protocol.batch == "sum":
            return total
        return total / (rows.shape[0] if size is None else ops.cast(size, z.dtype))


def _softmax_cross_entropy(loss: SoftmaxCrossEntropy, labels: Tensor, z: Tensor) -> Tensor:
    """Return the loss of every row."""
    if loss.behind_activation:
        # Keras would take the input of a sigmoid for the logits, not its output
        of_label = ops.sum(ops.one_hot(labels, z.shape[1], dtype=z.dtype) * z, axis=1)
        return ops.logsumexp(z, axis=1) - of_label
    return ops.sparse_categorical_crossentropy(labels, z, from_logits=True)


def _binary_cross_entropy(loss: BinaryCrossEntropy, y: Tensor, z: Tensor) -> Tensor:
    """Return the loss of every output."""
    if loss.behind_activation:  # as above
        return -ops.log_sigmoid(-z) - y * z  # -log_sigmoid(-z) = log(1 + exp(z))
    return ops.binary_crossentropy(y, z, from_logits=True)


class L2Penalty(keras.regularizers.Regularizer):
    """factor * sum of squares, with a factor that may change between calls of `fit`."""

    def __init__(self, dtype: str) -> None:
        self.factor = keras.Variable(0.0, trainable=False, dtype=dtype)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the penalty of one variable."""
        return self.factor * ops.sum(ops.square(w))


def penalty(l2: L2, values: Sequence[Tensor], size: Tensor) -> Tensor:
    """Return c * sum of squares, of the weights or of all parameters."""
    squares = sum(ops.sum(ops.square(v)) for v in values if l2.on == "all" or len(v.shape) == 2)
    # coefficient(1), because `size` may be known at run time only
    scaled = l2.coefficient(1) * squares
    return scaled / ops.cast(size, scaled.dtype) if l2.per_row else scaled
