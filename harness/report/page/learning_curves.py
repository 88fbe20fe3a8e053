"""Learning curves of a section: medians over seeds, thinned to what a chart can show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.report.section_table import Section
from harness.report.sections import Line
from harness.results import Row
from harness.trainer import Array

Arrays = Callable[[str], Mapping[str, Array]]
"""Trial to the arrays it left; empty where it left none."""

MOST_POINTS = 60
ENOUGH_POINTS = 10
"""With fewer evaluation points, the batches' own losses show more."""
MOST_TRIALS = 20
"""Of the trials of a line, so many are read: a median of twenty moves little."""


@dataclass(frozen=True)
class Series:
    """The curves of one line, one value per evaluation point.

    Args:
        steps, seconds: of training until the point.
        values: name of a score to its values; NaN where there is none.
        trials: how many trials the medians are of.
        proven: whether the line computes what the protocol says.
    """

    framework: str
    loop: str
    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
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


def batch_losses_of(section: Section, rows: Sequence[Row], arrays: Arrays) -> list[BatchLosses]:
    """Of lines with few evaluation points and enough steps, the first seed's trial of each."""
    if len(section.experiment.evaluation_points) >= ENOUGH_POINTS:
        return []
    made = []
    for line in section.lines:
        own = rows_of(section, line, rows)
        losses = arrays(own[0].trial).get("loss") if own and line.track == "identical" else None
        if losses is not None and losses.ndim == 1 and len(losses) >= MOST_POINTS:
            edges = np.linspace(0, len(losses), MOST_POINTS + 1).astype(np.int64)
            parts = np.split(losses.astype(np.float64), edges[1:-1])
            middles = (edges[:-1] + edges[1:]) // 2 + 1
            values = np.array([np.median(part) for part in parts])
            made.append(BatchLosses(line.framework, line.loop, middles, values, line.proven))
    return made


def series_of(section: Section, rows: Sequence[Row], arrays: Arrays) -> list[Series]:
    """The curves of every line of the identical track that left at least two points."""
    wanted = ("train_loss", "test_loss" if section.measure == "loss" else "test_accuracy")
    made = (_series(line, rows_of(section, line, rows), arrays, wanted) for line in section.lines)
    return [series for series in made if series is not None]


def rows_of(section: Section, line: Line, rows: Sequence[Row]) -> list[Row]:
    """The rows with a result that a line stands for, by seed and repeat."""
    key = section.experiment.name, line.framework, line.loop, line.track, line.device
    found = [
        row
        for row in rows
        if (row.experiment, row.framework, row.loop, row.track, row.device) == key
        and row.status == "ok"
    ]
    return sorted(found, key=lambda row: (row.seed, row.repeat))


def _series(line: Line, rows: list[Row], arrays: Arrays, wanted: Sequence[str]) -> Series | None:
    names = ("step", "train_s", *wanted)
    stored = [arrays(row.trial) for row in rows[:MOST_TRIALS]]
    kept = [[found[name] for name in names] for found in stored if _whole(found, names)]
    if line.track != "identical" or not kept:
        return None
    alike = [curves for curves in kept if np.array_equal(curves[0], kept[0][0])]
    if len(alike[0][0]) < 2:
        return None
    points = thinned(len(alike[0][0]), MOST_POINTS)
    middles = [np.median(values, axis=0)[points] for values in list(zip(*alike, strict=True))[1:]]
    return Series(
        line.framework, line.loop,
        np.asarray(alike[0][0])[points].astype(np.int64), middles[0],
        dict(zip(wanted, middles[1:], strict=True)), len(alike), line.proven,
    )  # fmt: skip


def _whole(found: Mapping[str, Array], names: Sequence[str]) -> bool:
    """Whether all these curves are there, and of one length."""
    return all(name in found for name in names) and len({found[n].shape for n in names}) == 1


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the indices 0 to count - 1, evenly, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
