"""Limits on how much worse a second run may be. Pure functions of rows."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.analysis.cells import (
    Column,
    MeasuredCell,
    TrialKey,
    accuracy_change,
    ok_trials,
    rows_by_cell,
    values_of,
)
from harness.analysis.compare import METRICS
from harness.analysis.intervals import Estimate, paired_ratio
from harness.experiment.vocabulary import Status
from harness.plan import Plan
from harness.results import Row


@dataclass(frozen=True)
class Gate:
    """A limit such as `time>5%`: a metric and its largest increase (for accuracy, decrease)."""

    metric: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """Read `METRIC>N%`.

        Raises:
            ValueError: the text is not of that form.
        """
        match = re.fullmatch(r"\s*(\w+)\s*>\s*(\d+(?:\.\d+)?)\s*%\s*", text)
        known = (*METRICS, "accuracy")
        if match is None or match[1] not in known:
            raise ValueError(
                f"--fail-on must be METRIC>N%, METRIC one of {', '.join(known)}. Got {text!r}"
            )
        return cls(match[1], float(match[2]) / 100)


def exceeded_limits(
    gate: Gate, rows_a: Sequence[Row], rows_b: Sequence[Row], noisy: Collection[str] = ()
) -> list[tuple[MeasuredCell, str]]:
    """Return the cells that are worse in B by more than the limit, and by how much.

    The whole interval must lie beyond the limit. Where there are too few pairs for an interval,
    the ratio itself decides. A disturbed time is only too long, so a disturbed trial of B shows
    nothing, and one of A serves where no other is left.

    Args:
        gate: the limit.
        rows_a: of the first run.
        rows_b: of the second run.
        noisy: trials that were measured on a disturbed machine.
    """
    a, b = rows_by_cell(rows_a), rows_by_cell(rows_b)
    exceeded = []
    for cell in a.keys() & b.keys():
        if gate.metric == "accuracy":
            change = accuracy_change(a[cell], b[cell])
            if change is not None and -change > gate.limit:
                exceeded.append((cell, f"accuracy {change * 100:+.2f} percentage points"))
            continue
        disturbed = noisy if gate.metric != "memory" else ()
        ratio = _ratio(METRICS[gate.metric], a[cell], b[cell], disturbed)
        if ratio is not None:
            at_least = ratio.value if ratio.low is None else ratio.low
            if at_least > 1 + gate.limit:
                exceeded.append((cell, f"{gate.metric} {(ratio.value - 1) * 100:+.1f} %"))
    return sorted(exceeded)


def _ratio(
    column: Column, rows_a: Sequence[Row], rows_b: Sequence[Row], disturbed: Collection[str]
) -> Estimate | None:
    """Return B over A: of undisturbed trials, or else of B's undisturbed ones over all of A's."""
    calm_a, calm_b = (
        values_of([row for row in rows if row.trial not in disturbed], column)
        for rows in (rows_a, rows_b)
    )
    return paired_ratio(calm_b, calm_a) or paired_ratio(calm_b, values_of(rows_a, column))


def failed_only_in_b(
    plan_b: Plan, rows_a: Sequence[Row], rows_b: Sequence[Row]
) -> list[tuple[MeasuredCell, str]]:
    """Return the cells with trials that ended well in A, and were planned but failed in B."""
    planned = {
        TrialKey(
            MeasuredCell(t.experiment, t.framework, t.loop, t.track, t.threads),
            t.seed,
            t.repeat_column,
        )
        for t in plan_b.trials
    }
    ok_in_a = ok_trials(rows_a) & planned
    failed = ok_in_a - ok_trials(rows_b)
    descriptions = []
    for cell in sorted({trial.cell for trial in failed}):
        statuses = {row.status for row in rows_b if MeasuredCell.of(row) == cell} - {Status.OK}
        count, total = (sum(trial.cell == cell for trial in trials) for trials in (failed, ok_in_a))
        why = ", ".join(sorted(statuses)) or "not run"
        text = f"{count} of {total} trials that ended well in A did not in B: {why}"
        descriptions.append((cell, text))
    return descriptions
