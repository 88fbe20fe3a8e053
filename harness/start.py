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

from harness.experiment.model import Experiment
from harness.experiment.network import Constants, Network, Normal, TruncatedNormal, Uniform
from harness.trainer import Batches, Parameters

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal that is cut at -2 and 2."""
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
        parameters.append((_cast(weights, dtype), None if biases is None else _cast(biases, dtype)))
    return parameters


def _cast(values: NDArray[np.float64], dtype: str) -> NDArray[np.generic]:
    array = values.astype(dtype)
    array.flags.writeable = False
    return array


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
        case TruncatedNormal(mean=mean, std=std):
            exact_std = 1 / math.sqrt(inputs) if isinstance(std, str) else std
            return _truncated(mean, exact_std, shape, generator)
        case Uniform(low=low, high=high):
            return generator.uniform(low, high, shape)
    if initializer.name == "zeros":
        return np.zeros(shape)
    kind, distribution = initializer.name.split("_", 1)
    variance = {"glorot": 2 / (inputs + outputs), "he": 2 / inputs, "lecun": 1 / inputs}[kind]
    if distribution == "normal":
        return generator.normal(0, math.sqrt(variance), shape)
    if distribution == "truncated_normal":
        return _truncated(0, math.sqrt(variance) / TRUNCATED_STD, shape, generator)
    limit = math.sqrt(3 * variance)
    return generator.uniform(-limit, limit, shape)


def _truncated(
    mean: float, std: float, shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[np.float64]:
    """A normal, every number redrawn until it lies within two standard deviations."""
    drawn = generator.normal(size=shape)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = generator.normal(size=int(outside.sum()))
    return mean + std * drawn


@dataclass(frozen=True)
class BatchPlan:
    """The batches of every step of a trial, made lazily, epoch by epoch."""

    rows: int
    batch_size: int
    steps: int
    steps_per_epoch: int
    order: str
    learning_rate: float
    decay: tuple[int, float] | None
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
            learning_rate=training.optimizer.learning_rate,
            decay=experiment.decay,
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
        rates = self._rates(start, stop)
        if self.order == "full":
            return Batches(None, np.full(stop - start, self.rows, np.int32), rates)
        first, last = start // self.steps_per_epoch, (stop - 1) // self.steps_per_epoch
        epochs = [_epoch(self, number) for number in range(first, last + 1)]
        offset = first * self.steps_per_epoch
        rows = np.concatenate([rows for rows, _ in epochs])[start - offset : stop - offset]
        sizes = np.concatenate([sizes for _, sizes in epochs])[start - offset : stop - offset]
        return Batches(np.ascontiguousarray(rows), np.ascontiguousarray(sizes), rates)

    def _rates(self, start: int, stop: int) -> NDArray[np.float64]:
        """Learning rate of each step, rounded to float32."""
        if self.decay is None:
            return np.full(stop - start, float32(self.learning_rate))
        every, factor = self.decay
        rates = self.learning_rate * factor ** (np.arange(start, stop) // every)
        return rates.astype(np.float32).astype(np.float64)


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


def rounded(part: Any) -> Any:
    """A part of a protocol with every number rounded to float32, as adapters get it."""
    if part is None:
        return None
    numbers = {
        name: float32(value) for name, value in part.model_dump().items() if type(value) is float
    }
    return part.model_copy(update=numbers)


def rounded_network(network: Network) -> Network:
    """The network with its slopes rounded to float32, as adapters get it."""
    return network.model_copy(update={"layers": tuple(rounded(layer) for layer in network.layers)})


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
