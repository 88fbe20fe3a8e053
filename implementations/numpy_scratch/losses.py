"""Losses: their value, and their gradient with respect to the network's outputs.

The losses of values but the squared error are in `value_losses`, cross-entropies with smoothed
labels or weights of classes in `class_losses`.

Each class is called with the outputs z (rows, outputs), the targets of the same rows and the
size of the batch that the rows belong to: they are all of the batch, or one block. The call
returns the share of these rows in the batch's loss, reduced as the protocol says, and overwrites
z with dL/dz.

The reductions are factors. With `batch = mean` every row's loss is divided by the size of the
batch; with `outputs = mean` every output's loss is divided by the number of outputs. The same
factor multiplies the gradient, because differentiation is linear.
"""

from typing import Protocol

import numpy as np

from harness.trainer import (
    Array,
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    LossOfValues,
    MeanSquaredError,
)
from implementations.numpy_scratch import class_losses, value_losses
from implementations.numpy_scratch.activations import sigmoid


class LossFunction(Protocol):
    """Value and gradient of one loss."""

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the share of these rows in L, and overwrite z with dL/dz.

        Where classes weigh, `batch_size` may be the sum of the weights of the batch's rows.
        """


class SquaredError:
    """(z - y)^2 per output, or half of it; the gradient is 2 (z - y), or (z - y)."""

    def __init__(self, loss: MeanSquaredError, outputs: int) -> None:
        self.slope = 1.0 if loss.half else 2.0
        self.mean_over_batch = loss.batch == "mean"
        self.factor = 1 / outputs if loss.outputs == "mean" else 1.0

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """L = factor * slope / 2 * sum (z - y)^2; dL/dz = factor * slope * (z - y)."""
        factor = self.factor / batch_size if self.mean_over_batch else self.factor
        np.subtract(z, targets, out=z)
        error = z.ravel()
        total: float = np.dot(error, error)
        np.multiply(z, self.slope * factor, out=z)
        return total * (self.slope / 2 * factor)


class SigmoidCrossEntropy:
    """-y log p - (1 - y) log(1 - p) per output, with p = sigmoid(z).

    With log p = z - log(1 + exp(z)) and log(1 - p) = -log(1 + exp(z)) this is
    log(1 + exp(z)) - y z. `np.logaddexp(0, z)` is log(exp(0) + exp(z)) without overflow.

    Gradient: d/dz log(1 + exp(z)) = sigmoid(z), so dL/dz = p - y.
    """

    def __init__(self, loss: BinaryCrossEntropy, outputs: int, rows: int, dtype: str) -> None:
        self.mean_over_batch = loss.batch == "mean"
        self.factor = 1 / outputs if loss.outputs == "mean" else 1.0
        self.work = np.empty((rows, outputs), dtype)
        self.other = np.empty((rows, outputs), dtype)

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the loss; z <- factor * (sigmoid(z) - y)."""
        rows = len(z)
        factor = self.factor / batch_size if self.mean_over_batch else self.factor
        work, other = self.work[:rows], self.other[:rows]
        np.logaddexp(0, z, out=work)
        np.multiply(z, targets, out=other)
        np.subtract(work, other, out=work)
        total: float = np.add.reduce(work, axis=None)

        sigmoid(z)
        np.subtract(z, targets, out=z)
        if factor != 1:
            np.multiply(z, factor, out=z)
        return total * factor


class SoftmaxCrossEntropy:
    """-log p[y] per row, with p = softmax(z).

    p_j = exp(z_j) / sum_k exp(z_k) does not change when a constant is subtracted from all z,
    so the row's maximum is subtracted, and nothing overflows. Then
    -log p_y = log(sum_k exp(z_k)) - z_y.

    Gradient: d/dz_j log(sum_k exp(z_k)) = p_j, and d/dz_j z_y = 1 if j = y else 0, so
    dL/dz = p - onehot(y).

    NumPy starts a reduction once per row, which costs more than the ten numbers of a row. So the
    maxima are taken down the columns of a transposed copy, and the sums are the product of exp(z)
    with ones.
    """

    def __init__(self, mean_over_batch: bool, outputs: int, rows: int, dtype: str) -> None:
        self.mean_over_batch = mean_over_batch
        self.transposed = np.empty((outputs, rows), dtype)
        self.column = np.empty((rows, 1), dtype)
        self.ones = np.ones((outputs, 1), dtype)
        self.row_starts = np.arange(rows) * outputs
        self.positions = np.empty(rows, np.intp)
        self.picked = np.empty(rows, dtype)

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the loss; z <- factor * (softmax(z) - onehot(y))."""
        rows = len(z)
        factor = 1 / batch_size if self.mean_over_batch else 1.0
        column, positions, picked = self.column[:rows], self.positions[:rows], self.picked[:rows]
        transposed = self.transposed[:, :rows]
        np.copyto(transposed, z.T)
        np.maximum.reduce(transposed, axis=0, out=column[:, 0])
        np.subtract(z, column, out=z)
        np.add(self.row_starts[:rows], targets, out=positions)
        flat = z.reshape(-1)
        flat.take(positions, out=picked, mode="clip")
        total: float = -np.add.reduce(picked)

        np.exp(z, out=z)
        np.matmul(z, self.ones, out=column)
        np.divide(z, column, out=z)
        np.log(column, out=column)
        total += np.add.reduce(column, axis=None)

        flat.take(positions, out=picked, mode="clip")
        np.subtract(picked, 1, out=picked)
        flat[positions] = picked
        if factor != 1:
            np.multiply(z, factor, out=z)
        return total * factor


def make(loss: Loss, outputs: int, rows: int, dtype: str) -> LossFunction:
    """Return the loss of a protocol, with work space for `rows` rows."""
    if isinstance(loss, CrossEntropy) and class_losses.is_needed(loss):
        return class_losses.make(loss, outputs)
    if isinstance(loss, MeanSquaredError):
        return SquaredError(loss, outputs)
    if isinstance(loss, LossOfValues):
        return value_losses.make(loss, outputs, rows, dtype)
    if isinstance(loss, BinaryCrossEntropy):
        return SigmoidCrossEntropy(loss, outputs, rows, dtype)
    return SoftmaxCrossEntropy(loss.batch == "mean", outputs, rows, dtype)
