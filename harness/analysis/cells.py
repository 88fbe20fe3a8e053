"""Rows grouped by what was run: cells, their trials, and the values of a column."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.experiment.vocabulary import Status, Track
from harness.results import Row

Repetition = tuple[int, int]
"""(seed, repeat): trials of two runs or two cells are paired by it."""
Column = Callable[[Row], float | None]


class MeasuredCell(NamedTuple):
    """What the trials of one cell have in common."""

    experiment: str
    framework: str
    loop: str
    track: Track
    threads: int = 1

    @classmethod
    def of(cls, row: Row) -> "MeasuredCell":
        return cls(row.experiment, row.framework, row.loop, row.track, row.threads)


class TrialKey(NamedTuple):
    """Which trial it is, independent of the run."""

    cell: MeasuredCell
    seed: int
    repeat: int


def rows_by_cell(rows: Iterable[Row]) -> dict[MeasuredCell, list[Row]]:
    """Return the rows of every cell, in the order of the rows."""
    cells: dict[MeasuredCell, list[Row]] = {}
    for row in rows:
        cells.setdefault(MeasuredCell.of(row), []).append(row)
    return cells


def ok_trials(rows: Iterable[Row]) -> set[TrialKey]:
    """Return the trials that ended well."""
    return {
        TrialKey(MeasuredCell.of(row), row.seed, row.repeat)
        for row in rows
        if row.status == Status.OK
    }


def values_of(rows: Iterable[Row], column: Column) -> dict[Repetition, float]:
    """Return a column's values of the trials that ended well; zeros and blanks are left out."""
    values = {(row.seed, row.repeat): column(row) for row in rows if row.status == Status.OK}
    return {key: value for key, value in values.items() if value}


def ratios_to_baseline(
    cell: MeasuredCell, cells: Mapping[MeasuredCell, Sequence[Row]], column: Column
) -> dict[Repetition, float]:
    """Return a cell's values over those of the baseline in the same block.

    The baseline of an experiment is NumPy, or else the first framework by name. It has no ratios
    itself, and neither have cells of the native track, and commands, which are not timed.
    """
    candidates = [
        key
        for key, rows in cells.items()
        if (key.experiment, key.threads) == (cell.experiment, cell.threads)
        and key.track == Track.IDENTICAL
        and not any(row.command for row in rows)
    ]
    if cell.track != Track.IDENTICAL or not candidates:
        return {}
    baseline = next((key for key in candidates if key.framework == "numpy"), min(candidates))
    if baseline == cell:
        return {}
    values, divisors = (values_of(cells[key], column) for key in (cell, baseline))
    return {key: values[key] / divisors[key] for key in values.keys() & divisors.keys()}


def accuracy_change(rows_a: Iterable[Row], rows_b: Iterable[Row]) -> float | None:
    """Return the mean difference of test accuracy, B minus A, of the seeds that both have."""
    a, b = (
        {
            row.seed: row.test_accuracy
            for row in rows
            if row.status == Status.OK and row.test_accuracy is not None
        }
        for rows in (rows_a, rows_b)
    )
    seeds = a.keys() & b.keys()
    return sum(b[seed] - a[seed] for seed in seeds) / len(seeds) if seeds else None


def distinct(rows: Iterable[Row], column: Callable[[Row], object]) -> set[str]:
    """Return the different values of a column as text, of the trials that ended well."""
    return {str(column(row)) for row in rows if row.status == Status.OK and column(row) is not None}
