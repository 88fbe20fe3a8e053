"""One `RandomState` for a whole run, as a source has it: parameters first, then every epoch.

What an epoch draws depends on all that was drawn before it. Read in order, each epoch is drawn
once; going back starts the stream anew, so what is read never depends on what was read before.
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
    """All that decides what the stream of a run gives."""

    generator: RandomStateGenerator
    network: Network
    initializers: Initializers
    seed: int

    @classmethod
    def of(cls, experiment: Experiment, seed: int) -> "RandomStateStream | None":
        """The stream of a trial, or None where the protocol has no legacy generator."""
        if experiment.generator is None:
            return None
        return cls(experiment.generator, experiment.network, experiment.initializers, seed)

    def after_parameters(self) -> np.random.RandomState:
        """A stream that has drawn the parameters."""
        random = random_state_of(self.generator.seed, self.seed)
        outputs_first = self.generator.weights == "outputs_first"
        draw(self.network, self.initializers, random, outputs_first)
        return random


class EpochDraws:
    """What the stream draws, epoch by epoch.

    Args:
        stream: of the run.
        order: of the batches, `shuffled` or `with_replacement`.
        rows: of the training part.
        shape: (steps, rows) of an epoch's batches.
    """

    def __init__(
        self, stream: RandomStateStream, order: str, rows: int, shape: tuple[int, int]
    ) -> None:
        self.stream = stream
        self.with_replacement = order == "with_replacement"
        self.afresh = stream.generator.order == "reshuffle_each_epoch"
        self.rows = rows
        self.shape = shape
        self._start()

    def _start(self) -> None:
        self.random = self.stream.after_parameters()
        self.order = np.arange(self.rows, dtype=np.int32)
        self.next = 0

    def take(self, epoch: int) -> NDArray[np.int32]:
        """Rows (steps * batch,) of one epoch with replacement, or the order (rows,) of them."""
        if epoch < self.next:
            self._start()
        while self.next < epoch:
            self._draw()
        return self._draw()

    def _draw(self) -> NDArray[np.int32]:
        self.next += 1
        if self.with_replacement:
            steps, size = self.shape
            batches = [self.random.choice(self.rows, size) for _ in range(steps)]
            return np.concatenate(batches).astype(np.int32)
        if self.afresh:
            self.order = np.arange(self.rows, dtype=np.int32)
        self.random.shuffle(self.order)
        return self.order.copy()


@lru_cache(maxsize=2)
def epoch_draws(
    stream: RandomStateStream, order: str, rows: int, shape: tuple[int, int]
) -> EpochDraws:
    """The same epochs for the same run, so that reading in order draws each once."""
    return EpochDraws(stream, order, rows, shape)
