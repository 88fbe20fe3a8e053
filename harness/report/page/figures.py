"""What every chart of the page has in common: its parts, colours and numbers.

Specifications are Vega-Lite as plain data; the page draws them as SVG. Colour is never the only
difference: frameworks differ by point and width too, loops by dash, phases by place.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.model import Line

Spec = dict[str, Any]
Record = dict[str, Any]

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#C667A0",
    "#7A7A7A",
    "#9A7B00",
    "#7B61C9",
    "#D64545",
    "#2E8B9A",
    "#5B8C2A",
)
"""The first six after Okabe and Ito. All have a contrast above 3 to white and to the dark
background."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of a format. Nothing is fetched from there."""
CHART_CONFIG: Spec = {
    "view": {"stroke": None},
    "title": {"anchor": "start", "fontSize": 13},
    "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
    "legend": {
        "orient": "bottom",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "labelLimit": 170,
        "layout": {"bottom": {"direction": "vertical", "anchor": "start", "margin": 4}},
    },
}
"""Vega's configuration of all charts. The page adds what depends on width and background."""
FRAME, SECOND_LEGEND = 105, 42
"""Pixels that title, axis and legend of a chart take beside its height, about."""
NOT_PROVEN = ", not proven"
"""The end of the label of a line that is not proven."""


@dataclass(frozen=True)
class Figure:
    """One or several charts over the same records, and those records as a plain table.

    Args:
        specs: a chart's name to Vega-Lite without data. Whoever draws it adds the records.
    """

    name: str
    title: str
    caption: str
    specs: Mapping[str, Spec]
    records: tuple[Record, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def reserved_height(spec: Spec) -> int:
    """Return how high a drawn chart is, about; one with layers has a legend of loops too."""
    return int(spec["height"]) + FRAME + (SECOND_LEGEND if "layer" in spec else 0)


def new_spec(title: str, height: int) -> Spec:
    """Return the beginning of every specification, which is as wide as its place in the page."""
    return {"$schema": SCHEMA, "title": title, "width": "container", "height": height}


def five_digits(value: float | None) -> float | None:
    """Round to five significant digits; None where the value is not a finite number."""
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None


def label_of(line: Line) -> str:
    """Return what a line is called in a chart."""
    unproven = line.identical and not line.proven
    return f"{line.name}{NOT_PROVEN if unproven else ''}"
