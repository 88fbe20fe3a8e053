"""One `RandomState` for a whole run, as in a source: first the parameters, then every epoch.

The rows of an epoch depend on everything that was drawn before. Epochs that are read in order
are drawn once each. Reading an earlier epoch restarts the stream, so an epoch always has the
same rows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.experiment.initializers import Initializers
from harness.experiment.model import Experiment
from harness.experiment.network import Network
from harness.experiment.random_generator import RandomStateGenerator
from harness.start.parameters import draw, random_state_of


@dataclass(frozen=True)
class RandomStateStream:
    """Everything that decides the numbers of a run's stream."""

    generator: RandomStateGenerator
    network: Network
    initializers: Initializers
    seed: int

    @classmethod
    def of(cls, experiment: Experiment, seed: int) -> "RandomStateStream | None":
        """Return the stream of a trial, or None where the protocol has no generator."""
        if experiment.generator is None:
            return None
        return cls(experiment.generator, experiment.network, experiment.initializers, seed)

    def after_parameters(self) -> np.random.RandomState:
        """Return the `RandomState` in its state after the parameters are drawn."""
        random = random_state_of(self.generator.seed, self.seed)
        outputs_first = self.generator.weights == "outputs_first"
        draw(self.network, self.initializers, random, outputs_first)
        return random


class EpochDraws:
    """The rows that a stream draws, epoch by epoch.

    Args:
        stream: of the run.
        order: of the batches, `shuffled` or `with_replacement`.
        rows: number of training rows.
        shape: (steps, batch size) of an epoch's batches.
    """

    def __init__(
        self, stream: RandomStateStream, order: str, rows: int, shape: tuple[int, int]
    ) -> None:
        self.stream = stream
        self.with_replacement = order == "with_replacement"
        self.reshuffles = stream.generator.order == "reshuffle_each_epoch"
        self.rows = rows
        self.shape = shape
        self._restart()

    def _restart(self) -> None:
        self.random = self.stream.after_parameters()
        self.order = np.arange(self.rows, dtype=np.int32)
        self.next_epoch = 0

    def take(self, epoch: int) -> NDArray[np.int32]:
        """Return the rows (steps * batch,) of an epoch with replacement, or its order (rows,)."""
        if epoch < self.next_epoch:
            self._restart()
        while self.next_epoch < epoch:
            self._draw()
        return self._draw()

    def _draw(self) -> NDArray[np.int32]:
        self.next_epoch += 1
        if self.with_replacement:
            steps, size = self.shape
            batches = [self.random.choice(self.rows, size) for _ in range(steps)]
            return np.concatenate(batches).astype(np.int32)
        if self.reshuffles:
            self.order = np.arange(self.rows, dtype=np.int32)
        self.random.shuffle(self.order)
        return self.order.copy()


@lru_cache(maxsize=2)
def epoch_draws(
    stream: RandomStateStream, order: str, rows: int, shape: tuple[int, int]
) -> EpochDraws:
    """Return the draws of a run, the same object for the same run: each epoch is drawn once."""
    return EpochDraws(stream, order, rows, shape)
