"""Charts of learning: loss and score, by step and by seconds, and the loss of single batches."""

from collections.abc import Sequence
from itertools import chain

from harness.experiment.model import Experiment
from harness.report.model import Measure, is_halved, measure_of
from harness.report.page.curve_chart import ALL_LOOPS, SECONDS, STEP, Axis, curve_chart
from harness.report.page.figures import (
    NOT_PROVEN,
    Figure,
    Record,
    five_digits,
)
from harness.report.page.learning_curves import (
    ENOUGH_POINTS,
    MOST_POINTS,
    MOST_TRIALS,
    BatchLosses,
    Curves,
    thinned,
)
from harness.report.page.same_curves import SameCurves, same_curves
from harness.report.text import seconds

TABLE_POINTS = 12
"""The table under a chart has at most this many points of each curve."""


LOSS, BATCH_LOSS = Axis("loss", "training loss"), Axis("loss", "batch loss")
"""Where the protocol halves the squared error, their titles say it, not their names."""


def chart_names(experiment: Experiment, timed: bool = True) -> list[str]:
    """Return what the charts of an experiment's curves are called; none without training."""
    if experiment.training is None:
        return []
    names = [_name(x, y) for y in _curves_of(experiment) for x in _axes(timed)]
    few_points = len(experiment.evaluation_points) < ENOUGH_POINTS
    return [*names, _name(STEP, BATCH_LOSS)] if few_points else names


def _axes(timed: bool) -> tuple[Axis, ...]:
    return (STEP, SECONDS) if timed else (STEP,)


def _name(x: Axis, y: Axis) -> str:
    """`training-loss-by-step`; by time for seconds of training."""
    return f"{(y.name or y.title).replace(' ', '-')}-by-{'step' if x is STEP else 'time'}"


def _curves_of(experiment: Experiment) -> tuple[Axis, ...]:
    """Return loss and score; the loss alone where the score is that loss.

    A chart of training accuracy has the name of the other, by which scripts ask for it.
    """
    measure, loss = measure_of(experiment), _titled(LOSS, experiment)
    if measure == Measure.TRAINING_LOSS:
        return (loss,)
    name = Measure.ACCURACY if measure == Measure.TRAINING_ACCURACY else measure
    score = Axis("score", str(measure), str(name))
    return (loss, _titled(score, experiment) if measure.is_loss else score)


def _titled(axis: Axis, experiment: Experiment) -> Axis:
    """Return the axis of a loss, whose title says that the loss is halved, where it is."""
    if not is_halved(experiment):
        return axis
    return Axis(axis.field, f"half {axis.title}", axis.name or axis.title)


def learning(
    experiment: Experiment, all_curves: Sequence[Curves], frameworks: Sequence[str], length: str
) -> Figure | None:
    """Return loss and score, by step and by seconds.

    Args:
        experiment: of the section.
        all_curves: of the lines of a section.
        frameworks: all of the report, so that each keeps its colour through it.
        length: what was run of the full length, in words.
    """
    if not all_curves:
        return None
    shown = _curves_of(experiment)
    timed = any(curves.seconds is not None for curves in all_curves)
    drawn = [_records(curves, timed) for curves in all_curves]
    each = tuple(chain.from_iterable(drawn))
    same = same_curves(all_curves)
    of_same = _records_of_same(same, timed) if same else []
    by_step = [*of_same, *(r for r in each if not same or r["l"].endswith(NOT_PROVEN))]
    by_time = [record for record in each if record.get("s") is not None]
    axes = [(x, y) for y in shown for x in _axes(timed) if x is STEP or not _is_flat(by_time, y)]
    evaluation = "; evaluation is not in the time" if timed else ""
    time = ("training time",) if timed else ()
    headings: tuple[str, ...] = ("framework", "loop", "step", *time, *(a.title for a in shown))
    rows = tuple(_cells(record, shown) for record in _table_points(drawn))
    if same and len(same.curves) == len(all_curves):
        headings, rows = _table_of_same(all_curves, of_same, drawn, shown)
    specs = {
        _name(x, y): curve_chart(by_step if x is STEP else by_time, x, y, frameworks)
        for x, y in axes
    }
    return Figure(
        name="learning",
        title="Learning curves",
        caption=f"{length}. {_rows_text(measure_of(experiment))}, at the evaluation points"
        f"{_medians(all_curves)}{evaluation}.{_unproven_text(all_curves)}"
        f"{_untimed_text(all_curves) if timed else ''} {_by_step_text(same, shown)}"
        f"{_thinned_text(drawn)}",
        specs=specs,
        records=(*of_same, *each),
        headings=headings,
        rows=rows,
    )


