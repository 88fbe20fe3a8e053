"""Learning curves of a section: medians over seeds, thinned to what a chart can show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.experiment.vocabulary import Status
from harness.report.model import Line, Section
from harness.results import Row
from harness.run import Run
from harness.trainer import Array

Arrays = Callable[[str], Mapping[str, Array]]
"""Trial to its stored arrays; empty where it stored none."""

MOST_POINTS = 60
ENOUGH_POINTS = 10
"""With fewer evaluation points, the losses of the batches show more."""
MOST_TRIALS = 20
"""Medians are of the first trials of a line. More would change a median little."""


@dataclass(frozen=True)
class Curves:
    """The curves of one line, one value per evaluation point.

    Args:
        steps: of training until the point.
        seconds: likewise; None where no times were measured.
        values: name of a score to its values; NaN where there is none.
        trials: how many trials the medians are of.
        proven: whether the line computes what the protocol says.
    """

    framework: str
    loop: str
    steps: NDArray[np.int64]
    seconds: NDArray[np.float64] | None
    values: Mapping[str, NDArray[np.float64]]
    trials: int
    proven: bool


@dataclass(frozen=True)
class BatchLosses:
    """Medians of the losses of single batches, stretch by stretch; `steps` are the middles."""

    framework: str
    loop: str
    steps: NDArray[np.int64]
    losses: NDArray[np.float64]
    proven: bool

    def as_curves(self) -> Curves:
        return Curves(
            self.framework, self.loop, self.steps, None, {"loss": self.losses}, 1, self.proven
        )


def batch_losses_of(section: Section, run: Run) -> list[BatchLosses]:
    """Return the batch losses of the first trial of each line.

    There are none where evaluation points are many or steps few.
    """
    if len(section.experiment.evaluation_points) >= ENOUGH_POINTS:
        return []
    batch_losses = []
    for line in filter(lambda line: line.identical, section.lines):
        rows = rows_of(section, line, run.rows)
        losses = run.arrays(rows[0].trial).get("loss") if rows else None
        if losses is not None and losses.ndim == 1 and len(losses) >= MOST_POINTS:
            batch_losses.append(_in_stretches(line, losses))
    return batch_losses


def _in_stretches(line: Line, losses: Array) -> BatchLosses:
    edges = np.linspace(0, len(losses), MOST_POINTS + 1).astype(np.int64)
    stretches = np.split(losses.astype(np.float64), edges[1:-1])
    middles = (edges[:-1] + edges[1:]) // 2 + 1
    medians = np.array([np.median(stretch) for stretch in stretches])
    return BatchLosses(line.framework, line.loop, middles, medians, line.proven)


def curves_of(section: Section, run: Run) -> list[Curves]:
    """Return the curves of every line of the identical track that has at least two points.

    A command has one if its program handed back parameters at all evaluation points: a line from
    step 2 to the last would show what never was.
    """
    score = "test_loss" if section.measure.is_loss else "test_accuracy"
    all_curves = []
    for line in filter(lambda line: line.identical, section.lines):
        rows = rows_of(section, line, run.rows)
        if line.command:
            rows = [row for row in rows if _has_all_points(run.arrays(row.trial), section)]
        curves = _curves(line, rows, run.arrays, ("train_loss", score))
        if curves is not None:
            all_curves.append(curves)
    return all_curves


def _has_all_points(arrays: Mapping[str, Array], section: Section) -> bool:
    return set(section.experiment.evaluation_points) <= set(arrays.get("step", np.zeros(0)))


def rows_of(section: Section, line: Line, rows: Sequence[Row]) -> list[Row]:
    """Return the rows with a result that a line stands for, by seed and repeat."""
    key = section.experiment.name, line.framework, line.loop, line.track, line.device, line.threads
    matching = [
        row
        for row in rows
        if row.status == Status.OK
        and key == (row.experiment, row.framework, row.loop, row.track, row.device, row.threads)
        and section.machine in ("", row.machine)
    ]
    return sorted(matching, key=lambda row: (row.seed, row.repeat))


def _curves(
    line: Line, rows: Sequence[Row], arrays: Arrays, scores: Sequence[str]
) -> Curves | None:
    stored = [arrays(row.trial) for row in rows[:MOST_TRIALS]]
    timed = ("train_s",) if any("train_s" in of_trial for of_trial in stored) else ()
    names = ("step", *scores, *timed)
    whole = [[of_trial[name] for name in names] for of_trial in stored if _whole(of_trial, names)]
    if not whole:
        return None
    alike = [curves for curves in whole if np.array_equal(curves[0], whole[0][0])]
    steps = np.asarray(alike[0][0])
    if len(steps) < 2:
        return None
    points = thinned(len(steps), MOST_POINTS)
    _, *of_names = zip(*alike, strict=True)
    values = [np.median(curves, axis=0)[points] for curves in of_names]
    return Curves(
        framework=line.framework,
        loop=line.loop,
        steps=steps[points].astype(np.int64),
        seconds=values.pop() if timed else None,
        values=dict(zip(scores, values, strict=True)),
        trials=len(alike),
        proven=line.proven,
    )


def _whole(arrays: Mapping[str, Array], names: Sequence[str]) -> bool:
    """Whether all these curves are there, and of one length."""
    return all(name in arrays for name in names) and len({arrays[n].shape for n in names}) == 1


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the indices 0 to count - 1, evenly, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
