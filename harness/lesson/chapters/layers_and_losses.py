"""Items 27 to 34: activations, linear layers, shapes, a forward pass, and losses by hand."""

import itertools

import numpy as np

from harness.data.raw import BITS
from harness.experiment.losses import MeanSquaredError, SoftmaxCrossEntropy
from harness.experiment.network import Dense
from harness.lesson import texts
from harness.lesson.drawing import Line, line_chart, small_curve
from harness.lesson.elements import Board, Shown, count, decimals, significant, table
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import changed
from harness.lesson.worked_step import work_through
from harness.lesson.worked_step_text import lines_of
from harness.parity.functions import activate, slope
from harness.scoring import loss_of

ACTIVATIONS = {
    "identity": Dense(units=1, activation="identity"),
    "step": Dense(units=1, activation="step"),
    "sigmoid": Dense(units=1, activation="sigmoid"),
    "tanh": Dense(units=1, activation="tanh"),
    "ReLU": Dense(units=1, activation="relu"),
    "leaky ReLU": Dense(units=1, activation="leaky_relu", slope=0.1),
    "ELU": Dense(units=1, activation="elu"),
    "swish": Dense(units=1, activation="swish"),
}
Z = np.linspace(-4, 4, 161)
PLACES = np.array([-2.0, -0.5, 0.5, 2.0])
WIDTHS = (2, 4, 3, 1)
"""Of a stack of linear layers, inputs first."""
LINEAR_STEPS = 2_000
MATRIX_X, MATRIX_W = np.array([[1, 2]]), np.array([[1, 2, 3], [4, 5, 6]])
"""The post's example of a matrix product."""
TARGET = np.array([0.0, 1.0, 0.0])
GUESSES = {"good": np.array([0.1, 0.8, 0.1]), "bad": np.array([0.8, 0.1, 0.1])}


def activations(material: Material) -> Shown:
    """Return item 27: eight functions."""
    charts = [small_curve(name, Z, activate(layer, Z), (-1.5, 4)) for name, layer in _each()]
    rows = [
        (name, *(decimals(value, 3) for value in activate(layer, PLACES).tolist()))
        for name, layer in _each()
    ]
    headings = ("", *(f"f({place:g})" for place in PLACES))
    numbers = {
        "count": str(len(ACTIVATIONS)),
        "sigmoid": decimals(float(activate(ACTIVATIONS["sigmoid"], PLACES)[-1]), 3),
        "relu": f"{float(activate(ACTIVATIONS['ReLU'], PLACES)[-1]):g}",
    }
    return Shown(numbers, [*charts, table("", headings, rows)])


def derivatives(material: Material) -> Shown:
    """Return item 28: their derivatives, held against differences."""
    charts = [small_curve(f"{name}'", Z, slope(layer, Z), (-0.3, 1.3)) for name, layer in _each()]
    rows = [
        (name, *(decimals(value, 3) for value in slope(layer, PLACES).tolist()))
        for name, layer in _each()
    ]
    nudge = 1e-6
    differences = [
        (activate(layer, PLACES + nudge) - activate(layer, PLACES - nudge)) / (2 * nudge)
        - slope(layer, PLACES)
        for _, layer in _each()
    ]
    numbers = {
        "sigmoid": f"{float(slope(ACTIVATIONS['sigmoid'], Z).max()):g}",
        "tanh": f"{float(slope(ACTIVATIONS['tanh'], Z).max()):g}",
        "layers": str(len(WIDTHS) + 1),
        "product": significant(float(slope(ACTIVATIONS["sigmoid"], Z).max()) ** (len(WIDTHS) + 1)),
        "difference": significant(float(np.abs(differences).max()), 1),
    }
    headings = ("", *(f"f'({place:g})" for place in PLACES))
    return Shown(numbers, [*charts, table("", headings, rows)])


def stacked_linear(material: Material) -> Shown:
    """Return item 29: three linear layers and the one that does the same; and XOR by such."""
    random = np.random.default_rng(0)
    layers = [
        (random.normal(size=(inputs, units)), random.normal(size=units))
        for inputs, units in itertools.pairwise(WIDTHS)
    ]
    X = BITS.astype(np.float64)
    stacked, W, b = X, np.eye(WIDTHS[0]), np.zeros(WIDTHS[0])
    for of_layer, biases in layers:
        stacked = stacked @ of_layer + biases
        W, b = W @ of_layer, b @ of_layer + biases
    rows = [
        (f"({x1:g}, {x2:g})", decimals(float(deep[0]), 6), decimals(float(single[0]), 6))
        for (x1, x2), deep, single in zip(BITS.tolist(), stacked, X @ W + b, strict=True)
    ]
    protocol = material.claim("P02-linear").protocol
    assert protocol is not None
    run = material.train(protocol, steps=LINEAR_STEPS)
    numbers = {
        "layers": str(len(layers)),
        "difference": significant(float(np.abs(stacked - (X @ W + b)).max()), 1),
        "loss": decimals(float(run.losses[-1]), 6),
        "log_two": decimals(float(np.log(2)), 6),
        "steps": count(LINEAR_STEPS),
    }
    headings = ("(x1, x2)", material["three_layers"], material["their_product"])
    return Shown(numbers, [table("", headings, rows)])


