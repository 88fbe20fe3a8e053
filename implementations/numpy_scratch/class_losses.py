"""Cross-entropies whose labels are smoothed or whose classes weigh; see `losses` for the call.

Smoothed targets are t = (1 - s) y + s / k for k classes, whose sum is still 1. Then

-sum_j t_j log p_j = log sum_k exp(z_k) - sum_j t_j z_j
                   = log sum_k exp(z_k) - (1 - s) z_label - s mean(z),

and the gradient is p - t, as it is p - y without smoothing. A row that weighs w has w times the
loss and w times the gradient. A mean over the batch divides by the number of rows, or by the sum
of their weights: `divisor_of` says by what, for the rows of a whole batch.
"""

import numpy as np

from harness.trainer import (
    Array,
    BinaryCrossEntropy,
    ClassWeights,
    CrossEntropy,
    Loss,
    SoftmaxCrossEntropy,
)
from implementations.numpy_scratch.activations import sigmoid


def is_needed(loss: Loss) -> bool:
    """Return whether the protocol smooths labels or weighs classes."""
    if not isinstance(loss, CrossEntropy):
        return False
    return loss.label_smoothing is not None or loss.class_weights is not None


def weighs_means(loss: Loss) -> bool:
    """Return whether a mean over the batch divides by the sum of the weights of its rows."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    return weights is not None and weights.mean_over == "weights"


def divisor_of(loss: Loss, targets: Array) -> float:
    """Return what a mean over these rows divides by."""
    if isinstance(loss, CrossEntropy) and loss.class_weights and weighs_means(loss):
        total: float = of_rows(loss.class_weights, targets).sum()
        return total
    return len(targets)


class SoftmaxOfClasses:
    """Softmax cross-entropy with smoothed labels or weights of classes."""

    def __init__(self, loss: SoftmaxCrossEntropy, outputs: int) -> None:
        self.mean_over_batch, self.weights = loss.batch == "mean", loss.class_weights
        self.share = loss.label_smoothing.share(outputs) if loss.label_smoothing else 0.0

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the loss; z <- w factor (softmax(z) - t)."""
        labels = (np.arange(len(z)), targets)
        np.subtract(z, z.max(axis=1, keepdims=True), out=z)
        losses = -(1 - self.share) * z[labels] - self.share * z.mean(axis=1)
        np.exp(z, out=z)
        sums = z.sum(axis=1, keepdims=True)
        losses += np.log(sums[:, 0])
        np.divide(z, sums, out=z)
        np.subtract(z, self.share / z.shape[1], out=z)
        z[labels] -= 1 - self.share
        return _reduced(z, losses[:, np.newaxis], self.weights, targets, self.factor(batch_size))

    def factor(self, batch_size: float) -> float:
        """Return what the sum over the rows is multiplied by."""
        return 1 / batch_size if self.mean_over_batch else 1.0


class SigmoidOfClasses:
    """Binary cross-entropy with smoothed targets, or weights of the classes 0 and 1."""

    def __init__(self, loss: BinaryCrossEntropy, outputs: int) -> None:
        self.mean_over_batch, self.weights = loss.batch == "mean", loss.class_weights
        self.over_outputs = 1 / outputs if loss.outputs == "mean" else 1.0
        self.share = loss.label_smoothing.share(2) if loss.label_smoothing else 0.0

    def __call__(self, z: Array, targets: Array, batch_size: float) -> float:
        """Return the loss; z <- w factor (sigmoid(z) - t)."""
        t = (1 - self.share) * targets + self.share / 2
        losses = np.logaddexp(0, z) - t * z
        sigmoid(z)
        np.subtract(z, t, out=z)
        return _reduced(z, losses, self.weights, targets, self.factor(batch_size))

    def factor(self, batch_size: float) -> float:
        """Return what the sum over rows and outputs is multiplied by."""
        return self.over_outputs / batch_size if self.mean_over_batch else self.over_outputs


def make(loss: CrossEntropy, outputs: int) -> SoftmaxOfClasses | SigmoidOfClasses:
    """Return the loss of a protocol."""
    if isinstance(loss, SoftmaxCrossEntropy):
        return SoftmaxOfClasses(loss, outputs)
    return SigmoidOfClasses(loss, outputs)


def _reduced(
    z: Array, losses: Array, weights: ClassWeights | None, targets: Array, factor: float
) -> float:
    """Multiply z by the factor, and by the weights of rows; return the losses' sum likewise."""
    if weights is None:
        np.multiply(z, factor, out=z)
        return float(losses.sum() * factor)
    w = factor * of_rows(weights, targets).astype(z.dtype)
    np.multiply(z, w, out=z)
    return float((losses * w).sum())


def of_rows(weights: ClassWeights, targets: Array) -> Array:
    """Return the weight of every row, (rows, 1), in float64."""
    return np.array(weights.values)[targets.reshape(-1, 1).astype(np.intp)]
