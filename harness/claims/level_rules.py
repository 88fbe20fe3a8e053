"""Rules `level` and `range`: the mean over seeds, and how far it may lie from what is published."""

import math

import numpy as np

from harness.claims.count_rules import by_counts
from harness.claims.counts import why_impossible
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.number_checks import FEW_ROWS
from harness.claims.ruling import DIGITS, Measured, Ruling, also, side, value_text
from harness.claims.tolerances import (
    CONFIDENCE,
    ErrorSources,
    StandardError,
    binomial_noise,
    floor_term,
    sampling_error,
    seeds_errors,
)

LARGEST_SHARE, LARGEST_PART = 0.05, 0.5
"""No tolerance is conclusive beyond 5 percentage points, or half of a number that is no share."""
FEWEST_ROWS = 500
NUMERICS = 1e-4
"""Rounding of floating-point numbers, relative, in a number that counts no rows."""


def level(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge whether the mean lies within the tolerance of the published number.

    Both are means of runs of one protocol, so their difference has the standard error
    s * sqrt(1 / runs + 1 / seeds), and Student's t says how far it may lie from 0. Several
    printed runs are a sample too: s is pooled from both samples (Student's two-sample test).
    """
    if number.is_share and measured.rows <= FEW_ROWS:
        return by_counts(number, measured)
    sources = _sources_of_a_level(claim, number, measured)
    tolerance = sources.within(CONFIDENCE).total
    difference = measured.mean - number.centre
    impossible = why_impossible(number, measured.rows)
    if not math.isfinite(tolerance):
        words = f"no tolerance: a spread needs at least 2 values. Got {len(measured.values)}"
        return Ruling(Verdict.INCONCLUSIVE, also(words, impossible), difference)
    limit = widest_tolerance(claim, number, measured)
    digits = DIGITS[number.unit]
    words = f"{difference:+.{digits - 1}f}, tolerance {tolerance:.{digits}f}"
    verdict = Verdict.CONSISTENT
    if abs(difference) > tolerance:
        verdict = side(number, difference)
    elif tolerance > limit:
        words += f"; a tolerance above {limit:.{digits}f} is inconclusive"
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
    sources = _sources_of_a_range(claim, number, measured)
    tolerance = sources.within(CONFIDENCE).total
    mean = measured.mean
    difference = max(mean - high, 0.0) + min(mean - low, 0.0)
    words = f"{value_text(mean, number)}, stated {_bounds(number)}"
    if not math.isfinite(tolerance):
        if not difference:
            return Ruling(Verdict.CONSISTENT, words)
        words += "; one seed of a protocol that draws cannot contradict it"
        return Ruling(Verdict.INCONCLUSIVE, words)
    limit = _widest_for_a_range(claim, number, measured)
    if difference:
        words += f"; {abs(difference):.{DIGITS[number.unit]}f} outside"
        words += f", tolerance {tolerance:.{DIGITS[number.unit]}f}"
    p = sources.p_value(difference)
    verdict = Verdict.CONSISTENT
    if abs(difference) > tolerance:
        verdict = side(number, difference)
    elif tolerance > limit and not low + tolerance <= mean <= high - tolerance:
        if not difference:
            words += f", tolerance {tolerance:.{DIGITS[number.unit]}f}"
        words += f"; a tolerance above {limit:.{DIGITS[number.unit]}f} is inconclusive"
        verdict = Verdict.INCONCLUSIVE
    return Ruling(verdict, words, difference or None, tolerance, limit, p)


def widest_tolerance(claim: Claim, number: Number, measured: Measured) -> float:
    """Return the largest tolerance that does not accept almost anything, in the number's unit.

    `tolerance_at_most` widens it only up to 5 percentage points, or half of a number that is no
    share. A published difference must stay distinguishable from none.
    """
    if number.counts_rows:
        widest = _widest_share(number, measured)
    else:
        size = abs(number.value) if number.rule != "range" else _size_of_bounds(number)
        part = 0.2 * size if number.tolerance_at_most is None else number.tolerance_at_most
        widest = min(part, LARGEST_PART * size)
    if number.minus is not None and number.rule != "range" and number.value:
        widest = min(widest, abs(number.value))
    return widest


def _widest_share(number: Number, measured: Measured) -> float:
    widest = 0.015 if measured.dataset == "fashion-mnist" else 0.01
    if measured.rows < FEWEST_ROWS:
        widest = 3 / measured.rows
    if number.tolerance_at_most is not None:
        widest = number.tolerance_at_most / number.factor
    return number.factor * min(widest, LARGEST_SHARE)


def _widest_for_a_range(claim: Claim, number: Number, measured: Measured) -> float:
    """Return at least half of the stated range: its middle must be distinguishable from outside."""
    widest = widest_tolerance(claim, number, measured)
    if number.low is not None and number.high is not None and number.tolerance_at_most is None:
        widest = max(widest, (number.high - number.low) / 2)
    return widest


def _size_of_bounds(number: Number) -> float:
    return max(abs(bound) for bound in (number.low, number.high) if bound is not None)


def _bounds(number: Number) -> str:
    if number.high is None:
        return f"at least {number.low:g}"
    return (
        f"at most {number.high:g}" if number.low is None else f"{number.low:g} to {number.high:g}"
    )


# ---------------------------------------------------------------- sources of error


def _sources_of_a_level(claim: Claim, number: Number, measured: Measured) -> ErrorSources:
    seeds = len(measured.values)
    printed = len(number.printings)
    scale = math.sqrt(1 / (printed * number.runs) + 1 / seeds)
    if claim.spread is not None:
        errors: tuple[StandardError, ...] | None = (StandardError(claim.spread * scale, math.inf),)
    else:
        spread, degrees = _pooled(number, measured)
        errors = seeds_errors(spread, degrees, scale, measured.noise)
    sampling = 0.0
    if _is_other_draw(claim, number):
        share = number.value / number.factor
        sampling = number.factor * sampling_error(share, measured.rows)
    return ErrorSources(errors, sampling, 0.5 * 10.0**-number.decimals, _floor(number, measured))


def _sources_of_a_range(claim: Claim, number: Number, measured: Measured) -> ErrorSources:
    seeds = len(measured.values)
    scale = math.sqrt(1 / seeds)
    if not measured.drawn:
        errors: tuple[StandardError, ...] | None = ()
    elif claim.spread is not None:
        errors = (StandardError(claim.spread * scale, math.inf),)
    elif seeds == 1 and measured.noise:
        errors = (StandardError(measured.noise, math.inf),)
    else:
        errors = seeds_errors(measured.spread, seeds - 1, scale, measured.noise)
    sampling = 0.0
    if _is_other_draw(claim, number):
        share = measured.mean / number.factor
        sampling = number.factor * binomial_noise(share, measured.rows)
    return ErrorSources(errors, sampling, 0.0, _floor(number, measured))


def _pooled(number: Number, measured: Measured) -> tuple[float, int]:
    """Return the standard deviation of one run and its degrees of freedom, from both samples."""
    seeds = len(measured.values)
    squares = (seeds - 1) * measured.spread**2 if seeds > 1 else 0.0
    printed = np.array(number.printed_values)
    squares += number.runs * float(np.sum((printed - printed.mean()) ** 2))
    degrees = seeds + len(printed) - 2
    return (math.sqrt(squares / degrees), degrees) if degrees else (math.nan, 0)


def _is_other_draw(claim: Claim, number: Number) -> bool:
    """Whether the source scored on another draw of the rows; a difference shares its draw."""
    held_out = number.metric.startswith(("test", "validation"))
    return number.is_share and held_out and not claim.same_test


def _floor(number: Number, measured: Measured) -> float:
    if number.counts_rows:
        return number.factor * floor_term(measured.rows)
    size = _size_of_bounds(number) if number.rule == "range" else abs(number.value)
    return NUMERICS * size
