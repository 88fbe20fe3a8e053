"""The neutral start: from (experiment, seed) to initial parameters and batches.

NumPy's PCG64 draws everything, so no framework's generator is ever used. The parameters come
from one stream, the batches of epoch e from `SeedSequence([seed, e])`: an epoch's batches can
be made alone, in any process, at any time.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment.model import Constants, Experiment, Normal, Uniform
from harness.trainer import Batches, Parameters

PARAMETER_STREAM = 0x57A27
"""Spawn key that keeps the parameters' stream apart from every epoch's."""


def float32(number: float) -> float:
    """The nearest number that float32 can hold: some frameworks round every constant to it."""
    return float(np.float32(number))


def initial_parameters(experiment: Experiment, seed: int, dtype: str) -> Parameters:
    """Draw the start in float64, layer by layer, weights before biases; round to `dtype`."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARAMETER_STREAM,)))
    parameters = []
    for index, (layer, shape) in enumerate(
        zip(experiment.network.layers, experiment.network.shapes, strict=True)
    ):
        weights = _draw(experiment.initializers.weights, index, shape, shape, generator)
        biases = None
        if layer.bias:
            biases = _draw(experiment.initializers.biases, index, shape, shape[1:], generator)
        parameters.append(
            (_rounded(weights, dtype), None if biases is None else _rounded(biases, dtype))
        )
    return parameters


def _rounded(values: NDArray[np.float64], dtype: str) -> NDArray[np.generic]:
    rounded = values.astype(dtype)
    rounded.flags.writeable = False
    return rounded


def _draw(
    initializer: Any,
    index: int,
    layer_shape: tuple[int, int],
    shape: tuple[int, ...],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw one array of a layer; sources of the formulas are in `harness.experiment.model`."""
    inputs, outputs = layer_shape
    match initializer:
        case Constants(values=values):
            return np.array(values[index], dtype=np.float64)
        case Normal(mean=mean, std=std):
            return generator.normal(
                mean, 1 / math.sqrt(inputs) if isinstance(std, str) else std, shape
            )
        case Uniform(low=low, high=high):
            return generator.uniform(low, high, shape)
    if initializer.name == "zeros":
        return np.zeros(shape)
    kind, distribution = initializer.name.split("_")
    variance = 2 / (inputs + outputs) if kind == "glorot" else 2 / inputs
    if distribution == "normal":
        return generator.normal(0, math.sqrt(variance), shape)
    limit = math.sqrt(3 * variance)
    return generator.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class BatchPlan:
    """The batches of every step of a trial, made lazily, epoch by epoch."""

    rows: int
    batch_size: int
    steps: int
    steps_per_epoch: int
    order: str
    learning_rate: float
    seed: int

    @classmethod
    def of(cls, experiment: Experiment, seed: int) -> "BatchPlan":
        """The plan of a protocol that trains."""
        training = experiment.training
        if training is None:
            raise ValueError(f"{experiment.name}: has no [training], so no batches")
        return cls(
            rows=experiment.data.rows[0],
            batch_size=experiment.batch_size,
            steps=experiment.steps,
            steps_per_epoch=experiment.steps_per_epoch,
            order=training.batches.order,
            learning_rate=float32(training.optimizer.learning_rate),
            seed=seed,
        )

    @property
    def has_short_batch(self) -> bool:
        """Whether an epoch ends with a batch of fewer rows."""
        if self.order in ("full", "with_replacement"):
            return False
        return self.steps_per_epoch * self.batch_size > self.rows

    def segment(self, start: int, stop: int) -> Batches:
        """The batches of steps `start` to `stop` - 1, counted from 0."""
        rates = np.full(stop - start, self.learning_rate)
        if self.order == "full":
            return Batches(None, np.full(stop - start, self.rows, np.int32), rates)
        first, last = start // self.steps_per_epoch, (stop - 1) // self.steps_per_epoch
        epochs = [_epoch(self, number) for number in range(first, last + 1)]
        offset = first * self.steps_per_epoch
        rows = np.concatenate([rows for rows, _ in epochs])[start - offset : stop - offset]
        sizes = np.concatenate([sizes for _, sizes in epochs])[start - offset : stop - offset]
        return Batches(np.ascontiguousarray(rows), np.ascontiguousarray(sizes), rates)


@lru_cache(maxsize=2)
def _epoch(plan: BatchPlan, epoch: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows (steps, batch) and sizes (steps,) of one epoch; a short batch is padded by row 0."""
    shape = (plan.steps_per_epoch, plan.batch_size)
    generator = np.random.default_rng(np.random.SeedSequence([plan.seed, epoch]))
    sizes = np.full(plan.steps_per_epoch, plan.batch_size, np.int32)
    if plan.order == "with_replacement":
        return generator.integers(plan.rows, size=shape, dtype=np.int32), sizes
    order = np.arange(plan.rows, dtype=np.int32)
    if plan.order == "shuffled":
        order = generator.permutation(order)
    rows = np.zeros(shape, np.int32)
    used = min(plan.rows, rows.size)
    rows.ravel()[:used] = order[:used]
    if plan.has_short_batch:
        sizes[-1] = plan.rows - plan.batch_size * (plan.steps_per_epoch - 1)
    return rows, sizes


def optimizer_constants(experiment: Experiment) -> Any:
    """The optimizer with every number rounded to float32, as adapters get it."""
    if experiment.training is None:
        return None
    optimizer = experiment.training.optimizer
    rounded = {
        name: float32(value)
        for name, value in optimizer.model_dump().items()
        if isinstance(value, float)
    }
    return optimizer.model_copy(update=rounded)


def start_digest(parameters: Parameters, plan: BatchPlan | None) -> str:
    """16 hexadecimal digits over the parameters (as float64) and the first epoch's batches."""
    hasher = hashlib.sha256()
    for pair in parameters:
        for array in pair:
            if array is not None:
                hasher.update(np.ascontiguousarray(array, dtype=np.float64).data)
    if plan is not None:
        batches = plan.segment(0, min(plan.steps, plan.steps_per_epoch))
        if batches.rows is not None:
            hasher.update(batches.rows.data)
        hasher.update(batches.sizes.data)
    return hasher.hexdigest()[:16]
