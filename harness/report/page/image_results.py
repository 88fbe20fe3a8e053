"""What a network answers to pictures of digits or clothes: confusions, errors, first weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, splits
from harness.data.fetching import DataMissingError
from harness.experiment.data import Data
from harness.experiment.model import Experiment
from harness.report.model import Line, Section
from harness.report.page import png
from harness.report.page.figures import label_of
from harness.report.page.learning_curves import rows_of
from harness.results import Row
from harness.run import Run
from harness.scoring import meaning_of
from harness.trainer import Array

Labels = NDArray[np.int64]
Confusion = tuple[tuple[int, ...], ...]

SIDES = {784: 28, 64: 8}
"""Columns of a dataset of pictures to the side of a picture."""
MOST_WRONG, MOST_UNITS = 10, 20
FEW_PERCENT = 1.0
MOST_DECIMALS = 12
"""How exactly a confidence is said: doubles near 100 have no more decimals."""


@dataclass(frozen=True)
class Wrong:
    """One picture that was confidently taken for another class."""

    picture: str
    row: int
    label: int
    taken_for: int
    confidence: str


@dataclass(frozen=True)
class ImageResults:
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
    confusion: Confusion
    wrong: tuple[Wrong, ...]
    weights: tuple[tuple[int, str], ...]
    units: int


def image_results_of(section: Section, run: Run) -> ImageResults | None:
    """Return the results of the best accuracy, of a proven line if there is any.

    None for an experiment without pictures.
    """
    experiment = section.experiment
    side = _side(experiment.data)
    if side is None or experiment.data.facts.kind != "classes" or experiment.training is None:
        return None
    best = _best(section, run.rows)
    if best is None:
        return None
    line, row = best
    arrays = run.arrays(row.trial)
    missing, confusion, wrong = _confusion_and_wrong(experiment, arrays.get("test_outputs"), side)
    first = arrays.get("first_weights")
    return ImageResults(
        label=f"{label_of(line)}, seed {row.seed}",
        accuracy=f"{row.test_accuracy:.4f}",
        side=side,
        missing=missing,
        confusion=confusion,
        wrong=wrong,
        weights=_weights(first, side),
        units=0 if first is None else first.shape[1],
    )


def _side(data: Data) -> int | None:
    """Return the side of square pictures; None where the inputs are none, or may be none."""
    columns = data.facts.features
    if data.contents is None:
        return SIDES.get(columns)
    side = math.isqrt(columns)
    last = f"[{side - 1},{side - 1}]"  # of an array (rows, side, side)
    return side if side * side == columns and data.contents.inputs[-1].endswith(last) else None


def _best(section: Section, rows: Sequence[Row]) -> tuple[Line, Row] | None:
    with_accuracy = [
        (line, row)
        for line in section.lines
        for row in rows_of(section, line, rows)
        if line.identical and row.test_accuracy is not None
    ]
    return max(
        with_accuracy, key=lambda pair: (pair[0].proven, pair[1].test_accuracy or 0), default=None
    )


def _confusion_and_wrong(
    experiment: Experiment, outputs: Array | None, side: int
) -> tuple[str, Confusion, tuple[Wrong, ...]]:
    """Return why there is nothing to show, or "" with the confusions and the errors."""
    if outputs is None:
        return "the trial left no test outputs", (), ()
    try:
        inputs, labels = test_pictures(experiment.data)
    except DataMissingError as error:
        return str(error), (), ()
    if len(outputs) != len(labels):
        return "the outputs are of other rows", (), ()
    confusion = _confusion(outputs, labels, experiment.data.facts.outputs)
    return "", confusion, _wrong(experiment, outputs, inputs, labels, side)


def test_pictures(data: Data) -> tuple[Array, Labels]:
    """Return raw inputs and labels of the test rows.

    Raises:
        DataMissingError: the dataset is not on this machine.
    """
    source = _raw(data)
    if source.targets is None:
        raise DataMissingError(f"{data.name}: has no labels")
    rows = splits.split(data, source.targets, len(source.inputs), source.train_rows).test
    return source.inputs[rows], np.asarray(source.targets[rows], np.int64)


def _raw(data: Data) -> raw.Raw:
    is_ours = data.dataset is not None and not data.drawn and data.contents is None
    return _dataset(data.dataset) if data.dataset and is_ours else raw.rows_of(data)


@lru_cache(maxsize=2)
def _dataset(dataset: str) -> raw.Raw:
    """Read a dataset once for all experiments on it: MNIST takes a second."""
    return raw.read(dataset)


def _confusion(outputs: Array, labels: Labels, classes: int) -> Confusion:
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, np.asarray(outputs).argmax(axis=1)), 1)
    return tuple(tuple(row) for row in counts.tolist())


def _wrong(
    experiment: Experiment, outputs: Array, inputs: Array, labels: Labels, side: int
) -> tuple[Wrong, ...]:
    """Return the rows that are wrong with the most confidence, worst first."""
    answers = np.asarray(outputs).argmax(axis=1)
    doubts = doubts_of_answers(experiment, outputs)
    rows = np.flatnonzero(answers != labels)
    worst = rows[np.argsort(doubts[rows], kind="stable")][:MOST_WRONG]
    return tuple(
        Wrong(
            picture=png.grey(inputs[row].reshape(side, side)),
            row=int(row),
            label=int(labels[row]),
            taken_for=int(answers[row]),
            confidence=confidence_text(float(doubts[row])),
        )
        for row in worst
    )


def doubts_of_answers(experiment: Experiment, outputs: Array) -> NDArray[np.float64]:
    """Return (rows,) 1 - p of each row's largest output, as exact near 0 as p would be near 1.

    p is the softmax or sigmoid of logits, by the loss; other outputs are taken for p themselves.
    """
    exact = np.asarray(outputs, np.float64)
    largest = exact.max(axis=1)
    if meaning_of(experiment.loss) != "logits":
        return np.asarray(1 - largest)
    if experiment.loss is not None and experiment.loss.name == "binary_cross_entropy":
        return np.asarray(np.exp(-np.logaddexp(0, largest)))
    powers = np.sort(np.exp(exact - largest[:, None]), axis=1)
    others = powers[:, :-1].sum(axis=1)  # without the largest, exp(0), which would swallow them
    return np.asarray(others / (1 + others))


def confidence_text(doubt: float) -> str:
    """`87.3 %`, `99.9982 %`: with two digits of what is left to 100 % where that is little."""
    percent = 100 * doubt
    if not 0 < percent < FEW_PERCENT:
        return f"{100 - percent:.1f} %"
    decimals = min(1 - math.floor(math.log10(percent)), MOST_DECIMALS)
    return f"{100 - percent:.{decimals}f} %"


def _weights(first: Array | None, side: int) -> tuple[tuple[int, str], ...]:
    """Return the units with the largest weights, in their own order."""
    if first is None or first.shape[0] != side * side or not np.isfinite(first).all():
        return ()
    sizes = np.linalg.norm(np.asarray(first, np.float64), axis=0)
    units = np.sort(np.argsort(-sizes, kind="stable")[:MOST_UNITS])
    return tuple((int(u), png.signed(first[:, u].reshape(side, side))) for u in units)
