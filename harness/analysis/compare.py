"""Two runs of the same trials, compared cell by cell. Pure functions of rows.

Trials are paired by what they are (experiment, framework, loop, seed, repeat), so a seed that
takes longer takes longer in both. Besides each cell's own ratio B / A there is the ratio of its
relation to the baseline framework, B's over A's: a machine that was slower as a whole on one
day changes the first and not the second.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.cells import (
    Column,
    MeasuredCell,
    accuracy_change,
    distinct,
    ratios_to_baseline,
    rows_by_cell,
    values_of,
)
from harness.analysis.intervals import Estimate, paired_ratio
from harness.experiment.vocabulary import Status
from harness.results import Row

METRICS: Mapping[str, Column] = {
    "time": lambda row: row.train_s,
    "step": lambda row: row.step_us,
    "first_step": lambda row: row.first_step_s,
    "predict": lambda row: row.predict_s,
    "total": lambda row: row.total_s,
    "memory": lambda row: row.peak_rss_mb,
}
"""What can be compared as a ratio; `accuracy` is compared as a difference."""


@dataclass(frozen=True)
class Comparison:
    """One cell in both runs.

    Args:
        cell: which.
        pairs: how many trials both have.
        ratio: training time, B over A.
        relative: the same of the time over the baseline's; None for the baseline.
        accuracy: mean difference of test accuracy, B minus A.
        noisy: whether a row of either was measured on a disturbed machine.
        remark: why there is no ratio, or which versions of the framework are compared.
    """

    cell: MeasuredCell
    pairs: int
    ratio: Estimate | None
    relative: Estimate | None
    accuracy: float | None
    noisy: bool
    remark: str = ""


def compare(rows_a: Sequence[Row], rows_b: Sequence[Row], noisy: Iterable[str]) -> list[Comparison]:
    """Compare every cell of either run, in A's order.

    Args:
        rows_a: of the first run.
        rows_b: of the second run.
        noisy: trials that were measured on a disturbed machine.
    """
    disturbed = set(noisy)
    a, b = rows_by_cell(rows_a), rows_by_cell(rows_b)
    comparisons = []
    for cell in dict.fromkeys([*a, *b]):
        if cell in a and cell in b:
            comparisons.append(_compare_cell(cell, a, b, disturbed))
        else:
            remark = f"only in {'A' if cell in a else 'B'}"
            comparisons.append(Comparison(cell, 0, None, None, None, False, remark))
    return comparisons


def agreement(comparisons: Sequence[Comparison]) -> tuple[int, int]:
    """Return how many cells' relations to the baseline agree in both runs, and of how many.

    Relations agree where the interval of their ratio contains 1. Cells without an interval are
    not counted.
    """
    known = [c.relative for c in comparisons if c.relative is not None and c.relative.low]
    return sum(relative.contains_one for relative in known), len(known)


def _compare_cell(
    cell: MeasuredCell,
    a: Mapping[MeasuredCell, Sequence[Row]],
    b: Mapping[MeasuredCell, Sequence[Row]],
    disturbed: set[str],
) -> Comparison:
    time = METRICS["time"]
    times_a, times_b = values_of(a[cell], time), values_of(b[cell], time)
    rows = [*a[cell], *b[cell]]
    ratio = paired_ratio(times_b, times_a)
    return Comparison(
        cell=cell,
        pairs=len(times_a.keys() & times_b.keys()),
        ratio=ratio,
        relative=paired_ratio(ratios_to_baseline(cell, b, time), ratios_to_baseline(cell, a, time)),
        accuracy=accuracy_change(a[cell], b[cell]),
        noisy=any(row.trial in disturbed for row in rows),
        remark=_versions(a[cell], b[cell]) if ratio else _why_no_ratio(rows),
    )


def _versions(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> str:
    """Return the framework's versions where they differ; "" where they are the same."""
    a, b = (distinct(rows, lambda row: row.framework_version) for rows in (rows_a, rows_b))
    return "" if a == b else f"{', '.join(sorted(a))} against {', '.join(sorted(b))}"


def _why_no_ratio(rows: Sequence[Row]) -> str:
    statuses = sorted({row.status for row in rows} - {Status.OK})
    return ", ".join(statuses) if statuses else "nothing trained, or no pair in common"
