"""A trace: what a short run of a trainer leaves to be judged by.

Outputs before training, every gradient, whole parameters at steps 0, 1, 2 and the last, and
the losses where they are given. Taken of an adapter in a worker, and of the oracle, by the same
lines. Gradients need no method of the contract: one SGD step with rate 1 shows them.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.proof_length import STEPS
from harness.experiment.training import SGD, Evaluation, Length
from harness.parity.reference import PROTOCOL, Reference, Switches
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array, Batches, Parameters

KEPT = (0, 1, 2, STEPS)
KEPT_CLOSELY = (*range(21), STEPS)
"""When a proof has failed, its first 20 steps are kept whole."""
PREDICTED_ROWS = 256


class Trainable(Protocol):
    """What a trace is taken of: an adapter, or the oracle."""

    def advance(self, batches: Batches) -> Array | None:
        """Train on these batches."""

    def parameters(self) -> Parameters:
        """The parameters."""

    def predict(self, inputs: Array) -> Array:
        """Raw outputs."""


Build = Callable[[Experiment], Trainable]


@dataclass(frozen=True)
class Trace:
    """What a short run left.

    Args:
        outputs: raw outputs of the first test rows, before training.
        gradients: of the first batch; empty for a network that does not train.
        parameters: step to parameters.
        losses: of every step, or None where the loop gives none.
    """

    outputs: Array
    gradients: Parameters
    parameters: dict[int, Parameters]
    losses: Array | None

    def to_arrays(self) -> dict[str, Array]:
        """Flat names for a `.npz`."""
        arrays = {"outputs": self.outputs}
        if self.losses is not None:
            arrays["losses"] = self.losses
        for label, pairs in (("gradients", self.gradients), *self.parameters.items()):
            for index, pair in enumerate(pairs):
                for name, values in zip("Wb", pair, strict=True):
                    if values is not None:
                        arrays[f"{label}/{index}/{name}"] = values
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> "Trace":
        """Read a `.npz` back."""
        grouped: dict[str, dict[int, dict[str, Array]]] = {}
        for key, values in arrays.items():
            if "/" in key:
                label, index, name = key.split("/")
                grouped.setdefault(label, {}).setdefault(int(index), {})[name] = values
        pairs: dict[str, Parameters] = {
            label: [(layers[i]["W"], layers[i].get("b")) for i in sorted(layers)]
            for label, layers in grouped.items()
        }
        gradients = pairs.pop("gradients", [])
        steps = {int(step): parameters for step, parameters in pairs.items()}
        return cls(arrays["outputs"], gradients, steps, arrays.get("losses"))


def gradient_step(experiment: Experiment) -> Experiment:
    """The protocol with one plain step of rate 1, which shows the gradient."""
    if experiment.training is None:
        return experiment
    changes: dict[str, Any] = {
        "optimizer": SGD(name="sgd", learning_rate=1.0),
        "schedule": None,
        "length": Length(steps=1),
        "evaluation": Evaluation(every_steps=1),
    }
    training = experiment.training.model_copy(update=changes)
    return experiment.model_copy(update={"training": training})


def record(
    build: Build, experiment: Experiment, prepared: Prepared, seed: int, closely: bool = False
) -> Trace:
    """Run a trainer for the steps of a proof and keep what is judged.

    Args:
        build: makes the trainer of a protocol (called twice: for the run, for the gradients).
        experiment: of a proof's length.
        prepared: its data.
        seed: of its start.
        closely: keep the first 20 steps whole.
    """
    trainer = build(experiment)
    outputs = np.array(trainer.predict(prepared.test.inputs[:PREDICTED_ROWS]))
    parameters = {0: trainer.parameters()}
    if experiment.training is None:
        return Trace(outputs, [], parameters, None)
    plan = BatchPlan.of(experiment, seed)
    kept = sorted({*(KEPT_CLOSELY if closely else KEPT), plan.steps})
    losses = []
    for first, last in itertools.pairwise(kept):
        if last > plan.steps:
            break
        losses.append(_advance(trainer, plan.segment(first, last)))
        parameters[last] = trainer.parameters()
    whole = None
    if all(loss is not None for loss in losses):
        whole = np.concatenate([np.asarray(loss, np.float64) for loss in losses])
    gradients = _gradients(build(gradient_step(experiment)), gradient_step(experiment), seed)
    return Trace(outputs, gradients, parameters, whole)


def _advance(trainer: Trainable, batches: Batches) -> Array | None:
    stage = getattr(trainer, "stage", None)
    if stage is not None:
        stage(batches)
    return trainer.advance(batches)


def _gradients(trainer: Trainable, experiment: Experiment, seed: int) -> Parameters:
    """Start minus end of one step with rate 1."""
    before = trainer.parameters()
    _advance(trainer, BatchPlan.of(experiment, seed).segment(0, 1))
    return [
        tuple(None if a is None or b is None else a - b for a, b in zip(start, end, strict=True))  # type: ignore[misc]
        for start, end in zip(before, trainer.parameters(), strict=True)
    ]


def reference_trace(
    experiment: Experiment,
    prepared: Prepared,
    seed: int,
    switches: Switches = PROTOCOL,
    closely: bool = False,
    parameters: Parameters | None = None,
) -> Trace:
    """The oracle's trace of a proof, under its switches, from the protocol's start or another."""
    start = parameters or initial_parameters(experiment, seed, "float64")

    def build(protocol: Experiment) -> Reference:
        return Reference(protocol, start, prepared.train.inputs, prepared.train.targets, switches)

    with np.errstate(all="ignore"):  # a mistake may well diverge
        return record(build, experiment, prepared, seed, closely)
