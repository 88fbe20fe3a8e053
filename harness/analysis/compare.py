"""Two runs of the same trials, compared cell by cell. Pure functions of rows.

Trials are paired by what they are (experiment, framework, loop, seed, repeat), so a seed that
takes longer takes longer in both. Besides each cell's own ratio B / A there is the ratio of its
relation to the baseline framework, B's over A's: a machine that was slower as a whole on one
day changes the first and not the second.

Pairs with a disturbed trial are left out, and named. Only where no other pair is left, the ratio is
that of the disturbed ones, and the cell is called noisy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.cells import (
    Column,
    MeasuredCell,
    Repetition,
    accuracy_change,
    distinct,
    ratios_to_baseline,
    rows_by_cell,
    values_of,
)
from harness.analysis.intervals import Estimate, paired_ratio
from harness.experiment.vocabulary import Status
from harness.results import Row

Cells = Mapping[MeasuredCell, Sequence[Row]]

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
        pairs: how many trials both have, undisturbed as far as there are such.
        ratio: training time, B over A.
        relative: the same of the time over the baseline's; None for the baseline.
        accuracy: mean difference of test accuracy, B minus A.
        noisy: whether every pair has a trial that was disturbed.
        remark: why there is no ratio, or which versions of the framework are compared, and how many
            pairs are left out.
        relative_noisy: whether `relative` is of disturbed trials, the cell's or the baseline's.
    """

    cell: MeasuredCell
    pairs: int
    ratio: Estimate | None
    relative: Estimate | None
    accuracy: float | None
    noisy: bool
    remark: str = ""
    relative_noisy: bool = False


def compare(rows_a: Sequence[Row], rows_b: Sequence[Row], noisy: Iterable[str]) -> list[Comparison]:
    """Compare every cell of either run, in A's order.

    Args:
        rows_a: of the first run.
        rows_b: of the second run.
        noisy: trials that were measured on a disturbed machine.
    """
    disturbed = frozenset(noisy)
    a, b = rows_by_cell(rows_a), rows_by_cell(rows_b)
    calm_a, calm_b = _undisturbed(a, disturbed), _undisturbed(b, disturbed)
    comparisons = []
    for cell in dict.fromkeys([*a, *b]):
        if cell in a and cell in b:
            comparisons.append(_compare_cell(cell, (a, b), (calm_a, calm_b)))
        else:
            remark = f"only in {'A' if cell in a else 'B'}"
            comparisons.append(Comparison(cell, 0, None, None, None, False, remark))
    return comparisons


def _undisturbed(cells: Cells, disturbed: frozenset[str]) -> Cells:
    return {
        cell: [row for row in rows if row.trial not in disturbed] for cell, rows in cells.items()
    }


def agreement(comparisons: Sequence[Comparison]) -> tuple[int, int]:
    """Return how many cells' relations to the baseline agree in both runs, and of how many.

    Relations agree where the interval of their ratio contains 1. Cells without an interval, and
    those of disturbed trials, are not counted.
    """
    undisturbed = [c.relative for c in comparisons if not c.relative_noisy]
    known = [relative for relative in undisturbed if relative is not None and relative.low]
    return sum(relative.contains_one for relative in known), len(known)


def _compare_cell(
    cell: MeasuredCell, all_rows: tuple[Cells, Cells], undisturbed: tuple[Cells, Cells]
) -> Comparison:
    a, b = all_rows
    pairs = _times_of_both(cell, all_rows)
    calm = _times_of_both(cell, undisturbed)
    used = calm or pairs
    ratio = paired_ratio(
        {key: time_b for key, (_, time_b) in used.items()},
        {key: time_a for key, (time_a, _) in used.items()},
    )
    relative = _relative(cell, undisturbed)
    left_out = f"{len(pairs) - len(calm)} of {len(pairs)} pairs disturbed and left out"
    remarks = (_versions(a[cell], b[cell]), left_out if 0 < len(calm) < len(pairs) else "")
    return Comparison(
        cell=cell,
        pairs=len(used),
        ratio=ratio,
        relative=relative or _relative(cell, all_rows),
        accuracy=accuracy_change(a[cell], b[cell]),
        noisy=len(calm) == 0 < len(pairs),
        remark="; ".join(filter(None, remarks)) if ratio else _why_no_ratio([*a[cell], *b[cell]]),
        relative_noisy=relative is None,
    )


def _times_of_both(
    cell: MeasuredCell, cells: tuple[Cells, Cells]
) -> dict[Repetition, tuple[float, float]]:
    """Return the training times of A and of B, of the trials that both have."""
    times_a, times_b = (values_of(rows[cell], METRICS["time"]) for rows in cells)
    common = sorted(times_a.keys() & times_b.keys())
    return {key: (times_a[key], times_b[key]) for key in common}


def _relative(cell: MeasuredCell, cells: tuple[Cells, Cells]) -> Estimate | None:
    in_a, in_b = (ratios_to_baseline(cell, rows, METRICS["time"]) for rows in cells)
    return paired_ratio(in_b, in_a)


def _versions(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> str:
    """Return the framework's versions where they differ; "" where they are the same."""
    a, b = (distinct(rows, lambda row: row.framework_version) for rows in (rows_a, rows_b))
    return "" if a == b else f"{', '.join(sorted(a))} against {', '.join(sorted(b))}"


def _why_no_ratio(rows: Sequence[Row]) -> str:
    statuses = sorted({row.status for row in rows} - {Status.OK})
    return ", ".join(statuses) if statuses else "nothing trained, or no pair in common"
