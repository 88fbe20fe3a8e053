"""The chart of `samestep scale`: what a step costs as its work grows, measured and by law."""

from collections.abc import Sequence
from typing import Any

from harness.parity.judgement import PROVEN
from harness.report.chart_names import SWEEP
from harness.report.page.figures import COLOURS, NOT_PROVEN, Figure, Spec, chart, short
from harness.report.page.learning_charts import SHAPES
from harness.report.sweep import Cell, Sweep
from harness.report.text import seconds

HEIGHT = 320


def laws(made: Sweep) -> Figure | None:
    """Step time over work of each framework's fastest loop, both logarithmic."""
    cells = [cell for cell in made.cells if cell.sign and cell.timings]
    if not cells:
        return None
    records = tuple(record for cell in cells for record in _records(cell))
    rows = tuple(
        (record["c"], f"{record['w']:.3g}", seconds(record["t"] * 1e-6)) for record in records
    )
    caption = (
        "Points are measured, lines the law fitted to them: step time = overhead + work / rate. "
        "Hollow points were measured on a disturbed machine."
    )
    return Figure(
        "step-time", "Step time by work", caption, dict.fromkeys(SWEEP, _spec(cells)), records,
        ("loop", "work, floating-point operations", "step time"), rows,
    )  # fmt: skip


def _name(cell: Cell) -> str:
    return cell.label if cell.verdict in PROVEN else f"{cell.label}{NOT_PROVEN}"


def _records(cell: Cell) -> list[dict[str, Any]]:
    law = cell.fit
    return [
        {"c": _name(cell), "w": timing.work, "t": short(timing.step_us),
         "law": short(law.step_us(timing.work)) if law else None,
         "noisy": timing.point in cell.disturbed}
        for timing in sorted(cell.timings, key=lambda timing: timing.work)
    ]  # fmt: skip


def _spec(cells: Sequence[Cell]) -> Spec:
    names = [_name(cell) for cell in cells]
    told = {"field": "c", "title": "loop", "legend": {"columns": 3, "labelLimit": 240}}
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(names))]
    calm = {"condition": {"test": "datum.noisy", "value": 0}, "value": 1}
    return chart("step time by work of a step", HEIGHT) | {
        "encoding": {
            "x": {"field": "w", "type": "quantitative", "title": "floating-point operations",
                  "scale": {"type": "log"}, "axis": {"format": "~s", "tickCount": 6}},
            "color": told | {"scale": {"domain": names, "range": colours}},
        },
        "layer": [
            {"transform": [{"filter": "isValid(datum.law)"}],
             "mark": {"type": "line", "strokeWidth": 1.5},
             "encoding": {"y": {"field": "law", "type": "quantitative"}}},
            {"mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
             "encoding": {
                 "y": {"field": "t", "type": "quantitative", "title": "step time (µs)",
                       "scale": {"type": "log"}, "axis": {"format": "~s", "tickCount": 5}},
                 "stroke": told | {"scale": {"domain": names, "range": colours}},
                 "fillOpacity": calm,
                 "shape": told | {"scale": {"domain": names, "range": shapes}},
                 "tooltip": [{"field": "c", "title": "loop"},
                             {"field": "w", "title": "operations", "format": ".3s"},
                             {"field": "t", "title": "µs", "format": ".3g"}],
             }},
        ],
    }  # fmt: skip
