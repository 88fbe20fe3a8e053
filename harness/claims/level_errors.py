"""How far off a level or a range may be: its sources of error, and the widest useful tolerance."""

import math

import numpy as np

from harness.claims.model import Claim
from harness.claims.number import Number
from harness.claims.ruling import Measured
from harness.claims.tolerances import (
    ErrorSources,
    StandardError,
    binomial_noise,
    floor_term,
    sampling_error,
    seeds_errors,
)

LARGEST_SHARE, LARGEST_PART = 0.05, 0.5
"""No tolerance is conclusive beyond 5 percentage points, or half of a number that is no share."""
USUAL_SHARE, FASHION_SHARE, USUAL_PART = 0.01, 0.015, 0.2
"""What a tolerance may be where the claim does not say."""
FEWEST_ROWS, WIDEST_ROWS = 500, 3
"""With fewer rows a tolerance may be three rows."""
NUMERICS = 1e-4
"""Rounding of floating-point numbers, relative, in a number that counts no rows."""


# ---------------------------------------------------------------- the widest tolerance


def widest_tolerance(number: Number, measured: Measured) -> float:
    """Return the largest tolerance that does not accept almost anything, in the number's unit.

    `tolerance_at_most` widens it only up to 5 percentage points, or half of a number that is no
    share. A published difference must stay distinguishable from none.
    """
    if number.counts_rows:
        widest = _widest_share(number, measured)
    else:
        size = abs(number.value) if number.rule != "range" else _size_of_bounds(number)
        part = USUAL_PART * size if number.tolerance_at_most is None else number.tolerance_at_most
        widest = min(part, LARGEST_PART * size)
    if number.minus is not None and number.rule != "range" and number.value:
        widest = min(widest, abs(number.value))
    return widest


def _widest_share(number: Number, measured: Measured) -> float:
    widest = FASHION_SHARE if measured.dataset == "fashion-mnist" else USUAL_SHARE
    if measured.rows < FEWEST_ROWS:
        widest = WIDEST_ROWS / measured.rows
    if number.tolerance_at_most is not None:
        widest = number.tolerance_at_most / number.factor
    return number.factor * min(widest, LARGEST_SHARE)


def widest_for_a_range(number: Number, measured: Measured) -> float:
    """Return at least half of the stated range: its middle must be distinguishable from outside."""
    widest = widest_tolerance(number, measured)
    if number.low is not None and number.high is not None and number.tolerance_at_most is None:
        widest = max(widest, (number.high - number.low) / 2)
    return widest


def _size_of_bounds(number: Number) -> float:
    return max(abs(bound) for bound in (number.low, number.high) if bound is not None)


# ---------------------------------------------------------------- sources of error


def sources_of_a_level(claim: Claim, number: Number, measured: Measured) -> ErrorSources:
    seeds = len(measured.values)
    printed = len(number.printings)
    scale = math.sqrt(1 / (printed * number.runs) + 1 / seeds)
    spread, degrees = _pooled(number, measured)
    errors = _with_stated(claim, scale, seeds_errors(spread, degrees, scale, measured.noise))
    sampling = 0.0
    if _is_other_draw(claim, number):
        share = number.value / number.factor
        sampling = number.factor * sampling_error(share, measured.rows)
    return ErrorSources(errors, sampling, 0.5 * 10.0**-number.decimals, _floor(number, measured))


def sources_of_a_range(claim: Claim, number: Number, measured: Measured) -> ErrorSources:
    seeds = len(measured.values)
    scale = math.sqrt(1 / seeds)
    if not measured.drawn:
        errors: tuple[StandardError, ...] | None = ()
    elif seeds == 1 and measured.noise and claim.spread is None:
        errors = (StandardError(measured.noise, math.inf),)
    else:
        errors = seeds_errors(measured.spread, seeds - 1, scale, measured.noise)
        errors = _with_stated(claim, scale, errors)
    sampling = 0.0
    if _is_other_draw(claim, number):
        share = measured.mean / number.factor
        sampling = number.factor * binomial_noise(share, measured.rows)
    return ErrorSources(errors, sampling, 0.0, _floor(number, measured))


def _with_stated(
    claim: Claim, scale: float, errors: tuple[StandardError, ...] | None
) -> tuple[StandardError, ...] | None:
    """Return the errors with that of the claim's stated spread: it narrows no measured one."""
    if claim.spread is None:
        return errors
    return (*(errors or ()), StandardError(claim.spread * scale, math.inf))


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
