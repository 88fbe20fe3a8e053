"""A worked step as text, as on a blackboard: every formula with its numbers beneath it.

Rows are examples. A larger array is shown in part: its first rows, and the columns in which the
shown inputs have something to see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.experiment.losses import CrossEntropy
from harness.experiment.model import Experiment
from harness.experiment.network import Dense, Dropout, Layer
from harness.handover.formulas import function_lines, loss_lines, update_lines
from harness.lesson.worked_step import Training, WorkedStep
from harness.parity.functions import Floats, sigmoid, softmax
from harness.report.text import count_text
from harness.trainer import Array

MOST_COLUMNS = 10
MOST_DECIMALS, LARGEST_PLAIN = 7, 1e9
OUTPUT_SLOPES = {
    "softmax_cross_entropy": "(p - one-hot t)",
    "binary_cross_entropy": "(p - y)",
    "mean_squared_error": "(outputs - y)",
}
"""The derivatives of losses by the outputs, before means are taken."""
SHAPE_AT = 44
"""The column in which shapes stand."""


@dataclass(frozen=True)
class _View:
    """What is shown of arrays.

    Args:
        rows: at most so many examples.
        first_input: the first column of the inputs that is shown, and row of the first weights.
    """

    rows: int
    first_input: int


def lines_of(step: WorkedStep, rows: int) -> list[str]:
    """Return the lines.

    Args:
        step: computed.
        rows: examples to show, at most.
    """
    view = _View(rows, _first_input(step.inputs[:rows]))
    lines = [*_heading(step), "", "Forward", *_forward(step, view)]
    if step.training is not None:
        lines += ["", "Loss", *_loss(step, step.training, view)]
        lines += ["", "Backward: d = dL/dz, from the last layer to the first"]
        lines += _backward(step, step.training, view)
        lines += ["", "Update", *_update(step, step.training, view)]
    return lines


def _heading(step: WorkedStep) -> Iterator[str]:
    experiment = step.experiment
    yield f"{experiment.name}: {experiment.title}"
    examples = count_text(len(step.inputs), "row")
    if step.training is None:
        yield f"network {experiment.network}, {examples}; it does not train"
        return
    yield (
        f"network {experiment.network}, seed {step.seed}, step {step.number:,} of "
        f"{experiment.steps:,}, {examples}; computed in float64"
    )


def _first_input(inputs: Floats) -> int:
    """The first of the columns in which these rows have most numbers that are not 0."""
    count = inputs.shape[1]
    if count <= MOST_COLUMNS:
        return 0
    filled = np.concatenate([[0], np.cumsum((inputs != 0).sum(axis=0))])
    return int(np.argmax(filled[MOST_COLUMNS:] - filled[:-MOST_COLUMNS]))


# ---------------------------------------------------------------- sections


def _forward(step: WorkedStep, view: _View) -> Iterator[str]:
    yield from _examples("x", step.inputs, view, view.first_input)
    below = "x"
    layers = step.experiment.network.layers
    for index, (layer, entry) in enumerate(zip(layers, step.before, strict=True)):
        number = index + 1
        if isinstance(layer, Dropout):
            yield from _dropped(step, index, below, view)
            below = f"a{number}"
            continue
        assert isinstance(layer, Dense)  # `worked_step` refuses layers of images
        W, b = entry
        yield from _weights(f"W{number}", W, view, index)
        if b is not None:
            yield from _array(f"b{number}", b)
        biases = "" if b is None else f" + b{number}"
        yield from _examples(f"z{number} = {below} W{number}{biases}", step.sums[index], view)
        below = f"z{number}"
        if layer.activation != "identity":
            below = f"a{number}"
            title = f"{below} = {layer.activation}(z{number})"
            yield from _examples(title, step.values[index], view)
    for line in function_lines(step.experiment):
        yield f"  where {line}"


def _dropped(step: WorkedStep, index: int, below: str, view: _View) -> Iterator[str]:
    """A dropout layer: its factors, 0 where a number is dropped, and its outputs."""
    number = index + 1
    yield from _examples(f"m{number}, what dropout multiplies by", step.sums[index], view)
    yield from _examples(f"a{number} = {below} * m{number}", step.values[index], view)


def _loss(step: WorkedStep, training: Training, view: _View) -> Iterator[str]:
    yield from (f"  {line}" for line in loss_lines(step.experiment))
    yield from _examples(_targets_name(step.experiment), np.asarray(training.targets), view)
    probabilities = _probabilities(step)
    if probabilities is not None:
        yield from _examples("p", probabilities, view)
    yield f"  loss = {_number(training.loss)}"


def _targets_name(experiment: Experiment) -> str:
    """`t` for the numbers of classes, `y` for values, as in the formulas."""
    is_class = experiment.loss is not None and experiment.loss.name == "softmax_cross_entropy"
    return "t, the targets" if is_class else "y, the targets"


def _probabilities(step: WorkedStep) -> Floats | None:
    """What the loss makes of the outputs; None where it takes them as they are."""
    name = step.experiment.loss.name if step.experiment.loss else ""
    outputs = step.values[-1]
    if name == "softmax_cross_entropy":
        return softmax(outputs)
    return sigmoid(outputs) if name == "binary_cross_entropy" else None


def _backward(step: WorkedStep, training: Training, view: _View) -> Iterator[str]:
    layers = step.experiment.network.layers
    protocol = step.experiment.training
    has_penalty = protocol is not None and (protocol.l2 or protocol.l1)
    penalty = " + the penalty's" if has_penalty else ""
    deltas = iter(reversed(training.deltas))
    above, factors = 0, ""  # the dense layer above, and the dropout in between
    for index in reversed(range(len(layers))):
        number, layer = index + 1, layers[index]
        if isinstance(layer, Dropout):
            factors = f" * m{number}"
            continue
        assert isinstance(layer, Dense)
        activation = layer.activation
        slope = "" if activation == "identity" else f" * {activation}'(z{number})"
        if not above:
            source = f"{_output_slope(step.experiment, len(step.inputs))}{slope}"
        else:
            source = f"d{above} W{above}^T{factors}{slope}"
        yield from _examples(f"d{number} = {source}", next(deltas), view)
        above, factors = number, ""
        below = "x" if index == 0 else _output_name(layers[index - 1], index)
        dW, db = training.gradients[index]
        yield from _weights(f"dW{number} = {below}^T d{number}{penalty}", dW, view, index)
        if db is not None:
            yield from _array(f"db{number} = sum of d{number} over the rows", db)


def _output_name(layer: Layer, number: int) -> str:
    is_linear = isinstance(layer, Dense) and layer.activation == "identity"
    return f"z{number}" if is_linear else f"a{number}"


def _output_slope(experiment: Experiment, rows: int) -> str:
    """The loss's derivative by the outputs, as a formula; in words where it has none this short."""
    loss, outputs = experiment.loss, experiment.network.outputs
    assert loss is not None
    smoothed_or_weighted = isinstance(loss, CrossEntropy) and (
        loss.label_smoothing or loss.class_weights
    )
    if loss.name not in OUTPUT_SLOPES or smoothed_or_weighted:
        return "dL/d outputs"
    numerator = OUTPUT_SLOPES[loss.name]
    if loss.name == "mean_squared_error" and not loss.half:
        numerator = f"2 {numerator}"
    divisor = rows if loss.batch == "mean" else 1
    if loss.name != "softmax_cross_entropy" and loss.outputs == "mean":
        divisor *= outputs
    return numerator if divisor == 1 else f"{numerator} / {divisor}"


