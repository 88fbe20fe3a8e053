"""Charts as files: SVG and PNG of the very specifications that the pages draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.claims.judge import Judged
from harness.experiment.names import nearest
from harness.plan import Plan
from harness.report.chart_names import NoChartError, need_library
from harness.report.markdown import Report
from harness.report.page import compare_page as comparison
from harness.report.page import learning_charts as learning
from harness.report.page import phases_and_limits as bars
from harness.report.page import report_page as document
from harness.report.page.differences import differences
from harness.report.page.figures import LOOK, Figure, Spec
from harness.report.page.laws import laws
from harness.report.run_comparison import Compared
from harness.report.sweep import Sweep

WIDTH = 640
SCALE = 2
"""Pixels of a PNG for each of the chart's."""


@dataclass(frozen=True)
class Drawing:
    """A specification and its records: all that an image is made of."""

    spec: Spec
    records: Sequence[Mapping[str, Any]]


Drawings = Mapping[str, Drawing]
"""By name."""


def names(plan: Plan) -> list[str]:
    """Every chart that a report of the plan may have, on one device: `<experiment>/<chart>`."""
    return [
        f"{name}/{chart}"
        for name, experiment in plan.experiments.items()
        for chart in (*learning.names(experiment), bars.PHASES_CHART, bars.LIMITS_CHART)
    ]


def of_report(report: Report) -> Drawings:
    """Every chart of a report: `<experiment>/<chart>`; of several devices `<experiment>@cpu/…`."""
    found: dict[str, Drawing] = {}
    names = [section.experiment.name for section in report.sections]
    for section in report.sections:
        name = section.experiment.name
        place = f"{name}@{section.device}" if names.count(name) > 1 else name
        for figure in document.figures(report, section):
            found |= {f"{place}/{chart}": each for chart, each in _of_figure(figure).items()}
    return found


def of_claims(judged: Sequence[Judged]) -> Drawings:
    """`differences`, where a claim has run."""
    return _of_figure(differences(judged))


def of_comparison(compared: Compared) -> Drawings:
    """`time`, and `time-to-baseline`, where two runs have a pair in common."""
    return _of_figure(comparison.ratios(compared.changes))


def of_sweep(made: Sweep) -> Drawings:
    """`step-time`, where something was measured."""
    return _of_figure(laws(made))


def _of_figure(figure: Figure | None) -> dict[str, Drawing]:
    if figure is None:
        return {}
    return {name: Drawing(spec, figure.records) for name, spec in figure.specs.items()}


def image(drawings: Drawings, name: str, suffix: str) -> bytes:
    """One chart as `.svg` or `.png`; without a name the first.

    Raises:
        NoChartError: there is no such chart; the message lists those there are.
        NoChartLibraryError: nothing here can draw.
    """
    chosen = _chosen(drawings, name)
    need_library()
    import vl_convert

    spec = chosen.spec | {"data": {"values": list(chosen.records)}, "width": WIDTH}
    config = LOOK | {"background": "white", "font": "sans-serif", "axisY": {"labelLimit": 300}}
    if suffix == ".svg":
        return str(vl_convert.vegalite_to_svg(spec, config=config)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE, config=config))


def _chosen(drawings: Drawings, name: str) -> Drawing:
    """The drawing of that name; of those there are, an error names the same experiment's."""
    if not drawings:
        raise NoChartError(f"chart {name!r}: there is nothing to draw")
    if name and name not in drawings:
        experiment = name.partition("/")[0].partition("@")[0]
        same = [each for each in drawings if each.startswith((f"{experiment}/", f"{experiment}@"))]
        there = same or list(drawings)
        raise NoChartError(
            f"chart {name!r}: nothing was measured that it could show."
            f"{nearest(name, there)} There are: {', '.join(there)}"
        )
    return drawings[name or next(iter(drawings))]
