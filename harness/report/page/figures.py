"""What every chart of the page has in common: its parts, colours and numbers.

Specifications are Vega-Lite as plain data; the page draws them as SVG. Nothing is told by colour
alone: frameworks differ by point and width too, loops by dash, phases by place.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.sections import Line

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#C667A0", "#7A7A7A", "#9A7B00")
"""After Okabe and Ito; all with a contrast of about 3 to white and to the dark ground."""
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of a format; nothing is fetched from there."""
LOOK: Spec = {
    "view": {"stroke": None},
    "title": {"anchor": "start", "fontSize": 13},
    "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
    "legend": {
        "orient": "bottom", "labelFontSize": 11, "titleFontSize": 11, "labelLimit": 170,
        "layout": {"bottom": {"direction": "vertical", "anchor": "start", "margin": 4}},
    },
}  # fmt: skip
"""Vega's configuration of all charts; what depends on their width and ground comes on top."""
NOT_PROVEN = ", not proven"
"""Said of what is shown beside proven cells without being one."""


@dataclass(frozen=True)
class Figure:
    """One or several charts over the same records, and those records as a plain table.

    Args:
        specs: a chart's name to Vega-Lite without data; who draws it adds the records.
    """

    name: str
    title: str
    caption: str
    specs: Mapping[str, Spec]
    records: tuple[dict[str, Any], ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def chart(title: str, height: int) -> Spec:
    """The beginning of every specification: as wide as its place in the page."""
    return {"$schema": SCHEMA, "title": title, "width": "container", "height": height}


def short(value: float | None) -> float | None:
    """Five significant digits; None where it is no number."""
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None


def label_of(line: Line) -> str:
    """What a line is called in a chart."""
    unproven = line.track == "identical" and not line.proven
    return f"{line.framework} {line.loop}{NOT_PROVEN if unproven else ''}"
