"""The first chart of a report: all training times over the baseline's, a row per experiment."""

import math
import textwrap
from collections.abc import Sequence

from harness.experiment.vocabulary import Loop
from harness.report.chart_names import OVERVIEW
from harness.report.model import Line, Section
from harness.report.page.figures import COLOURS, Figure, Record, Spec, new_spec
from harness.report.product_gaps import product_gaps
from harness.report.remarks import gap_text
from harness.report.section_table import Bound, as_bound, at_most, bound_of
from harness.report.text import ratio_digits, seconds

SHAPES = {Loop.IDIOMATIC: "circle", Loop.STEPWISE: "diamond", Loop.FUSED: "triangle-up"}
"""Mark of each loop."""
ROW_HEIGHT = 26
"""Pixels from one experiment to the next."""
LABEL_WIDTH = 38
"""Characters of a title in a line of its label."""
LINE_HEIGHT = 11
TWO_LINES = "indexof(datum.label, '\\n') >= 0"
LOOP_LEGEND = {"symbolFillColor": COLOURS[4], "symbolStrokeColor": COLOURS[4]}
BOUNDS = {
    Bound.UPPER: "A line to the left of a mark: an upper bound (≤), because other processes "
    "disturbed every trial.",
    Bound.LOWER: "A line to the right: a lower bound (≥), because the baseline was disturbed.",
    Bound.NEITHER: "Lines to both sides: both were disturbed.",
}
"""What the lines beside a mark mean."""
BOUND = 1.4
"""Factor from a mark that is a bound to the end of its line."""
MARGIN = 1.3
"""Factor between the outermost points and the ends of the axis."""
DECADES_FOR_THIRDS = 3.5
"""A wider axis has ticks at powers of ten only."""


def time_overview(sections: Sequence[Section], frameworks: Sequence[str]) -> Figure | None:
    """Return a row per experiment and a point per loop; None where nothing can be compared.

    Args:
        sections: of the report. Those without a proven time that others are divided by are left
            out.
        frameworks: all of the report, so that each keeps its colour through it.
    """
    shown = [section for section in sections if _points(section)]
    if not shown:
        return None
    ordered = sorted(shown, key=lambda section: section.experiment.step_flop)
    labels = _labels(ordered)
    baselines = list(dict.fromkeys(_baseline(section) for section in ordered))
    over = f"{baselines[0]}'s" if len(baselines) == 1 else "the baseline's"
    records = tuple(
        _record(section, line, label)
        for section, label in zip(ordered, labels, strict=True)
        for line in _points(section)
    )
    return Figure(
        name="overview",
        title="All training times",
        caption=_caption(records, baselines),
        specs={OVERVIEW: _spec(records, labels, frameworks, over)},
        records=records,
        headings=("experiment", "framework", "loop", "training time", f"over {over}", "proof"),
        rows=tuple(_cells(section, line) for section in ordered for line in _points(section)),
    )


def _points(section: Section) -> list[Line]:
    """Return the lines of one experiment that have a time to show."""
    if section.baseline is None:
        return []
    return [line for line in section.lines if line.identical and line.train is not None]


def _baseline(section: Section) -> str:
    return section.baseline.framework if section.baseline else ""


def _labels(sections: Sequence[Section]) -> list[str]:
    """Return a label per section: its title, with name or device where titles are alike."""
    names = [section.experiment.name for section in sections]
    titles = [
        " ".join(section.experiment.title.split()) or section.experiment.name
        for section in sections
    ]
    labels = []
    for section, title, name in zip(sections, titles, names, strict=True):
        if names.count(name) > 1:
            title = f"{title} ({section.place})"
        elif titles.count(title) > 1:
            title = f"{title} ({name})"
        labels.append("\n".join(textwrap.wrap(title, LABEL_WIDTH)))
    return labels


def _ratio(section: Section, line: Line) -> float:
    """Return the ratio of the table, or for a line that is not proven that of the two times."""
    if line.ratio is not None:
        return line.ratio.value
    baseline = section.baseline
    if baseline is None or baseline.train is None or line.train is None:
        return math.nan
    return line.train.value / baseline.train.value


def _ratio_text(section: Section, line: Line) -> str:
    if line is section.baseline:
        return "1"
    return as_bound(ratio_digits(_ratio(section, line)), bound_of(section, line))


def _time_text(line: Line) -> str:
    return at_most(line, seconds(line.train.value)) if line.train else "-"


