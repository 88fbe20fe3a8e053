"""Rules `level` and `range`: the mean over seeds, and how far it may lie from what is published."""

import math

from harness.claims.count_rules import by_counts
from harness.claims.counts import why_impossible
from harness.claims.level_errors import (
    sources_of_a_level,
    sources_of_a_range,
    widest_for_a_range,
    widest_tolerance,
)
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.number_checks import FEW_ROWS
from harness.claims.ruling import DIGITS, Measured, Ruling, also, side, value_text
from harness.claims.tolerances import CONFIDENCE


def level(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge whether the mean lies within the tolerance of the published number.

    Both are means of runs of one protocol, so their difference has the standard error
    s * sqrt(1 / runs + 1 / seeds), and Student's t says how far it may lie from 0. Several
    printed runs are a sample too: s is pooled from both samples (Student's two-sample test).
    """
    if number.is_share and measured.rows <= FEW_ROWS:
        return by_counts(number, measured)
    sources = sources_of_a_level(claim, number, measured)
    tolerance = sources.within(CONFIDENCE).total
    difference = measured.mean - number.centre
    impossible = why_impossible(number, measured.rows)
    if not math.isfinite(tolerance):
        words = f"no tolerance: a spread needs at least 2 values. Got {len(measured.values)}"
        return Ruling(Verdict.INCONCLUSIVE, also(words, impossible), difference)
    limit = widest_tolerance(number, measured)
    digits = DIGITS[number.unit]
    words = f"{difference:+.{digits - 1}f}, tolerance {tolerance:.{digits}f}"
    verdict = Verdict.CONSISTENT
    if abs(difference) > tolerance:
        verdict = side(number, difference)
        words = also(words, _complement(number, measured, min(tolerance, limit)))
    elif tolerance > limit:
        words = also(words, _too_wide(number, limit))
        verdict = Verdict.INCONCLUSIVE
    p = sources.p_value(difference)
    return Ruling(verdict, also(words, impossible), difference, tolerance, limit, p)


def between(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge whether the mean lies between two bounds, or as near as its own error allows.

    The bounds are stated, not measured, so only the error of the measured mean counts:
    t(0.975, seeds - 1) * s / sqrt(seeds).
    """
    low = -math.inf if number.low is None else number.low
    high = math.inf if number.high is None else number.high
    sources = sources_of_a_range(claim, number, measured)
    tolerance = sources.within(CONFIDENCE).total
    mean = measured.mean
    outside = max(mean - high, 0.0) + min(mean - low, 0.0)
    words = f"{value_text(mean, number)}, stated {_bounds(number)}"
    if not math.isfinite(tolerance):
        return _one_of_many(outside, words)
    limit = widest_for_a_range(number, measured)
    digits = DIGITS[number.unit]
    if outside:
        words += f"; {abs(outside):.{digits}f} outside, tolerance {tolerance:.{digits}f}"
    verdict = Verdict.CONSISTENT
    if abs(outside) > tolerance:
        verdict = side(number, outside)
    elif tolerance > limit and not low + tolerance <= mean <= high - tolerance:
        words += "" if outside else f", tolerance {tolerance:.{digits}f}"
        words = also(words, _too_wide(number, limit))
        verdict = Verdict.INCONCLUSIVE
    p = sources.p_value(outside)
    return Ruling(verdict, words, outside or None, tolerance, limit, p)


def _one_of_many(outside: float, words: str) -> Ruling:
    """Judge a range by a single value whose spread is unknown: it cannot contradict."""
    if not outside:
        return Ruling(Verdict.CONSISTENT, words)
    words += "; one seed of a protocol that draws cannot contradict it"
    return Ruling(Verdict.INCONCLUSIVE, words)


def _too_wide(number: Number, limit: float) -> str:
    return f"a tolerance above {limit:.{DIGITS[number.unit]}f} is inconclusive"


def _complement(number: Number, measured: Measured, tolerance: float) -> str:
    """Return a hint where an error may have been taken for an accuracy; "" otherwise."""
    if not number.is_share or abs(measured.mean + number.centre - number.factor) > tolerance:
        return ""
    return f"{number.factor} minus it would fit: an error or an accuracy?"


def _bounds(number: Number) -> str:
    if number.high is None:
        return f"at least {number.low:g}"
    return (
        f"at most {number.high:g}" if number.low is None else f"{number.low:g} to {number.high:g}"
    )
