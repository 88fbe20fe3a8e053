"""The rules that judge one number of a claim.

Every rule takes the claim, the number, the measured values in the number's unit (one per seed)
and the rows of the part they were scored on.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.claims import tolerances
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number

NEAR_ROWS, NEAR_ROW_SHARE = 5, 0.01
"""A deterministic count may be off by so many rows, or this share of them, through rounding."""
NEAR_SHARE = 1e-4
"""A deterministic number that is not a count may be off by this, relative to itself."""
RATE_AT_LEAST = 0.05
"""A published success that a smaller share of seeds reaches is not what this protocol gives."""


@dataclass(frozen=True)
class Ruling:
    """A verdict on one number and why.

    Args:
        verdict: on the number.
        why: the verdict in words.
        difference: mean minus published, where there is one number to subtract.
        tolerance: how large the difference may be, where the rule has a tolerance; such a rule
            errs once in twenty.
    """

    verdict: Verdict
    why: str
    difference: float | None = None
    tolerance: float | None = None


Rule = Callable[[Claim, Number, Sequence[float], int], Ruling]


def exact(claim: Claim, number: Number, measured: Sequence[float], rows: int) -> Ruling:
    """Judge a run that draws nothing: the printed digits, or the same count of rows."""
    if number.metric == "outputs":
        return _exact_outputs(number, measured)
    value = measured[0]
    difference = value - number.value
    if _same_digits(value, number):
        return Ruling(Verdict.EXACT, f"the printed digits: {_text(value, number)}", difference)
    if number.is_share:
        off = abs(difference) / number.factor * rows
        if off < 0.5 and not number.is_cut:
            return Ruling(Verdict.EXACT, f"the same count of the {rows:,} rows", difference)
        if off <= min(NEAR_ROWS, NEAR_ROW_SHARE * rows) + 0.5:
            return Ruling(Verdict.NEAR_EXACT, f"{off:.0f} of {rows:,} rows off", difference)
    elif abs(difference) <= NEAR_SHARE * abs(number.value):
        return Ruling(Verdict.NEAR_EXACT, "off in the last digits only", difference)
    why = f"printed {number.published}, measured {_text(value, number)}; the run is deterministic"
    return Ruling(_side(number, difference), why, difference)


def _exact_outputs(number: Number, measured: Sequence[float]) -> Ruling:
    """Judge all printed outputs, digit by digit."""
    rounded = [f"{value:.{number.decimals}f}" for value in measured]
    published = [f"{value:.{number.decimals}f}" for value in number.values]
    verdict = Verdict.EXACT if rounded == published else Verdict.WORSE
    return Ruling(verdict, f"gives [{', '.join(rounded)}]")


def every(claim: Claim, number: Number, measured: Sequence[float], rows: int) -> Ruling:
    """Judge whether every seed gives the printed number."""
    hits = sum(_same_digits(value, number) for value in measured)
    difference = float(np.mean(measured)) - number.value
    words = f"{hits} of {len(measured)} seeds give {number.published}"
    verdict = Verdict.EXACT if hits == len(measured) else _side(number, difference)
    return Ruling(verdict, words, difference)


def rate(claim: Claim, number: Number, measured: Sequence[float], rows: int) -> Ruling:
    """Judge the share of seeds that give the printed number or a better one; state its interval."""
    hits = sum(_reaches(value, number) for value in measured)
    low, high = tolerances.wilson(hits, len(measured))
    words = (
        f"reached from {hits} of {len(measured)} starts: {100 * hits / len(measured):.0f} % "
        f"({100 * low:.0f} to {100 * high:.0f})"
    )
    least = RATE_AT_LEAST if number.low is None else number.low
    return Ruling(Verdict.RATE if hits >= least * len(measured) else Verdict.WORSE, words)


def between(claim: Claim, number: Number, measured: Sequence[float], rows: int) -> Ruling:
    """Judge whether the mean lies between two bounds."""
    mean = float(np.mean(measured))
    low = -math.inf if number.low is None else number.low
    high = math.inf if number.high is None else number.high
    if number.high is None:
        bounds = f"at least {low:g}"
    else:
        bounds = f"at most {high:g}" if number.low is None else f"{low:g} to {high:g}"
    words = f"{_text(mean, number)}, stated {bounds}"
    if low <= mean <= high:
        return Ruling(Verdict.CONSISTENT, words)
    is_above = mean > high
    return Ruling(Verdict.BETTER if is_above == number.more_is_better else Verdict.WORSE, words)


def level(claim: Claim, number: Number, measured: Sequence[float], rows: int) -> Ruling:
    """Judge whether the mean lies within the tolerance of the published number."""
    tolerance = _tolerance(claim, number, measured, rows).total
    difference = float(np.mean(measured)) - number.value
    if not math.isfinite(tolerance):
        words = f"no tolerance: a spread needs at least 2 values. Got {len(measured)}"
        return Ruling(Verdict.INCONCLUSIVE, words, difference)
    digits = DIGITS[number.unit]
    words = f"{difference:+.{digits - 1}f}, tolerance {tolerance:.{digits}f}"
    if abs(difference) > tolerance:
        return Ruling(_side(number, difference), words, difference, tolerance)
    widest = _widest(claim, number, rows)
    if tolerance > widest:
        words += f"; a tolerance above {widest:.{digits}f} is inconclusive"
        return Ruling(Verdict.INCONCLUSIVE, words, difference, tolerance)
    return Ruling(Verdict.CONSISTENT, words, difference, tolerance)


RULES: Mapping[str, Rule] = {
    "exact": exact,
    "every": every,
    "rate": rate,
    "range": between,
    "level": level,
}
"""The rules by their names in a claim's number."""
DIGITS = {"percent": 2, "fraction": 4, "number": 4}
"""How many digits behind the point a difference is written with."""


