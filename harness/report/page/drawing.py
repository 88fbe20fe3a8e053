"""Charts as files: SVG and PNG of the same specifications that the pages draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.claims.judge import Judged
from harness.experiment.names import nearest
from harness.plan import Plan
from harness.report.chart_names import OVERVIEW, NoChartError, need_library
from harness.report.model import Report
from harness.report.page import learning_charts, report_page
from harness.report.page.differences import differences
from harness.report.page.figures import CHART_CONFIG, Figure, Record, Spec
from harness.report.page.laws import laws
from harness.report.page.phases_and_limits import LIMITS_CHART, PHASES_CHART
from harness.report.page.time_ratios import time_ratios
from harness.report.run_comparison import RunComparison
from harness.report.sweep import Sweep

IMAGES = (".svg", ".png")
WIDTH = 640
SCALE = 2
"""Pixels of a PNG for each of the chart's."""


@dataclass(frozen=True)
class Drawing:
    """A specification and its records: all that an image is made of."""

    spec: Spec
    records: Sequence[Record]


Drawings = Mapping[str, Drawing]
"""By name."""


def names(plan: Plan) -> list[str]:
    """Return every chart that a report of the plan may have on one device."""
    timed = plan.request.timed
    of_times = (PHASES_CHART, LIMITS_CHART) if timed else ()
    return [OVERVIEW] * timed + [
        f"{name}/{chart}"
        for name, experiment in plan.experiments.items()
        for chart in (*learning_charts.chart_names(experiment, timed), *of_times)
    ]


def of_report(report: Report) -> Drawings:
    """Return `overview` and `<experiment>/<chart>`; of several places `<experiment>@cpu/…`."""
    drawings = _of_figure(report_page.overview(report))
    names = [section.experiment.name for section in report.sections]
    for section in report.sections:
        name = section.experiment.name
        place = f"{name}@{section.place}" if names.count(name) > 1 else name
        for figure in report_page.figures(report.run, section):
            of_figure = _of_figure(figure)
            drawings |= {f"{place}/{chart}": drawing for chart, drawing in of_figure.items()}
    return drawings


def of_claims(judged: Sequence[Judged]) -> Drawings:
    """`differences`, where a claim has run."""
    return _of_figure(differences(judged))


def of_comparison(comparison: RunComparison) -> Drawings:
    """`time`, and `time-to-baseline`, where two runs have a pair in common."""
    return _of_figure(time_ratios(comparison.changes))


def of_sweep(sweep: Sweep) -> Drawings:
    """`step-time`, where something was measured."""
    return _of_figure(laws(sweep))


def _of_figure(figure: Figure | None) -> dict[str, Drawing]:
    if figure is None:
        return {}
    return {name: Drawing(spec, figure.records) for name, spec in figure.specs.items()}


def image(drawings: Drawings, name: str, suffix: str) -> bytes:
    """Return one chart as `.svg` or `.png`; without a name the first.

    Raises:
        NoChartError: there is no such chart. The message lists the charts there are.
        NoChartLibraryError: charts cannot be drawn here.
    """
    drawing = _choose(drawings, name)
    need_library()
    import vl_convert

    spec = drawing.spec | {"data": {"values": list(drawing.records)}, "width": WIDTH}
    fixed = {"background": "white", "font": "sans-serif", "axisY": {"labelLimit": 300}}
    config = CHART_CONFIG | fixed
    if suffix == ".svg":
        return str(vl_convert.vegalite_to_svg(spec, config=config)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE, config=config))


def _choose(drawings: Drawings, name: str) -> Drawing:
    """Return the drawing of that name. The error lists the charts of the same experiment."""
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
