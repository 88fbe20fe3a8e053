"""Learning curves: loss and accuracy, by step and by seconds, and the loss of single batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from harness.experiment.model import Experiment
from harness.report.page.figures import COLOURS, NOT_PROVEN, Figure, Spec, chart, short
from harness.report.page.learning_curves import (
    ENOUGH_POINTS,
    MOST_POINTS,
    MOST_TRIALS,
    BatchLosses,
    Series,
    thinned,
)
from harness.report.section_table import HEADINGS, Section, measure
from harness.report.text import seconds

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
LOOPS: dict[str, list[int]] = {"idiomatic": [2, 3], "stepwise": [7, 3], "fused": [1, 0]}
UNPROVEN_DASH, UNPROVEN_OPACITY = [4, 10], 0.6
"""A curve that is not proven has wide gaps and hollow points, whatever its loop."""
DASHES = LOOPS | {f"{loop}{NOT_PROVEN}": UNPROVEN_DASH for loop in LOOPS}
HEIGHT = 190
WORTH_A_LOGARITHM = 20
"""Values that span a larger factor get a logarithmic axis."""
TABLED_POINTS = 12
"""Of every curve, so many points stand in the table under its chart: more is no reading matter."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """A field of the records and its name in words."""

    field: str
    title: str


STEP, SECONDS = Axis("step", "step"), Axis("s", "training time (s)")
LOSS, BATCH_LOSS = Axis("loss", "training loss"), Axis("loss", "batch loss")


def learning(
    section: Section, curves: Sequence[Series], frameworks: Sequence[str], length: str
) -> Figure | None:
    """Loss and accuracy, by step and by seconds.

    Args:
        section: whose curves they are.
        curves: of its lines.
        frameworks: all of the report, so that each keeps its colour through it.
        length: what was run of the full length, in words.
    """
    if not curves:
        return None
    score = _score(section.measure)
    drawn = [_records(series) for series in curves]
    caption = (
        f"{length}. Of all training rows and all test rows, at the evaluation points"
        f"{_medians(curves)}; evaluation is not in the time.{_warning(curves)} By step, curves "
        "that compute the same lie on each other, the thin ones on the wide ones."
        f"{_left_out(drawn)}"
    )
    records = tuple(chain.from_iterable(drawn))
    return Figure(
        "learning", "Learning curves", caption,
        {
            _name(x, y): _lines(records, x, y, frameworks)
            for y in (LOSS, score) for x in (STEP, SECONDS)
        },
        records,
        ("framework", "loop", "step", "training time", LOSS.title, score.title),
        tuple(_told(record) for record in _tabled(drawn)),
    )  # fmt: skip


def names(experiment: Experiment) -> list[str]:
    """What the charts of an experiment's curves are called; none where nothing is trained."""
    if experiment.training is None:
        return []
    few = len(experiment.evaluation_points) < ENOUGH_POINTS
    return [
        *(_name(x, y) for y in (LOSS, _score(measure(experiment))) for x in (STEP, SECONDS)),
        *([_name(STEP, BATCH_LOSS)] if few else []),
    ]


def _name(x: Axis, y: Axis) -> str:
    """`training-loss-by-step`; by time for seconds of training."""
    return f"{y.title.replace(' ', '-')}-by-{'step' if x is STEP else 'time'}"


def _score(measured: str) -> Axis:
    return Axis("score", HEADINGS[measured])


def _records(series: Series) -> list[Record]:
    loss, score = series.values.values()
    loop = _loop(series)
    return [
        {"f": series.framework, "l": loop, "step": int(step), "s": short(at),
         "loss": short(lost), "score": short(scored)}
        for step, at, lost, scored in zip(series.steps, series.seconds, loss, score, strict=True)
    ]  # fmt: skip


def _loop(curve: Series | BatchLosses) -> str:
    """The loop of a curve; what is not proven is another kind of line."""
    return curve.loop if curve.proven else f"{curve.loop}{NOT_PROVEN}"


def _told(record: Record) -> tuple[str, ...]:
    return (
        record["f"], record["l"], f"{record['step']:,}", seconds(record["s"] or 0),
        _shown(record["loss"]), _shown(record["score"]),
    )  # fmt: skip


def _medians(curves: Sequence[Series]) -> str:
    trials = max(series.trials for series in curves)
    if trials == 1:
        return " of one trial each"
    first = " the first" if trials == MOST_TRIALS else ""
    return f", medians of{first} {trials} trials, at most {MOST_POINTS} points"


def _warning(curves: Sequence[Series] | Sequence[BatchLosses]) -> str:
    """What the widely dashed curves are, where there are any."""
    if all(curve.proven for curve in curves):
        return ""
    return " Pale curves with wide gaps are not proven to compute the same."


def _tabled(curves: Sequence[Sequence[Record]]) -> list[Record]:
    """What the table under a chart has of its curves: evenly, with their first and last points."""
    return [curve[point] for curve in curves for point in thinned(len(curve), TABLED_POINTS)]


def _left_out(curves: Sequence[Sequence[Record]]) -> str:
    """That the table has fewer points than the chart, where it has."""
    if all(len(curve) <= TABLED_POINTS for curve in curves):
        return ""
    return f" The table has {TABLED_POINTS} points of each curve."


