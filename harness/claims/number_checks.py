"""What a published number must be, before anything is trained: each refusal says what to write."""

import math
import re
from typing import TYPE_CHECKING

from harness.experiment.model import Experiment

if TYPE_CHECKING:
    from harness.claims.number import Number

PRINTED = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)(\.\.\.)?", re.ASCII)
FEW_ROWS = 20
"""On so few rows one row is at least 5 percentage points, so counts are compared, not levels."""


# ---------------------------------------------------------------- form


def check_form(number: "Number") -> None:
    """Check that the fields of a number belong together.

    Raises:
        ValueError: they do not.
    """
    if number.rule == "range":
        if number.low is None and number.high is None:
            raise ValueError("rule 'range' needs low, high or both")
        if None not in (number.low, number.high) and number.low > number.high:  # type: ignore[operator]
            raise ValueError(
                f"low: must be at most high. Got low {number.low:g} and high {number.high:g}"
            )
        if number.also_printed:
            raise ValueError("also_printed: rule 'range' compares with low and high only")
    elif number.high is not None or (number.low is not None and number.rule != "rate"):
        raise ValueError(f"low and high belong to rule 'range'. Got rule {number.rule!r}")
    else:
        _check_printed(number)
    if number.metric == "outputs" and number.rule != "exact":
        raise ValueError(f"rule: outputs are judged by 'exact'. Got {number.rule!r}")
    _check_end(number)
    if number.minus is not None and number.minus == number.on:
        raise ValueError(f"minus: {number.on!r} minus itself is 0; name another variant")
    _check_share(number)


def _check_end(number: "Number") -> None:
    """Check that many starts at once leave the number: they leave only their ends."""
    if number.rule not in ("rate", "every"):
        return
    metrics = ["test_accuracy", "test_loss"] if number.rule == "rate" else ["test_accuracy"]
    if number.metric in metrics and number.at == "last" and number.minus is None:
        return
    raise ValueError(
        f"rule {number.rule!r} is about {' or '.join(metrics)} at last: many starts at once "
        f"leave nothing else. Got {number.key}"
    )


def _check_printed(number: "Number") -> None:
    fields = [("published", number.published)]
    if number.metric == "outputs":
        fields = [("published", text) for text in re.split(r"[,\s]+", number.published.strip())]
    fields += [("also_printed", text) for text in number.also_printed]
    for field, text in fields:
        if PRINTED.fullmatch(text):
            continue
        if re.fullmatch(r"[+-]?\d*[.,]?\d+\s*(%|per cent|percent)", text.strip()):
            digits = re.sub(r"\s*(%|per cent|percent)$", "", text.strip()).replace(",", ".")
            raise ValueError(
                f'{field}: write "{digits}" and unit = "percent"; the sign belongs to the '
                f"field `unit`. Got {text!r}"
            )
        if re.fullmatch(r"[+-]?\d+,\d+", text.strip()) and number.metric != "outputs":
            point = text.strip().replace(",", ".")
            raise ValueError(
                f'{field}: write a decimal point, "{point}". Got {text!r}; several numbers '
                "belong to the metric 'outputs', several runs to also_printed"
            )
        if "," in text or len(text.split()) > 1:
            raise ValueError(
                f"{field}: several numbers belong to the metric 'outputs', several runs of one "
                f"code to also_printed. Got {text!r}"
            )
        raise ValueError(f"{field}: must be the number as printed, without a unit. Got {text!r}")


def _check_share(number: "Number") -> None:
    if number.successes is None:
        return
    hits, total = number.successes
    if number.rule != "rate":
        raise ValueError(f"share: belongs to rule 'rate'. Got rule {number.rule!r}")
    if not 0 <= hits <= total or total == 0:
        raise ValueError(f"share: must be successes of runs, at most all. Got {number.share!r}")
    if number.low is not None:
        raise ValueError("share: give either the published share or low, the least one")


# ---------------------------------------------------------------- values that cannot be


def check_values(number: "Number") -> None:
    """Check that a metric can have the published value, and the bounds.

    Raises:
        ValueError: it cannot; the message says what to write.
    """
    if number.metric == "outputs":
        return
    named = [("published", number.published), *(("also_printed", t) for t in number.also_printed)]
    named = [] if number.rule == "range" else named
    values = [(field, float(text.removesuffix("..."))) for field, text in named]
    if number.rule == "range":
        bounds = (("low", number.low), ("high", number.high))
        values += [(field, value) for field, value in bounds if value is not None]
        if PRINTED.fullmatch(number.published):
            values.append(("published", float(number.published.removesuffix("..."))))
    for field, value in values:
        _check_value(number, field, value)
    if number.rule == "range":
        _check_range(number)
    if number.low is not None and number.rule == "rate" and not 0 < number.low <= 1:
        raise ValueError(f"low: of a rate, must be a share above 0 and at most 1. Got {number.low}")
    if not number.counts_rows and number.unit == "percent":
        raise ValueError(f"unit: {number.metric} is a plain number, not per cent")


