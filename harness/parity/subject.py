"""What a rule of the contract is checked on: an adapter and one of its loops, set to train."""

from dataclasses import dataclass

import numpy as np

from harness import data
from harness.experiment.model import Experiment
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters, task_of
from harness.trainer import Array, Batches, Parameters, StepTrainer, Task


class BrokenRuleError(AssertionError):
    """A rule of the contract does not hold; the message says how."""


@dataclass(frozen=True)
class Subject:
    """An adapter, one of its loops, and the precision and device it is checked in."""

    adapter: type[StepTrainer]
    loop: str
    dtype: str = "float64"
    device: str = "cpu"

    @property
    def tolerance(self) -> float:
        """How far sums may differ that are taken in another order."""
        return 1e-11 if self.dtype == "float64" else 1e-4

    def task(self, experiment: Experiment, dtype: str | None = None, seed: int = 0) -> Task:
        """Return the task of a trial."""
        dtype = dtype or self.dtype
        prepared = data.load(experiment.data, experiment.loss, dtype)
        return task_of(
            experiment, prepared, seed=seed, loop=self.loop, dtype=dtype, device=self.device
        )

    def build(self, experiment: Experiment, dtype: str | None = None, seed: int = 0) -> StepTrainer:
        """Return a trainer of a protocol."""
        return self.adapter(self.task(experiment, dtype, seed))

    def supported(self, *names: str) -> Experiment:
        """Return the first of the named protocols that the adapter can follow, or another one.

        Raises:
            BrokenRuleError: the adapter refuses them all.
        """
        for name in (*names, "relu-adam", "sigmoid-adam", "xor-sigmoid-full", "regression"):
            if self.adapter.supports(every()[name]) is None:
                return every()[name]
        raise BrokenRuleError("supports refuses every protocol it is asked about")

    def trained(
        self, experiment: Experiment, *cuts: int, dtype: str | None = None, seed: int = 0
    ) -> tuple[StepTrainer, list[Array | None]]:
        """Return a trainer after training from cut to cut, and the losses of every piece."""
        trainer = self.build(experiment, dtype, seed)
        plan = BatchPlan.of(experiment, seed)
        losses = []
        for first, last in zip((0, *cuts[:-1]), cuts, strict=True):
            losses.append(run(trainer, plan.segment(first, last)))
        return trainer, losses

    def expected(
        self, experiment: Experiment, steps: int, seed: int = 0
    ) -> tuple[Parameters, Array]:
        """Return parameters and losses of the oracle after these steps, from the same start."""
        train = data.load(experiment.data, experiment.loss, "float64").train
        start = initial_parameters(experiment, seed, self.dtype)
        oracle = Reference(experiment, start, train.inputs, train.targets)
        losses = oracle.advance(BatchPlan.of(experiment, seed).segment(0, steps))
        return oracle.parameters(), losses


def run(trainer: StepTrainer, batches: Batches) -> Array | None:
    """Stage and advance, as a trial does."""
    trainer.stage(batches)
    return trainer.advance(batches)


def difference(parameters: Parameters, expected: Parameters) -> float:
    """max|a - b| / max|b| over all tensors; max|b| counts as no less than 0.001."""
    worst = 0.0
    for pair, expected_pair in zip(parameters, expected, strict=True):
        for a, b in zip(pair, expected_pair, strict=True):
            if a is not None and b is not None:
                scale = max(float(np.abs(b).max()), 1e-3)
                worst = max(worst, float(np.abs(np.subtract(a, b)).max()) / scale)
    return worst


def require(holds: bool, message: str) -> None:
    """Raise `BrokenRuleError` with the message unless it holds."""
    if not holds:
        raise BrokenRuleError(message)
