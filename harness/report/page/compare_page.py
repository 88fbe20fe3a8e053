"""The page of two runs held against each other: what its template gets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.compare import Comparison
from harness.report.change_table import COLUMNS, accuracy_text, constants, ratio_or_dash, sentences
from harness.report.chart_names import COMPARISON
from harness.report.page import commands
from harness.report.page.figures import COLOURS, Figure, Spec, chart, short
from harness.report.page.rendering import render
from harness.report.page.tables import Cell, Table, TableRow
from harness.report.run_comparison import LOOKS as VERDICTS
from harness.report.run_comparison import Change, Compared, Run

LOOKS = {
    "slower": ("▶", "slower in B"),
    "faster": ("◀", "faster in B"),
    "alike": ("●", "with no detectable difference"),
    "few": ("✕", "with too few pairs for an interval"),
    "noisy": ("◇", "measured on a disturbed machine"),
    "unproven": ("?", "not proven in A or B"),
    "refused": ("∅", "not compared"),
}
"""Look of a change to its sign and what the sign says."""
SHAPES = {
    "slower": ("triangle-right", COLOURS[1]),
    "faster": ("triangle-left", COLOURS[2]),
    "alike": ("circle", COLOURS[0]),
    "few": ("cross", COLOURS[4]),
    "noisy": ("diamond", COLOURS[4]),
    "unproven": ("square", COLOURS[4]),
}
TIME, TO_BASELINE = COMPARISON
TITLES = {
    TIME: "training time, B / A",
    TO_BASELINE: "the same over the baseline's time, B / A",
}
"""Of the two charts, by name."""
ROW = 22
"""Pixels from one cell to the next."""
TICKS = (
    (1.3, (0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25)),
    (3.0, (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5)),
    (30.0, (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)),
    (float("inf"), (0.001, 0.01, 0.1, 1, 10, 100, 1000)),
)
"""Largest factor from 1 to the ticks that read well up to it."""


@dataclass(frozen=True)
class Side:
    """One of the two runs, in words."""

    name: str
    facts: tuple[tuple[str, str], ...]


def html(compared: Compared) -> str:
    """The comparison as one HTML file."""
    return render("compare.html.j2", **context(compared))


def context(compared: Compared) -> dict[str, Any]:
    """What the page tells, as plain values."""
    changes = compared.changes
    present = [look for look in LOOKS if any(one.look == look for one in changes)]
    return {
        "answer": answer(compared),
        "refusal": compared.refusal.splitlines(),
        "failures": compared.failures,
        "sentences": sentences(changes, {}) if changes else [],
        "sides": [side(name, run) for name, run in zip("AB", compared.runs, strict=True)],
        "figure_made": ratios(changes),
        "table": table(changes),
        "looks_present": {look: LOOKS[look] for look in present},
        "refused": refused(changes),
    }


def answer(compared: Compared) -> str:
    """What the two runs say of each other, for somebody who reads one sentence."""
    if compared.refusal:
        return "The two runs cannot be compared."
    counts = Counter(one.look for one in compared.changes)
    told = [f"{counts[look]} {words}" for look, (_, words) in LOOKS.items() if counts[look]]
    total = len(compared.changes)
    return f"B against A, training time of {total} cell{'s' * (total != 1)}: {', '.join(told)}."


def refused(changes: Sequence[Change]) -> dict[str, list[str]]:
    """Why cells have no ratio, each reason once, and which cells."""
    found: dict[str, list[str]] = {}
    for one in changes:
        if one.look == "refused":
            found.setdefault(one.verdict, []).append(label(one.numbers, {}))
    return found


def side(name: str, run: Run) -> Side:
    """Where, when, with what and by which command a run was made."""
    rows = [row for row in run.rows if row.status == "ok"]
    started = sorted(row.started_at[:16].replace("T", " ") for row in rows if row.started_at)
    versions = sorted({f"{row.framework} {row.framework_version}" for row in rows})
    facts = (
        ("folder", run.folder),
        ("command", commands.of_run(run.plan)),
        ("machine", "; ".join(sorted({row.machine for row in rows if row.machine}))),
        ("versions", ", ".join(versions)),
        ("run", f"{started[0]} to {started[-1]}, UTC" if started else ""),
        ("trials", f"{len(rows)} of {len(run.plan.trials)} ended well"),
    )
    return Side(name, tuple((fact, text) for fact, text in facts if text))


def label(one: Comparison, constant: dict[str, str]) -> str:
    """`mnist-mlp keras fused`, without what is the same in every cell, and the track."""
    shown = [
        text
        for name, text in zip(COLUMNS, one.cell, strict=True)
        if name not in constant and (name != "track" or text != "identical")
    ]
    return " ".join(shown) or one.cell[1]


# ---------------------------------------------------------------- chart


def ratios(changes: Sequence[Change]) -> Figure | None:
    """A dot and its interval for every cell: its own ratio, and that of its time to the baseline's.

    The baseline is NumPy, or else the first framework of an experiment by name.
    """
    shown = [one for one in changes if one.numbers.ratio is not None]
    if not shown:
        return None
    constant = constants(changes)
    records = tuple(_record(one, label(one.numbers, constant)) for one in shown)
    specs = {TIME: _spec(records, "r", TITLES[TIME])}
    if any(one.numbers.relative for one in shown):
        specs[TO_BASELINE] = _spec(records, "q", TITLES[TO_BASELINE])
    rows = tuple(
        (label(one.numbers, {}), str(one.numbers.pairs),
         *(ratio_or_dash(r) for r in (one.numbers.ratio, one.numbers.relative)), one.told)
        for one in shown
    )  # fmt: skip
    headings = ("cell", "pairs", "time, B / A", "of time / baseline, B / A", "verdict")
    return Figure(
        "ratios", "How the times changed", _caption(specs), specs, records, headings, rows
    )


def _caption(specs: Mapping[str, Spec]) -> str:
    told = (
        "Ratios of training times with 95 % intervals, of trials paired by seed and repeat, on a "
        "logarithmic axis; without a bar there are too few pairs. Right of 1, B took longer."
    )
    if TO_BASELINE in specs:
        told += (
            f" In “{TITLES[TO_BASELINE]}” every time is first divided by the baseline "
            "framework's of the same block, so a machine that was slower as a whole does not show."
        )
    return told


def _record(one: Change, name: str) -> dict[str, Any]:
    record: dict[str, Any] = {"c": name}
    for field, ratio, look in (
        ("r", one.numbers.ratio, one.look),
        ("q", one.numbers.relative, one.relative_look),
    ):
        record |= {
            field: short(ratio.value) if ratio else None,
            f"{field}lo": short(ratio.low) if ratio else None,
            f"{field}hi": short(ratio.high) if ratio else None,
            f"{field}v": VERDICTS[look] if ratio else None,
            f"{field}t": ratio_or_dash(ratio),
        }
    return record


def _spec(records: Sequence[dict[str, Any]], field: str, title: str) -> Spec:
    low, high = f"{field}lo", f"{field}hi"
    known = [r[name] for r in records for name in (field, low, high) if r[name] is not None]
    widest = 1.08 * max(1.05, *known, *(1 / value for value in known))
    ticks = next(values for most, values in TICKS if widest <= most)
    present = [v for v in SHAPES if any(r[f"{field}v"] == VERDICTS[v] for r in records)]
    verdicts = [VERDICTS[v] for v in present]
    told = {"field": f"{field}v", "title": "in B", "legend": {"columns": 3}}
    return chart(title, len(records) * ROW) | {
        "transform": [{"filter": f"isValid(datum.{field})"}],
        "encoding": {
            "y": {"field": "c", "type": "nominal", "title": None, "axis": {"grid": True},
                  "scale": {"domain": [r["c"] for r in records]}},
        },
        "layer": [
            {"data": {"values": [{}]},
             "mark": {"type": "rule", "strokeDash": [4, 3], "color": COLOURS[4]},
             "encoding": {"x": {"datum": 1}, "y": None}},
            {"transform": [{"filter": f"isValid(datum.{low})"}],
             "mark": {"type": "rule", "strokeWidth": 2, "color": COLOURS[4]},
             "encoding": {"x": {"field": low, "type": "quantitative"}, "x2": {"field": high}}},
            {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
             "encoding": {
                 "x": {"field": field, "type": "quantitative", "title": None,
                       "scale": {"type": "log", "domain": [short(1 / widest), short(widest)]},
                       "axis": {"values": ticks, "format": "~g"}},
                 "color": told | {"scale": {"domain": verdicts,
                                            "range": [SHAPES[v][1] for v in present]}},
                 "shape": told | {"scale": {"domain": verdicts,
                                            "range": [SHAPES[v][0] for v in present]}},
                 "tooltip": [{"field": "c", "title": "cell"},
                             {"field": f"{field}t", "title": "B / A"},
                             {"field": f"{field}v", "title": "verdict"}],
             }},
        ],
    }  # fmt: skip


# ---------------------------------------------------------------- table


def table(changes: Sequence[Change]) -> Table:
    """One row per cell; one without a ratio says why, one that is not proven is greyed."""
    names = [name for name in COLUMNS if name != "track" or "track" not in constants(changes)]
    heads = ("pairs", "time, B / A", "of time / baseline, B / A", "accuracy, B - A", "verdict")
    rows = []
    for one in changes:
        c = one.numbers
        shown = dict(zip(COLUMNS, c.cell, strict=True))
        own = [Cell(shown[name], shown[name]) for name in names]
        values = [Cell(ratio_or_dash(r), r.value if r else None) for r in (c.ratio, c.relative)]
        whole = (
            one.look if one.look == "unproven" else ""
        )  # the row is greyed, or its verdict signed
        verdict = Cell(one.told, one.verdict, "" if whole else one.look)
        rest = (Cell(str(c.pairs), c.pairs), *values, Cell(accuracy_text(c), c.accuracy), verdict)
        rows.append(TableRow((*own, *rest), whole))
    return Table((*names, *heads), tuple(rows))
