"""Charts as files: SVG and PNG of the very specifications that the pages draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.claims.judge import Judged
from harness.experiment.names import unknown
from harness.plan import Plan
from harness.report.comparison import Compared
from harness.report.export import Report
from harness.report.page import comparison, document
from harness.report.page.charts import LOOK, Figure, Spec
from harness.report.page.differences import differences
from harness.report.page.laws import laws
from harness.report.sweep import Sweep

WIDTH = 640
SCALE = 2
"""Pixels of a PNG for each of the chart's."""


class NoChartLibraryError(RuntimeError):
    """vl-convert is not installed; the message says how to get it."""


@dataclass(frozen=True)
class Drawing:
    """A specification and its records: all that an image is made of."""

    spec: Spec
    records: Sequence[Mapping[str, Any]]


Drawings = Mapping[str, Drawing]
"""By name."""


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
    return _of_figure(comparison.ratios(compared.comparisons))


def of_sweep(made: Sweep) -> Drawings:
    """`step-time`, where something was measured."""
    return _of_figure(laws(made))


def _of_figure(figure: Figure | None) -> dict[str, Drawing]:
    if figure is None:
        return {}
    return {name: Drawing(spec, figure.records) for name, spec in figure.specs.items()}


def check(name: str, plan: Plan) -> None:
    """Refuse a name that no run of a plan can have, before anything is trained.

    Raises:
        ValueError: it names no chart, or an experiment that is not in the plan.
    """
    experiment, _, chart = name.partition("/")
    if not experiment or not chart:
        example = f"{next(iter(plan.experiments))}/training-loss-by-step"
        raise ValueError(f"chart must be named, such as {example}=FILE. Got {name!r}")
    if experiment.partition("@")[0] not in plan.experiments:
        raise ValueError(f"chart: experiment {unknown(experiment, plan.experiments)}")


def image(drawings: Drawings, name: str, suffix: str) -> bytes:
    """One chart as `.svg` or `.png`; without a name the first.

    Raises:
        ValueError: there is no such chart; the message lists those there are.
        NoChartLibraryError: nothing here can draw.
    """
    if not drawings:
        raise ValueError(f"chart: there is nothing to draw. Got {name!r}")
    if name and name not in drawings:
        same = [each for each in drawings if each.startswith(f"{name.partition('/')[0]}/")]
        raise ValueError(f"chart {unknown(name, same or list(drawings))}")
    chosen = drawings[name or next(iter(drawings))]
    try:
        import vl_convert
    except ImportError as error:
        raise NoChartLibraryError(
            'charts as files need vl-convert: pip install "samestep[report]"'
        ) from error
    spec = chosen.spec | {"data": {"values": list(chosen.records)}, "width": WIDTH}
    config = LOOK | {"background": "white", "font": "sans-serif", "axisY": {"labelLimit": 300}}
    if suffix == ".svg":
        return str(vl_convert.vegalite_to_svg(spec, config=config)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE, config=config))
