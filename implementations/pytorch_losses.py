"""The losses of the PyTorch adapter: the library's where it has them, in its own reductions."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from harness.trainer import (
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
)

Function = Callable[..., torch.Tensor]
"""A function of outputs, targets and a `reduction`: "none", "mean" or "sum" over all numbers."""


def loss_of(
    loss: Loss, z: torch.Tensor, y: torch.Tensor, weights: torch.Tensor | None
) -> torch.Tensor:
    """Return the loss of a batch, with the stated reductions.

    Args:
        loss: the protocol's.
        z: (rows, outputs), logits or values.
        y: labels (rows,), or (rows, outputs).
        weights: of the classes, or None.
    """
    if weights is not None:
        return _weighted(loss, z, y, weights)
    if isinstance(loss, SoftmaxCrossEntropy):
        return nn.functional.cross_entropy(
            z, y, reduction=loss.batch, label_smoothing=_share(loss, z.shape[1])
        )
    function, factor = _of_outputs(loss)
    if loss.batch == loss.outputs:
        value = function(z, y, reduction=loss.batch)
    else:
        value = function(z, y, reduction="sum")
        factor /= len(z) if loss.batch == "mean" else z.shape[1]
    return value if factor == 1 else value * factor


def losses_of_rows(loss: Loss, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of every row (rows,), without weights of classes."""
    if isinstance(loss, SoftmaxCrossEntropy):
        return nn.functional.cross_entropy(
            z, y, reduction="none", label_smoothing=_share(loss, z.shape[1])
        )
    function, factor = _of_outputs(loss)
    per_output = function(z, y, reduction="none")
    per_output = per_output if factor == 1 else per_output * factor
    return per_output.mean(1) if loss.outputs == "mean" else per_output.sum(1)


def class_weights(loss: Loss, like: torch.Tensor) -> torch.Tensor | None:
    """Return the weights of the classes, in dtype and on the device of a tensor, or None."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    if weights is None:
        return None
    return torch.tensor(weights.values, dtype=like.dtype, device=like.device)


def weights_of_rows(weights: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the weight of every row (rows,) of labels (rows,) or bits (rows, 1)."""
    return weights[y.reshape(-1).to(torch.int64)]


def means_weigh(loss: Loss) -> bool:
    """Return whether a mean over the batch divides by the sum of the weights of its rows."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    return weights is not None and weights.mean_over == "weights"


def _weighted(loss: Loss, z: torch.Tensor, y: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch whose classes weigh."""
    if isinstance(loss, SoftmaxCrossEntropy) and (loss.batch == "sum" or means_weigh(loss)):
        return nn.functional.cross_entropy(z, y, weight=weights, reduction=loss.batch)
    of_rows = weights_of_rows(weights, y)
    total = (of_rows * losses_of_rows(loss, z, y)).sum()
    if loss.batch == "sum":
        return total
    return total / (of_rows.sum() if means_weigh(loss) else len(z))


def _share(loss: CrossEntropy, classes: int) -> float:
    return loss.label_smoothing.share(classes) if loss.label_smoothing else 0.0


def _of_outputs(loss: LossOfValues | BinaryCrossEntropy) -> tuple[Function, float]:
    """Return the function of a loss, and what it is multiplied by."""
    match loss:
        case MeanSquaredError():
            return nn.functional.mse_loss, 0.5 if loss.half else 1.0
        case BinaryCrossEntropy():
            if loss.label_smoothing:
                return partial(_smoothed_binary, _share(loss, 2)), 1.0
            return nn.functional.binary_cross_entropy_with_logits, 1.0
        case MeanAbsoluteError():
            return nn.functional.l1_loss, 1.0
        case Huber():
            if loss.over_delta:
                return partial(nn.functional.smooth_l1_loss, beta=loss.delta), 1.0
            return partial(nn.functional.huber_loss, delta=loss.delta), 1.0
        case LogCosh():
            return _log_cosh, 1.0
        case Hinge():
            return _hinge, 1.0
    return _squared_hinge, 1.0


def _smoothed_binary(
    share: float, z: torch.Tensor, y: torch.Tensor, reduction: str
) -> torch.Tensor:
    """Cross-entropy of (1 - s) y + s / 2; the library smooths labels of a softmax alone."""
    smoothed = (1 - share) * y + share / 2
    return nn.functional.binary_cross_entropy_with_logits(z, smoothed, reduction=reduction)


def _log_cosh(z: torch.Tensor, y: torch.Tensor, reduction: str) -> torch.Tensor:
    """log cosh e; not by `softplus`, which is a line from 20 on."""
    e = z - y
    return _reduced(torch.logaddexp(e, -e) - math.log(2), reduction)


def _hinge(z: torch.Tensor, y: torch.Tensor, reduction: str) -> torch.Tensor:
    """max(1 - y a, 0); by `relu`, whose slope at 0 is 0, which that of `clamp` is not."""
    return _reduced(torch.relu(1 - y * z), reduction)


def _squared_hinge(z: torch.Tensor, y: torch.Tensor, reduction: str) -> torch.Tensor:
    return _reduced(torch.relu(1 - y * z).square(), reduction)


def _reduced(values: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()
