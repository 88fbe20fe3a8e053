"""The rules that connect the parts of a protocol.

Each check takes an experiment and raises ValueError, which names the field, the rule and the
value.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from harness.experiment.initializers import Constants
from harness.experiment.losses import CrossEntropy, HingeLoss, Loss, LossOfValues
from harness.experiment.network import WeightedLayer
from harness.experiment.rate_checks import SMALLEST_RATE, check_schedule
from harness.experiment.start_file import FromFile

if TYPE_CHECKING:
    from harness.experiment.model import Experiment

MAX_EVALUATION_POINTS = 60
"""Without the first step, which always is one: 60 epochs can be evaluated one by one."""


def check_ends(experiment: "Experiment") -> None:
    """Check that the network fits the data, has at most 1e9 parameters, and has gradients."""
    data, network = experiment.data, experiment.network
    if network.inputs != data.columns:
        raise ValueError(
            f"network.inputs: must be the {data.columns} columns of {data.name!r} "
            f"(features {data.features!r}). Got {network.inputs}"
        )
    if network.parameter_count > 1_000_000_000:
        raise ValueError(
            f"network.layers: at most a billion parameters. Got {network.parameter_count:,}"
        )
    if experiment.training and any(layer.activation == "step" for layer in network.weighted_layers):
        raise ValueError(
            "network.layers: 'step' has no gradient; use it only in a protocol without [training]"
        )


def check_loss(experiment: "Experiment") -> None:
    """Check that the loss fits the targets and the last layer."""
    loss, facts, network = experiment.loss, experiment.data.facts, experiment.network
    if loss is None:
        return
    if facts.kind == "none":
        raise ValueError(f"training: {experiment.data.name!r} has no targets to train on")
    takes_classes = loss.takes_logits or isinstance(loss, HingeLoss)
    kinds = ["classes"] if loss.name == "softmax_cross_entropy" else ["classes", "binary"]
    if takes_classes and facts.kind not in kinds:
        raise ValueError(f"training.loss: {loss.name!r} needs classes (kind: {facts.kind})")
    _check_target_values(loss, experiment.data.target_values)
    if network.outputs != facts.outputs:
        raise ValueError(
            f"network.layers: the last layer must have {facts.outputs} units for "
            f"{experiment.data.name!r}. Got {network.outputs}"
        )
    _check_logits(loss, network.output_layer.activation)
    if isinstance(loss, CrossEntropy):
        _check_classes(loss, network.outputs)


def _check_target_values(loss: Loss, numbers: tuple[float, float] | None) -> None:
    """Check that the numbers for "no" and "yes" are those that the loss takes."""
    if loss.takes_logits and numbers is not None:
        raise ValueError(
            "data.target_values: only for losses of values, such as 'mean_squared_error'; "
            f"cross-entropies take classes. Got {loss.name!r}"
        )
    if isinstance(loss, HingeLoss) and numbers != (-1, 1):
        given = "no target_values" if numbers is None else list(numbers)
        raise ValueError(
            f"training.loss: {loss.name!r} takes the targets -1 and 1; state target_values = "
            f"[-1, 1] in [data]. Got {given}"
        )


def _check_logits(loss: Loss, activation: str) -> None:
    """Check that an activation before the softmax or sigmoid of a loss is meant."""
    if isinstance(loss, LossOfValues) or (activation != "identity") == loss.behind_activation:
        return
    if loss.behind_activation:
        raise ValueError(
            "training.loss.behind_activation: true needs a last activation other than "
            "'identity'; leave it out"
        )
    raise ValueError(
        "network.layers: the last activation must be 'identity', because the loss takes "
        "logits and applies its own activation; where both are meant, state "
        f"behind_activation = true in training.loss. Got {activation!r}"
    )


def _check_classes(loss: CrossEntropy, outputs: int) -> None:
    """Check smoothed labels and weights of classes."""
    smoothing, weights = loss.label_smoothing, loss.class_weights
    classes = outputs if loss.name == "softmax_cross_entropy" else 2
    if smoothing is not None and smoothing.share(classes) >= 1:
        raise ValueError(
            f"training.loss.label_smoothing.amount: must be below {1 - 1 / classes:g} with "
            f"{classes} classes and 'other_classes'. Got {smoothing.amount:g}"
        )
    if weights is None:
        return
    if smoothing is not None:
        raise ValueError(
            "training.loss.class_weights: not with label_smoothing: libraries differ in what they "
            "weigh then (PyTorch each term of a class, Keras each row); leave one of them out"
        )
    if loss.name == "binary_cross_entropy" and outputs > 1:
        raise ValueError(
            "training.loss.class_weights: of binary_cross_entropy they are those of a single "
            f"output; use softmax_cross_entropy, or leave them out. Got {outputs} outputs"
        )
    if len(weights.values) != classes:
        raise ValueError(
            f"training.loss.class_weights.values: must be {classes}, one of each class in their "
            f"order. Got {len(weights.values)}"
        )
    if (loss.batch == "mean") != (weights.mean_over is not None):
        raise ValueError(
            "training.loss.class_weights.mean_over: state it with batch = 'mean', and only then: "
            "'weights' (a mean divides by their sum, as in PyTorch) or 'rows' (by the number of "
            "rows, as in Keras)"
        )


def check_batches(experiment: "Experiment") -> None:
    """Check the batch size and the number of evaluation points."""
    training = experiment.training
    if training is None:
        return
    if experiment.batch_size > experiment.data.rows[0]:
        raise ValueError(
            f"training.batches.size: must be at most the {experiment.data.rows[0]} training "
            f"rows. Got {experiment.batch_size}"
        )
    points = experiment.evaluation_count
    if points > MAX_EVALUATION_POINTS:
        raise ValueError(
            f"training.evaluation: at most {MAX_EVALUATION_POINTS} points besides the first "
            f"step. Got {points}; "
            f"every_steps = {math.ceil(experiment.steps / MAX_EVALUATION_POINTS)} fits"
        )


def check_clipping(experiment: "Experiment") -> None:
    """Check that clipping says whether it includes a penalty where there is one."""
    training = experiment.training
    if training is None or training.clipping is None:
        return
    penalised = training.l1 is not None or training.l2 is not None
    stated = training.clipping.includes_penalty
    if penalised and stated is None:
        raise ValueError(
            "training.clipping.includes_penalty: state it where there is a penalty: true (its "
            "gradient is clipped too, as in Keras) or false (it is added after the clipping)"
        )
    if not penalised and stated is not None:
        raise ValueError(
            "training.clipping.includes_penalty: only where there is an l1 or l2 penalty; leave "
            f"it out. Got {str(stated).lower()}"
        )


def check_max_norm(experiment: "Experiment") -> None:
    """Check that norms are bounded of dense layers alone."""
    training, network = experiment.training, experiment.network
    if training is None or training.max_norm is None or not network.takes_images:
        return
    raise ValueError(
        "training.max_norm: not with layers of images: libraries take the norm of a kernel over "
        "different axes; leave it out"
    )


PARTS: tuple[Literal["weights", "biases"], ...] = ("weights", "biases")


def check_initializers(experiment: "Experiment") -> None:
    """Check that lists have one initializer per layer, and arrays the network's shapes."""
    network = experiment.network
    for part in PARTS:
        stated = getattr(experiment.initializers, part)
        if isinstance(stated, Constants):
            _check_constants(experiment, part, stated)
        if isinstance(stated, FromFile):
            _check_file(experiment, part, (stated,) * len(network.weighted_layers))
        if not isinstance(stated, tuple):
            continue
        if len(stated) != len(network.weighted_layers):
            raise ValueError(
                f"initializers.{part}: one for all layers, or a list of one per layer with "
                f"weights, {len(network.weighted_layers)}. Got {len(stated)}"
            )
        for index, initializer in enumerate(stated):
            if isinstance(initializer, Constants):
                raise ValueError(
                    f"initializers.{part}[{index}]: 'constants' has the values of all layers; "
                    "state it alone, not in a list"
                )
        _check_file(experiment, part, stated)