def linear_learns(material: Material) -> Shown:
    """Return item 30: back-propagation through linear layers lowers the loss."""
    layers = [{"units": 2, "activation": "identity"}, {"units": 1, "activation": "identity"}]
    experiment = changed("and", network__layers=layers)
    run = material.train(experiment, steps=LINEAR_STEPS)
    step = work_through(experiment, 0, 1)
    assert step.training is not None
    gradient, _ = step.training.gradients[0]
    chart = line_chart(
        material["loss"],
        [Line.over_steps("2-2-1", run.losses)],
        material["step"],
        material["loss"],
    )
    numbers = {
        "gradient": ", ".join(decimals(value) for value in gradient.ravel().tolist()),
        "first": decimals(float(run.losses[0])),
        "last": decimals(float(run.losses[-1])),
        "accuracy": decimals(run.accuracy()),
        "steps": count(LINEAR_STEPS),
    }
    return Shown(numbers, [chart])


def shapes(material: Material) -> Shown:
    """Return item 31: a product of matrices, and its shapes."""
    product = MATRIX_X @ MATRIX_W
    lines = (
        f"X = {MATRIX_X.tolist()}",
        f"W = {MATRIX_W.tolist()}",
        f"X W = {product.tolist()}",
        "",
        f"X {MATRIX_X.shape}  W {MATRIX_W.shape}  ->  X W {product.shape}",
    )
    numbers = {
        "x": str(MATRIX_X.shape),
        "w": str(MATRIX_W.shape),
        "product": str(product.shape),
        "inner": str(MATRIX_W.shape[0]),
        "values": ", ".join(map(str, product[0].tolist())),
    }
    return Shown(numbers, [Board("", lines)])


def words_of_the_field(material: Material) -> Shown:
    """Return item 32: how many words the glossary explains."""
    return Shown({"terms": str(len(texts.glossary()))})


def forward_pass(material: Material) -> Shown:
    """Return item 33: three layers with fixed weights, every z and a."""
    number = material.claim("C10").numbers[0]
    step = work_through(material.claim("C10").protocol or changed("fixed-forward"), 0, 1)
    outputs = step.values[-1][0]
    numbers = {
        "outputs": ", ".join(decimals(value, number.decimals) for value in outputs.tolist()),
        "published": number.published,
    }
    return Shown(numbers, [Board("samestep step fixed-forward", tuple(lines_of(step, rows=1)))])


def losses_by_hand(material: Material) -> Shown:
    """Return item 34: squared error and cross-entropy, number by number, and by the harness."""
    squared_loss = MeanSquaredError(
        name="mean_squared_error", half=False, batch="mean", outputs="mean"
    )
    crossed_loss = SoftmaxCrossEntropy(name="softmax_cross_entropy", batch="mean")
    numbers: dict[str, str] = {}
    rows, differences = [], []
    for name, p in GUESSES.items():
        squares = (p - TARGET) ** 2
        terms = -TARGET * np.log(p)
        squared, crossed = float(squares.mean()), float(terms.sum())
        rows += [
            (f"{material[name]}: p", *(decimals(value, 2) for value in p.tolist()), ""),
            ("(p - t)^2", *(decimals(value) for value in squares.tolist()), decimals(squared)),
            ("-t log p", *(decimals(value) for value in terms.tolist()), decimals(crossed)),
        ]
        numbers |= {f"{name}_squared": decimals(squared), f"{name}_crossed": decimals(crossed)}
        differences += [
            squared - loss_of(p[np.newaxis], TARGET[np.newaxis], squared_loss),
            crossed - loss_of(np.log(p)[np.newaxis], np.array([TARGET.argmax()]), crossed_loss),
        ]
    numbers["difference"] = significant(float(np.abs(differences).max()), 1)
    numbers["target"] = ", ".join(f"{value:g}" for value in TARGET)
    headings = ("", "1", "2", "3", material["loss"])
    return Shown(numbers, [table("", headings, rows)])


def _each() -> list[tuple[str, Dense]]:
    return list(ACTIVATIONS.items())


ITEMS: dict[int, Item] = {
    27: activations,
    28: derivatives,
    29: stacked_linear,
    30: linear_learns,
    31: shapes,
    32: words_of_the_field,
    33: forward_pass,
    34: losses_by_hand,
}
