"""What may be wrong with an adapter: in words, as switches of the oracle, and against which line.

Some numbers are not guessed but estimated from the trace (`estimates`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from harness.experiment.model import Experiment
from harness.experiment.network import ActivationName, Layer
from harness.experiment.optimizers import Adagrad, Adam, Momentum, Nesterov, RMSprop
from harness.experiment.training import L2
from harness.parity.estimates import rate_ratio, weight_decay
from harness.parity.mistakes import Scale, Switches
from harness.parity.trace import Trace
from harness.start import float32

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
OTHER_ACTIVATIONS = [
    name for name in get_args(ActivationName) if name not in ("leaky_relu", "step")
]
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
        own_start: whether the start is the trace's parameters at step 0.
    """

    words: str
    line: str
    switches: Switches
    own_start: bool = False


def hypotheses(experiment: Experiment, trace: Trace, expected: Trace) -> Iterator[Hypothesis]:
    """Yield every mistake that could explain the trace, the plainest first."""
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
    given = hidden[0]
    for name in OTHER_ACTIVATIONS:
        if name != given.activation:
            layer = Layer(units=given.units, activation=name)
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
        gradient = f"the gradient is that of a loss that is {words}"
        yield Hypothesis(gradient, LOSS, Switches(gradient_scale=scale))
        yield Hypothesis(f"the returned loss is {words}", LOSSES, Switches(loss_scale=scale))
    if loss.name == "softmax_cross_entropy":
        yield Hypothesis("softmax is applied twice", LOSS, Switches(softmax_twice=True))
    if loss.name != "mean_squared_error":
        words = "the loss is taken of clipped probabilities, not of logits"
        yield Hypothesis(words, LOSS, Switches(clipped=True))
    yield Hypothesis("the sign of the update is flipped", RULE, Switches(climbs=True))


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
    if rule is not None and rule.name != "sgd":
        words = "the optimizer's memory is emptied between calls of advance"
        yield Hypothesis(words, RULE, Switches(reset_at=frozenset(trace.parameters)))
    if isinstance(rule, Adam):
        yield from _adam(rule)
    if isinstance(rule, RMSprop | Adagrad):
        yield from _divided_by_root(rule)
    if isinstance(rule, Momentum | Nesterov):
        yield from _momentum(rule, decays=experiment.decay is not None)


def _adam(rule: Adam) -> Iterator[Hypothesis]:
    other, words = "epsilon_hat", "the epsilon-hat form (epsilon outside the bias correction)"
    if rule.form == "epsilon_hat":
        other, words = "algorithm_1", "the form of algorithm 1 (epsilon after the bias correction)"
    yield Hypothesis(f"Adam has {words}", RULE, Switches(form=other))
    yield Hypothesis("Adam has no bias correction", RULE, Switches(bias_correction=False))
    for epsilon in _other_epsilons(rule):
        exact = float32(epsilon)
        differs = f"Adam's epsilon is {epsilon:g}, not {rule.epsilon:g}"
        yield Hypothesis(differs, RULE, Switches(epsilon=exact))
        yield Hypothesis(f"{differs}, and has {words}", RULE, Switches(epsilon=exact, form=other))


def _divided_by_root(rule: RMSprop | Adagrad) -> Iterator[Hypothesis]:
    place = "inside" if rule.form == "epsilon_outside_root" else "outside"
    form = f"epsilon_{place}_root"
    yield Hypothesis(f"epsilon is {place} the root", RULE, Switches(form=form))
    for epsilon in _other_epsilons(rule):
        words = f"epsilon is {epsilon:g}, not {rule.epsilon:g}"
        yield Hypothesis(words, RULE, Switches(epsilon=float32(epsilon)))


def _other_epsilons(rule: Adam | RMSprop | Adagrad) -> list[float]:
    return [e for e in OTHER_EPSILONS if float32(e) != float32(rule.epsilon)]


def _momentum(rule: Momentum | Nesterov, decays: bool) -> Iterator[Hypothesis]:
    plain = isinstance(rule, Momentum)
    words = "momentum is Nesterov's" if plain else "momentum is plain, not Nesterov's"
    yield Hypothesis(words, RULE, Switches(nesterov=plain))
    yield Hypothesis("momentum is dampened", RULE, Switches(dampening=True))
    if decays:
        inside = not rule.rate_inside_velocity
        words = f"the learning rate is {'inside' if inside else 'outside'} the velocity"
        yield Hypothesis(words, RULE, Switches(rate_inside_velocity=inside))


def _rates(experiment: Experiment, trace: Trace, expected: Trace) -> Iterator[Hypothesis]:
    """The rate that the first updates show, if it is another."""
    given = float32(experiment.training.optimizer.learning_rate) if experiment.training else 0.0
    first = rate_ratio(trace, expected, 0, 1)
    if first is not None and abs(first - 1) > 1e-6:
        words = f"the learning rate is {first:.6g} times the given one"
        yield Hypothesis(words, RATES, Switches(rate_scale=first))
        own_rate = first * given
        words = f"the learning rate is {own_rate:.6g} whatever is given"
        yield Hypothesis(words, RATES, Switches(own_rate=own_rate))
    second = rate_ratio(trace, expected, 1, 2)
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
    places: dict[Literal["weights", "all"], str] = {
        "weights": "on the weights",
        "all": "on weights and biases",
    }
    for on, place in places.items():
        strength = weight_decay(trace, expected, on)
        if strength < 1e-9:
            continue
        words = f"a weight decay of {strength:.6g} is added {place}"
        penalty = L2.model_construct(strength=strength / 2, half=False, per_row=False, on=on)
        yield Hypothesis(f"{words} (in the gradient)", PENALTY, Switches(penalty=penalty))
        decoupled = Switches(weight_decay=strength, decay_biases=on == "all")
        yield Hypothesis(f"{words} (decoupled)", PENALTY, decoupled)