def _check_file(
    experiment: "Experiment", part: Literal["weights", "biases"], initializers: Sequence[Any]
) -> None:
    """Check that files have the arrays of the layers that start from them."""
    network = experiment.network
    layers = enumerate(network.layers)
    places = [index for index, layer in layers if isinstance(layer, WeightedLayer)]
    shapes = network.weight_shapes
    stack = zip(places, network.weighted_layers, shapes, initializers, strict=True)
    for index, (place_of_layer, layer, shape, initializer) in enumerate(stack):
        if not isinstance(initializer, FromFile) or (part == "biases" and not layer.bias):
            continue
        place = f"initializers.{part}"
        if isinstance(getattr(experiment.initializers, part), tuple):
            place += f"[{index}]"
        elif initializer.array is not None and len(places) > 1:
            raise ValueError(
                f"{place}.array: is of one layer; state a list of one initializer per layer, or "
                f"leave it out. Got {initializer.array!r}"
            )
        try:
            initializer.check(part, place_of_layer, shape if part == "weights" else shape[-1:])
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error


def _check_constants(experiment: "Experiment", part: str, initializer: Constants) -> None:
    network = experiment.network
    if len(initializer.values) != len(network.weighted_layers):
        raise ValueError(
            f"initializers.{part}.values: one entry per layer with weights, "
            f"{len(network.weighted_layers)}. "
            f"Got {len(initializer.values)}"
        )
    pairs = zip(initializer.values, network.weight_shapes, strict=True)
    for index, (values, shape) in enumerate(pairs):
        required = shape if part == "weights" else shape[-1:]
        if not _has_shape(values, required):
            raise ValueError(f"initializers.{part}.values[{index}]: must have shape {required}")


