"""One step of training in numbers: forward, loss, backward, update."""

from dataclasses import dataclass

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.functions import Floats
from harness.parity.reference import Masks, Reference, masks_of
from harness.parity.reference_updates import Pairs
from harness.parity.trace import prepared_of
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array, Clipping, Parameters


@dataclass(frozen=True)
class Training:
    """What the step does to the network.

    Args:
        targets: (rows,) or (rows, outputs), of the batch's rows.
        loss: before the update, with its penalty.
        deltas: dL/dz of every dense layer, (rows, units), without the penalty, which is not
            behind z.
        gradients: dL/dW and dL/db of every layer, with the penalties, before any clipping.
        rate: the learning rate of this step.
        after: the parameters after the update.
        loss_after: of the same rows with these parameters.
    """

    targets: Array
    loss: float
    deltas: list[Floats]
    gradients: Pairs
    rate: float
    after: Parameters
    loss_after: float


@dataclass(frozen=True)
class WorkedStep:
    """A step of the oracle, in float64.

    Args:
        experiment: the protocol, with its numbers as they are written.
        seed: of the start and the batches.
        number: of the step, from 1 on; 0 where there is no training.
        inputs: (rows, inputs), the rows of the batch.
        before: the parameters that the step begins with.
        sums, values: z = a W + b and a = f(z) of every layer, (rows, units); of a dropout layer
            its factors in place of z.
        training: None for a network that only predicts.
    """

    experiment: Experiment
    seed: int
    number: int
    inputs: Floats
    before: Parameters
    sums: list[Floats]
    values: list[Floats]
    training: Training | None


class Watched(Reference):
    """The oracle, which shows z and a, and keeps dL/dz of the latest step."""

    def loss_and_gradients(
        self,
        X: Floats,
        y: Array,
        counted: int,
        clipping: Clipping | None = None,
        masks: Masks | None = None,
    ) -> tuple[float, Pairs]:
        """As the oracle, from no deltas on."""
        self.deltas: list[Floats] = []
        return super().loss_and_gradients(X, y, counted, clipping, masks)

    def _weights_gradient(self, a: Floats, delta: Floats) -> Floats:
        self.deltas.insert(0, delta)  # the last layer comes first
        return super()._weights_gradient(a, delta)

    def layer_outputs(
        self, X: Floats, masks: Masks | None = None
    ) -> tuple[list[Floats], list[Floats]]:
        """Return z and a of every layer."""
        sums, (_, *values) = self._forward(X, masks)
        return sums, values


def work_through(experiment: Experiment, seed: int, number: int) -> WorkedStep:
    """Train up to a step, and take that one apart.

    Args:
        experiment: the protocol.
        seed: of the start and the batches.
        number: of the step, 1 to the length of the protocol.

    Raises:
        ValueError: the protocol has no such step, or layers of images.
    """
    if experiment.network.takes_images:
        raise ValueError(
            f"{experiment.name} has layers of images, which are too many numbers to be shown; take "
            "a protocol of dense layers, such as xor-mlp"
        )
    experiment = experiment.model_copy(update={"constants": "exact"})
    train, start = prepared_of(experiment).train, initial_parameters(experiment, seed, "float64")
    network = Watched(experiment, start, train.inputs, train.targets)
    if experiment.training is None:
        X = np.asarray(train.inputs, np.float64)
        sums, values = network.layer_outputs(X)
        return WorkedStep(experiment, seed, 0, X, start, sums, values, None)
    if not 1 <= number <= experiment.steps:
        raise ValueError(
            f"{experiment.name} has the steps 1 to {experiment.steps:,}. Got step {number:,}"
        )
    plan = BatchPlan.of(experiment, seed)
    with np.errstate(all="ignore"):  # the protocol may diverge before
        if number > 1:
            network.advance(plan.segment(0, number - 1))
        batch = plan.segment(number - 1, number)
        rows = slice(None) if batch.rows is None else batch.rows[0][: batch.sizes[0]]
        X, y = np.asarray(train.inputs[rows], np.float64), np.asarray(train.targets)[rows]
        masks = masks_of(batch, 0, experiment)
        masks = None if masks is None else [mask[: len(X)] for mask in masks]
        before, (sums, values) = network.parameters(), network.layer_outputs(X, masks)
        loss, gradients = network.loss_and_gradients(X, y, len(X), masks=masks)
        deltas = network.deltas
        network.advance(batch)
        loss_after, _ = network.loss_and_gradients(X, y, len(X), masks=masks)
    rate = float(batch.learning_rates[0])
    after = network.parameters()
    training = Training(y, loss, deltas, gradients, rate, after, loss_after)
    return WorkedStep(experiment, seed, number, X, before, sums, values, training)
