"""What may be wrong with an adapter: in words, as switches of the oracle, and against which line.

Here are start, network, loss, rows and what is returned; `update_hypotheses` has the optimizer.
Some numbers are not guessed but estimated from the trace (`estimates`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np

from harness.experiment.activation_name import ActivationName
from harness.experiment.losses import CrossEntropy
from harness.experiment.model import Experiment
from harness.experiment.network import Dense, WeightedLayer
from harness.parameters import named_arrays
from harness.parity.estimates import Case, flat, gradient_strength, strength
from harness.parity.functions import SELU_ALPHA, SELU_SCALE, kinks_of
from harness.parity.switches import Scale, Switches
from harness.start import float32

START = "Task.parameters: the start, W of shape (inputs, outputs), b of shape (outputs,)"
LOSS = "Task.loss: with its reductions over batch and outputs"
RULE = "Task.optimizer: the update rule as stated, constants included"
RATES = "Batches.learning_rates: they replace the optimizer's own rate"
ROWS = "Batches.rows: the rows of every step, in order"
SIZES = "Batches.sizes: only the first sizes[i] rows count, in means too"
NETWORK = "Task.network: layers with units, activation, bias and slope"
INPUTS = "Task.inputs: as they are; they are scaled already"
TARGETS = "Task.targets: as they are, one of every row"
PREDICT = "predict: raw outputs, in the order of the classes"
PENALTY = "Task.l2: the only penalty there is"
ALL_PARAMETERS = "advance: every parameter is trained"
LOSSES = "advance: returns the loss of every step, before its update"
RETURNED = "parameters: copies of the parameters themselves, in the layout of Parameters"
PRECISION = "Task.dtype"

OTHER_ACTIVATIONS = [
    name for name in get_args(ActivationName) if name not in ("leaky_relu", "step")
]
OTHER_SLOPES = (0.01, 0.2, 0.3, 0.1)
OTHER_ALPHAS = (1.0, 0.1, 0.2, 0.3, 0.5)
BEFORE_THE_LOSS: tuple[ActivationName, ...] = ("relu", "sigmoid", "tanh")
IN_WORDS = {
    frozenset({"gelu", "gelu_tanh"}): {
        "gelu": "GELU is the exact one",
        "gelu_tanh": "GELU is approximated by tanh",
    },
    frozenset({"hard_sigmoid", "hard_sigmoid_fifth"}): {
        "hard_sigmoid": "the hard sigmoid has slope 1/6, as in PyTorch, not 1/5",
        "hard_sigmoid_fifth": "the hard sigmoid has slope 1/5, as in Theano, not 1/6",
    },
}
"""What is said where one of two functions that share a name stands for the other."""
INPUT_SCALES = {
    1 / 255: "divided by 255 again",
    1 / 256: "divided by 256 again",
    1 / 16: "divided by 16 again",
    255.0: "not scaled: 255 times too large",
    256.0: "not scaled: 256 times too large",
    16.0: "not scaled: 16 times too large",
    2.0: "doubled",
    0.5: "halved",
    -1.0: "negated",
}
SMALL_NUMBERS = (1e-7, 1e-8, 1e-10, 1e-12, 1e-15, 1e-16, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3)


@dataclass(frozen=True)
class Hypothesis:
    """A mistake that would explain a trace.

    Args:
        words: what the adapter does.
        line: the line of the contract that it breaks.
        switches: the same mistake in the oracle.
        own_start: whether the start is the trace's parameters at step 0.
        estimated: how many numbers of it were read off the trace. Among those that reproduce a
            trace, one with fewer is the plainer.
        is_of_calls: whether it is about calls of `advance`, which somebody's own loop has not.
    """

    words: str
    line: str
    switches: Switches
    own_start: bool = False
    estimated: int = 0
    is_of_calls: bool = False

    @property
    def depends_on_calls(self) -> bool:
        """Whether the mistake depends on how many steps a call of `advance` has."""
        switches = self.switches
        return (
            switches.losses in ("mean of a call", "last of a call")
            or switches.accumulated == "within a call"
            or switches.masks in ("previous", "first step")
            or bool(switches.reset_at)
        )


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of start, network, loss, rows and results, the plainest first."""
    yield from _start(case)
    yield from _network(case.experiment)
    yield from _output(case.experiment)
    yield from _predictions()
    yield from _inputs()
    if case.experiment.training is None:
        return
    yield from _loss(case.experiment)
    yield from _softmax(case.experiment)
    yield from _targets(case)
    yield from _backward(case.experiment)
    yield from _rows(case.experiment)
    yield from _returned(case)