def _update(step: WorkedStep, training: Training, view: _View) -> Iterator[str]:
    yield from (f"  {line}" for line in update_lines(step.experiment))
    yield f"  rate = {training.rate:g}"
    protocol = step.experiment.training
    if protocol is not None and protocol.optimizer.name != "sgd" and step.number > 1:
        before = count_text(step.number - 1, "step")
        yield f"  what the rule remembers comes from the {before} before"
    for index, entry in enumerate(training.after):
        if not entry:
            continue
        W, b = entry
        yield from _weights(f"W{index + 1} after the step", W, view, index)
        if b is not None:
            yield from _array(f"b{index + 1} after the step", b)
    yield f"  loss of the same rows after the step = {_number(training.loss_after)}"


# ---------------------------------------------------------------- arrays


def _examples(title: str, values: Array, view: _View, first: int = 0) -> Iterator[str]:
    """An array whose rows are examples."""
    shown = values[: view.rows]
    if values.ndim == 1:
        yield from _part(title, values, shown[:, np.newaxis], slice(0, len(shown)), slice(0, 1))
        return
    columns = slice(first, min(first + MOST_COLUMNS, values.shape[1]))
    yield from _part(title, values, shown[:, columns], slice(0, len(shown)), columns)


def _weights(title: str, values: Array, view: _View, layer: int) -> Iterator[str]:
    """Weights (inputs, units); of the first layer those of the inputs that are shown."""
    first = view.first_input if layer == 0 else 0
    rows = slice(first, min(first + MOST_COLUMNS, values.shape[0]))
    columns = slice(0, min(MOST_COLUMNS, values.shape[1]))
    yield from _part(title, values, values[rows, columns], rows, columns)


