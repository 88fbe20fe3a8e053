"""What a small protocol asks of an adapter, piece by piece.

A kind is something that a protocol may ask: an activation, a loss behind an output activation, an
update rule, an order of batches, and so on. Some kinds are about numbers that the start and the
first batch make: saturated outputs, large gradients, a ReLU at exactly 0.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from harness import data
from harness.experiment.gradients import NormClipping
from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool
from harness.experiment.losses import CrossEntropy, LossOfValues
from harness.experiment.model import Experiment
from harness.experiment.network import Dropout, WeightedLayer
from harness.experiment.optimizers import AdamW, AMSGrad
from harness.experiment.training import Training
from harness.parameters import named_arrays
from harness.parity.functions import kinks_of
from harness.parity.loss_functions import jump_at_kink
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array, Parameters

SATURATED = 60.0
"""Logits beyond this are saturated: a probability of 1 - e^-60 is 1 in float64."""


class Kind(NamedTuple):
    """Something that a protocol may ask of an adapter: what it is about, and what it is."""

    group: str
    name: str


SHORT_BATCH = Kind("batches", "a short last batch")
FULL_BATCH = Kind("batches", "full")
SHUFFLED = Kind("batches", "shuffled")
LATER_LOSSES = ("mean_absolute_error", "huber", "log_cosh", "hinge", "squared_hinge")
LATER = "other losses of values"
"""They are reduced alike, so that one of them shows it for all."""
PLAIN = ("sgd", "momentum", "nesterov")
"""Update rules that do not divide by the size of gradients."""


@cache
def all_kinds() -> tuple[Kind, ...]:
    """Return everything that a protocol can ask, in the order in which it is said."""
    return tuple(kinds_in(every().values()))


def kinds_in(experiments: Iterable[Experiment]) -> dict[Kind, None]:
    """All kinds of these, each once."""
    return dict.fromkeys(kind for each in experiments for kind in kinds_of(each))


_KINDS: dict[str, tuple[Kind, ...]] = {}


def kinds_of(experiment: Experiment) -> tuple[Kind, ...]:
    """Return what a protocol asks of an adapter."""
    if experiment.digest not in _KINDS:
        kinds = set(_of_numbers(experiment))
        if not _is_dead(experiment):
            kinds |= stated_kinds(experiment)
        _KINDS[experiment.digest] = tuple(sorted(kinds))
    return _KINDS[experiment.digest]


def stated_kinds(experiment: Experiment) -> set[Kind]:
    """Return the kinds that can be read off a protocol, without any number of its data."""
    return {*_of_network(experiment), *_of_training(experiment)}


def _is_dead(experiment: Experiment) -> bool:
    """Whether a hidden layer starts at zero: then hardly anything passes through the network."""
    if experiment.training is None or len(experiment.network.weighted_layers) == 1:
        return False
    return not all(weights.any() for weights in _arrays("weights", experiment))


def _of_network(experiment: Experiment) -> Iterator[Kind]:
    *hidden, _ = experiment.network.weighted_layers
    activations = {_named(layer) for layer in hidden}
    if experiment.training is None:
        yield Kind("networks", "a network that only predicts")
        activations &= {"step"}  # the others are looked at where they train
    yield from (Kind("hidden activations", name) for name in activations)
    depth = ("no hidden layer", "one hidden layer", "several hidden layers")
    if experiment.training:
        yield Kind("networks", depth[min(len(hidden), 2)])
    if len(activations) > 1:
        yield Kind("networks", "hidden layers of different activations")
    if not all(layer.bias for layer in experiment.network.weighted_layers):
        yield Kind("networks", "layers without bias")
    for place, layer in enumerate(experiment.network.layers):
        if isinstance(layer, Dropout) and experiment.training:
            yield Kind("dropout", layer.form)
            yield Kind("dropout", "of hidden units" if place else "of inputs")
    if experiment.training:
        yield from _of_images(experiment)


def _of_images(experiment: Experiment) -> Iterator[Kind]:
    """What layers of images may ask for."""
    network = experiment.network
    for place, (layer, shape) in enumerate(zip(network.layers, network.row_shapes, strict=False)):
        match layer:
            case Conv():
                padding = layer.padding if isinstance(layer.padding, str) else "stated zeros"
                yield Kind("convolution", f"padding: {padding}")
                top, bottom, left, right = layer.sides(shape)
                if (top, left) != (bottom, right):
                    yield Kind("convolution", "padding: one more below and to the right")
                yield Kind("convolution", "of inputs" if place == 0 else "of hidden units")
                yield Kind(
                    "convolution", "one channel in" if shape[2] == 1 else "several channels in"
                )
                if layer.stride != (1, 1):
                    yield Kind("convolution", "with a stride")
                if not layer.bias:
                    yield Kind("convolution", "without bias")
            case MaxPool() | AveragePool():
                yield Kind("pooling", layer.kind.replace("_", " "))
                if layer.size[0] > layer.stride[0] or layer.size[1] > layer.stride[1]:
                    yield Kind("pooling", "windows that overlap")
            case Flatten():
                yield Kind("flatten", layer.order.replace("_", " "))


def _named(layer: WeightedLayer) -> str:
    """The activation; ELU apart where its alpha is not 1, which some libraries cannot say."""
    return layer.activation if layer.alpha == 1 else f"{layer.activation} with alpha"


def _of_training(experiment: Experiment) -> Iterator[Kind]:
    training = experiment.training
    if training is None:
        return
    loss, output = training.loss, experiment.network.output_layer
    title = loss.name.replace("_", " ")
    yield Kind("losses", f"{title} behind {output.activation}")
    if loss.name == "huber":
        yield Kind("losses", f"{title}: {'divided' if loss.over_delta else 'not divided'} by delta")
    title = LATER if loss.name in LATER_LOSSES else title
    yield Kind("losses", f"{title}: {loss.batch} over the batch")
    if loss.name != "softmax_cross_entropy":
        yield Kind("losses", f"{title}: {loss.outputs} over the outputs")
        number = "one output" if output.units == 1 else "several outputs"
        yield Kind("losses", f"{title}: {number}")
    if loss.name == "mean_squared_error":
        yield Kind("losses", f"{title}: {'halved' if loss.half else 'not halved'}")
    if isinstance(loss, CrossEntropy):
        yield from _of_classes(loss, title)
    yield from _of_rule(experiment)
    batches = training.batches
    yield Kind("batches", batches.order.replace("_", " "))
    if experiment.has_short_batch and experiment.steps >= experiment.steps_per_epoch:
        yield SHORT_BATCH
        yield Kind("losses", f"{title}: a short last batch")
    if experiment.batch_size == 1:
        yield Kind("batches", "of one row")


def _of_classes(loss: CrossEntropy, title: str) -> Iterator[Kind]:
    """Smoothed labels and weights of classes."""
    if loss.label_smoothing:
        shared_by = loss.label_smoothing.shared_by.replace("_", " ")
        yield Kind("losses", f"{title}: labels smoothed")
        yield Kind("losses", f"labels smoothed, shared by {shared_by}")
    if loss.class_weights:
        over = loss.class_weights.mean_over
        reduced = f"mean over {over}" if over else "sum"
        yield Kind("losses", f"{title}: weights of classes")
        yield Kind("losses", f"weights of classes, {reduced}")


def _of_rule(experiment: Experiment) -> Iterator[Kind]:
    """Update rule, schedule and penalty."""
    training = experiment.training
    if training is None:
        return
    rule, l2 = training.optimizer, training.l2
    form = getattr(rule, "form", "").replace("_", " ")
    yield Kind("update rules", f"{rule.name} ({form})" if form else rule.name)
    if isinstance(rule, AdamW):
        times = "times the rate" if rule.decay_times_rate else "whatever the rate"
        where = "weights and biases" if rule.decay_on == "all" else "weights alone"
        yield from (Kind("update rules", f"adamw, decay {part}") for part in (times, f"of {where}"))
    if isinstance(rule, AMSGrad):
        yield Kind("update rules", f"amsgrad, maximum {rule.maximum.replace('_', ' the bias ')}")
    if training.schedule:
        inside = getattr(rule, "rate_inside_velocity", None)
        place = "" if inside is None else f": rate {'inside' if inside else 'outside'} the velocity"
        schedule = training.schedule.name.replace("_", " ")
        yield Kind("schedules", schedule)
        yield Kind("schedules", f"{schedule} of {rule.name}{place}")
        warm_up = training.schedule.warm_up
        if warm_up is not None and not warm_up.start and warm_up.first == "unchanged":
            yield Kind("schedules", f"a rate of 0 at first{place}")
    yield from _around_updates(training)
    if l2:
        parts = ("halved" if l2.half else "not halved", "per row" if l2.per_row else "per batch")
        where = "weights and biases" if l2.on == "all" else "weights alone"
        for part in (*parts, f"on {where}"):
            yield Kind("L2 penalties", part)
        adaptive = "a plain" if rule.name in PLAIN else "an adaptive"
        yield Kind("L2 penalties", f"with {adaptive} update rule")


def _around_updates(training: Training) -> Iterator[Kind]:
    """L1 penalty, clipping and bounded norms."""
    l1, clipping, max_norm = training.l1, training.clipping, training.max_norm
    if l1:
        where = "weights and biases" if l1.on == "all" else "weights alone"
        yield Kind("L1 penalties", f"on {where}, {'per row' if l1.per_row else 'per batch'}")
    if clipping:
        yield Kind("clipped gradients", clipping.name.replace("_", " "))
        if clipping.includes_penalty is not None:
            side = "that of a penalty too" if clipping.includes_penalty else "before a penalty"
            yield Kind("clipped gradients", side)
        if isinstance(clipping, NormClipping):
            epsilon = "with" if clipping.epsilon else "without"
            yield Kind("clipped gradients", f"{epsilon} an epsilon in the norm")
    if max_norm:
        form = max_norm.form.replace("_", " ")
        yield Kind("bounded norms", f"of {max_norm.of}, {form}")


def _of_numbers(experiment: Experiment) -> Iterator[Kind]:
    """What the start and the first batch make of the protocol, as the oracle computes them."""
    training = experiment.training
    if training is None or training.length.steps is None:
        return
    start = initial_parameters(experiment, 0, "float64")
    if not any(weights.any() for weights in _arrays("weights", experiment)):
        yield Kind("starts", "weights of zeros")
    if not any(biases.any() for biases in _arrays("biases", experiment)):
        yield Kind("starts", "biases of zeros")
    train = data.load(experiment.data, experiment.loss, "float64").train
    batches = BatchPlan.of(experiment, 0).segment(0, 1)
    rows = slice(None) if batches.rows is None else batches.rows[0, : batches.sizes[0]]
    inputs, targets = train.inputs[rows], train.targets
    if targets is None:
        return
    oracle = Reference(experiment, start, inputs, targets[rows])
    X = np.asarray(inputs, np.float64)
    for activation, kink in _at_kinks(experiment, start, inputs):
        yield Kind("numbers", f"{activation} at exactly {kink:g}")
    if training.loss.takes_logits and float(np.abs(oracle.predict(inputs)).max()) > SATURATED:
        yield Kind("numbers", f"{training.loss.name.replace('_', ' ')} of saturated outputs")
    if isinstance(training.loss, LossOfValues):
        at_kink = jump_at_kink(training.loss, oracle.predict(inputs), np.asarray(targets[rows]))
        if at_kink.any():
            yield Kind("numbers", f"{training.loss.name.replace('_', ' ')} at its kink")
    _, gradients = oracle.loss_and_gradients(X, targets[rows], len(X))
    if all(float(np.abs(g).max()) > 1 for pair in gradients for g in pair if g is not None):
        yield Kind("numbers", "gradients larger than 1 in every layer")


def _arrays(name: str, experiment: Experiment) -> list[Array]:
    """All weights or all biases of the start."""
    start = initial_parameters(experiment, 0, "float64")
    return [array.values for array in named_arrays(start) if array.name == name]


def _at_kinks(experiment: Experiment, start: Parameters, inputs: Array) -> set[tuple[str, float]]:
    """Hidden activations that get an input of exactly their kink in the first batch."""
    found: set[tuple[str, float]] = set()
    for count, layer in enumerate(experiment.network.layers[:-1], start=1):
        if not isinstance(layer, WeightedLayer) or not kinks_of(layer):
            continue
        linear = layer.model_copy(update={"activation": "identity", "slope": None, "alpha": 1.0})
        layers = (*experiment.network.layers[: count - 1], linear)
        network = experiment.network.model_copy(update={"layers": layers})
        below = experiment.model_copy(update={"network": network})
        z = Reference(below, start[:count], inputs, None).predict(inputs)
        name = layer.activation.replace("_", " ")
        found |= {(name, kink) for kink in kinks_of(layer) if (z == kink).any()}
    return found
