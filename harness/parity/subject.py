"""What a rule of the contract is checked on: an adapter and one of its loops, set to train."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from harness import data
from harness.experiment.model import Experiment
from harness.parity.covering import cover, nearest
from harness.parity.kinds import Kind
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters, task_of
from harness.trainer import Array, Batches, Parameters, StepTrainer, Task


class BrokenRuleError(AssertionError):
    """A rule of the contract does not hold; the message says how."""


class NoSuchProtocolError(Exception):
    """A rule is about something that the adapter does not support; the message says what."""


@dataclass(frozen=True)
class Subject:
    """An adapter, one of its loops, and the precision and device it is checked in.

    Args:
        own: protocols of the user's, beside those of the ladder.
    """

    adapter: type[StepTrainer]
    loop: str
    dtype: str = "float64"
    device: str = "cpu"
    own: tuple[Experiment, ...] = ()

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

    def supported(self, name: str = "relu-adam", *needs: Kind) -> Experiment:
        """Return a protocol of the ladder, or the one most like it that the adapter can follow.

        Args:
            name: of the protocol.
            needs: what another protocol must have to be taken in its place.

        Raises:
            BrokenRuleError: the adapter refuses every protocol that trains.
            NoSuchProtocolError: it refuses every protocol with what is needed.
        """
        if self.adapter.refuses(every()[name]) is None:
            return every()[name]
        supported = _supported(self.adapter, self.own)
        trained = {key: each for key, each in supported.items() if each.training}
        if not trained:
            raise BrokenRuleError("supports refuses every protocol that trains")
        chosen = nearest(trained, name, *needs)
        if chosen is None:
            names = ", ".join(kind.name for kind in needs)
            raise NoSuchProtocolError(f"not tested: supports refuses every protocol with {names}")
        return chosen

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

    def oracle(self, experiment: Experiment, seed: int = 0) -> Reference:
        """Return the oracle at the start of a trial."""
        train = data.load(experiment.data, experiment.loss, "float64").train
        start = initial_parameters(experiment, seed, self.dtype)
        return Reference(experiment, start, train.inputs, train.targets)

    def expected(
        self, experiment: Experiment, steps: int, seed: int = 0
    ) -> tuple[Parameters, Array]:
        """Return parameters and losses of the oracle after these steps, from the same start."""
        oracle = self.oracle(experiment, seed)
        losses = oracle.advance(BatchPlan.of(experiment, seed).segment(0, steps))
        return oracle.parameters(), losses


@cache
def _supported(adapter: type[StepTrainer], own: tuple[Experiment, ...]) -> Mapping[str, Experiment]:
    """The protocols that an adapter supports, derived ones and the user's among them."""
    return cover(adapter.refuses, own=own).supported


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