def batches(losses: Sequence[BatchLosses], frameworks: Sequence[str], length: str) -> Figure | None:
    """The loss of the batches themselves, where evaluation points are too few for a curve."""
    if not losses:
        return None
    drawn: list[list[Record]] = [
        [
            {"f": found.framework, "l": _loop(found), "step": int(step), "loss": short(loss)}
            for step, loss in zip(found.steps, found.losses, strict=True)
        ]
        for found in losses
    ]
    records = tuple(chain.from_iterable(drawn))
    caption = (
        f"{length}. The loss that every step found on its own batch, before its update: medians "
        f"of {len(losses[0].steps)} stretches of equal length, of the first seed's trial. A loop "
        f"that does not give losses is not in it.{_warning(losses)}{_left_out(drawn)}"
    )
    rows = tuple((r["f"], r["l"], f"{r['step']:,}", _shown(r["loss"])) for r in _tabled(drawn))
    return Figure(
        "batches", "Loss of the batches", caption,
        {_name(STEP, BATCH_LOSS): _lines(records, STEP, BATCH_LOSS, frameworks)},
        records, ("framework", "loop", "middle step", BATCH_LOSS.title), rows,
    )  # fmt: skip


def _lines(records: Sequence[Record], x: Axis, y: Axis, frameworks: Sequence[str]) -> Spec:
    """One chart; by step, later frameworks are thinner, so that what they cover is seen."""
    present = [name for name in frameworks if any(r["f"] == name for r in records)]
    loops = [loop for loop in DASHES if any(r["l"] == loop for r in records)]
    fields: Spec = {
        "x": _x(x, records),
        "y": _y(y, records),
        "color": _coloured(frameworks, present),
    }
    fields["tooltip"] = [
        {"field": "f", "title": "framework"},
        {"field": "l", "title": "loop"},
        {"field": x.field, "title": x.title, "format": "," if x is STEP else ".3g"},
        {"field": y.field, "title": y.title, "format": ".5g"},
    ]
    points: Spec = {"shape": _shaped(frameworks, present)}
    lines: Spec = {"strokeDash": _dashed(loops)}
    if any(loop not in LOOPS for loop in loops):
        fields["opacity"] = _unless_proven(UNPROVEN_OPACITY)
        points |= {"fillOpacity": _unless_proven(0.0), "stroke": fields["color"]}
    if x is STEP:
        nested = [1 - i / max(len(present) - 1, 1) for i in range(len(present))]
        lines["strokeWidth"] = _ranged(present, [1.4 + 5 * share for share in nested])
        points["size"] = _ranged(present, [20 + 100 * share for share in nested])
    # a logarithm has no place for a step of no time
    drawable = f"isValid(datum.{y.field}) && datum.{x.field} > 0"
    return chart(f"{y.title} by {x.title}", HEIGHT) | {
        "transform": [{"filter": drawable}],
        "encoding": fields,
        "layer": [
            {"mark": {"type": "line"}, "encoding": lines},
            {"mark": {"type": "point", "filled": True, "size": 26, "opacity": 1},
             "encoding": points},
        ],
    }  # fmt: skip


def _x(axis: Axis, records: Sequence[Record]) -> Spec:
    scale = {} if axis is STEP else _scale(axis, records)
    return {
        "field": axis.field, "type": "quantitative", "title": axis.title, "scale": scale,
        "axis": {"tickCount": 5, "format": "~s" if axis is STEP else "~g"},
    }  # fmt: skip


def _y(axis: Axis, records: Sequence[Record]) -> Spec:
    scale = _scale(axis, records) or {"zero": False}
    return {
        "field": axis.field, "type": "quantitative", "title": axis.title, "scale": scale,
        "axis": {"tickCount": 5},
    }  # fmt: skip


def _scale(axis: Axis, records: Sequence[Record]) -> Spec:
    """Logarithmic where no value is negative and the others span much."""
    known = [record[axis.field] for record in records if record[axis.field] is not None]
    positive = [value for value in known if value > 0]
    if positive and min(known) >= 0 and max(positive) / min(positive) > WORTH_A_LOGARITHM:
        return {"type": "log"}
    return {}


def _coloured(frameworks: Sequence[str], present: Sequence[str]) -> Spec:
    colours = [COLOURS[frameworks.index(name) % len(COLOURS)] for name in present]
    return {"field": "f", "title": "framework", "scale": {"domain": present, "range": colours}}


def _shaped(frameworks: Sequence[str], present: Sequence[str]) -> Spec:
    """Beyond as many frameworks as colours, the same colour has another shape."""
    places = [frameworks.index(name) for name in present]
    shapes = [SHAPES[(place + place // len(COLOURS)) % len(SHAPES)] for place in places]
    return {"field": "f", "title": "framework", "scale": {"domain": present, "range": shapes}}


def _dashed(loops: Sequence[str]) -> Spec:
    scale = {"domain": loops, "range": [DASHES[loop] for loop in loops]}
    legend: Spec = {"symbolSize": 400}
    if any(loop not in LOOPS for loop in loops):  # long names
        legend["columns"] = 2
    return {"field": "l", "title": "loop", "scale": scale, "legend": legend}


def _unless_proven(value: float) -> Spec:
    """One for a curve that is proven, else this."""
    return {"condition": {"test": {"field": "l", "oneOf": list(LOOPS)}, "value": 1}, "value": value}


def _ranged(present: Sequence[str], values: Sequence[float]) -> Spec:
    """A value for every framework, without a scale, which would join the legend of colours."""
    each = [
        {"test": {"field": "f", "equal": name}, "value": value}
        for name, value in zip(present, values, strict=True)
    ]
    return {"condition": each, "value": min(values)}


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