def _array(title: str, values: Array) -> Iterator[str]:
    """A vector, in one line."""
    columns = slice(0, min(MOST_COLUMNS, len(values)))
    yield from _part(title, values, values[np.newaxis, columns], slice(0, 1), columns)


def _part(title: str, whole: Array, part: Array, rows: slice, columns: slice) -> Iterator[str]:
    """The title with the shape of the whole and what is shown of it, and the numbers."""
    shape = f"({', '.join(map(str, whole.shape))}{',' if whole.ndim == 1 else ''})"
    is_vector = whole.ndim == 1
    shown = []
    if not is_vector and part.shape[0] < whole.shape[0]:
        shown.append(_range("rows", rows))
    if not is_vector and part.shape[1] < whole.shape[1]:
        shown.append(_range("columns", columns))
    if is_vector and part.size < whole.size:
        shown.append(f"the first {part.size}")
    remark = f", of which {' and '.join(shown)}" if shown else ""
    yield f"  {title:<{SHAPE_AT}}{shape}{remark}"
    yield from (f"      {line}" for line in _aligned(part))


def _range(what: str, part: slice) -> str:
    first, last = part.start + 1, part.stop
    return f"{what.removesuffix('s')} {first}" if first == last else f"{what} {first} to {last}"


def _aligned(values: Array) -> list[str]:
    """Numbers below each other, all with as many decimals."""
    write = _format(values)
    texts = [[write(value) for value in row] for row in values.tolist()]
    width = max(len(text) for row in texts for text in row)
    return ["  ".join(f"{text:>{width}}" for text in row) for row in texts]


def _format(values: Array) -> Callable[[float], str]:
    """How to write numbers: the largest has four significant digits, the smallest three.

    One more decimal than the largest needs is the most that the smallest gets. Whole numbers stay
    so; very small and very large ones are written as 1.23e-04.
    """
    numbers = np.abs(np.asarray(values, np.float64))
    numbers = numbers[np.isfinite(numbers) & (numbers > 0)]
    if np.array_equal(numbers, np.round(numbers)) and numbers.max(initial=0) < LARGEST_PLAIN:
        return lambda value: f"{value:.0f}"
    largest, smallest = np.floor(np.log10([numbers.max(), numbers.min()])).astype(int)
    decimals = max(3 - largest, min(2 - smallest, 4 - largest), 0)
    if decimals > MOST_DECIMALS or numbers.max() >= LARGEST_PLAIN:
        return lambda value: f"{value:.2e}" if value else "0"
    return lambda value: f"{value:.{decimals}f}"


def _number(value: float) -> str:
    return _format(np.array([value]))(value)
