"""What has to hold between the parts of a protocol; each check raises ValueError."""

import math
from typing import TYPE_CHECKING, Any

from harness.experiment.initializers import Constants

if TYPE_CHECKING:
    from harness.experiment.model import Experiment

SMALLEST_RATE = 2.0**-126
"""The smallest float32 of full precision: a smaller learning rate would become 0."""
EVALUATION_POINTS_AT_MOST = 60
"""Besides the first step, which always is one: sixty epochs may be taken one by one."""


def check_ends(experiment: "Experiment") -> None:
    """The network takes the data's columns, is not too large, and can be trained if it is."""
    data, network = experiment.data, experiment.network
    if network.inputs != data.columns:
        raise ValueError(
            f"network.inputs: must be the {data.columns} columns of {data.dataset!r} "
            f"(features {data.features!r}). Got {network.inputs}"
        )
    if network.parameter_count > 1_000_000_000:
        raise ValueError(
            f"network.layers: at most a billion parameters. Got {network.parameter_count:,}"
        )
    if experiment.training and any(layer.activation == "step" for layer in network.layers):
        raise ValueError(
            "network.layers: 'step' has no gradient; only a network without [training] has it"
        )


def check_loss(experiment: "Experiment") -> None:
    """The loss fits the targets and the last layer."""
    loss, facts, network = experiment.loss, experiment.data.facts, experiment.network
    if loss is None:
        return
    if facts.kind == "none":
        raise ValueError(f"training: {experiment.data.dataset!r} has no targets to train on")
    if loss.name == "softmax_cross_entropy" and facts.kind != "classes":
        raise ValueError(f"training.loss: {loss.name!r} needs classes (kind: {facts.kind})")
    if loss.name == "binary_cross_entropy" and facts.kind == "values":
        raise ValueError(f"training.loss: {loss.name!r} needs classes (kind: {facts.kind})")
    if network.outputs != facts.outputs:
        raise ValueError(
            f"network.layers: the last layer must have {facts.outputs} units for "
            f"{experiment.data.dataset!r}. Got {network.outputs}"
        )
    if "cross_entropy" in loss.name and network.layers[-1].activation != "identity":
        raise ValueError(
            "network.layers: the last activation must be 'identity': the loss takes logits "
            f"and applies its own. Got {network.layers[-1].activation!r}"
        )


def check_batches(experiment: "Experiment") -> None:
    """Batches fit the rows, a decaying rate is unambiguous, evaluation points are few."""
    training = experiment.training
    if training is None:
        return
    if experiment.batch_size > experiment.data.rows[0]:
        raise ValueError(
            f"training.batches.size: must be at most the {experiment.data.rows[0]} training "
            f"rows. Got {experiment.batch_size}"
        )
    inside = getattr(training.optimizer, "rate_inside_velocity", True)
    if training.schedule is not None and inside is None:
        raise ValueError(
            "training.optimizer.rate_inside_velocity: state it (true or false) where the "
            "rate decays; libraries differ"
        )
    if experiment.decay is not None:
        every, factor = experiment.decay
        last = training.optimizer.learning_rate * factor ** ((experiment.steps - 1) // every)
        if last < SMALLEST_RATE:
            raise ValueError(
                f"training.schedule: the last learning rate must be at least {SMALLEST_RATE:.2g}, "
                f"which float32 can hold. Got {last:.2g}; let it decay later or end sooner"
            )
    points = experiment.evaluation_count
    if points > EVALUATION_POINTS_AT_MOST:
        raise ValueError(
            f"training.evaluation: at most {EVALUATION_POINTS_AT_MOST} points besides the first "
            f"step. Got {points}; "
            f"every_steps = {math.ceil(experiment.steps / EVALUATION_POINTS_AT_MOST)} fits"
        )


def check_stopping(experiment: "Experiment") -> None:
    """Stopping has validation rows with classes to count errors on, and is asked in time."""
    training = experiment.training
    if training is None or training.stopping is None:
        return
    if experiment.data.facts.kind not in ("classes", "binary"):
        raise ValueError(
            "training.stopping: needs classes, whose errors it counts; "
            f"{experiment.data.dataset!r} has none"
        )
    if experiment.data.rows[1] < 1:
        raise ValueError(
            "training.stopping: needs validation rows; state data.validation, or validation in "
            "a split 'rows' or 'sklearn'"
        )
    every = training.stopping.in_steps(experiment.steps_per_epoch)
    if every > experiment.steps:
        raise ValueError(
            f"training.stopping: its interval must be at most the length of {experiment.steps} "
            f"steps. Got {every}"
        )
    if every > training.stopping.patience_steps + 1:
        raise ValueError(
            "training.stopping: its interval must be at most patience_steps + 1, so that it looks "
            f"before it ends. Got {every} and {training.stopping.patience_steps}"
        )


def check_generator(experiment: "Experiment") -> None:
    """The order of a legacy generator is stated where, and only where, it is used."""
    if experiment.generator is None:
        return
    shuffles = experiment.training is not None and experiment.training.batches.order == "shuffled"
    if shuffles and experiment.generator.order is None:
        raise ValueError("generator.order: missing; 'shuffled' batches need 'afresh' or 'onwards'")
    if not shuffles and experiment.generator.order is not None:
        raise ValueError(
            "generator.order: only for 'shuffled' batches; leave it out. "
            f"Got {experiment.generator.order!r}"
        )


def check_native(experiment: "Experiment") -> None:
    """Solvers have names of their own and fit the targets."""
    labels = [native.label for native in experiment.native]
    kind = experiment.data.facts.kind
    for native in experiment.native:
        if labels.count(native.label) > 1:
            raise ValueError(
                f"native: two are called {native.label!r}; put one into an experiment of its own"
            )
        regression = native.estimator == "LinearRegression"
        if kind == "none" or regression != (kind == "values"):
            raise ValueError(
                f"native.estimator: {native.estimator} does not fit targets of kind {kind!r}"
            )


def check_initializers(experiment: "Experiment") -> None:
    """One per layer, where they are listed; constant parameters have the network's shapes."""
    network = experiment.network
    for part in ("weights", "biases"):
        stated = getattr(experiment.initializers, part)
        if isinstance(stated, Constants):
            _check_constants(experiment, part, stated)
        if not isinstance(stated, tuple):
            continue
        if len(stated) != len(network.layers):
            raise ValueError(
                f"initializers.{part}: one for all layers, or a list of one per layer, "
                f"{len(network.layers)}. Got {len(stated)}"
            )
        for index, initializer in enumerate(stated):
            if isinstance(initializer, Constants):
                raise ValueError(
                    f"initializers.{part}[{index}]: 'constants' has the values of all layers; "
                    "state it alone, not in a list"
                )


def _check_constants(experiment: "Experiment", part: str, initializer: Constants) -> None:
    network = experiment.network
    if len(initializer.values) != len(network.layers):
        raise ValueError(
            f"initializers.{part}.values: one entry per layer, {len(network.layers)}. "
            f"Got {len(initializer.values)}"
        )
    for index, (values, shape) in enumerate(zip(initializer.values, network.shapes, strict=True)):
        wanted = shape if part == "weights" else shape[1:]
        if not _has_shape(values, wanted):
            raise ValueError(f"initializers.{part}.values[{index}]: must have shape {wanted}")


def _has_shape(values: Any, shape: tuple[int, ...]) -> bool:
    if not shape:
        return not isinstance(values, tuple)
    return (
        isinstance(values, tuple)
        and len(values) == shape[0]
        and all(_has_shape(value, shape[1:]) for value in values)
    )