def _check_value(number: "Number", field: str, value: float) -> None:
    if not number.counts_rows:
        if number.minus is None and value < 0 and field != "low":
            raise ValueError(f"{field}: {number.metric} is never below 0. Got {value:g}")
        return
    least, most = (0 if number.minus is None else -number.factor), number.factor
    if least <= value <= most:
        _check_small_percentage(number, field, value)
        return
    what = f"{number.metric} is a share of the rows"
    if number.minus is not None:
        what = f"the difference of two shares of {number.metric}"
    advice = "read it in the source again"
    if number.unit != "percent" and abs(value) > 1 and (100 * least <= value <= 100):
        advice = 'write unit = "percent" if it is per cent'
    elif value > 100 and value == round(value):
        advice = "write the share of the rows if it counts rows"
    raise ValueError(
        f'{field}: {what}, {least} to {most} with unit = "{number.unit}"; {advice}. Got {value:g}'
    )


def _check_small_percentage(number: "Number", field: str, value: float) -> None:
    """Refuse an accuracy below one per cent: it is a share of one whose unit is wrong."""
    if number.unit == "percent" and number.more_is_better and number.is_share and 0 < value < 1:
        raise ValueError(
            f"{field}: {value:g} % of the rows right would be worse than any guess; write "
            'unit = "fraction" if it is a share of one'
        )


def _check_range(number: "Number") -> None:
    """Refuse a range that leaves nothing out, or that does not contain what was printed."""
    low = -math.inf if number.low is None else number.low
    high = math.inf if number.high is None else number.high
    least = -number.factor if number.minus is not None else 0
    if number.counts_rows and low <= least and high >= number.factor:
        raise ValueError(f"low: every {number.metric} lies in this range, so it says nothing")
    printed = PRINTED.fullmatch(number.published)
    if printed and not low <= float(number.published.removesuffix("...")) <= high:
        raise ValueError(f"published: must lie within low and high. Got {number.published}")


# ---------------------------------------------------------------- a number and its protocol


def check_against(number: "Number", protocol: Experiment) -> None:
    """Check that trials of this protocol measure the number.

    Raises:
        ValueError: the number needs rows or a step that the protocol does not have.
    """
    validates = number.metric.startswith("validation") or number.at == "best_validation"
    if validates and not protocol.data.rows[1]:
        raise ValueError(f"numbers: {number.name!r} needs validation rows; there are none")
    of_training = number.is_of_epochs or number.metric in ("step_loss", "loss_ratio", "epochs")
    if protocol.training is None and of_training:
        raise ValueError(
            f"numbers: {number.name!r} needs [training]; without it the network only predicts"
        )
    if number.metric == "step_loss" and not isinstance(number.at, int) and number.at != "last":
        raise ValueError(f"numbers: {number.name!r}: step_loss is at a step or at 'last'")
    if number.metric in ("loss_ratio", "epochs", "outputs") and number.at != "last":
        raise ValueError(f"numbers: {number.name!r}: {number.metric} is at 'last'")
    by_number = number.is_of_epochs or number.metric == "solver_loss"
    if by_number and number.at == "best_validation":
        raise ValueError(f"numbers: {number.name!r}: {number.metric} has no best_validation")
    if isinstance(number.at, int):
        _check_step(number, protocol, number.at)
    _check_digits(number, protocol)


def _check_step(number: "Number", protocol: Experiment, at: int) -> None:
    if number.metric == "step_loss":
        known, what = range(protocol.steps), f"a step, 0 to {protocol.steps - 1:,}"
    elif number.metric == "solver_loss":
        known, what = range(1, 1_000_000), "an iteration, from 1 on"
    elif number.is_of_epochs:
        epochs = protocol.steps // protocol.steps_per_epoch
        known, what = range(1, epochs + 1), f"a whole epoch, 1 to {epochs:,}"
    else:
        if at in (0, *protocol.evaluation_points):
            return
        points = protocol.evaluation_points
        near = sorted(points, key=lambda point: abs(point - at))[:2]
        nearest = " and ".join(f"{point:,}" for point in sorted(near))
        raise ValueError(
            f"numbers: {number.name!r}: at must be a step that is evaluated, or 0 before "
            f"training. Got {at}; the nearest are {nearest or 'none'}"
        )
    if at not in known:
        raise ValueError(f"numbers: {number.name!r}: at must be {what}. Got {at}")


def _check_digits(number: "Number", protocol: Experiment) -> None:
    """Refuse digits that say nothing on few rows: `1` is printed of 0.75 too."""
    from harness.claims.counts import counts_printed_as

    rows = protocol.data.rows[2]
    if number.rule not in ("rate", "every") or rows > FEW_ROWS or not number.counts_rows:
        return
    counts = counts_printed_as(number, rows)
    if len(counts) > 1:
        shares = " and ".join(f"{number.factor * count / rows:g}" for count in counts)
        raise ValueError(
            f"published: {number.published} has too few digits on {rows} rows, where {shares} "
            f'are printed so; write such as "{number.factor * counts[-1] / rows}"'
        )
