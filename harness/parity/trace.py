"""A trace: what a short run of a trainer leaves to be judged by.

It holds outputs before and after training, every gradient, whole parameters at steps 0, 1, 2 and
the last, and the losses where the loop gives them. The same lines take it of an adapter in a
worker and of the oracle. Gradients need no method of the contract: one SGD step with rate 1 shows
them. A trainer of its own for that step is compiled once more, so a protocol that is plain SGD
itself may do without, see `ShownBy`.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from harness import data
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.optimizers import SGD
from harness.experiment.proof_length import STEPS
from harness.experiment.training import Evaluation, Length
from harness.parameters import SHORT_NAMES, map_arrays, named_arrays
from harness.parity.computed_once import computed_once
from harness.parity.functions import Floats
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array, Batches, DenseParameters, LayerParameters, Parameters

KEPT_STEPS = (0, 1, 2, STEPS)
FIRST_20_STEPS = (*range(21), STEPS)
"""The steps whose parameters are kept, and those that are kept once a proof has failed."""
PREDICTED_ROWS = 256
SMALLEST_SHOWING_RATE = 0.1
"""A learning rate from which a first update shows the gradient to one digit less than rate 1."""


class Trainable(Protocol):
    """What a trace is taken of: an adapter, or the oracle."""

    def advance(self, batches: Batches) -> Array | None:
        """Train on these batches and return the losses, where there are any."""

    def parameters(self) -> Parameters:
        """Return the parameters."""

    def predict(self, inputs: Array) -> Array:
        """Return the raw outputs."""


Build = Callable[[Experiment], Trainable]
ShownBy = Literal["own trainer", "first update", "further step"]
"""What shows the gradients of the first batch: one step of another trainer with rate 1, always; or
where the protocol is plain SGD at a constant rate, the first update, which is enough in float64, or
one more step of the same trainer with rate 1 after the last, at the parameters it then has."""


@dataclass(frozen=True)
class Sums:
    """What the oracle added up, as absolute values: what rounding of a sum is relative to.

    A sum that cancels is small, and its rounding error is not: |error| <= n eps sum |x_i| (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, section 4.2).

    Args:
        gradients: |a|^T |delta| and sum |delta| of every layer, of the first batch.
        update: |w| plus the first update that such gradients would give.
    """

    gradients: Parameters
    update: Parameters


@dataclass(frozen=True)
class Trace:
    """What a short run left. A worker and the oracle leave all of it, somebody's own loop a part.

    Args:
        outputs: raw outputs of the first test rows, before training; None if not taken.
        gradients: of the first batch; empty if not taken, or for a network that does not train.
        parameters: step to parameters.
        losses: of every step, or None where the loop gives none.
        final_outputs: raw outputs of the same rows after the last step; None if not taken.
        sums: of the oracle's trace alone.
        gradient_rate: the learning rate of the update that showed the gradients. They are as
            exact as the parameters divided by it.
        gradient_step: the step after which they were taken, at the parameters of that step: 0, or
            the last.
        unknown_losses: (steps,), whether the loss of a step is not known; None: all are.
    """

    outputs: Array | None
    gradients: Parameters
    parameters: dict[int, Parameters]
    losses: Array | None
    final_outputs: Array | None = None
    sums: Sums | None = None
    gradient_rate: float = 1.0
    gradient_step: int = 0
    unknown_losses: Array | None = None

    @property
    def output_pairs(self) -> Parameters:
        """The outputs as the only pair of a list, as `parameters` are; empty if not taken."""
        return [] if self.outputs is None else [(self.outputs, None)]

    def with_gradients_of(self, other: "Trace") -> "Trace":
        """Return this trace with the gradients that another run of the same adapter showed."""
        return replace(self, gradients=other.gradients, gradient_rate=other.gradient_rate)

    def to_arrays(self) -> dict[str, Array]:
        """Flat names for a `.npz`."""
        arrays = {
            "gradient_rate": np.array(self.gradient_rate),
            "gradient_step": np.array(self.gradient_step),
        }
        if self.outputs is not None:
            arrays["outputs"] = self.outputs
        if self.losses is not None:
            arrays["losses"] = self.losses
        if self.final_outputs is not None:
            arrays["final_outputs"] = self.final_outputs
        for label, parameters in (("gradients", self.gradients), *self.parameters.items()):
            if parameters:
                arrays[f"{label}/layers"] = np.array(len(parameters))
            for layer, name, values in named_arrays(parameters):
                arrays[f"{label}/{layer}/{SHORT_NAMES.get(name, name)}"] = values
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> "Trace":
        """Read a `.npz` back."""
        counts: dict[str, int] = {}
        grouped: dict[str, dict[int, dict[str, Array]]] = {}
        for key, values in arrays.items():
            match key.split("/"):
                case [label, "layers"]:
                    counts[label] = int(values)
                case [label, layer, name]:
                    grouped.setdefault(label, {}).setdefault(int(layer), {})[name] = values
        parameters: dict[str, Parameters] = {
            label: [
                _entry(layers.get(layer, {})) for layer in range(counts.get(label, len(layers)))
            ]
            for label, layers in grouped.items()
        }
        gradients = parameters.pop("gradients", [])
        steps = {int(step): of_step for step, of_step in parameters.items()}
        return cls(
            arrays["outputs"],
            gradients,
            steps,
            arrays.get("losses"),
            arrays.get("final_outputs"),
            gradient_rate=float(arrays["gradient_rate"]),
            gradient_step=int(arrays["gradient_step"]),
        )


def _entry(arrays: Mapping[str, Array]) -> LayerParameters:
    """The parameters of a layer whose arrays have these short names."""
    return DenseParameters(arrays["W"], arrays.get("b")) if arrays else ()


def record(
    build: Build,
    experiment: Experiment,
    prepared: Prepared,
    seed: int,
    kept: tuple[int, ...] = KEPT_STEPS,
    shown_by: ShownBy = "own trainer",
) -> Trace:
    """Run a trainer for the steps of a proof and keep what is judged.

    Args:
        build: makes the trainer of a protocol. Called for the run, and again for the gradients,
            where the run does not show them.
        experiment: of a proof's length.
        prepared: its data.
        seed: of its start.
        kept: steps whose parameters are kept, besides the start and the last.
        shown_by: what shows the gradients, where the protocol allows for it.
    """
    trainer = build(experiment)
    rows = prepared.test.inputs[:PREDICTED_ROWS]
    outputs = np.array(trainer.predict(rows))
    parameters = {0: trainer.parameters()}
    if experiment.training is None:
        return Trace(outputs, [], parameters, None)
    plan = BatchPlan.of(experiment, seed)
    _stage(trainer, plan.segment(0, 1))  # and no advance: what trains in `stage` trains twice
    losses = []
    for first, last in itertools.pairwise(sorted({0, *kept, plan.steps})):
        if last > plan.steps:
            break
        losses.append(_advance(trainer, plan.segment(first, last)))
        parameters[last] = trainer.parameters()
    all_losses = None
    if all(loss is not None for loss in losses):
        all_losses = np.concatenate([loss for loss in losses if loss is not None])
    final_outputs = np.array(trainer.predict(rows))
    trace = Trace(outputs, [], parameters, all_losses, final_outputs)
    if _is_plain(experiment):
        rate = float(plan.segment(0, 1).learning_rates[0])
        if shown_by == "first update" and rate >= SMALLEST_SHOWING_RATE:
            gradients = _change(parameters[0], parameters[1], rate)
            return replace(trace, gradients=gradients, gradient_rate=rate)
        if shown_by == "further step":
            _advance(trainer, first_batch(experiment, seed))
            gradients = _change(parameters[plan.steps], trainer.parameters())
            if is_finite(gradients):  # the protocol may diverge
                return replace(trace, gradients=gradients, gradient_step=plan.steps)
    one_step = _gradient_step(experiment)
    return replace(trace, gradients=_one_update(build(one_step), one_step, seed))


def first_batch(experiment: Experiment, seed: int) -> Batches:
    """Return the batch of step 1 at the rate 1."""
    return replace(BatchPlan.of(experiment, seed).segment(0, 1), learning_rates=np.ones(1))


def kept_steps(trace: Trace, experiment: Experiment) -> tuple[int, ...]:
    """Return the steps to keep, so that another trace has the parameters that this one has."""
    others = set(trace.parameters) - {0, experiment.steps}
    for kept in (KEPT_STEPS, FIRST_20_STEPS):
        if others <= set(kept):
            return kept
    return tuple(sorted({*FIRST_20_STEPS, *others}))


def _stage(trainer: Trainable, batches: Batches) -> None:
    stage = getattr(trainer, "stage", None)  # the oracle has none
    if stage is not None:
        stage(batches)


def _advance(trainer: Trainable, batches: Batches) -> Array | None:
    """Train on the batches, which are overwritten before anything is read: it must be done."""
    _stage(trainer, batches)
    losses = trainer.advance(batches)
    batches.overwrite()
    return None if losses is None else np.array(losses, np.float64)


def _gradient_step(experiment: Experiment) -> Experiment:
    """The protocol with one plain step of rate 1, which shows the gradient."""
    if experiment.training is None:
        return experiment
    changes: dict[str, Any] = {
        "optimizer": SGD(name="sgd", learning_rate=1.0),
        "schedule": None,
        "clipping": None,  # this and the next change more than the gradient
        "max_norm": None,
        "length": Length(steps=1),
        "evaluation": Evaluation(every_steps=1),
    }
    training = experiment.training.model_copy(update=changes)
    return experiment.model_copy(update={"training": training})


def _is_plain(experiment: Experiment) -> bool:
    """Whether an update is the gradient times a constant rate.

    A rate that changes is left to a trainer of its own: a mistake in it would look like one in
    the gradient.
    """
    training = experiment.training
    assert training is not None
    is_sgd = isinstance(training.optimizer, SGD) and training.schedule is None
    return is_sgd and training.clipping is None and training.max_norm is None


def _one_update(trainer: Trainable, experiment: Experiment, seed: int) -> Parameters:
    """What the first step subtracts: start minus end. With rate 1 and SGD it is the gradient."""
    before = trainer.parameters()
    _advance(trainer, BatchPlan.of(experiment, seed).segment(0, 1))
    return _change(before, trainer.parameters())


def _change(before: Parameters, after: Parameters, rate: float = 1.0) -> Parameters:
    """(before - after) / rate, tensor by tensor."""
    return map_arrays(lambda start, end: np.subtract(start, end) / rate, before, after)


# ---------------------------------------------------------------- the oracle's own


def prepared_of(experiment: Experiment) -> Prepared:
    """Return the protocol's data in float64."""
    return data.load(experiment.data, experiment.loss, "float64")