def _start(case: Case) -> Iterator[Hypothesis]:
    experiment = case.experiment
    if len(experiment.network.weighted_layers) > 1:
        yield Hypothesis("every kernel is transposed", START, Switches(transposed="all"))
    for index, entry in enumerate(case.expected.parameters[0]):
        if not entry:
            continue
        words = f"the kernel of layer {index + 1} is transposed"
        yield Hypothesis(words, START, Switches(transposed=index))
    if any(layer.bias for layer in experiment.network.weighted_layers):
        yield Hypothesis("biases start at 0, not as given", START, Switches(biases="zero"))
        if any(
            a.values.any() for a in named_arrays(case.expected.parameters[0]) if a.name == "biases"
        ):
            yield Hypothesis("there are no biases", NETWORK, Switches(biases="missing"))
        for by_hand in (False, True):
            twice = Switches(bias_factor=2.0, bias_by_hand=by_hand)
            yield Hypothesis("biases are added twice", NETWORK, twice)
    yield Hypothesis("it draws initial weights of its own", START, Switches(), own_start=True)


def _network(experiment: Experiment) -> Iterator[Hypothesis]:
    hidden = experiment.network.weighted_layers[:-1]
    if not hidden:
        return
    given = hidden[0]
    for name in OTHER_ACTIVATIONS:
        if name != given.activation:
            layer = Dense(units=_units(given), activation=name)
            words = f"hidden layers have {name}, not {given.activation}"
            words = IN_WORDS.get(frozenset({name, given.activation}), {}).get(name, words)
            yield Hypothesis(words, NETWORK, Switches(activation=layer))
    for slope in OTHER_SLOPES:
        if slope != given.slope:
            words = f"hidden layers have leaky ReLU with slope {slope:g}"
            for exact in (slope, float32(slope)):
                layer = Dense(units=_units(given), activation="leaky_relu", slope=exact)
                yield Hypothesis(words, NETWORK, Switches(activation=layer))
    yield from _exponential_units(given)


def _exponential_units(given: WeightedLayer) -> Iterator[Hypothesis]:
    """ELU with another alpha, SELU with one constant of its two."""
    if given.activation == "elu":
        for alpha in OTHER_ALPHAS:
            if alpha != given.alpha:
                words = f"ELU has alpha {alpha:g}, not {given.alpha:g}"
                layer = Dense(units=_units(given), activation="elu", alpha=alpha)
                yield Hypothesis(words, NETWORK, Switches(activation=layer))
    if given.activation == "selu":
        plain = Dense(units=_units(given), activation="elu")
        scaled = Switches(activation=plain, activation_scale=SELU_SCALE)
        yield Hypothesis("SELU has alpha 1", NETWORK, scaled)
        unscaled = Dense(units=_units(given), activation="elu", alpha=SELU_ALPHA)
        words = "SELU lacks its scale, 1.0507"
        yield Hypothesis(words, NETWORK, Switches(activation=unscaled))


def _units(layer: WeightedLayer) -> int:
    return layer.units if isinstance(layer, Dense) else layer.channels


def _output(experiment: Experiment) -> Iterator[Hypothesis]:
    """Another activation of the last layer."""
    loss, given = experiment.loss, experiment.network.output_layer
    if loss is None:
        return
    words = {
        "softmax_cross_entropy": "before the softmax",
        "binary_cross_entropy": "before the sigmoid of the loss",
    }.get(loss.name, "of the last layer")
    if given.activation != "identity":
        none = Dense(units=_units(given), activation="identity")
        missing = f"the activation {words} ({given.activation}) is missing"
        yield Hypothesis(missing, NETWORK, Switches(output=none))
        return
    for name in BEFORE_THE_LOSS:
        layer = Dense(units=_units(given), activation=name)
        yield Hypothesis(
            f"the last layer has {name}, not identity", NETWORK, Switches(output=layer)
        )