def _records(curves: Curves, timed: bool) -> list[Record]:
    """Return the points of a curve; with seconds where any curve of its chart has them."""
    loss, score = curves.values.values()
    points = zip(curves.steps, loss, score, strict=True)
    records: list[Record] = [
        {
            "f": curves.framework,
            "l": _loop(curves),
            "step": int(step),
            "loss": five_digits(loss_here),
            "score": five_digits(score_here),
        }
        for step, loss_here, score_here in points
    ]
    if timed:
        times = [None] * len(records) if curves.seconds is None else curves.seconds
        for record, train_s in zip(records, times, strict=True):
            record["s"] = None if train_s is None else five_digits(train_s)
    return records


def _records_of_same(same: SameCurves, timed: bool) -> list[Record]:
    """Return the points of the one curve that stands for all that look the same."""
    loss, score = same.values.values()
    no_time = {"s": None} if timed else {}
    return [
        {
            "f": same.label,
            "l": ALL_LOOPS,
            "step": int(step),
            "loss": five_digits(loss_here),
            "score": five_digits(score_here),
        }
        | no_time
        for step, loss_here, score_here in zip(same.steps, loss, score, strict=True)
    ]


def _table_of_same(
    all_curves: Sequence[Curves],
    of_same: Sequence[Record],
    drawn: Sequence[Sequence[Record]],
    shown: Sequence[Axis],
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and rows: the one curve's points, and beside them the time of each line."""
    timed = [
        (f"time of {curves.framework} {curves.loop}", records)
        for curves, records in zip(all_curves, drawn, strict=True)
        if curves.seconds is not None
    ]
    rows = []
    for point in thinned(len(of_same), TABLE_POINTS):
        record = of_same[point]
        times = (_time(records[point]["s"]) for _, records in timed)
        rows.append(
            (f"{record['step']:,}", *(_number(record[axis.field]) for axis in shown), *times)
        )
    headings = ("step", *(axis.title for axis in shown), *(name for name, _ in timed))
    return headings, tuple(rows)


def _is_flat(records: Sequence[Record], axis: Axis) -> bool:
    """Whether a chart by time would show one level line and nothing else."""
    return len({record[axis.field] for record in records}) == 1


def _by_step_text(same: SameCurves | None, shown: Sequence[Axis]) -> str:
    """Say what is drawn by step: one line for curves that nobody can tell apart, or all."""
    if same is None:
        return (
            "By step, curves that compute the same lie on each other, the thin ones on the wide "
            "ones."
        )
    gaps = [
        f"{gap:.2g} in {axis.title}" for axis, gap in zip(shown, same.gaps.values(), strict=False)
    ]
    if not any(same.gaps.values()):
        return f"By step, one line stands for {same.label}: their numbers are equal."
    return (
        f"By step, one line stands for {same.label}: at no step do two of them differ by more "
        f"than {' or '.join(gaps)}, less than a pixel."
    )


def _loop(curve: Curves | BatchLosses) -> str:
    """Return the loop of a curve. What is not proven is another kind of line."""
    return curve.loop if curve.proven else f"{curve.loop}{NOT_PROVEN}"


def _cells(record: Record, shown: Sequence[Axis]) -> tuple[str, ...]:
    return (
        record["f"],
        record["l"],
        f"{record['step']:,}",
        *([_time(record["s"])] if "s" in record else []),
        *(_number(record[axis.field]) for axis in shown),
    )


def _time(value: float | None) -> str:
    return "-" if value is None else seconds(value)


def _rows_text(measure: Measure) -> str:
    if measure in (Measure.TRAINING_ACCURACY, Measure.TRAINING_LOSS):
        return "Of all rows, which all train"
    return "Of all training rows and all test rows"


def _medians(all_curves: Sequence[Curves]) -> str:
    trials = max(curves.trials for curves in all_curves)
    if trials == 1:
        return " of one trial each"
    first = " the first" if trials == MOST_TRIALS else ""
    return f", medians of{first} {trials} trials, at most {MOST_POINTS} points"


def _unproven_text(curves: Sequence[Curves] | Sequence[BatchLosses]) -> str:
    """Say what the widely dashed curves are, where there are any."""
    if all(curve.proven for curve in curves):
        return ""
    return " Pale curves with wide gaps are not proven to compute the same."


def _untimed_text(all_curves: Sequence[Curves]) -> str:
    """Say whose curves are not among those by time: commands are not timed."""
    names = dict.fromkeys(curves.framework for curves in all_curves if curves.seconds is None)
    return f" Not timed, and so not by time: {', '.join(names)}." if names else ""


def _table_points(drawn: Sequence[Sequence[Record]]) -> list[Record]:
    """Return the points of the curves that the table shows: evenly, with first and last."""
    return [curve[point] for curve in drawn for point in thinned(len(curve), TABLE_POINTS)]


def _thinned_text(drawn: Sequence[Sequence[Record]]) -> str:
    """Say that the table has fewer points than the chart, where it has."""
    if all(len(curve) <= TABLE_POINTS for curve in drawn):
        return ""
    return f" The table has {TABLE_POINTS} points of each curve."


def batches(
    experiment: Experiment,
    all_losses: Sequence[BatchLosses],
    frameworks: Sequence[str],
    length: str,
) -> Figure | None:
    """Return the loss of the batches, where evaluation points are too few for a curve."""
    if not all_losses:
        return None
    axis = _titled(BATCH_LOSS, experiment)
    same = same_curves([losses.as_curves() for losses in all_losses])
    drawn = [_batch_records(losses) for losses in all_losses if not (same and losses.proven)]
    if same:
        drawn.insert(0, _batch_records_of_same(same))
    records = tuple(chain.from_iterable(drawn))
    return Figure(
        name="batches",
        title="Loss of the batches",
        caption=f"{length}. The loss that every step computed on its own batch, before its update: "
        f"medians of {len(all_losses[0].steps)} stretches of equal length, of the first seed's "
        "trial. A loop that does not give losses is not in it."
        f"{_unproven_text(all_losses)} {_by_step_text(same, (axis,))}{_thinned_text(drawn)}",
        specs={_name(STEP, axis): curve_chart(records, STEP, axis, frameworks)},
        records=records,
        headings=("framework", "loop", "middle step", axis.title),
        rows=tuple(
            (r["f"], r["l"], f"{r['step']:,}", _number(r["loss"])) for r in _table_points(drawn)
        ),
    )


def _batch_records_of_same(same: SameCurves) -> list[Record]:
    fixed = {"f": same.label, "l": ALL_LOOPS}
    (losses,) = same.values.values()
    return [
        fixed | {"step": int(step), "loss": five_digits(loss)}
        for step, loss in zip(same.steps, losses, strict=True)
    ]


def _batch_records(losses: BatchLosses) -> list[Record]:
    fixed = {"f": losses.framework, "l": _loop(losses)}
    points = zip(losses.steps, losses.losses, strict=True)
    return [fixed | {"step": int(step), "loss": five_digits(loss)} for step, loss in points]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
