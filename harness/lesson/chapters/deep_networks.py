"""Items 43 to 48: vanishing gradients, starts, ReLU, and MNIST in three libraries."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.experiment.model import Experiment
from harness.lesson.chapters.first_digits import claims_table, earlier_accuracies
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import Board, Shown, count, decimals, significant, table
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import changed
from harness.lesson.worked_step import work_through

CODE = Path(__file__).parents[1] / "code"
DEPTH, WIDTH = 7, 32
START_STEPS, ACTIVATION_STEPS = 150, 450
SOFTMAX_STEPS, DEEP_STEPS = 600, 150
ONE_LAYER = ("C03", "C04", "C02")
DEEP = ("C05", "C06")
LOOPS = {
    "TensorFlow 1.15": "tensorflow_session.py.txt",
    "Keras": "keras_fit.py.txt",
    "NumPy": "numpy_loop.py.txt",
}


def gradient_by_layer(material: Material) -> Shown:
    """Return item 43: the size of dW in every layer at the first step."""
    lines, numbers = [], {"layers": str(DEPTH + 1)}
    for activation, start in (("sigmoid", "glorot_normal"), ("relu", "he_normal")):
        step = work_through(_deep(activation, start), 0, 1)
        assert step.training is not None
        sizes = [float(np.sqrt(np.mean(dW**2))) for dW, _ in step.training.gradients]
        places = np.arange(1, len(sizes) + 1, dtype=np.float64)
        lines.append(Line(activation, places, np.array(sizes)))
        numbers[activation] = significant(sizes[0] / sizes[-1], 2)
    chart = line_chart(
        material["gradient_by_layer"],
        lines,
        material["layer"],
        "rms(dW)",
        logarithmic=True,
        marks=True,
    )
    return Shown(numbers, [chart])


def starts(material: Material) -> Shown:
    """Return item 44: N(0, 1), Xavier and He beside each other."""
    weights: dict[str, dict[str, object]] = {
        "N(0, 1)": {"name": "normal", "std": 1.0},
        "Xavier: N(0, 1) / sqrt(n)": {"name": "lecun_normal"},
        "He: N(0, 1) / sqrt(n / 2)": {"name": "he_normal"},
    }
    lines, rows, numbers = [], [], {"steps": count(START_STEPS)}
    for (name, start), key in zip(weights.items(), ("normal", "xavier", "he"), strict=True):
        experiment = _deep("relu", start, depth=3)
        values = work_through(experiment, 0, 1).values
        run = material.train(experiment, steps=START_STEPS)
        spreads = [significant(float(of_layer.std()), 2) for of_layer in values]
        accuracy = decimals(run.accuracy())
        rows.append((name, *spreads, accuracy))
        lines.append(Line.over_steps(name, run.losses))
        numbers[key] = accuracy
        numbers[f"{key}_loss"] = significant(float(run.losses[0]), 3)
    headings = ("", "a1", "a2", "a3", "z4", material["test_accuracy"])
    chart = line_chart(
        material["loss_by_start"], lines, material["step"], material["loss"], logarithmic=True
    )
    return Shown(numbers, [chart, table(material["deviation"], headings, rows)])


def sigmoid_to_relu(material: Material) -> Shown:
    """Return item 45: the same network with sigmoids and with ReLU."""
    lines, numbers = [], {"steps": count(ACTIVATION_STEPS)}
    for activation, variant in (("sigmoid", ""), ("relu", "relu")):
        run = material.train(material.protocol("P02-activations", variant), steps=ACTIVATION_STEPS)
        lines.append(Line.over_steps(activation, run.losses))
        numbers[activation] = decimals(run.accuracy())
    chart = line_chart(material["loss"], lines, material["step"], material["loss"])
    return Shown(numbers, [chart])


def one_layer_in_libraries(material: Material) -> Shown:
    """Return item 46: three numbers of one network, and why they differ."""
    normal = {"name": "normal", "std": 1.0}
    adam = _adam(0.1)
    variants = {
        "zeros": changed("mnist-softmax"),
        "normal": changed(
            "mnist-softmax", initializers__weights=normal, initializers__biases=normal
        ),
        "adam": changed("mnist-softmax", training__optimizer=adam),
    }
    numbers = {"steps": count(SOFTMAX_STEPS)}
    for name, experiment in variants.items():
        numbers[name] = decimals(material.train(experiment, steps=SOFTMAX_STEPS).accuracy())
    numbers |= _published(material, ONE_LAYER)
    rows = [(material[f"start_{name}"], numbers[name]) for name in variants]
    headings = (material["softmax_on_this_page"], material["test_accuracy"])
    return Shown(numbers, [claims_table(material, ONE_LAYER), table("", headings, rows)])


def deep_in_libraries(material: Material) -> Shown:
    """Return item 47: three hidden layers of ReLU."""
    runs = {
        "Adam": material.train("mnist-deep", steps=DEEP_STEPS),
        "SGD": material.train(
            changed("mnist-deep", training__optimizer={"name": "sgd", "learning_rate": 0.1}),
            steps=DEEP_STEPS,
        ),
    }
    lines = [Line.over_steps(name, run.losses) for name, run in runs.items()]
    chart = line_chart(material["loss"], lines, material["step"], material["loss"])
    published = [material.claim(name).numbers[0].value for name in DEEP]
    test = material.protocol(DEEP[0]).data.rows[2]
    numbers = {
        "steps": count(DEEP_STEPS),
        "test": count(test),
        "rows": count(round(abs(published[0] - published[1]) * test)),
        "full": count(runs["Adam"].experiment.steps),
        **{name.lower(): decimals(run.accuracy()) for name, run in runs.items()},
        **_published(material, DEEP),
    }
    return Shown(
        numbers, [claims_table(material, DEEP), chart, *earlier_accuracies(material, "mnist-deep")]
    )


def loops_beside_each_other(material: Material) -> Shown:
    """Return item 48: the same loop as three programs."""
    boards = [
        Board(name, tuple((CODE / file).read_text(encoding="utf-8").splitlines()))
        for name, file in LOOPS.items()
    ]
    numbers = {
        name.split()[0].lower(): str(sum(bool(line.strip()) for line in board.lines))
        for name, board in zip(LOOPS, boards, strict=True)
    }
    return Shown(numbers, boards)


def _deep(activation: str, start: str | dict[str, object], depth: int = DEPTH) -> Experiment:
    """Return 8x8 digits with hidden layers of 32, trained by plain steps of 0.1."""
    hidden = [{"units": WIDTH, "activation": activation}] * depth
    weights = {"name": start} if isinstance(start, str) else start
    return changed(
        "digits-mlp",
        network__layers=[*hidden, {"units": 10, "activation": "identity"}],
        initializers__weights=weights,
        training__optimizer={"name": "sgd", "learning_rate": 0.1},
    )


def _adam(rate: float) -> dict[str, object]:
    numbers = {"learning_rate": rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    return {"name": "adam", **numbers, "form": "algorithm_1"}


def _published(material: Material, claims: Sequence[str]) -> dict[str, str]:
    return {
        f"published_{name.lower()}": decimals(material.claim(name).numbers[0].value)
        for name in claims
    }


ITEMS: dict[int, Item] = {
    43: gradient_by_layer,
    44: starts,
    45: sigmoid_to_relu,
    46: one_layer_in_libraries,
    47: deep_in_libraries,
    48: loops_beside_each_other,
}