def _predictions() -> Iterator[Hypothesis]:
    yield Hypothesis("predict gives probabilities", PREDICT, Switches(predicts="probabilities"))
    words = "predict gives logarithms of probabilities"
    yield Hypothesis(words, PREDICT, Switches(predicts="log probabilities"))
    yield Hypothesis("predict has the classes reversed", PREDICT, Switches(predicts="reversed"))
    yield Hypothesis("predict has the rows reversed", PREDICT, Switches(predicts="rows reversed"))
    yield Hypothesis("predict negates the outputs", PREDICT, Switches(predicts="negated"))


def _inputs() -> Iterator[Hypothesis]:
    places: dict[Literal["everywhere", "training", "predict"], str] = {
        "everywhere": "",
        "training": " in training only",
        "predict": " in predict only",
    }
    others: list[Literal["centred", "standardised", "standardised as a whole"]] = [
        "centred", "standardised", "standardised as a whole"
    ]  # fmt: skip
    for where, place in places.items():
        for scale, words in INPUT_SCALES.items():
            switches = Switches(input_scale=scale, inputs_where=where)
            yield Hypothesis(f"inputs are {words}{place}", INPUTS, switches)
        for other in others:
            switches = Switches(inputs=other, inputs_where=where)
            yield Hypothesis(f"inputs are {other}{place}", INPUTS, switches)


def _loss(experiment: Experiment) -> Iterator[Hypothesis]:
    loss, training = experiment.loss, experiment.training
    if loss is None or training is None:
        return
    linear = training.optimizer.name in ("sgd", "momentum", "nesterov")
    scales: list[tuple[Scale, str]] = [(2.0, "doubled"), (0.5, "halved")]
    if loss.batch == "mean":
        scales.append(("rows", "summed over the batch, not averaged"))
    else:
        scales.append(("1/rows", "averaged over the batch, not summed"))
    if experiment.network.outputs > 1 and loss.name != "softmax_cross_entropy":
        if loss.outputs == "mean":
            scales.append(("outputs", "summed over the outputs, not averaged"))
        else:
            scales.append(("1/outputs", "averaged over the outputs, not summed"))
    if experiment.network.outputs > 1 and loss.name == "softmax_cross_entropy":
        scales.append(("1/outputs", "averaged over the outputs"))
    for scale, words in scales:
        both = Switches(gradient_scale=scale, loss_scale=scale)
        yield Hypothesis(f"the loss is {words}", LOSS, both)
        if isinstance(scale, str) or not linear or training.l2 is not None:
            gradient = f"the gradient is that of a loss that is {words}"
            yield Hypothesis(gradient, LOSS, Switches(gradient_scale=scale))
        returned = [Switches(returned_scale=scale)]
        if training.l2 is not None:
            returned.append(Switches(loss_scale=scale))
        for switches in returned:
            yield Hypothesis(f"the returned loss is {words}", LOSSES, switches)
    if loss.batch == "mean" and experiment.has_short_batch:
        words = "means divide by the rows of a whole batch, in a short one too"
        yield Hypothesis(words, SIZES, Switches(divisor="nominal"))
    if loss.name == "mean_squared_error" and experiment.network.outputs == 1:
        words = "squared errors are taken of every output with every target, (N, 1) minus (N,)"
        yield Hypothesis(words, TARGETS, Switches(pairs_all=True))
    yield Hypothesis("the sign of the update is flipped", RULE, Switches(climbs=True))


def _softmax(experiment: Experiment) -> Iterator[Hypothesis]:
    """Mistakes in the softmax, and in the logarithm."""
    loss = experiment.loss
    if loss is None or not loss.takes_logits:
        return
    by_hands = (False, True)
    if loss.name == "softmax_cross_entropy":
        yield Hypothesis("softmax is applied twice", LOSS, Switches(softmax_twice=True))
        for by_hand in by_hands:
            words = "softmax sums over the whole batch, not over each row"
            over = Switches(softmax_over="batch", by_hand=by_hand)
            yield Hypothesis(words, LOSS, over)
            words = "softmax sums over the rows of a class, not over the classes of a row"
            over = Switches(softmax_over="column", by_hand=by_hand)
            yield Hypothesis(words, LOSS, over)
    for small in SMALL_NUMBERS:
        for by_hand in by_hands:
            words = "the loss is taken of clipped probabilities, not of logits"
            yield Hypothesis(words, LOSS, Switches(clipped=small, by_hand=by_hand))
            words = f"the loss has an epsilon of {small:g} in its logarithm"
            yield Hypothesis(words, LOSS, Switches(log_epsilon=small, by_hand=by_hand))


