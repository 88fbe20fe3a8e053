"""Two runs of the same trials, held against each other. Pure functions of rows.

Trials are paired by what they are (experiment, framework, loop, seed, repeat), so a seed that
takes longer takes longer in both. Besides each cell's own ratio B / A there is the ratio of its
relation to the baseline framework, B's over A's: a machine that was slower as a whole on one
day changes the first and not the second.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Estimate, paired_ratio
from harness.plan import Plan
from harness.results import Row

METRICS: Mapping[str, Callable[[Row], float | None]] = {
    "time": lambda row: row.train_s,
    "step": lambda row: row.step_us,
    "first_step": lambda row: row.first_step_s,
    "predict": lambda row: row.predict_s,
    "total": lambda row: row.total_s,
    "memory": lambda row: row.peak_rss_mb,
}
"""What can be compared as a ratio; `accuracy` is compared as a difference."""

Cell = tuple[str, str, str, str]
"""(experiment, framework, loop, track)."""


class NotComparableError(ValueError):
    """The two runs say nothing about each other; the message says why."""


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
        remark: why there is no ratio, or what has to be known beside it.
    """

    cell: Cell
    pairs: int
    ratio: Estimate | None
    relative: Estimate | None
    accuracy: float | None
    noisy: bool
    remark: str = ""


@dataclass(frozen=True)
class Gate:
    """A limit such as `time>5%`: metric, largest increase (a decrease for accuracy)."""

    metric: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """Read `METRIC>N%`.

        Raises:
            ValueError: it is not of that form.
        """
        match = re.fullmatch(r"\s*(\w+)\s*>\s*(\d+(?:\.\d+)?)\s*%\s*", text)
        known = (*METRICS, "accuracy")
        if match is None or match[1] not in known:
            raise ValueError(
                f"--fail-on must be METRIC>N%, METRIC one of {', '.join(known)}. Got {text!r}"
            )
        return cls(match[1], float(match[2]) / 100)


def refuse(a: Plan, b: Plan, rows_a: Sequence[Row], rows_b: Sequence[Row]) -> None:
    """Raise when the runs were made on other machines, by other protocols or settings.

    Raises:
        NotComparableError: with everything that differs.
    """
    problems = []
    for name, of in (
        ("machine", lambda row: row.machine),
        ("protocol version", lambda row: row.protocol),
        ("device", lambda row: row.device),
        ("precision", lambda row: row.dtype),
        ("threads", lambda row: row.threads),
        ("allocator settings", lambda row: row.allocator),
    ):
        values_a, values_b = (_values(rows, of) for rows in (rows_a, rows_b))
        if values_a and values_b and not values_a & values_b:
            shown = (", ".join(sorted(values)) for values in (values_a, values_b))
            problems.append(f"{name}: {' against '.join(shown)}")
    common = a.experiments.keys() & b.experiments.keys()
    if not common:
        names = (", ".join(sorted(plan.experiments)) for plan in (a, b))
        problems.append(f"no experiment in common: {' against '.join(names)}")
    digests_a, digests_b = (_digests(rows) for rows in (rows_a, rows_b))
    both = digests_a.keys() & digests_b.keys()
    other = sorted(name for name in both if digests_a[name] != digests_b[name])
    if other:
        problems.append(f"another protocol under the same name or another length: {_list(other)}")
    if not problems and not _ok(rows_a).keys() & _ok(rows_b).keys():
        problems.append("no trial that ended well in both")
    if problems:
        raise NotComparableError("\n".join(problems))


def compare(rows_a: Sequence[Row], rows_b: Sequence[Row], noisy: Iterable[str]) -> list[Comparison]:
    """Every cell of either run, in A's order."""
    disturbed = set(noisy)
    a, b = _cells(rows_a), _cells(rows_b)
    made = []
    for cell in dict.fromkeys([*a, *b]):
        if cell not in a or cell not in b:
            remark = f"only in {'A' if cell in a else 'B'}"
            made.append(Comparison(cell, 0, None, None, None, False, remark))
            continue
        times_a, times_b = (_samples(side[cell], METRICS["time"]) for side in (a, b))
        ratio = paired_ratio(times_b, times_a)
        rows = [*a[cell], *b[cell]]
        remark = "" if ratio else _why_not(rows)
        versions = [_values(side[cell], lambda row: row.framework_version) for side in (a, b)]
        if ratio is not None and versions[0] != versions[1]:
            remark = f"{_list(sorted(versions[0]))} against {_list(sorted(versions[1]))}"
        made.append(
            Comparison(
                cell,
                len(times_a.keys() & times_b.keys()),
                ratio,
                paired_ratio(_relative(cell, b), _relative(cell, a)),
                _accuracy(a[cell], b[cell]),
                any(row.trial in disturbed for row in rows),
                remark,
            )
        )
    return made


