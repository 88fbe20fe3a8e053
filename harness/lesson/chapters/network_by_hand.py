"""Items 35 to 42: a NumPy network for MNIST, from five images to a whole training."""

import numpy as np
from numpy.typing import NDArray

from harness.experiment.loading import load
from harness.experiment.model import Experiment
from harness.lesson.chapters.first_digits import (
    CLASSES,
    EPOCH,
    MLP_POINTS,
    MLP_STEPS,
    SIDE,
    claims_table,
    earlier_accuracies,
    small_network,
)
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import (
    Picture,
    Pictures,
    Shown,
    Table,
    count,
    decimals,
    shape_text,
    significant,
    table,
)
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import OracleRun, changed
from harness.lesson.worked_step import Training, WorkedStep, work_through
from harness.parity.functions import Floats, softmax
from harness.parity.trace import prepared_of
from harness.report.page import png

FIRST_UNITS = 8
SCALED_STEPS, NEAR_LIMIT = 100, 0.5
"""Of the trainings on scaled inputs, and the part of the largest rate that they have."""


def shapes(material: Material) -> Shown:
    """Return item 35: shapes of every array, and outputs of the first layer."""
    step, _ = _first_step()
    (W1, b1), (W2, b2) = step.before
    arrays = {
        "X": step.inputs,
        "W1": W1,
        "b1": b1,
        "z1 = X W1 + b1": step.sums[0],
        "a1 = sigmoid(z1)": step.values[0],
        "W2": W2,
        "b2": b2,
        "z2 = a1 W2 + b2": step.sums[1],
    }
    rows = [(name, shape_text(values)) for name, values in arrays.items() if values is not None]
    outputs = [
        (str(row + 1), *(decimals(value) for value in values[:FIRST_UNITS].tolist()))
        for row, values in enumerate(step.sums[0])
    ]
    headings = (material["image"], *(f"z1[{unit}]" for unit in range(FIRST_UNITS)))
    numbers = {
        "x": shape_text(step.inputs),
        "w": shape_text(W1),
        "z": shape_text(step.sums[0]),
        "shown": str(FIRST_UNITS),
    }
    return Shown(
        numbers,
        [
            table("", (material["array"], material["shape"]), rows),
            table(material["first_outputs"], headings, outputs),
        ],
    )


def softmax_rows(material: Material) -> Shown:
    """Return item 36: what the untrained network answers to the five images."""
    step, training = _first_step()
    answers = softmax(step.values[-1])
    labels = np.asarray(training.targets)
    right = answers[np.arange(len(labels)), labels]
    numbers = {
        "classes": str(CLASSES),
        "sums": ", ".join(f"{value:g}" for value in answers.sum(axis=1).round(12).tolist()),
        "even": decimals(1 / CLASSES, 2),
        "right": ", ".join(decimals(value) for value in right.tolist()),
    }
    pictures = tuple(
        Picture(png.grey(image.reshape(SIDE, SIDE)), str(label))
        for image, label in zip(step.inputs, labels.tolist(), strict=True)
    )
    return Shown(numbers, [Pictures("", pictures), _answers(material, answers, labels)])


def cross_entropy(material: Material) -> Shown:
    """Return item 37: the loss of the five images, one by one."""
    step, training = _first_step()
    answers, labels = softmax(step.values[-1]), np.asarray(training.targets)
    right = answers[np.arange(len(labels)), labels]
    onehot = np.eye(CLASSES)[labels]
    rows = [
        (
            str(label),
            " ".join(f"{value:.0f}" for value in hot),
            decimals(p),
            decimals(-float(np.log(p))),
        )
        for label, hot, p in zip(labels.tolist(), onehot.tolist(), right.tolist(), strict=True)
    ]
    numbers = {
        "loss": decimals(training.loss, 6),
        "mean": decimals(float(-np.log(right).mean()), 6),
        "guessing": decimals(float(np.log(CLASSES)), 6),
        "classes": str(CLASSES),
    }
    headings = (material["label"], material["one_hot"], "p", "-log p")
    return Shown(numbers, [table("", headings, rows)])


def gradients(material: Material) -> Shown:
    """Return item 38: dy, dW2, dW1 with their shapes, and the slip of the post."""
    step, training = _first_step()
    (W2, _), (d1, d2) = step.before[1], training.deltas
    (dW1, db1), (dW2, db2) = training.gradients
    da1 = d2 @ W2.T
    slip = da1.sum(axis=0)
    arrays = {
        "dy = (p - t) / n": d2,
        "dW2 = a1^T dy": dW2,
        "db2": db2,
        "da1 = dy W2^T": da1,
        "dz1 = da1 a1 (1 - a1)": d1,
        "dW1 = X^T dz1": dW1,
        "db1": db1,
    }
    rows = [
        (name, shape_text(values), significant(float(np.linalg.norm(values))))
        for name, values in arrays.items()
        if values is not None
    ]
    first = [
        (str(row + 1), *(decimals(value) for value in values.tolist()))
        for row, values in enumerate(d2)
    ]
    assert db1 is not None
    numbers = {
        "sums": significant(float(np.abs(d2.sum(axis=1)).max()), 1),
        "rows": str(len(step.inputs)),
        "slip": decimals(float(np.linalg.norm(slip) / np.linalg.norm(db1)), 1),
    }
    headings = (material["array"], material["shape"], material["norm"])
    return Shown(
        numbers,
        [
            table("", headings, rows),
            table("dy", (material["image"], *map(str, range(CLASSES))), first),
        ],
    )