def _targets(case: Case) -> Iterator[Hypothesis]:
    outputs, loss = case.experiment.network.outputs, case.experiment.loss
    if outputs > 1:
        yield Hypothesis(
            "labels are off by one: the next class", TARGETS, Switches(targets="next class")
        )
        words = "labels are off by one: the previous class"
        yield Hypothesis(words, TARGETS, Switches(targets="previous class"))
    if loss is not None and loss.name == "binary_cross_entropy":
        yield Hypothesis("targets are flipped: 1 - y", TARGETS, Switches(targets="flipped"))
    numbers = case.experiment.data.target_values
    if numbers is not None and loss is not None:
        words = f"targets are 0 and 1, not {numbers[0]:g} and {numbers[1]:g}"
        yield Hypothesis(words, TARGETS, Switches(targets="0 and 1"))
    yield Hypothesis("targets are those of the next row", TARGETS, Switches(targets="next row"))
    words = "targets are those of the previous row"
    yield Hypothesis(words, TARGETS, Switches(targets="previous row"))
    if loss is None or not isinstance(loss, CrossEntropy):
        return
    smoothing = None
    if loss.label_smoothing is None:
        smoothing = gradient_strength(case, Switches(smoothing=1.0))
    if smoothing is not None and 1e-6 < smoothing <= 1:
        smoothing = case.digits.plain(smoothing)
        words = f"labels are smoothed by {smoothing:.6g}"
        smoothed = Switches(smoothing=smoothing)
        yield Hypothesis(words, TARGETS, smoothed, estimated=1)
    if loss.name == "softmax_cross_entropy" and loss.class_weights is None:
        yield from _class_weights(case, outputs)


def _class_weights(case: Case, classes: int) -> Iterator[Hypothesis]:
    """Rows that weigh by class, if the gradient is such a sum."""
    columns = []
    for k in range(classes):
        weights_alone = tuple(float(k == i) for i in range(classes))
        alone = Switches(class_weights=weights_alone, no_penalty=True)
        columns.append(flat(case.simulated(alone).gradients))
    found, matrix = flat(case.trace.gradients), np.stack(columns, axis=1)
    if found.shape == (len(matrix),):
        plain = case.simulated(Switches(no_penalty=True)).gradients
        found = found - (flat(case.expected.gradients) - flat(plain))
    if found.shape != (len(matrix),) or not np.isfinite(found).all():
        return
    weights, _, rank, _ = np.linalg.lstsq(matrix, found, rcond=1e-10)
    if rank < classes:
        weights = np.where(np.abs(matrix).max(axis=0) > 0, weights, np.median(weights))
    if not np.abs(matrix @ weights - found).max() <= 1e-9 * np.abs(found).max():
        return
    usual = float(np.median(weights))
    if usual <= 0 or np.ptp(weights) < 1e-6 * usual:
        return
    others = [
        f"class {k}: {w / usual:.4g}" for k, w in enumerate(weights) if abs(w / usual - 1) > 1e-6
    ]
    words = f"rows weigh by class ({', '.join(others[:3])} times the others)"
    relative = tuple(case.digits.plain(float(w / usual)) for w in weights)
    for normalised, values in ((True, relative), (False, tuple(map(float, weights)))):
        switches = Switches(class_weights=values, weights_normalised=normalised)
        yield Hypothesis(words, LOSS, switches, estimated=1)


