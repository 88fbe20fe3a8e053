"""The batches of every step of a trial, drawn when they are needed, epoch by epoch."""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.experiment.model import Experiment
from harness.experiment.schedules import Schedule
from harness.start.masks import Masked, draw_masks, masked_layers
from harness.start.random_state import RandomStateStream, epoch_draws
from harness.start.rates import learning_rates
from harness.trainer import Batches


@dataclass(frozen=True)
class BatchPlan:
    """Everything that decides the batches of a trial.

    Args:
        rows: number of training rows.
        batch_size: rows of a full batch.
        steps: number of updates in the whole training.
        steps_per_epoch: number of updates in one pass over the rows.
        order: `full`, `sequential`, `shuffled` or `with_replacement`.
        learning_rate: of the optimizer.
        schedule: what the learning rate of a step is; None for a constant rate.
        seed: of the trial. The batches of epoch e come from `SeedSequence([seed, e])`, so each
            epoch can be drawn alone, in any process, in any order.
        stream: draws instead of PCG64, where the protocol has a generator of its own.
        exact: whether learning rates stay as they are written; by default they are rounded to
            float32.
        masked: the dropout layers.
    """

    rows: int
    batch_size: int
    steps: int
    steps_per_epoch: int
    order: str
    learning_rate: float
    schedule: Schedule | None
    seed: int
    stream: RandomStateStream | None = None
    exact: bool = False
    masked: tuple[Masked, ...] = ()

    @classmethod
    def of(cls, experiment: Experiment, seed: int) -> "BatchPlan":
        """Return the plan of a trial.

        Raises:
            ValueError: the protocol does not train.
        """
        training = experiment.training
        if training is None:
            raise ValueError(f"{experiment.name}: has no [training], so no batches")
        return cls(
            rows=experiment.data.rows[0],
            batch_size=experiment.batch_size,
            steps=experiment.steps,
            steps_per_epoch=experiment.steps_per_epoch,
            order=training.batches.order,
            learning_rate=training.optimizer.learning_rate,
            schedule=training.schedule,
            seed=seed,
            stream=RandomStateStream.of(experiment, seed),
            exact=experiment.constants == "exact",
            masked=masked_layers(experiment.network),
        )

    def segment(self, start: int, stop: int) -> Batches:
        """Return the batches of steps `start` to `stop` - 1, counted from 0."""
        rates = self._rates(start, stop)
        masks = draw_masks(self.masked, self.seed, start, stop, self.batch_size)
        if self.order == "full":
            return Batches(None, np.full(stop - start, self.rows, np.int32), rates, masks)
        first, last = start // self.steps_per_epoch, (stop - 1) // self.steps_per_epoch
        epochs = [_epoch(self, number) for number in range(first, last + 1)]
        offset = first * self.steps_per_epoch
        rows = np.concatenate([rows for rows, _ in epochs])[start - offset : stop - offset]
        sizes = np.concatenate([sizes for _, sizes in epochs])[start - offset : stop - offset]
        return Batches(np.ascontiguousarray(rows), np.ascontiguousarray(sizes), rates, masks)

    def _rates(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the learning rate of each step, (steps,)."""
        steps = np.arange(start, stop)
        rates = learning_rates(self.schedule, self.learning_rate, self.steps_per_epoch, steps)
        return rates if self.exact else rates.astype(np.float32).astype(np.float64)


def checksum(batches: Batches) -> tuple[int, ...]:
    """Return numbers that change with anything that the batches say."""
    arrays = batches.sizes, batches.learning_rates, batches.rows, *batches.masks
    return tuple(zlib.crc32(array.data) for array in arrays if array is not None)


def piece(batches: Batches, start: int, stop: int) -> Batches:
    """Return the batches of steps `start` to `stop` - 1 of these, counted from 0."""
    part = slice(start, stop)
    return Batches(
        None if batches.rows is None else batches.rows[part],
        batches.sizes[part],
        batches.learning_rates[part],
        tuple(masks[part] for masks in batches.masks),
    )


@lru_cache(maxsize=2)
def _epoch(plan: BatchPlan, epoch: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return rows (steps, batch) and sizes (steps,) of an epoch; row 0 fills a short batch."""
    shape = (plan.steps_per_epoch, plan.batch_size)
    sizes = np.full(plan.steps_per_epoch, plan.batch_size, np.int32)
    if plan.order == "with_replacement":
        return _draw(plan, epoch, shape).reshape(shape), sizes
    order = np.arange(plan.rows, dtype=np.int32)
    if plan.order == "shuffled":
        order = _draw(plan, epoch, shape)
    rows = np.zeros(shape, np.int32)
    count = min(plan.rows, rows.size)
    rows.ravel()[:count] = order[:count]
    sizes[-1] = min(plan.batch_size, plan.rows - plan.batch_size * (plan.steps_per_epoch - 1))
    return rows, sizes


def _draw(plan: BatchPlan, epoch: int, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Draw the rows of an epoch: (steps, batch) with replacement, else an order of all rows."""
    if plan.stream is not None:
        return epoch_draws(plan.stream, plan.order, plan.rows, shape).take(epoch)
    random = np.random.default_rng(np.random.SeedSequence([plan.seed, epoch]))
    if plan.order == "with_replacement":
        return random.integers(plan.rows, size=shape, dtype=np.int32)
    return random.permutation(np.arange(plan.rows, dtype=np.int32))
