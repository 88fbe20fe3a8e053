"""Planes of a trained network: of its inputs, of its features, and of its hidden units."""

import numpy as np
from numpy.typing import NDArray

from harness.data.raw import BITS
from harness.lesson.drawing import Plane
from harness.lesson.oracle_run import OracleRun
from harness.parity.trace import prepared_of
from harness.report.page import boundaries, png

HIDDEN_SPAN = (-0.1, 1.1)
"""Outputs of sigmoids lie between 0 and 1."""
CORNERS = tuple(f"{x1:g}{x2:g}" for x1, x2 in BITS.tolist())


def of_answers(run: OracleRun, title: str, with_line: bool = True) -> Plane:
    """Return what a network answers to every point of the inputs, and perhaps its boundary."""
    points = boundaries.plane()
    answers = run.probabilities(boundaries.features(run.experiment.data, points))
    return Plane(
        title,
        BITS.astype(np.float64),
        _labels(run),
        picture=_picture(answers[:, 0]),
        line=boundary_of(run) if with_line else None,
    )


def of_features(run: OracleRun, title: str, axes: tuple[str, str]) -> Plane:
    """Return what a network of two features answers to every point of their plane."""
    answers = run.probabilities(boundaries.plane())
    features = np.asarray(prepared_of(run.experiment).train.inputs, np.float64)
    return Plane(
        title,
        features,
        _labels(run),
        picture=_picture(answers[:, 0]),
        line=boundary_of(run),
        axes=axes,
    )


def of_hidden_units(run: OracleRun, step: int, title: str) -> Plane:
    """Return the rows in the plane of two hidden units, and the output's boundary there."""
    inputs = np.asarray(prepared_of(run.experiment).train.inputs, np.float64)
    _, (hidden, *_) = run.network(step).layer_outputs(inputs)
    W2, b2 = run.parameters[step][1]
    assert b2 is not None
    return Plane(
        title,
        hidden,
        _labels(run),
        line=(float(W2[0, 0]), float(W2[1, 0]), float(b2[0])),
        axes=("a1", "a2"),
        labels=CORNERS,
        span=HIDDEN_SPAN,
    )


def boundary_of(run: OracleRun) -> tuple[float, float, float]:
    """Return (w1, w2, b) of a network of one layer with two inputs and one output."""
    (W, b), *_ = run.last
    assert b is not None
    return float(W[0, 0]), float(W[1, 0]), float(b[0])


def _labels(run: OracleRun) -> NDArray[np.integer]:
    labels = prepared_of(run.experiment).train.labels
    assert labels is not None
    return np.asarray(labels)


def _picture(answers: NDArray[np.floating]) -> str:
    side = boundaries.SIDE
    return png.shares(np.asarray(answers, np.float64).reshape(side, side))
