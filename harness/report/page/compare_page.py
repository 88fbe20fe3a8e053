"""The page of two runs compared: what its template shows, as plain values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.experiment.vocabulary import Status
from harness.report.change_table import (
    ACCURACY,
    COLUMNS,
    RATIOS,
    SHOWN_IF_SEVERAL,
    accuracy_text,
    constants,
    name_of,
    sentences,
)
from harness.report.page import commands
from harness.report.page.rendering import render
from harness.report.page.tables import Table, TableCell, TableRow
from harness.report.page.time_ratios import label, time_ratios
from harness.report.run_comparison import Change, ChangeVerdict, RunComparison
from harness.report.text import count_text, ratio_text
from harness.run import Run

SIGNS = {
    ChangeVerdict.SLOWER: ("▶", "slower in B"),
    ChangeVerdict.FASTER: ("◀", "faster in B"),
    ChangeVerdict.ALIKE: ("●", "with no detectable difference"),
    ChangeVerdict.FEW: ("✕", "with too few pairs for an interval"),
    ChangeVerdict.NOISY: ("◇", "measured on a disturbed machine"),
    ChangeVerdict.UNPROVEN: ("?", "not proven in A or B"),
    ChangeVerdict.REFUSED: ("∅", "not compared"),
}
"""Verdict on a change to its sign and its meaning."""


@dataclass(frozen=True)
class Side:
    """One of the two runs, in words."""

    name: str
    facts: tuple[tuple[str, str], ...]


def as_html(comparison: RunComparison) -> str:
    """Return the comparison as one HTML file."""
    return render("compare.html.j2", **context(comparison))


def context(comparison: RunComparison) -> dict[str, Any]:
    changes = comparison.changes
    verdicts = {change.verdict for change in changes}
    return {
        "answer": answer(comparison),
        "refusal": comparison.refusal.splitlines(),
        "failures": comparison.failures,
        "sentences": sentences(changes, {}) if changes else [],
        "sides": [side(name, run) for name, run in zip("AB", comparison.runs, strict=True)],
        "chart_figure": time_ratios(changes),
        "table": table(changes),
        "signs": {verdict: signs for verdict, signs in SIGNS.items() if verdict in verdicts},
        "refused": refused(changes),
    }


def answer(comparison: RunComparison) -> str:
    """Return what changed from A to B, for somebody who reads one sentence."""
    if comparison.refusal:
        return "The two runs cannot be compared."
    counts = Counter(change.verdict for change in comparison.changes)
    parts = [f"{counts[v]} {meaning}" for v, (_, meaning) in SIGNS.items() if counts[v]]
    cells = count_text(len(comparison.changes), "cell")
    return f"B against A, training time of {cells}: {', '.join(parts)}."


def refused(changes: Sequence[Change]) -> dict[str, list[str]]:
    """Return why cells have no ratio, and the cells of each reason."""
    cells: dict[str, list[str]] = {}
    for change in changes:
        if change.verdict == ChangeVerdict.REFUSED:
            cells.setdefault(change.text, []).append(label(change.numbers, {}))
    return cells


def side(name: str, run: Run) -> Side:
    """Return where, when, with what and by which command a run was made."""
    rows = [row for row in run.rows if row.status == Status.OK]
    started = sorted(row.started_at[:16].replace("T", " ") for row in rows if row.started_at)
    versions = sorted({f"{row.framework} {row.framework_version}" for row in rows})
    facts = (
        ("folder", str(run.path)),
        ("command", commands.of_run(run.plan)),
        ("machine", "; ".join(sorted({row.machine for row in rows if row.machine}))),
        ("versions", ", ".join(versions)),
        ("run", f"{started[0]} to {started[-1]}, UTC" if started else ""),
        ("trials", f"{len(rows)} of {len(run.plan.trials)} ended well"),
    )
    return Side(name, tuple((fact, text) for fact, text in facts if text))


def table(changes: Sequence[Change]) -> Table:
    """Return a row per cell. One without a ratio says why; one that is not proven is greyed."""
    constant = constants(changes)
    names = [name for name in COLUMNS if name not in SHOWN_IF_SEVERAL or name not in constant]
    heads = (*names, "pairs", *RATIOS, ACCURACY, "verdict")
    return Table(heads, tuple(_row(change, names) for change in changes))


def _row(change: Change, names: Sequence[str]) -> TableRow:
    numbers = change.numbers
    parts = dict(zip(COLUMNS, name_of(numbers), strict=True))
    # either the whole row is greyed, or its verdict has a sign
    greyed = change.verdict == ChangeVerdict.UNPROVEN
    verdict_state = "" if greyed else change.verdict
    ratios = (numbers.ratio, numbers.relative)
    cells = (
        *(TableCell(parts[name], parts[name]) for name in names),
        TableCell(str(numbers.pairs), numbers.pairs),
        *(TableCell(ratio_text(ratio), ratio.value if ratio else None) for ratio in ratios),
        TableCell(accuracy_text(numbers), numbers.accuracy),
        TableCell(change.text_with_remarks, change.text, verdict_state),
    )
    return TableRow(cells, change.verdict if greyed else "")