def _backward(experiment: Experiment) -> Iterator[Hypothesis]:
    *hidden, output = experiment.network.weighted_layers
    if output.activation != "identity":
        words = "the derivative of the output's activation is missing"
        yield Hypothesis(words, NETWORK, Switches(slope_missing="output"))
    if any(layer.activation != "identity" for layer in hidden):
        words = "the derivative of the hidden activations is missing"
        yield Hypothesis(words, NETWORK, Switches(slope_missing="hidden"))
        words = "the gradient of hidden biases lacks the derivative of the activation"
        yield Hypothesis(words, NETWORK, Switches(slope_missing="hidden biases"))
        words = "the derivative of the hidden activations is taken at their outputs, not at z"
        yield Hypothesis(words, NETWORK, Switches(slope_at_outputs=True))
    kinked = [layer for layer in experiment.network.weighted_layers if kinks_of(layer)]
    if kinked:
        name = kinked[0].activation
        for kink, words in (
            (1.0, f"the derivative of {name} at a kink is that of the other side"),
            (0.5, f"the derivative of {name} at a kink is the mean of both sides"),
        ):
            if name == "relu":
                words = f"the derivative of ReLU at 0 is {kink:g}, not 0"
            yield Hypothesis(words, NETWORK, Switches(kink=kink))
    if hidden:
        words = "a kernel is updated before the error is sent back through it"
        yield Hypothesis(words, RULE, Switches(early_kernels=True))


def _rows(experiment: Experiment) -> Iterator[Hypothesis]:
    if experiment.training is None:
        return
    mean = experiment.loss is not None and experiment.loss.batch == "mean"
    l2 = experiment.training.l2
    for row in ("last", "first"):
        for more, penalty in product((0, 1) if mean else (0,), (0, 1) if l2 else (0,)):
            switches = Switches(dropped_row=row, divisor_more=more, penalty_rows_more=penalty)
            yield Hypothesis(f"the {row} row of every batch is left out", ROWS, switches)
    if experiment.training.batches.order == "full":
        return
    yield Hypothesis("it takes the rows of the step after", ROWS, Switches(rows="next"))
    yield Hypothesis("it takes the rows of the step before", ROWS, Switches(rows="previous"))
    yield Hypothesis("it takes the first batch in every step", ROWS, Switches(rows="first batch"))
    yield Hypothesis("it takes the rows in their own order", ROWS, Switches(rows="in order"))
    yield Hypothesis("it counts the rows from the end", ROWS, Switches(rows="reversed"))
    yield Hypothesis("padded rows count", SIZES, Switches(padding=True))
    yield Hypothesis("the short last batch is dropped", SIZES, Switches(last_dropped=True))


def _returned(case: Case) -> Iterator[Hypothesis]:
    """Losses of another moment, averages of parameters."""
    yield Hypothesis("losses are those after the update", LOSSES, Switches(losses="after"))
    words = "one mean loss is returned for all steps of a call"
    yield Hypothesis(words, LOSSES, Switches(losses="mean of a call"), is_of_calls=True)
    words = "the last loss is returned for all steps of a call"
    yield Hypothesis(words, LOSSES, Switches(losses="last of a call"), is_of_calls=True)
    words = "losses are means of all steps so far"
    yield Hypothesis(words, LOSSES, Switches(losses="mean so far"))
    words = "the parameters returned are those before the last update"
    yield Hypothesis(words, RETURNED, Switches(averaged="previous"))
    words = "the parameters returned are means of all steps"
    yield Hypothesis(words, RETURNED, Switches(averaged="mean"))
    kinds: tuple[tuple[Literal["exponential", "corrected"], float | None], ...] = (
        ("exponential", _averaging(case)),
        ("corrected", _corrected(case)),
    )
    for kind, factor in kinds:
        if factor is not None and 1e-6 < factor < 1:
            words = f"the parameters returned are moving averages with factor {factor:.6g}"
            switches = Switches(averaged=kind, average=factor)
            yield Hypothesis(words, RETURNED, switches, estimated=1)


def _averaging(case: Case) -> float | None:
    """The factor a of a moving average: after one step, 1 - a of the update is seen."""
    traces = case.trace.parameters, case.expected.parameters
    if not all(1 in parameters for parameters in traces):
        return None
    found, right = (flat(parameters[1]) for parameters in traces)
    part = strength(found, flat(case.expected.parameters[0]), right)
    return None if part is None else case.digits.plain(1 - part)


def _corrected(case: Case) -> float | None:
    """The same with a bias correction: after two steps it is (a w1 + w2) / (1 + a)."""
    traces = case.trace.parameters, case.expected.parameters
    if not all(2 in parameters for parameters in traces):
        return None
    found, right = (flat(parameters[2]) for parameters in traces)
    part = strength(found, flat(case.expected.parameters[1]), right)
    return None if not part else case.digits.plain(1 / part - 1)
