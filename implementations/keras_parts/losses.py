"""Loss and penalty, by Keras's functions."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from harness.trainer import (
    L1,
    L2,
    BinaryCrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    Task,
)

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


class Penalty(keras.regularizers.Regularizer):
    """factor * sum of squares, or of |w|; the factors may change between calls of `fit`."""

    def __init__(self, parts: Sequence[tuple[L2 | L1, keras.Variable]]) -> None:
        self.parts = list(parts)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the penalty of one variable."""
        return sum(factor * ops.sum(_summed(each, w)) for each, factor in self.parts)


def penalty(task: Task, values: Sequence[Tensor], size: Tensor) -> Tensor:
    """Return c * sum of squares and c * sum of |w|, of the weights or of all parameters."""
    total: Tensor = 0.0
    for each in (task.l2, task.l1):
        if each is None:
            continue
        kept = [v for v in values if each.on == "all" or len(v.shape) == 2]
        # coefficient(1), because `size` may be known at run time only
        scaled = each.coefficient(1) * sum(ops.sum(_summed(each, v)) for v in kept)
        total = total + (scaled / ops.cast(size, scaled.dtype) if each.per_row else scaled)
    return total


def has_penalty(task: Task) -> bool:
    """Return whether the loss has a penalty."""
    return task.l2 is not None or task.l1 is not None


def _summed(penalty: L2 | L1, w: Tensor) -> Tensor:
    return ops.square(w) if isinstance(penalty, L2) else ops.abs(w)
