"""A protocol trained by the oracle, in float64: its losses, and its parameters on the way."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.prepared import Subset
from harness.experiment.loading import CATALOGUE, load, parse, toml_of
from harness.experiment.model import Experiment
from harness.lesson.worked_step import Watched
from harness.parity.functions import Floats, sigmoid, softmax
from harness.parity.trace import prepared_of
from harness.scoring import accuracy_of
from harness.start.batches import BatchPlan
from harness.start.parameters import initial_parameters
from harness.trainer import Array, Parameters

BLOCK_ROWS = 10_000
"""Rows that are predicted at once."""


@dataclass(frozen=True, eq=False)
class OracleRun:
    """What a training left.

    Args:
        experiment: the protocol, as it was trained.
        seed: of the start and the batches.
        losses: (steps,), each before its update.
        parameters: step to the parameters after it; 0 is the start.
    """

    experiment: Experiment
    seed: int
    losses: Floats
    parameters: dict[int, Parameters]

    @property
    def last(self) -> Parameters:
        """The parameters after the last step."""
        return self.parameters[max(self.parameters)]

    def network(self, step: int | None = None) -> Watched:
        """Return the network as it is after a step; after the last by default."""
        train = prepared_of(self.experiment).train
        parameters = self.last if step is None else self.parameters[step]
        return Watched(self.experiment, parameters, train.inputs, train.targets)

    def outputs(self, inputs: Array, step: int | None = None) -> Floats:
        """Return raw outputs (rows, outputs), after a step."""
        network = self.network(step)
        blocks = range(0, max(len(inputs), 1), BLOCK_ROWS)
        return np.concatenate([network.predict(inputs[at : at + BLOCK_ROWS]) for at in blocks])

    def probabilities(self, inputs: Array, step: int | None = None) -> Floats:
        """Return what the loss makes of the outputs: softmax rows, or the sigmoid."""
        outputs, loss = self.outputs(inputs, step), self.experiment.loss
        is_softmax = loss is not None and loss.name == "softmax_cross_entropy"
        return softmax(outputs) if is_softmax else sigmoid(outputs)

    def accuracy(self, part: str = "test", step: int | None = None) -> float:
        """Return the share of right rows of `train` or `test`, scored as the harness does."""
        subset: Subset = getattr(prepared_of(self.experiment), part)
        assert subset.labels is not None
        outputs = np.asarray(self.outputs(subset.inputs, step), np.float64)
        return accuracy_of(outputs, subset.labels)


def train(
    experiment: Experiment, seed: int = 0, steps: int | None = None, keep: Iterable[int] = ()
) -> OracleRun:
    """Train from the start to a step.

    Args:
        experiment: the protocol; its numbers are taken as they are written.
        seed: of the start and the batches.
        steps: how many; the protocol's length by default.
        keep: steps whose parameters are kept besides the start and the last.

    Raises:
        DataMissingError: the dataset is not on this machine.
    """
    experiment = experiment.model_copy(update={"constants": "exact"})
    part = prepared_of(experiment).train
    start = initial_parameters(experiment, seed, "float64")
    network = Watched(experiment, start, part.inputs, part.targets)
    plan = BatchPlan.of(experiment, seed)
    length = experiment.steps if steps is None else steps
    losses: list[NDArray[np.floating]] = []
    parameters: dict[int, Parameters] = {0: network.parameters()}
    done = 0
    with np.errstate(all="ignore"):  # a rate that is too large makes it diverge
        for stop in sorted({*(step for step in keep if 0 < step < length), length}):
            losses.append(network.advance(plan.segment(done, stop)))
            parameters[stop] = network.parameters()
            done = stop
    return OracleRun(experiment, seed, np.concatenate(losses), parameters)


def exact(name: str) -> Experiment:
    """Return an experiment of the catalogue with its numbers as they are written."""
    return load(name).model_copy(update={"constants": "exact"})


def changed(name: str, /, **changes: object) -> Experiment:
    """Return an experiment of the catalogue with changed fields; `a__b=value` changes `a.b`."""
    values = toml_of(CATALOGUE / f"{name}.toml")
    values.pop("quick", None)
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = values
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return parse(values, name)
