"""Losses of clipped probabilities: what a library returns that takes logarithms of probabilities.

scikit-learn's perceptron, for one, clips them to [eps, 1 - eps]. Its gradients come from logits
and are right, so only the returned losses of saturated outputs differ.
"""

from typing import Any

import numpy as np

from harness.experiment.losses import Loss
from harness.experiment.model import Experiment
from harness.parity.functions import Floats, sigmoid, softmax
from harness.parity.reference import Reference
from harness.parity.trace import expected_trace, prepared_of
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array

PASSES = 10
"""How often the rounding of the probabilities, as measured on the oracle, is allowed."""


class Clipped(Reference):
    """The oracle with the losses of clipped probabilities; its gradients are as ever.

    Args:
        As `Reference`.
        clipped_to: eps of this precision is where probabilities are clipped; by default `dtype`.
    """

    def __init__(self, *args: Any, clipped_to: str = "", **named: Any) -> None:
        super().__init__(*args, **named)
        self.eps = float(np.finfo(clipped_to or self.dtype).eps)

    def _losses(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        losses, slopes = super()._losses(loss, z, y)
        if loss.name == "softmax_cross_entropy":
            return -(self._targets(loss, z, y) * np.log(self._clip(softmax(z)))), slopes
        if loss.name == "binary_cross_entropy":
            targets = self._targets(loss, z, y)
            p = self._clip(sigmoid(z))
            return -targets * np.log(p) - (1 - targets) * np.log(1 - p), slopes
        return losses, slopes

    def _clip(self, p: Floats) -> Floats:
        clipped: Floats = np.clip(p, self.eps, 1 - self.eps)
        return clipped


def are_clipped(
    losses: Array, experiment: Experiment, seed: int, dtype: str, tolerance: float
) -> bool:
    """Whether returned losses (steps,) are those of probabilities clipped at eps of `dtype`.

    Args:
        losses: of every step.
        experiment: of a proof's length.
        seed: of the start.
        dtype: of the trace. Probabilities in float32 have lost digits before they are clipped;
            what that does to a loss is measured on the oracle.
        tolerance: of losses of this protocol, relative to the largest.
    """
    loss = experiment.loss
    if loss is None or not loss.takes_logits or experiment.training is None:
        return False
    exact = _clipped_losses(experiment, seed, dtype, "float64")
    rounded = _clipped_losses(experiment, seed, dtype, dtype)
    right = expected_trace(experiment, seed).losses
    if right is None or losses.shape != exact.shape or not np.isfinite(exact).all():
        return False
    if np.array_equal(exact, right):  # nothing is saturated
        return False
    scale = float(np.abs(exact).max())
    rounding = PASSES * float(np.abs(rounded - exact).max())
    return bool(np.abs(losses - exact).max() <= max(tolerance * scale, 1e-11 * scale, rounding))


def _clipped_losses(experiment: Experiment, seed: int, clipped_to: str, dtype: str) -> Floats:
    """Losses with probabilities clipped at eps of one precision, computed in another."""
    train = prepared_of(experiment).train
    start = initial_parameters(experiment, seed, dtype)
    oracle = Clipped(experiment, start, train.inputs, train.targets, dtype, clipped_to=clipped_to)
    with np.errstate(all="ignore"):
        return oracle.advance(BatchPlan.of(experiment, seed).segment(0, experiment.steps))
