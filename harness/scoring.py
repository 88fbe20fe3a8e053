"""Loss and accuracy of raw outputs, in float64. The harness scores every adapter."""

import math

import numpy as np
from numpy.typing import NDArray

from harness.data.prepared import Array, Subset
from harness.experiment.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    LossOfOutputs,
    MeanAbsoluteError,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    SquaredHinge,
)

Floats = NDArray[np.float64]
TIE = 1e-6
"""A probability of at most 1/2 + 1e-6 is class 0, so that rounding never decides a tie."""


def score(
    outputs: Array, subset: Subset, loss: Loss | None, meaning: str | None = None
) -> tuple[float | None, float | None]:
    """Return (loss, accuracy); either is None where it cannot be computed.

    Args:
        outputs: (rows, outputs), raw.
        subset: the rows of the outputs.
        loss: the protocol's loss, whose reductions treat these rows as one batch.
        meaning: `logits`, `values` or `scores` (only their order means something); by default
            what the loss takes. A cross-entropy needs logits, and others values. Without
            a loss several outputs are scores, and what a single output means is not known.
    """
    meaning_for_loss = meaning_of(loss) if loss is not None else None
    meaning = meaning or meaning_for_loss or ("scores" if outputs.shape[1] > 1 else None)
    if subset.targets is None or meaning is None or len(subset) == 0:
        return None, None
    exact = np.asarray(outputs, dtype=np.float64)
    value = None
    if loss is not None and meaning == meaning_for_loss:
        value = loss_of(exact, subset.targets, loss)
    if subset.labels is None:
        return value, None
    return value, accuracy_of(exact, subset.labels, meaning, subset.middle)


def accuracy_of(
    outputs: Floats, labels: Array, meaning: str = "logits", middle: float = 0.5
) -> float:
    """Return the share of rows whose predicted class is right; arguments as in `right_rows`."""
    return float(np.mean(right_rows(outputs, labels, meaning, middle)))


def right_rows(
    outputs: Array, labels: Array, meaning: str = "logits", middle: float = 0.5
) -> NDArray[np.bool_]:
    """Return (rows,) whether the predicted class is right.

    The prediction is the argmax, or for a single output p > 1/2 + 1e-6. p is its sigmoid; where
    outputs are `values`, it is the output itself, and `middle` stands for 1/2.

    Args:
        outputs: (rows, outputs), raw.
        labels: (rows,) classes.
        meaning: of the outputs, `logits`, `values` or `scores`.
        middle: of the numbers that stand for "no" and "yes" in targets of a squared error.
    """
    exact = np.asarray(outputs, dtype=np.float64)
    if exact.shape[1] == 1:
        single = exact[:, 0]
        is_value = meaning == "values"
        probability = single if is_value else sigmoid(single)
        predicted = (probability > (middle if is_value else 0.5) + TIE).astype(np.int32)
    else:
        predicted = exact.argmax(axis=1).astype(np.int32)
    right: NDArray[np.bool_] = predicted == labels
    return right


def meaning_of(loss: Loss | None) -> str:
    """Return the meaning of the outputs of a network with this loss: `values` or `logits`."""
    return "logits" if loss is None or loss.takes_logits else "values"


def loss_of(outputs: Floats, targets: Array, loss: Loss) -> float:
    """Return the loss over all rows, reduced over rows and outputs as the protocol states."""
    if loss.name == "softmax_cross_entropy":
        rows = _log_sum_exp(outputs) - _of_labels(outputs, targets, loss)
    else:
        each = _of_outputs(outputs, np.asarray(targets, dtype=np.float64), loss)
        rows = each.mean(axis=1) if loss.outputs == "mean" else each.sum(axis=1)
    if isinstance(loss, CrossEntropy) and loss.class_weights is not None:
        return _weighted(rows, np.asarray(targets).ravel().astype(np.int64), loss)
    return float(rows.mean() if loss.batch == "mean" else rows.sum())


def _of_labels(outputs: Floats, labels: Array, loss: SoftmaxCrossEntropy) -> Floats:
    """Return the logit of each row's label, or with smoothed labels the mean by their weights."""
    of_label: Floats = outputs[np.arange(len(outputs)), labels]
    if loss.label_smoothing is None:
        return of_label
    share = loss.label_smoothing.share(outputs.shape[1])
    smoothed: Floats = (1 - share) * of_label + share * outputs.mean(axis=1)
    return smoothed


def _weighted(rows: Floats, labels: NDArray[np.int64], loss: CrossEntropy) -> float:
    """Return the loss of rows that weigh by their class."""
    if loss.class_weights is None:
        raise ValueError("the loss has no class weights")
    weights = np.asarray(loss.class_weights.values)[labels]
    total = (weights * rows).sum()
    if loss.batch == "sum":
        return float(total)
    return float(
        total / (weights.sum() if loss.class_weights.mean_over == "weights" else len(rows))
    )


def _of_outputs(outputs: Floats, y: Floats, loss: LossOfOutputs) -> Floats:
    """Return the loss of every output (rows, outputs)."""
    match loss:
        case BinaryCrossEntropy():
            # -y log p - (1-y) log(1-p) = log(1 + exp(z)) - y z, without overflow
            if loss.label_smoothing is not None:
                share = loss.label_smoothing.share(2)
                y = (1 - share) * y + share / 2
            return np.logaddexp(0, outputs) - y * outputs
        case MeanSquaredError():
            return (outputs - y) ** 2 * (0.5 if loss.half else 1.0)
        case MeanAbsoluteError():
            return np.abs(outputs - y)
        case Huber():
            inside = np.minimum(np.abs(outputs - y), loss.delta)
            value = inside * (np.abs(outputs - y) - inside / 2)
            return value / loss.delta if loss.over_delta else value
        case LogCosh():
            return np.logaddexp(outputs - y, y - outputs) - math.log(2)
        case Hinge():
            return np.maximum(1 - y * outputs, 0)
        case SquaredHinge():
            return np.maximum(1 - y * outputs, 0) ** 2


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-z)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _log_sum_exp(outputs: Floats) -> Floats:
    shift = outputs.max(axis=1)
    log_sum: Floats = shift + np.log(np.exp(outputs - shift[:, np.newaxis]).sum(axis=1))
    return log_sum
