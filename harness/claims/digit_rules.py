"""Rules `exact` and `every`: the printed digits, or the same count of rows."""

import math

from harness.claims.counts import counts_printed_as, is_specific, same_digits, why_impossible
from harness.claims.level_errors import widest_tolerance
from harness.claims.level_rules import level
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.ruling import Measured, Ruling, also, side, value_text

NEAR_ROWS, NEAR_ROW_SHARE = 5, 0.01
"""A deterministic count may be off by so many rows, or this share of them, through rounding."""
NEAR_SHARE = 1e-4
"""A deterministic number that is not a count may be off by this, relative to itself."""


def exact(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge the printed digits, or the same count of rows.

    Where nothing is drawn, or seed 0 repeats the source's own draw, there is one value to
    compare. Otherwise every seed must give the digits; where they do not all, the number is one
    draw, and its rule is `level`.
    """
    if number.metric == "outputs":
        return _exact_outputs(number, measured.values)
    if not measured.drawn or measured.repeats_source:
        return _exact_value(number, measured, measured.values[0])
    if len(measured.values) == 1:
        return _one_draw(number, measured)
    hits = sum(_gives_it(value, number) for value in measured.values)
    total = len(measured.values)
    if hits == total:
        return _exact_value(number, measured, measured.values[0], f"all {total} seeds")
    ruling = level(claim, number, measured)
    words = f"{hits} of {total} seeds print {number.published}, so it is judged by their spread"
    return Ruling(
        ruling.verdict,
        f"{words}: {ruling.why}",
        ruling.difference,
        ruling.tolerance,
        ruling.limit,
        ruling.p,
    )


def _exact_value(number: Number, measured: Measured, value: float, who: str = "") -> Ruling:
    """Judge one value of a run that can be repeated, by the printing that it is nearest to."""
    number = nearest_printing(number, value)
    difference = value - number.value
    rows = measured.rows
    if _gives_it(value, number):
        return _of_the_same_digits(number, measured, value, who)
    impossible = why_impossible(number, rows)
    measured_text = f"printed {number.published}, measured {value_text(value, number)}"
    if number.is_share:
        off = abs(difference) / number.factor * rows
        if off <= min(NEAR_ROWS, NEAR_ROW_SHARE * rows) + 0.5:
            if impossible:
                words = f"{measured_text}; {impossible}"
                return Ruling(Verdict.INCONCLUSIVE, words, difference)
            return Ruling(Verdict.NEAR_EXACT, f"{off:.0f} of {rows:,} rows off", difference)
    elif abs(difference) <= NEAR_SHARE * abs(number.value):
        return Ruling(Verdict.NEAR_EXACT, "off in the last digits only", difference)
    why = also(f"{measured_text}; the run is deterministic", impossible)
    return Ruling(side(number, difference), why, difference)


def _of_the_same_digits(number: Number, measured: Measured, value: float, who: str) -> Ruling:
    """Return EXACT if the digits say which count it was.

    Few digits may be all there is to print: 1.0 of all rows right, 0.92 of 9,200 of 10,000.
    Otherwise digits that many counts share confirm no more than a level, and none at all where
    their rounding alone is wider than a level's tolerance may be.
    """
    difference, rows = value - number.value, measured.rows
    words = f"the printed digits: {value_text(value, number)}"
    if who:
        words += f", from {who}"
    if not number.is_share or value == number.value:
        return Ruling(Verdict.EXACT, words, difference)
    counts = counts_printed_as(number, rows)
    if is_specific(counts, rows):
        return Ruling(Verdict.EXACT, words, difference)
    words += f"; {len(counts):,} counts of the {rows:,} rows are printed so"
    is_wide = 0.5 * 10.0**-number.decimals > widest_tolerance(number, measured)
    verdict = Verdict.INCONCLUSIVE if is_wide else Verdict.CONSISTENT
    return Ruling(verdict, words, difference)


def _one_draw(number: Number, measured: Measured) -> Ruling:
    """Judge the only seed of a protocol that draws: it can contradict, but it cannot confirm."""
    value = measured.values[0]
    difference = value - number.value
    reach = widest_tolerance(number, measured)
    if number.counts_rows:
        reach = max(reach, 1.96 * math.sqrt(2) * measured.noise)
    words = (
        f"printed {number.published}, measured {value_text(value, number)} from one seed of a "
        f"protocol that draws ({', '.join(measured.drawn)}); state more seeds, or rule 'level'"
    )
    words = also(words, why_impossible(number, measured.rows))
    verdict = Verdict.INCONCLUSIVE if abs(difference) <= reach else side(number, difference)
    return Ruling(verdict, words, difference)


def _exact_outputs(number: Number, measured: tuple[float, ...]) -> Ruling:
    """Judge all printed outputs, digit by digit."""
    rounded = [f"{value:.{number.decimals}f}" for value in measured]
    published = [f"{value:.{number.decimals}f}" for value in number.values]
    verdict = Verdict.EXACT if rounded == published else Verdict.WORSE
    return Ruling(verdict, f"gives [{', '.join(rounded)}]")


def every(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge whether every seed gives the printed number."""
    hits = sum(_gives_it(value, number) for value in measured.values)
    difference = measured.mean - number.value
    words = f"{hits} of {len(measured.values)} seeds give {number.published}"
    words = also(words, why_impossible(number, measured.rows))
    verdict = Verdict.EXACT if hits == len(measured.values) else side(number, difference)
    return Ruling(verdict, words, difference)


def _gives_it(value: float, number: Number) -> bool:
    """Whether the value is printed as one of the number's printings is."""
    return any(same_digits(value, number, text) for text in number.printings)


def nearest_printing(number: Number, value: float) -> Number:
    """Return the number with the one of its printings that lies nearest to a value."""
    if not number.also_printed:
        return number
    printed = min(number.printings, key=lambda text: abs(float(text.removesuffix("...")) - value))
    return number.model_copy(update={"published": printed, "also_printed": ()})
