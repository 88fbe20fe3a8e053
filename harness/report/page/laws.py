"""The chart of `samestep scale`: what a step costs as its work grows, measured and by law."""

from collections.abc import Sequence

from harness.report.chart_names import SWEEP
from harness.report.page.figures import (
    COLOURS,
    NOT_PROVEN,
    SHAPES,
    Figure,
    Record,
    Spec,
    five_digits,
    new_spec,
)
from harness.report.sweep import FittedLoop, Sweep
from harness.report.text import seconds

HEIGHT = 320


def laws(sweep: Sweep) -> Figure | None:
    """Return step time over work of each framework's fastest loop, both logarithmic."""
    loops = sweep.charted
    if not loops:
        return None
    records = tuple(record for loop in loops for record in _records(loop))
    return Figure(
        name="step-time",
        title="Step time by work",
        caption="Points are measured, lines are the law fitted to them: step time = overhead + "
        "work / rate. Hollow points were measured on a disturbed machine.",
        specs=dict.fromkeys(SWEEP, _spec(loops)),
        records=records,
        headings=("loop", "work, floating-point operations", "step time"),
        rows=tuple((r["c"], f"{r['w']:.3g}", seconds(r["t"] * 1e-6)) for r in records),
    )


def _name(loop: FittedLoop) -> str:
    return loop.label if loop.proven else f"{loop.label}{NOT_PROVEN}"


def _records(loop: FittedLoop) -> list[Record]:
    law = loop.fit
    return [
        {
            "c": _name(loop),
            "w": timing.work,
            "t": five_digits(timing.step_us),
            "law": five_digits(law.step_us(timing.work)) if law else None,
            "noisy": timing.point in loop.disturbed,
        }
        for timing in sorted(loop.timings, key=lambda timing: timing.work)
    ]


def _spec(loops: Sequence[FittedLoop]) -> Spec:
    names = [_name(loop) for loop in loops]
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(names))]
    return new_spec("step time by work of a step", HEIGHT) | {
        "encoding": {
            "x": {
                "field": "w",
                "type": "quantitative",
                "title": "floating-point operations",
                "scale": {"type": "log"},
                "axis": {"format": "~s", "tickCount": 6},
            },
            "color": _by_loop(names, colours),
        },
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.law)"}],
                "mark": {"type": "line", "strokeWidth": 1.5},
                "encoding": {"y": {"field": "law", "type": "quantitative"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
                "encoding": _point_encoding(names, colours, shapes),
            },
        ],
    }


def _point_encoding(names: Sequence[str], colours: Sequence[str], shapes: Sequence[str]) -> Spec:
    return {
        "y": {
            "field": "t",
            "type": "quantitative",
            "title": "step time (µs)",
            "scale": {"type": "log"},
            "axis": {"format": "~s", "tickCount": 5},
        },
        "stroke": _by_loop(names, colours),
        "fillOpacity": {"condition": {"test": "datum.noisy", "value": 0}, "value": 1},
        "shape": _by_loop(names, shapes),
        "tooltip": [
            {"field": "c", "title": "loop"},
            {"field": "w", "title": "operations", "format": ".3s"},
            {"field": "t", "title": "µs", "format": ".3g"},
        ],
    }


def _by_loop(names: Sequence[str], values: Sequence[str]) -> Spec:
    legend = {"columns": 3, "labelLimit": 240}
    scale = {"domain": names, "range": values}
    return {"field": "c", "title": "loop", "legend": legend, "scale": scale}