def five_steps(material: Material) -> Shown:
    """Return item 39: the answers move towards the labels."""
    run = _five(material)
    part = prepared_of(run.experiment).train
    labels = np.asarray(part.labels)
    steps = range(run.experiment.steps + 1)
    right = np.array(
        [run.probabilities(part.inputs, step)[np.arange(len(labels)), labels] for step in steps]
    )
    losses = -np.log(right).mean(axis=1)
    rows = [
        (str(step), *(decimals(p) for p in right[step].tolist()), decimals(float(losses[step])))
        for step in steps
    ]
    headings = (
        material["after_step"],
        *(f"p({label})" for label in labels.tolist()),
        material["loss"],
    )
    shades = np.hstack([right, np.zeros((len(right), 1))])
    numbers = {
        "steps": str(run.experiment.steps),
        "first": decimals(float(losses[0])),
        "last": decimals(float(losses[-1])),
        "mean_first": decimals(float(right[0].mean())),
        "mean_last": decimals(float(right[-1].mean())),
    }
    end = run.probabilities(part.inputs)
    return Shown(numbers, [table("", headings, rows, shades), _answers(material, end, labels)])


def long_training(material: Material) -> Shown:
    """Return item 40: the whole training, as far as this page or an earlier run went."""
    run = small_network(material)
    number = material.claim("C31").numbers[0]
    protocol = load("mnist-mlp")
    numbers = {
        "steps": count(protocol.steps),
        "epochs": decimals(protocol.steps / protocol.steps_per_epoch, 1),
        "done": count(MLP_STEPS),
        "accuracy": decimals(run.accuracy()),
        "low": f"{number.low:g}",
        "high": f"{number.high:g}",
    }
    claim = claims_table(material, ["C31"])
    return Shown(numbers, [claim, *earlier_accuracies(material, "mnist-mlp")])


def both_accuracies(material: Material) -> Shown:
    """Return item 41: training and test accuracy by epoch."""
    curve = material.earlier.accuracy_curve("mnist-mlp")
    if curve is not None:
        row, steps, train, test = curve
        source = f"{row.framework} {row.loop}"
    else:
        run = small_network(material)
        points = (0, *MLP_POINTS, MLP_STEPS)
        steps = np.array(points, np.float64)
        train = np.array([run.accuracy("train", step) for step in points])
        test = np.array([run.accuracy("test", step) for step in points])
        source = material["oracle"]
    epochs = steps / EPOCH
    lines = [
        Line(material["train_accuracy"], epochs, train),
        Line(material["test_accuracy"], epochs, test),
    ]
    chart = line_chart(
        source, lines, material["epoch"], material["accuracy"], marks=len(epochs) <= 20
    )
    numbers = {
        "epochs": f"{epochs[-1]:g}",
        "train": decimals(float(train[-1])),
        "test": decimals(float(test[-1])),
        "gap": decimals(float(abs(train[-1] - test[-1]))),
    }
    return Shown(numbers, [chart])


def scalings(material: Material) -> Shown:
    """Return item 42: normalised and standardised inputs, and what training makes of them."""
    rows, lines, numbers = [], [], {"steps": count(SCALED_STEPS)}
    for scale in ("none", "min_max", "standardize"):
        rate = NEAR_LIMIT * 2 / _curvature_of(changed("diabetes-linear", data__scale=scale))
        experiment = changed(
            "diabetes-linear",
            data__scale=scale,
            training__optimizer={"name": "sgd", "learning_rate": float(f"{rate:.3g}")},
        )
        run = material.train(experiment, steps=SCALED_STEPS)
        column = np.asarray(prepared_of(run.experiment).train.inputs, np.float64)[:, 0]
        facts = column.min(), column.max(), column.mean(), column.std()
        texts = [decimals(float(fact), 3) for fact in facts]
        rows.append((material[scale], *texts, significant(rate)))
        lines.append(Line.over_steps(material[scale], run.losses))
        numbers[scale] = count(round(float(run.losses[-1])))
        if scale == "standardize":
            numbers["beyond"] = str(int((np.abs(column) > 2).sum()))
            numbers["rows"] = str(len(column))
    headings = (
        material["first_column"],
        "min",
        "max",
        material["mean"],
        material["deviation"],
        material["rate"],
    )
    chart = line_chart(
        material["loss"], lines, material["step"], material["loss"], logarithmic=True
    )
    return Shown(numbers, [table("", headings, rows), chart])


def _curvature_of(experiment: Experiment) -> float:
    """Return the largest curvature of the mean squared error of a linear network.

    The Hessian is 2 X^T X / n, X with a column of ones for the bias; gradient descent converges
    for rates below 2 / curvature.
    """
    X = np.asarray(prepared_of(experiment).train.inputs, np.float64)
    with_ones = np.hstack([X, np.ones((len(X), 1))])
    return float(np.linalg.eigvalsh(2 * with_ones.T @ with_ones / len(X))[-1])


def _first_step() -> tuple[WorkedStep, Training]:
    step = work_through(load("mnist-five"), 0, 1)
    assert step.training is not None
    return step, step.training


def _five(material: Material) -> OracleRun:
    return material.train("mnist-five", keep=range(1, 5))


def _answers(material: Material, answers: Floats, labels: NDArray[np.integer]) -> Table:
    """Return softmax rows, the larger the darker."""
    texts = [
        (f"{row + 1}: {label}", *(decimals(p, 3) for p in of_row.tolist()))
        for row, (label, of_row) in enumerate(zip(labels.tolist(), answers, strict=True))
    ]
    headings = (material["image_and_label"], *map(str, range(CLASSES)))
    return table("softmax", headings, texts, answers)


ITEMS: dict[int, Item] = {
    35: shapes,
    36: softmax_rows,
    37: cross_entropy,
    38: gradients,
    39: five_steps,
    40: long_training,
    41: both_accuracies,
    42: scalings,
}
