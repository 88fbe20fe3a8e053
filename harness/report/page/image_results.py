"""What a network says of pictures of digits or clothes: confusions, errors, first weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, splits
from harness.data.fetching import DataMissingError
from harness.experiment.data import Data
from harness.experiment.model import Experiment
from harness.report.page import png as pictures
from harness.report.page.figures import label_of
from harness.report.page.learning_curves import Arrays, rows_of
from harness.report.section_table import Section
from harness.report.sections import Line
from harness.results import Row
from harness.scoring import sigmoid
from harness.trainer import Array

SIDES = {784: 28, 64: 8}
"""Columns of a dataset of pictures to their side."""
MOST_WRONG, MOST_UNITS = 10, 20


@dataclass(frozen=True)
class Wrong:
    """One picture that was confidently taken for another class."""

    picture: str
    row: int
    label: int
    taken_for: int
    confidence: str


@dataclass(frozen=True)
class Images:
    """What one trial's test outputs and first weights show.

    Args:
        label, accuracy: of the trial.
        missing: why there are no confusions and errors; "" where there are.
        confusion: (classes, classes) counts, rows the true class; empty where missing.
        weights: (unit, data URI).
        units: how many units the first layer has.
    """

    label: str
    accuracy: str
    side: int
    missing: str
    confusion: tuple[tuple[int, ...], ...]
    wrong: tuple[Wrong, ...]
    weights: tuple[tuple[int, str], ...]
    units: int


def images_of(section: Section, rows: Sequence[Row], arrays: Arrays) -> Images | None:
    """Of the line with the best test accuracy, a proven one if there is any.

    None for an experiment without pictures.
    """
    experiment = section.experiment
    side = SIDES.get(experiment.data.facts.features)
    if side is None or experiment.data.facts.kind != "classes" or experiment.training is None:
        return None
    chosen = _best(section, rows)
    if chosen is None:
        return None
    line, row = chosen
    found = arrays(row.trial)
    outputs, first = found.get("test_outputs"), found.get("first_weights")
    confusion: tuple[tuple[int, ...], ...] = ()
    wrong: tuple[Wrong, ...] = ()
    missing = "the trial left no test outputs"
    if outputs is not None:
        try:
            inputs, labels = test_pictures(experiment.data)
        except DataMissingError as error:
            missing = str(error)
        else:
            missing = "" if len(outputs) == len(labels) else "the outputs are of other rows"
            if not missing:
                confusion = _confusion(outputs, labels, experiment.data.facts.outputs)
                wrong = _wrong(experiment, outputs, inputs, labels, side)
    return Images(
        f"{label_of(line)}, seed {row.seed}", f"{row.test_accuracy:.4f}", side, missing,
        confusion, wrong, _weights(first, side),
        0 if first is None else first.shape[1],
    )  # fmt: skip


def _best(section: Section, rows: Sequence[Row]) -> tuple[Line, Row] | None:
    found = [
        (line, row)
        for line in section.lines
        for row in rows_of(section, line, rows)
        if line.track == "identical" and row.test_accuracy is not None
    ]
    return max(found, key=lambda pair: (pair[0].proven, pair[1].test_accuracy or 0), default=None)


def test_pictures(data: Data) -> tuple[Array, NDArray[np.int64]]:
    """Raw inputs and labels of the test rows.

    Raises:
        DataMissingError: the dataset is not on this machine.
    """
    source = _raw(data.dataset)
    if source.targets is None:
        raise DataMissingError(f"{data.dataset}: has no labels")
    rows = splits.split(data, source.targets, len(source.inputs), source.train_rows).test
    return source.inputs[rows], np.asarray(source.targets[rows], np.int64)


@lru_cache(maxsize=2)
def _raw(dataset: str) -> raw.Raw:
    """Read once for all experiments on a dataset: MNIST takes a second."""
    return raw.read(dataset)


def _confusion(
    outputs: Array, labels: NDArray[np.int64], classes: int
) -> tuple[tuple[int, ...], ...]:
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, np.asarray(outputs).argmax(axis=1)), 1)
    return tuple(tuple(row) for row in counts.tolist())


def _wrong(
    experiment: Experiment, outputs: Array, inputs: Array, labels: NDArray[np.int64], side: int
) -> tuple[Wrong, ...]:
    """The rows that are wrong with the most confidence, worst first."""
    confidence = confidences(experiment, outputs)
    taken = np.asarray(outputs).argmax(axis=1)
    of_taken = confidence[np.arange(len(taken)), taken]
    rows = np.flatnonzero(taken != labels)
    worst = rows[np.argsort(-of_taken[rows], kind="stable")][:MOST_WRONG]
    return tuple(
        Wrong(
            pictures.grey(inputs[row].reshape(side, side)), int(row), int(labels[row]),
            int(taken[row]), f"{of_taken[row]:.1%}",
        )
        for row in worst
    )  # fmt: skip


def confidences(experiment: Experiment, outputs: Array) -> NDArray[np.float64]:
    """Outputs as shares: softmax or sigmoid of logits, by the loss; values as they are."""
    exact = np.asarray(outputs, np.float64)
    if experiment.loss is None or experiment.loss.name == "mean_squared_error":
        return exact
    if experiment.loss.name == "binary_cross_entropy":
        return np.asarray(sigmoid(exact))
    grown = np.exp(exact - exact.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _weights(first: Array | None, side: int) -> tuple[tuple[int, str], ...]:
    """The units with the largest weights, in their own order."""
    if first is None or first.shape[0] != side * side or not np.isfinite(first).all():
        return ()
    sizes = np.linalg.norm(np.asarray(first, np.float64), axis=0)
    units = np.sort(np.argsort(-sizes, kind="stable")[:MOST_UNITS])
    return tuple((int(u), pictures.signed(first[:, u].reshape(side, side))) for u in units)
