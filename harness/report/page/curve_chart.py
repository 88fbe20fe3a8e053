"""The chart of a curve per framework and loop, over steps or seconds, as a specification."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.experiment.vocabulary import OWN_LOOP
from harness.report.page.figures import COLOURS, NOT_PROVEN, SHAPES, Record, Spec, new_spec

LOOP_DASHES: dict[str, list[int]] = {
    "idiomatic": [2, 3],
    "stepwise": [7, 3],
    "fused": [1, 0],
    OWN_LOOP: [9, 2, 2, 2],
}
ALL_LOOPS = "all loops"
"""The loop of a line that stands for several curves that look the same."""
UNPROVEN_DASH, UNPROVEN_OPACITY = [4, 10], 0.6
"""A curve that is not proven has wide gaps and hollow points, whatever its loop."""
PROVEN_DASHES = LOOP_DASHES | {ALL_LOOPS: [1, 0]}
DASHES = PROVEN_DASHES | {f"{loop}{NOT_PROVEN}": UNPROVEN_DASH for loop in LOOP_DASHES}
GREY = 4
"""Place of the colour of a line that stands for several frameworks."""
HEIGHT = 190
WIDE_RANGE = 20
"""Values that span a larger factor get a logarithmic axis."""


@dataclass(frozen=True)
class Axis:
    """A field of the records and its name in words; `name` where the chart is named otherwise."""

    field: str
    title: str
    name: str = ""


STEP, SECONDS = Axis("step", "step"), Axis("s", "training time (s)")


def curve_chart(records: Sequence[Record], x: Axis, y: Axis, frameworks: Sequence[str]) -> Spec:
    """Return one chart, of those records of its figure that are of these curves.

    By step, later frameworks are thinner, so that all curves are visible.
    """
    together = [r["f"] for r in records if r["l"] == ALL_LOOPS][:1]
    present = [*together, *(name for name in frameworks if any(r["f"] == name for r in records))]
    loops = [loop for loop in DASHES if any(r["l"] == loop for r in records)]
    fields: Spec = {
        "x": _x(x, records),
        "y": _y(y, records),
        "color": _colour(frameworks, present),
        "tooltip": [
            {"field": "f", "title": "framework"},
            {"field": "l", "title": "loop"},
            {"field": x.field, "title": x.title, "format": "," if x is STEP else ".3g"},
            {"field": y.field, "title": y.title, "format": ".5g"},
        ],
    }
    points: Spec = {"shape": _shape(frameworks, present)}
    lines: Spec = {"strokeDash": _dash(loops)}
    if any(loop not in PROVEN_DASHES for loop in loops):
        fields["opacity"] = _unless_proven(UNPROVEN_OPACITY)
        points |= {"fillOpacity": _unless_proven(0.0), "stroke": fields["color"]}
    if x is STEP:
        nested = [1 - i / max(len(present) - 1, 1) for i in range(len(present))]
        if together:  # its line has nothing beneath it
            nested[0] = 0.2
        lines["strokeWidth"] = _by_framework(present, [1.4 + 5 * share for share in nested])
        points["size"] = _by_framework(present, [20 + 100 * share for share in nested])
    # a logarithmic axis has no place for a step that took no time
    drawable = f"isValid(datum.{y.field}) && datum.{x.field} > 0 && {_is_of(bool(together))}"
    point = {"type": "point", "filled": True, "size": 26, "opacity": 1}
    return new_spec(f"{y.title} by {x.title}", HEIGHT) | {
        "transform": [{"filter": drawable}],
        "encoding": fields,
        "layer": [
            {"mark": {"type": "line"}, "encoding": lines},
            {"mark": point, "encoding": points},
        ],
    }


def _x(axis: Axis, records: Sequence[Record]) -> Spec:
    ticks = {"tickCount": 5, "format": "~s" if axis is STEP else "~g"}
    return _axis(axis, {} if axis is STEP else _scale(axis, records), ticks)


def _y(axis: Axis, records: Sequence[Record]) -> Spec:
    return _axis(axis, _scale(axis, records) or {"zero": False}, {"tickCount": 5})


def _axis(axis: Axis, scale: Spec, ticks: Spec) -> Spec:
    named = {"field": axis.field, "type": "quantitative", "title": axis.title}
    return named | {"scale": scale, "axis": ticks}


def _scale(axis: Axis, records: Sequence[Record]) -> Spec:
    """Return a logarithmic scale where no value is negative and the others span much."""
    known = [record[axis.field] for record in records if record[axis.field] is not None]
    positive = [value for value in known if value > 0]
    if positive and min(known) >= 0 and max(positive) / min(positive) > WIDE_RANGE:
        return {"type": "log"}
    return {}


def _is_of(together: bool) -> str:
    """Return the expression for the records of a chart, among all of its figure.

    Where one curve stands for several, the others that are drawn are those that are not proven.
    """
    if together:
        return f"(datum.l == '{ALL_LOOPS}' || indexof(datum.l, '{NOT_PROVEN}') > 0)"
    return f"datum.l != '{ALL_LOOPS}'"


def _place(framework: str, frameworks: Sequence[str]) -> int:
    """Return the place of a framework's colour; of several together that of none."""
    return frameworks.index(framework) if framework in frameworks else GREY


def _colour(frameworks: Sequence[str], present: Sequence[str]) -> Spec:
    colours = [COLOURS[_place(name, frameworks) % len(COLOURS)] for name in present]
    return {"field": "f", "title": "framework", "scale": {"domain": present, "range": colours}}


def _shape(frameworks: Sequence[str], present: Sequence[str]) -> Spec:
    """Return the point shape of each framework. Two frameworks may share a colour, not a shape."""
    places = [_place(name, frameworks) for name in present]
    shapes = [SHAPES[(place + place // len(COLOURS)) % len(SHAPES)] for place in places]
    return {"field": "f", "title": "framework", "scale": {"domain": present, "range": shapes}}


def _dash(loops: Sequence[str]) -> Spec:
    scale = {"domain": loops, "range": [DASHES[loop] for loop in loops]}
    legend: Spec = {"symbolSize": 400}
    if any(loop not in PROVEN_DASHES for loop in loops):  # long names
        legend["columns"] = 2
    return {"field": "l", "title": "loop", "scale": scale, "legend": legend}


def _unless_proven(value: float) -> Spec:
    """Return 1 for a curve that is proven, or else `value`."""
    proven = {"field": "l", "oneOf": list(PROVEN_DASHES)}
    return {"condition": {"test": proven, "value": 1}, "value": value}


def _by_framework(present: Sequence[str], values: Sequence[float]) -> Spec:
    """Return a value per framework, without a scale, which would join the legend of colours."""
    conditions = [
        {"test": {"field": "f", "equal": name}, "value": value}
        for name, value in zip(present, values, strict=True)
    ]
    return {"condition": conditions, "value": min(values)}
