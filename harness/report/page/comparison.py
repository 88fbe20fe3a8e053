"""The page of two runs held against each other: what its template gets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.clock.compare import Comparison
from harness.clock.statistics import Estimate
from harness.report.comparison import COLUMNS, Compared, Run, accuracy_text, constants, sentences
from harness.report.page import commands
from harness.report.page.charts import COLOURS, Figure, Spec, chart, short
from harness.report.page.rendering import render
from harness.report.page.tables import Cell, Table, TableRow
from harness.report.summary import ratio_text

ALIKE, FEW, NOISY, REFUSED = "no detectable difference", "too few pairs", "noisy", "not compared"
LOOKS = {
    "slower": ("▶", "slower in B"),
    "faster": ("◀", "faster in B"),
    ALIKE: ("●", ALIKE),
    FEW: ("✕", "too few pairs for an interval"),
    NOISY: ("◇", "measured on a disturbed machine"),
    REFUSED: ("∅", REFUSED),
}
"""Verdict to its sign and what it says."""
SHAPES = {
    "slower": ("triangle-right", COLOURS[1]),
    "faster": ("triangle-left", COLOURS[2]),
    ALIKE: ("circle", COLOURS[0]),
    FEW: ("cross", COLOURS[4]),
    NOISY: ("diamond", COLOURS[4]),
}
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
    comparisons = compared.comparisons
    present = [verdict for verdict in LOOKS if any(_look(c) == verdict for c in comparisons)]
    return {
        "answer": answer(compared),
        "refusal": compared.refusal.splitlines(),
        "failures": compared.failures,
        "sentences": sentences(comparisons, {}) if comparisons else [],
        "sides": [side(name, run) for name, run in zip("AB", compared.runs, strict=True)],
        "figure_made": ratios(comparisons),
        "table": table(comparisons),
        "verdicts": {verdict: LOOKS[verdict] for verdict in present},
        "refused": refused(comparisons),
    }


def answer(compared: Compared) -> str:
    """What the two runs say of each other, for somebody who reads one sentence."""
    if compared.refusal:
        return "The two runs cannot be compared."
    counts = Counter(_look(c) for c in compared.comparisons)
    told = [
        f"{counts[name]} {'with ' if name in (ALIKE, FEW) else ''}{words}"
        for name, (_, words) in LOOKS.items()
        if counts[name]
    ]
    total = len(compared.comparisons)
    return f"B against A, training time of {total} cell{'s' * (total != 1)}: {', '.join(told)}."


def refused(comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """Why cells have no ratio, each reason once, and which cells."""
    found: dict[str, list[str]] = {}
    for one in comparisons:
        if one.ratio is None:
            found.setdefault(one.verdict, []).append(label(one, {}))
    return found


def _look(one: Comparison) -> str:
    return one.verdict if one.ratio is not None else REFUSED


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


def ratios(comparisons: Sequence[Comparison]) -> Figure | None:
    """A dot and its interval for every cell: its own ratio, and that of its time over NumPy's."""
    shown = [c for c in comparisons if c.ratio is not None]
    if not shown:
        return None
    constant = constants(comparisons)
    records = tuple(_record(c, label(c, constant)) for c in shown)
    specs = {"time": _spec(records, "r", "training time, B / A")}
    if any(c.relative for c in shown):
        specs["time-to-baseline"] = _spec(records, "q", "the same over the baseline's time, B / A")
    caption = (
        "Ratios of training times with 95 % intervals, of trials paired by seed and repeat, on a "
        "logarithmic axis; without a bar there are too few pairs. Right of 1, B took longer. On "
        "the right every time is first divided by the baseline framework's of the same block, "
        "so a machine that was slower as a whole does not show."
    )
    rows = tuple(
        (label(c, {}), str(c.pairs), *(_ratio(r) for r in (c.ratio, c.relative)), c.verdict)
        for c in shown
    )
    headings = ("cell", "pairs", "time, B / A", "of time / baseline, B / A", "verdict")
    return Figure("ratios", "How the times changed", caption, specs, records, headings, rows)


def _record(one: Comparison, name: str) -> dict[str, Any]:
    record: dict[str, Any] = {"c": name}
    for field, ratio in (("r", one.ratio), ("q", one.relative)):
        record |= {
            field: short(ratio.value) if ratio else None,
            f"{field}lo": short(ratio.low) if ratio else None,
            f"{field}hi": short(ratio.high) if ratio else None,
            f"{field}v": _verdict(ratio, one.noisy) if ratio else None,
            f"{field}t": _ratio(ratio),
        }
    return record


def _verdict(ratio: Estimate, noisy: bool) -> str:
    """The words of `Comparison.verdict`, of either ratio."""
    if noisy or ratio.low is None:
        return NOISY if noisy else FEW
    if ratio.contains_one:
        return ALIKE
    return "slower" if ratio.value > 1 else "faster"


def _ratio(ratio: Estimate | None) -> str:
    return "-" if ratio is None else ratio_text(ratio)


def _spec(records: Sequence[dict[str, Any]], field: str, title: str) -> Spec:
    low, high = f"{field}lo", f"{field}hi"
    known = [r[name] for r in records for name in (field, low, high) if r[name] is not None]
    widest = 1.08 * max(1.05, *known, *(1 / value for value in known))
    ticks = next(values for most, values in TICKS if widest <= most)
    verdicts = [v for v in SHAPES if any(r[f"{field}v"] == v for r in records)]
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
                                            "range": [SHAPES[v][1] for v in verdicts]}},
                 "shape": told | {"scale": {"domain": verdicts,
                                            "range": [SHAPES[v][0] for v in verdicts]}},
                 "tooltip": [{"field": "c", "title": "cell"},
                             {"field": f"{field}t", "title": "B / A"},
                             {"field": f"{field}v", "title": "verdict"}],
             }},
        ],
    }  # fmt: skip


# ---------------------------------------------------------------- table


def table(comparisons: Sequence[Comparison]) -> Table:
    """One row per cell; a cell without a ratio says why."""
    names = [name for name in COLUMNS if name != "track" or "track" not in constants(comparisons)]
    heads = ("pairs", "time, B / A", "of time / baseline, B / A", "accuracy, B - A", "verdict")
    rows = []
    for c in comparisons:
        shown = dict(zip(COLUMNS, c.cell, strict=True))
        own = [Cell(shown[name], shown[name]) for name in names]
        values = [Cell(_ratio(r), r.value if r else None) for r in (c.ratio, c.relative)]
        verdict = c.verdict + (f" ({c.remark})" if c.remark and c.ratio else "")
        rest = (Cell(accuracy_text(c), c.accuracy), Cell(verdict, c.verdict, _look(c)))
        rows.append(TableRow((*own, Cell(str(c.pairs), c.pairs), *values, *rest), ""))
    return Table((*names, *heads), tuple(rows))