def _has_shape(values: Any, shape: tuple[int, ...]) -> bool:
    if not shape:
        return not isinstance(values, tuple)
    return (
        isinstance(values, tuple)
        and len(values) == shape[0]
        and all(_has_shape(value, shape[1:]) for value in values)
    )


def check_generator(experiment: "Experiment") -> None:
    """Check that a generator states the order of shuffled batches alone, and draws no masks."""
    if experiment.generator is None:
        return
    if experiment.network.dropout_layers:
        raise ValueError(
            "generator: it draws all that a source draws, and knows no masks of dropout; leave it "
            "out, or the dropout layers"
        )
    shuffles = experiment.training is not None and experiment.training.batches.order == "shuffled"
    if shuffles and experiment.generator.order is None:
        raise ValueError(
            "generator.order: missing; 'shuffled' batches need 'reshuffle_each_epoch' or "
            "'continue_shuffling'"
        )
    if not shuffles and experiment.generator.order is not None:
        raise ValueError(
            "generator.order: only for 'shuffled' batches; leave it out. "
            f"Got {experiment.generator.order!r}"
        )


def check_stopping(experiment: "Experiment") -> None:
    """Check that early stopping has validation rows with classes, and can act before the end."""
    training = experiment.training
    if training is None or training.stopping is None:
        return
    rule = training.stopping
    counts_errors = rule.name == "patience" or rule.watched == "accuracy"
    if counts_errors and experiment.data.facts.kind not in ("classes", "binary"):
        raise ValueError(
            "training.stopping: needs classes, because it counts errors; "
            f"{experiment.data.name!r} has none; 'no_improvement' can watch the loss"
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
    if rule.name == "patience" and every > rule.patience_steps + 1:
        raise ValueError(
            "training.stopping: its interval must be at most patience_steps + 1, so that the "
            "validation rows are scored before training ends. "
            f"Got {every} and {rule.patience_steps}"
        )


def check_plateau(experiment: "Experiment") -> None:
    """Check that a rate that falls on a plateau has validation rows, and can fall."""
    training = experiment.training
    if training is None or training.plateau is None:
        return
    rule, rate = training.plateau, training.optimizer.learning_rate
    if training.schedule is not None:
        raise ValueError(
            "training.plateau: not beside a schedule: the rate is the optimizer's until it falls; "
            "leave one of them out"
        )
    if getattr(training.optimizer, "rate_inside_velocity", True) is None:
        raise ValueError(
            "training.optimizer.rate_inside_velocity: state it (true or false) where the "
            "rate changes; libraries differ"
        )
    if experiment.data.rows[1] < 1:
        raise ValueError(
            "training.plateau: needs validation rows; state data.validation, or validation in "
            "a split 'rows' or 'sklearn'"
        )
    if rule.watched == "accuracy" and experiment.data.facts.kind not in ("classes", "binary"):
        raise ValueError(
            f"training.plateau: {experiment.data.name!r} has no classes, so no accuracy; "
            "watch the 'loss'"
        )
    if rule.min_rate >= rate:
        raise ValueError(
            f"training.plateau.min_rate: must be below the optimizer's learning_rate, {rate:g}. "
            f"Got {rule.min_rate:g}"
        )
    every = rule.in_steps(experiment.steps_per_epoch)
    falls = experiment.steps // every // rule.patience
    lowest = max(rule.min_rate, rate * rule.factor**falls)
    if lowest < SMALLEST_RATE:
        raise ValueError(
            f"training.plateau: the rate may fall to {lowest:.2g}, which float32 cannot hold; "
            f"state a min_rate of at least {SMALLEST_RATE:.2g}"
        )


def check_native(experiment: "Experiment") -> None:
    """Check that no two solvers have the same label, and that each fits the targets."""
    labels = [native.label for native in experiment.native]
    kind = experiment.data.facts.kind
    for native in experiment.native:
        if labels.count(native.label) > 1:
            raise ValueError(
                f"native: two are called {native.label!r}; put one into an experiment of its own"
            )
        is_regression = native.estimator == "LinearRegression"
        if kind == "none" or is_regression != (kind == "values"):
            raise ValueError(
                f"native.estimator: {native.estimator} does not fit targets of kind {kind!r}"
            )


CHECKS = (
    check_ends,
    check_loss,
    check_batches,
    check_clipping,
    check_max_norm,
    check_schedule,
    check_initializers,
    check_generator,
    check_stopping,
    check_plateau,
    check_native,
)
"""In the order in which a protocol is checked: only the first error is reported."""