@computed_once
def predicted_rows(experiment: Experiment) -> Array:
    """Return the test rows (rows, inputs) whose outputs a trace holds, in float64."""
    return np.array(prepared_of(experiment).test.inputs[:PREDICTED_ROWS])


@computed_once
def expected_trace(experiment: Experiment, seed: int, kept: tuple[int, ...] = KEPT_STEPS) -> Trace:
    """Return the oracle's trace, as far as its numbers are finite; losses are NaN from there on."""
    prepared = prepared_of(experiment)
    start = initial_parameters(experiment, seed, "float64")

    def build(protocol: Experiment) -> Reference:
        return Reference(protocol, start, prepared.train.inputs, prepared.train.targets)

    with np.errstate(all="ignore"):  # the protocol itself may diverge
        trace = record(build, experiment, prepared, seed, kept)
        sums = _sums(experiment, prepared, seed)
    finite = {step: pairs for step, pairs in trace.parameters.items() if is_finite(pairs)}
    losses = trace.losses
    if losses is not None and not np.isfinite(losses).all():
        diverged = np.logical_or.accumulate(~np.isfinite(losses))
        losses = np.where(diverged, np.nan, losses)
    return replace(trace, parameters=finite, losses=losses, sums=sums)


class Summed(Reference):
    """The oracle with |a|^T |delta| and sum |delta| in place of its gradients."""

    def _weights_gradient(self, a: Floats, delta: Floats) -> Floats:
        return super()._weights_gradient(np.abs(a), np.abs(delta))

    def _biases_gradient(self, delta: Floats) -> Floats:
        return super()._biases_gradient(np.abs(delta))


def _sums(experiment: Experiment, prepared: Prepared, seed: int) -> Sums | None:
    if experiment.training is None:
        return None
    start, train = initial_parameters(experiment, seed, "float64"), prepared.train

    def first_update(protocol: Experiment) -> Parameters:
        summed = Summed(protocol, start, train.inputs, train.targets)
        return _one_update(summed, protocol, seed)

    update = first_update(experiment)
    scales = map_arrays(lambda w, step: np.abs(w) + np.abs(step), start, update)
    return Sums(first_update(_gradient_step(experiment)), scales)


def is_finite(parameters: Parameters) -> bool:
    """Whether all parameters are finite."""
    return all(np.isfinite(array.values).all() for array in named_arrays(parameters))