def _record(section: Section, line: Line, label: str) -> Record:
    gaps = {gap.slow.name: gap_text(gap) for gap in product_gaps(section.lines)}
    bound = bound_of(section, line) if line is not section.baseline else Bound.NONE
    ratio = _ratio(section, line)
    return {
        "e": label,
        "n": section.experiment.title,
        "f": line.framework,
        "l": line.loop,
        "r": _rounded(ratio),
        "b": bound,
        "lo": _rounded(ratio / BOUND if bound in (Bound.UPPER, Bound.NEITHER) else ratio),
        "hi": _rounded(ratio * BOUND if bound in (Bound.LOWER, Bound.NEITHER) else ratio),
        "p": _proof(line),
        "t": _time_text(line),
        "x": _ratio_text(section, line),
        "g": gaps.get(line.name, ""),
    }


def _rounded(ratio: float) -> float:
    return float(f"{ratio:.3g}")


def _proof(line: Line) -> str:
    return "proven" if line.proven else f"not proven: {line.judgement.verdict}"


def _cells(section: Section, line: Line) -> tuple[str, ...]:
    place = (section.experiment.title, line.framework, line.loop)
    return (*place, _time_text(line), _ratio_text(section, line), _proof(line))


def _caption(records: Sequence[Record], baselines: Sequence[str]) -> str:
    sentences = [
        "On a logarithmic axis; left of 1 is faster. The smallest network is at the top, by the "
        "floating-point operations of a step's matrix products."
    ]
    if len(baselines) > 1:
        sentences.append(f"The baseline is {baselines[0]}, or else the first that is proven.")
    if any(record["p"] != "proven" for record in records):
        sentences.append("Hollow marks are not proven and not compared.")
    bounds = {record["b"] for record in records}
    return " ".join([*sentences, *(text for bound, text in BOUNDS.items() if bound in bounds)])


# ---------------------------------------------------------------- the specification


def _spec(
    records: Sequence[Record], labels: Sequence[str], frameworks: Sequence[str], over: str
) -> Spec:
    y = {
        "field": "e",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(labels)},
        "axis": {
            "grid": True,
            "labelExpr": "split(datum.label, '\\n')",
            "labelLineHeight": LINE_HEIGHT,
            "labelBaseline": {
                "condition": {"test": TWO_LINES, "value": "bottom"},
                "value": "middle",
            },
        },
    }
    one = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": COLOURS[4]},
        "encoding": {"x": {"datum": 1}, "y": None},
    }
    look = _look(records, frameworks)
    bounds = {
        "transform": [{"filter": "datum.b != ''"}],
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "lo", "type": "quantitative"},
            "x2": {"field": "hi"},
            "color": look["color"],
        },
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9, "strokeWidth": 1.5},
        "encoding": look | {"x": _x(records), "tooltip": _tooltip(records, over)},
    }
    return new_spec(f"training time over {over}", len(labels) * ROW_HEIGHT) | {
        "encoding": {"y": y},
        "layer": [one, bounds, points],
    }


def _x(records: Sequence[Record]) -> Spec:
    low = min(record["lo"] for record in records) / MARGIN
    high = max(record["hi"] for record in records) * MARGIN
    decades = math.log10(high / low)
    steps = (1, 3) if decades < DECADES_FOR_THIRDS else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    return {
        "field": "r",
        "type": "quantitative",
        "title": "left of 1: faster",
        "scale": {"type": "log", "domain": [_rounded(low), _rounded(high)], "nice": False},
        "axis": {
            "values": [tick for tick in ticks if low <= tick <= high],
            "format": "~g",
            "grid": True,
        },
    }


def _look(records: Sequence[Record], frameworks: Sequence[str]) -> Spec:
    """Return colour by framework and mark by loop; what is not proven is hollow."""
    present = [name for name in frameworks if any(r["f"] == name for r in records)]
    loops = [loop for loop in SHAPES if any(r["l"] == loop for r in records)]
    colours = [COLOURS[frameworks.index(name) % len(COLOURS)] for name in present]
    colour = {"field": "f", "title": "framework", "scale": {"domain": present, "range": colours}}
    marks = {"domain": loops, "range": [SHAPES[loop] for loop in loops]}
    hollow = {"condition": {"test": "datum.p != 'proven'", "value": 0}, "value": 1}
    return {
        "color": colour,
        "stroke": colour,
        "fillOpacity": hollow,
        "shape": {"field": "l", "title": "loop", "scale": marks, "legend": LOOP_LEGEND},
    }


def _tooltip(records: Sequence[Record], over: str) -> list[dict[str, str]]:
    titles = {
        "n": "experiment",
        "f": "framework",
        "l": "loop",
        "t": "training time",
        "x": f"over {over}",
        "p": "proof",
    }
    if any(record["g"] for record in records):
        titles["g"] = "why"
    return [{"field": name, "title": title} for name, title in titles.items()]
