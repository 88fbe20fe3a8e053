"""Loss and penalty, by Keras's functions."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from harness.trainer import (
    L1,
    L2,
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    LossOfValues,
    MeanAbsoluteError,
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
        """Return the loss of every row (rows,), of which Keras takes the sum or the mean."""
        rows, weights = self._of_rows(y, z), _weights_of_rows(self.protocol, y, z)
        if weights is None:
            return rows
        if not _means_weigh(self.protocol):
            return rows * weights
        count = ops.cast(ops.shape(rows)[0], rows.dtype)
        return rows * weights * (count / ops.sum(weights))

    def _of_rows(self, y: Tensor, z: Tensor) -> Tensor:
        match self.protocol:
            case SoftmaxCrossEntropy():
                return _softmax_cross_entropy(self.protocol, ops.reshape(y, (-1,)), z)
            case MeanSquaredError():
                per_output = ops.square(z - y) * (0.5 if self.protocol.half else 1.0)
            case BinaryCrossEntropy():
                per_output = _binary_cross_entropy(self.protocol, y, z)
            case _:
                per_output = _value_loss(self.protocol, y, z)
        total = ops.sum(per_output, axis=-1)
        # not ops.mean, which rounds float64 to float32 on JAX
        return total / per_output.shape[-1] if self.protocol.outputs == "mean" else total

    def of_batch(self, z: Tensor, y: Tensor, size: Tensor | None) -> Tensor:
        """Return the loss from logits. Rows beyond `size` weigh nothing; None: all count."""
        rows, weights = self._of_rows(y, z), _weights_of_rows(self.protocol, y, z)
        rows = rows if weights is None else rows * weights
        if size is not None:
            counts = ops.arange(rows.shape[0], dtype="int32") < size
            rows = ops.where(counts, rows, ops.zeros_like(rows))
        total = ops.sum(rows)
        if self.protocol.batch == "sum":
            return total
        if weights is not None and _means_weigh(self.protocol):
            if size is not None:
                weights = ops.where(counts, weights, ops.zeros_like(weights))
            return total / ops.sum(weights)
        return total / (rows.shape[0] if size is None else ops.cast(size, z.dtype))


def _weights_of_rows(loss: Loss, y: Tensor, z: Tensor) -> Tensor | None:
    """Return the weight of every row (rows,) by its class, or None where all weigh the same."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    if weights is None:
        return None
    labels = ops.cast(ops.reshape(y, (-1,)), "int32")
    return ops.take(ops.convert_to_tensor(weights.values, dtype=z.dtype), labels)


def _means_weigh(loss: Loss) -> bool:
    """Whether a mean over the batch divides by the sum of the weights of its rows."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    return weights is not None and weights.mean_over == "weights"


def _softmax_cross_entropy(loss: SoftmaxCrossEntropy, labels: Tensor, z: Tensor) -> Tensor:
    """Return the loss of every row."""
    if loss.label_smoothing is not None:
        # written out: Keras smooths one-hot labels in `CategoricalCrossentropy`, whose softmax
        # would be that of a sigmoid's input, as below
        share = loss.label_smoothing.share(z.shape[1])
        of_label = ops.sum(ops.one_hot(labels, z.shape[1], dtype=z.dtype) * z, axis=1)
        mean = ops.sum(z, axis=1) / z.shape[1]
        return ops.logsumexp(z, axis=1) - (1 - share) * of_label - share * mean
    if loss.behind_activation:
        # Keras would take the input of a sigmoid for the logits, not its output
        of_label = ops.sum(ops.one_hot(labels, z.shape[1], dtype=z.dtype) * z, axis=1)
        return ops.logsumexp(z, axis=1) - of_label
    return ops.sparse_categorical_crossentropy(labels, z, from_logits=True)


def _binary_cross_entropy(loss: BinaryCrossEntropy, y: Tensor, z: Tensor) -> Tensor:
    """Return the loss of every output."""
    if loss.label_smoothing is not None:
        share = loss.label_smoothing.share(2)
        y = (1 - share) * y + share / 2
    if loss.behind_activation:  # as above
        return -ops.log_sigmoid(-z) - y * z  # -log_sigmoid(-z) = log(1 + exp(z))
    return ops.binary_crossentropy(y, z, from_logits=True)


def _value_loss(loss: LossOfValues, y: Tensor, z: Tensor) -> Tensor:
    """Return the loss of every output; Keras's own are means over the outputs.

    `relu` has a slope of 0 at 0 on every backend, as the hinge of the protocol has.
    """
    e = z - y
    match loss:
        case MeanAbsoluteError():
            # the slope of ops.abs at 0 is 1 on JAX, where the contract's is 0
            return e * ops.stop_gradient(ops.sign(e))
        case Huber():
            inside, outside = e * e / 2, loss.delta * (ops.abs(e) - loss.delta / 2)
            value = ops.where(ops.abs(e) <= loss.delta, inside, outside)
            return value / loss.delta if loss.over_delta else value
        case LogCosh():
            return e - ops.log_sigmoid(2 * e) - math.log(2)  # -log_sigmoid(z) = log(1 + exp(-z))
        case Hinge():
            return ops.relu(1 - y * z)
    return ops.square(ops.relu(1 - y * z))


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
        kept = [v for v in values if each.on == "all" or len(v.shape) > 1]
        # coefficient(1), because `size` may be known at run time only
        scaled = each.coefficient(1) * sum(ops.sum(_summed(each, v)) for v in kept)
        total = total + (scaled / ops.cast(size, scaled.dtype) if each.per_row else scaled)
    return total


def has_penalty(task: Task) -> bool:
    """Return whether the loss has a penalty."""
    return task.l2 is not None or task.l1 is not None


def _summed(penalty: L2 | L1, w: Tensor) -> Tensor:
    """Return w^2 or |w|. The slope of `abs` at 0 is 1 in JAX; here it is 0 in every backend."""
    return ops.square(w) if isinstance(penalty, L2) else w * ops.stop_gradient(ops.sign(w))
