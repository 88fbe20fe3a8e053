"""What may be wrong with an adapter: in words, as switches of the oracle, and against which line.

Some numbers are not guessed but taken from the trace: a wrong rate from the size of the first
update, a weight decay from what the gradient has beside the right one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.network import Layer
from harness.experiment.training import L2, Adagrad, Adam, Momentum, RMSprop
from harness.parity.reference import Switches
from harness.parity.trace import Trace
from harness.start import float32
from harness.trainer import Parameters

START = "Task.parameters: the start, W of shape (inputs, outputs), b of shape (outputs,)"
LOSS = "Task.loss: with its reductions over batch and outputs"
RULE = "Task.optimizer: the update rule as stated, constants included"
RATES = "Batches.learning_rates: they replace the optimizer's own rate"
ROWS = "Batches.rows: the rows of every step, in order"
SIZES = "Batches.sizes: only the first sizes[i] rows count, in means too"
NETWORK = "Task.network: layers with units, activation, bias and slope"
INPUTS = "Task.inputs: as they are; they are scaled already"
PREDICT = "predict: raw outputs, in the order of the classes"
PENALTY = "Task.l2: the only penalty there is"
ALL_PARAMETERS = "advance: every parameter is trained"
LOSSES = "advance: returns the loss of every step, before its update"

OTHER_EPSILONS = (1e-7, 1e-8, 1e-6, 1e-10, 1e-16, 1e-5, 1e-3)
OTHER_SLOPES = (0.01, 0.2, 0.3)
INPUT_SCALES = {
    1 / 255: "divided by 255 again",
    1 / 256: "divided by 256 again",
    1 / 16: "divided by 16 again",
    255.0: "not scaled: 255 times too large",
    256.0: "not scaled: 256 times too large",
    16.0: "not scaled: 16 times too large",
    2.0: "doubled",
    0.5: "halved",
}


@dataclass(frozen=True)
class Hypothesis:
    """A mistake that would explain a trace.

    Args:
        words: what the adapter does.
        line: the line of the contract that it breaks.
        switches: the same mistake in the oracle.
        own_start: the trace's own parameters at step 0 are the start.
    """

    words: str
    line: str
    switches: Switches
    own_start: bool = False


def hypotheses(experiment: Experiment, trace: Trace, expected: Trace) -> Iterator[Hypothesis]:
    """All that could be meant, the plainest first."""
    yield from _start(experiment)
    yield from _network(experiment)
    yield Hypothesis("predict gives probabilities", PREDICT, Switches(predicts="probabilities"))
    yield Hypothesis("predict has the classes reversed", PREDICT, Switches(predicts="reversed"))
    for scale, words in INPUT_SCALES.items():
        yield Hypothesis(f"inputs are {words}", INPUTS, Switches(input_scale=scale))
    if experiment.training is None:
        return
    yield from _loss(experiment)
    yield from _rows(experiment)
    yield from _rule(experiment, trace)
    yield from _rates(experiment, trace, expected)
    yield from _decay(trace, expected)


def _start(experiment: Experiment) -> Iterator[Hypothesis]:
    if len(experiment.network.layers) > 1:
        yield Hypothesis("every kernel is transposed", START, Switches(transposed="all"))
    for index, _ in enumerate(experiment.network.layers):
        yield Hypothesis(
            f"the kernel of layer {index + 1} is transposed", START, Switches(transposed=index)
        )
    if any(layer.bias for layer in experiment.network.layers):
        yield Hypothesis("biases start at 0, not as given", START, Switches(biases="zero"))
        yield Hypothesis("there are no biases", NETWORK, Switches(biases="missing"))
        yield Hypothesis("biases are never updated", ALL_PARAMETERS, Switches(biases="frozen"))
    yield Hypothesis("it draws initial weights of its own", START, Switches(), own_start=True)
    for index, _ in enumerate(experiment.network.layers):
        yield Hypothesis(
            f"layer {index + 1} is never updated", ALL_PARAMETERS, Switches(frozen=index)
        )


def _network(experiment: Experiment) -> Iterator[Hypothesis]:
    hidden = experiment.network.layers[:-1]
    if not hidden:
        return
    names = (
        "identity", "sigmoid", "tanh", "relu", "elu", "swish", "softplus", "gelu", "gelu_tanh",
    )  # fmt: skip
    given = hidden[0]
    for name in names:
        if name != given.activation:
            layer = Layer(units=given.units, activation=name)  # type: ignore[arg-type]
            words = f"hidden layers have {name}, not {given.activation}"
            if {name, given.activation} == {"gelu", "gelu_tanh"}:
                words = f"GELU is {'approximated by tanh' if 'tanh' in name else 'the exact one'}"
            yield Hypothesis(words, NETWORK, Switches(activation=layer))
    for slope in OTHER_SLOPES:
        if slope != given.slope:
            words = f"hidden layers have leaky ReLU with slope {slope:g}"
            for exact in (slope, float32(slope)):
                layer = Layer(units=given.units, activation="leaky_relu", slope=exact)
                yield Hypothesis(words, NETWORK, Switches(activation=layer))


def _loss(experiment: Experiment) -> Iterator[Hypothesis]:
    loss = experiment.loss
    if loss is None:
        return
    scales: list[tuple[object, str]] = [(2.0, "doubled"), (0.5, "halved")]
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
        factor = {"gradient_scale": scale, "loss_scale": scale}
        yield Hypothesis(f"the loss is {words}", LOSS, Switches(**factor))  # type: ignore[arg-type]
        yield Hypothesis(
            f"the gradient is that of a loss that is {words}",
            LOSS,
            Switches(gradient_scale=scale),  # type: ignore[arg-type]
        )
        yield Hypothesis(
            f"the returned loss is {words}",
            LOSSES,
            Switches(loss_scale=scale),  # type: ignore[arg-type]
        )
    if loss.name == "softmax_cross_entropy":
        yield Hypothesis("softmax is applied twice", LOSS, Switches(softmax_twice=True))
    if loss.name != "mean_squared_error":
        words = "the loss is taken of clipped probabilities, not of logits"
        yield Hypothesis(words, LOSS, Switches(clipped=True))
    yield Hypothesis("the sign of the update is flipped", RULE, Switches(sign=-1.0))


def _rows(experiment: Experiment) -> Iterator[Hypothesis]:
    if experiment.training is None or experiment.training.batches.order == "full":
        return
    yield Hypothesis("it takes the rows of the step after", ROWS, Switches(rows="next"))
    yield Hypothesis("it takes the rows of the step before", ROWS, Switches(rows="previous"))
    yield Hypothesis("it takes the first batch in every step", ROWS, Switches(rows="first batch"))
    yield Hypothesis("it takes the rows in their own order", ROWS, Switches(rows="in order"))
    yield Hypothesis("it counts the rows from the end", ROWS, Switches(rows="reversed"))
    yield Hypothesis("padded rows count", SIZES, Switches(padding=True))
    yield Hypothesis("the short last batch is dropped", SIZES, Switches(last_dropped=True))


def _rule(experiment: Experiment, trace: Trace) -> Iterator[Hypothesis]:
    rule = experiment.training.optimizer if experiment.training else None
    calls = frozenset(trace.parameters)
    if not isinstance(rule, type(None)) and rule.name != "sgd":
        words = "the optimizer's memory is emptied between calls of advance"
        yield Hypothesis(words, RULE, Switches(reset_at=calls))
    if isinstance(rule, Adam):
        hat = "epsilon_hat" if rule.form == "algorithm_1" else "algorithm_1"
        place = {
            "epsilon_hat": "Adam has the epsilon-hat form (epsilon outside the bias correction)",
            "algorithm_1": "Adam has the form of algorithm 1 (epsilon after the bias correction)",
        }
        yield Hypothesis(place[hat], RULE, Switches(form=hat))
        yield Hypothesis("Adam has no bias correction", RULE, Switches(bias_correction=False))
        for epsilon in OTHER_EPSILONS:
            if float32(epsilon) != float32(rule.epsilon):
                words = f"Adam's epsilon is {epsilon:g}, not {rule.epsilon:g}"
                yield Hypothesis(words, RULE, Switches(epsilon=float32(epsilon)))
                words += f", and {place[hat].removeprefix('Adam ')}"
                yield Hypothesis(words, RULE, Switches(epsilon=float32(epsilon), form=hat))
    if isinstance(rule, RMSprop | Adagrad):
        inside = rule.form == "epsilon_outside_root"
        form = "epsilon_inside_root" if inside else "epsilon_outside_root"
        words = f"epsilon is {'inside' if inside else 'outside'} the root"
        yield Hypothesis(words, RULE, Switches(form=form))
        for epsilon in OTHER_EPSILONS:
            if float32(epsilon) != float32(rule.epsilon):
                words = f"epsilon is {epsilon:g}, not {rule.epsilon:g}"
                yield Hypothesis(words, RULE, Switches(epsilon=float32(epsilon)))
    if rule is not None and rule.name in ("momentum", "nesterov"):
        plain = isinstance(rule, Momentum)
        words = "momentum is Nesterov's" if plain else "momentum is plain, not Nesterov's"
        yield Hypothesis(words, RULE, Switches(nesterov=plain))
        yield Hypothesis("momentum is dampened", RULE, Switches(dampening=True))
        if experiment.decay:
            inside = not getattr(rule, "rate_inside_velocity", False)
            words = f"the learning rate is {'inside' if inside else 'outside'} the velocity"
            yield Hypothesis(words, RULE, Switches(rate_inside_velocity=inside))


def _rates(experiment: Experiment, trace: Trace, expected: Trace) -> Iterator[Hypothesis]:
    """The rate that the first updates show, if it is another."""
    given = float32(experiment.training.optimizer.learning_rate) if experiment.training else 0.0
    first = _ratio(trace, expected, 0, 1)
    if first is not None and abs(first - 1) > 1e-6:
        words = f"the learning rate is {first:.6g} times the given one"
        yield Hypothesis(words, RATES, Switches(rate_scale=first))
        own = first * given
        words = f"the learning rate is {own:.6g} whatever is given"
        yield Hypothesis(words, RATES, Switches(own_rate=own))
    second = _ratio(trace, expected, 1, 2)
    for decay in dict.fromkeys((second, 0.9, 0.95, 0.96, 0.99, 0.999)):
        if decay is not None and 0 < decay < 1 - 1e-9:
            words = f"the learning rate decays by itself, by {decay:.6g} a step"
            yield Hypothesis(words, RATES, Switches(rate_decay=decay))
    if experiment.decay is not None:
        words = f"the learning rate stays at {given:g} and does not follow the schedule"
        yield Hypothesis(words, RATES, Switches(own_rate=given))


def _decay(trace: Trace, expected: Trace) -> Iterator[Hypothesis]:
    """A weight decay, if the gradient has a part along the parameters."""
    if not trace.gradients or not expected.gradients:
        return
    for on, words in (("weights", "on the weights"), ("all", "on weights and biases")):
        extra, along = [], []
        for found, right, values in zip(
            trace.gradients, expected.gradients, expected.parameters[0], strict=True
        ):
            for part, (f, r, v) in enumerate(zip(found, right, values, strict=True)):
                if f is None or r is None or v is None or (part == 1 and on == "weights"):
                    continue
                extra.append(np.subtract(f, r).ravel())
                along.append(np.asarray(v, np.float64).ravel())
        residual, direction = np.concatenate(extra), np.concatenate(along)
        squared = float(direction @ direction)
        strength = float(residual @ direction) / squared if squared else 0.0
        if strength < 1e-9:
            continue
        named = f"a weight decay of {strength:.6g} is added {words}"
        penalty = L2.model_construct(strength=strength / 2, half=False, per_row=False, on=on)
        yield Hypothesis(f"{named} (in the gradient)", PENALTY, Switches(penalty=penalty))
        decoupled = Switches(weight_decay=strength, decay_biases=on == "all")
        yield Hypothesis(f"{named} (decoupled)", PENALTY, decoupled)


def _ratio(trace: Trace, expected: Trace, start: int, end: int) -> float | None:
    """Size of an update against the right one, along the right one."""
    if not {start, end} <= set(trace.parameters) & set(expected.parameters):
        return None

    def moved(parameters: dict[int, Parameters]) -> np.ndarray:
        pairs = zip(parameters[end], parameters[start], strict=True)
        parts = [
            np.subtract(a, b).ravel()
            for after, before in pairs
            for a, b in zip(after, before, strict=True)
            if a is not None and b is not None
        ]
        return np.concatenate(parts)

    right = moved(expected.parameters)
    found = moved(trace.parameters)
    squared = float(right @ right)
    if not squared or found.shape != right.shape or not np.isfinite(found).all():
        return None
    return float(found @ right) / squared