def tripped(gate: Gate, rows_a: Sequence[Row], rows_b: Sequence[Row]) -> list[tuple[Cell, str]]:
    """Cells that are worse in B by more than the limit, surely: with the whole interval.

    With too few pairs for an interval the value itself decides.
    """
    a, b = _cells(rows_a), _cells(rows_b)
    found = []
    for cell in a.keys() & b.keys():
        if gate.metric == "accuracy":
            change = _accuracy(a[cell], b[cell])
            if change is not None and -change > gate.limit:
                found.append((cell, f"accuracy {change * 100:+.2f} percentage points"))
            continue
        of = METRICS[gate.metric]
        ratio = paired_ratio(_samples(b[cell], of), _samples(a[cell], of))
        if ratio is not None:
            surely = ratio.value if ratio.low is None else ratio.low
            if surely > 1 + gate.limit:
                found.append((cell, f"{gate.metric} {(ratio.value - 1) * 100:+.1f} %"))
    return sorted(found)


def lost(plan_b: Plan, rows_a: Sequence[Row], rows_b: Sequence[Row]) -> list[tuple[Cell, str]]:
    """Cells of which a trial ended well in A, and in B, where it was asked for too, did not."""
    asked = {(t.experiment, t.framework, t.loop, t.track, t.seed, t.repeat) for t in plan_b.trials}
    well = _ok(rows_a).keys() & asked
    missing = well - _ok(rows_b).keys()
    found = []
    for cell in sorted({key[:4] for key in missing}):
        statuses = {row.status for row in rows_b if _cell(row) == cell} - {"ok"}
        count, of = (sum(key[:4] == cell for key in keys) for keys in (missing, well))
        why = ", ".join(sorted(statuses)) or "not run"
        found.append((cell, f"{count} of {of} trials that ended well in A did not in B: {why}"))
    return found


def agreement(comparisons: Sequence[Comparison]) -> tuple[int, int]:
    """(cells whose relation to the baseline agrees within its interval, cells that have one)."""
    known = [c.relative for c in comparisons if c.relative is not None and c.relative.low]
    return sum(relative.contains_one for relative in known), len(known)


def _cells(rows: Sequence[Row]) -> dict[Cell, list[Row]]:
    cells: dict[Cell, list[Row]] = {}
    for row in rows:
        cells.setdefault(_cell(row), []).append(row)
    return cells


def _cell(row: Row) -> Cell:
    return row.experiment, row.framework, row.loop, row.track


def _samples(
    rows: Sequence[Row], of: Callable[[Row], float | None]
) -> dict[tuple[int, int], float]:
    values = {(row.seed, row.repeat): of(row) for row in rows if row.status == "ok"}
    return {key: value for key, value in values.items() if value}


def _relative(cell: Cell, cells: Mapping[Cell, Sequence[Row]]) -> dict[tuple[int, int], float]:
    """Times over those of the baseline (NumPy, or else the first by name) in the same block."""
    experiment, _, _, track = cell
    same = [key for key in cells if key[0] == experiment and key[3] == "identical"]
    if track != "identical" or not same:
        return {}
    baseline = next((key for key in same if key[1] == "numpy"), min(same))
    if baseline == cell:
        return {}
    own, others = (_samples(cells[key], METRICS["time"]) for key in (cell, baseline))
    return {key: own[key] / others[key] for key in own.keys() & others.keys()}


def _accuracy(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> float | None:
    a, b = (
        {
            row.seed: row.test_accuracy
            for row in rows
            if row.status == "ok" and row.test_accuracy is not None
        }
        for rows in (rows_a, rows_b)
    )
    seeds = a.keys() & b.keys()
    return sum(b[seed] - a[seed] for seed in seeds) / len(seeds) if seeds else None


def _why_not(rows: Sequence[Row]) -> str:
    statuses = sorted({row.status for row in rows} - {"ok"})
    return ", ".join(statuses) if statuses else "nothing trained, or no pair in common"


def _ok(rows: Sequence[Row]) -> dict[tuple[str, str, str, str, int, int], Row]:
    return {(*_cell(row), row.seed, row.repeat): row for row in rows if row.status == "ok"}


def _digests(rows: Sequence[Row]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.experiment, set()).add(row.experiment_digest)
    return found


def _values(rows: Sequence[Row], of: Callable[[Row], object]) -> set[str]:
    return {str(of(row)) for row in rows if row.status == "ok" and of(row) is not None}


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