def _tolerance(
    claim: Claim, number: Number, measured: Sequence[float], rows: int
) -> tolerances.Tolerance:
    """Return the tolerance in the number's unit."""
    is_stated = claim.spread is not None
    spread = claim.spread if claim.spread is not None else _spread(measured)
    sampling = floor = 0.0
    if number.metric.endswith(("_accuracy", "_error")):
        floor = number.factor * tolerances.floor_term(rows)
        is_other_draw = not claim.same_test and number.metric.startswith(("test", "validation"))
        if is_other_draw and number.minus is None:
            sampling = number.factor * tolerances.sampling_term(number.value / number.factor, rows)
    return tolerances.Tolerance(
        seeds=tolerances.seeds_term(spread, len(measured), number.runs, is_stated),
        sampling=sampling,
        rounding=0.5 * 10.0**-number.decimals,
        floor=floor,
    )


def _spread(measured: Sequence[float]) -> float:
    """Return the standard deviation over seeds; NaN for a single value."""
    return float(np.std(measured, ddof=1)) if len(measured) > 1 else math.nan


def _widest(claim: Claim, number: Number, rows: int) -> float:
    """Return the largest tolerance that does not accept almost anything."""
    if number.tolerance_at_most is not None:
        return number.tolerance_at_most
    if not number.metric.endswith(("_accuracy", "_error")):
        return 0.2 * abs(number.value)
    if rows < 500:
        return number.factor * 3 / rows
    assert claim.protocol is not None
    fashion = claim.protocol.data.dataset == "fashion-mnist"
    return number.factor * (0.015 if fashion else 0.01)


def _same_digits(value: float, number: Number) -> bool:
    """Whether the value is printed as the published number is, rounded or cut off alike."""
    if number.is_cut:
        scale = 10**number.decimals
        return bool(math.floor(value * scale + 1e-9) == round(number.value * scale))
    return f"{value:.{number.decimals}f}" == f"{number.value:.{number.decimals}f}"


def _reaches(value: float, number: Number) -> bool:
    """Whether the value is the printed number or a better one; rates are of accuracies."""
    return _same_digits(value, number) or value > number.value


def _side(number: Number, difference: float) -> Verdict:
    return Verdict.BETTER if (difference > 0) == number.more_is_better else Verdict.WORSE


def _text(value: float, number: Number) -> str:
    decimals = DIGITS[number.unit] if number.rule == "range" else number.decimals
    return f"{value:.{decimals}f}"
