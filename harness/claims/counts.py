"""Which counts of rows a printed accuracy or error can stand for."""

import math
from decimal import Decimal

from harness.claims.number import Number

FLOAT32_ROUNDING = 1e-6
FLOAT32_DIGITS = 7
"""A share printed with at least so many digits may carry the rounding of float32, relative."""
SPECIFIC_COUNTS, SPECIFIC_SHARE = 11, 0.01
"""Digits that more counts, or a larger share of the rows, are printed as identify no count."""


def same_digits(value: float, number: Number, text: str | None = None) -> bool:
    """Whether the value is printed as the number is, rounded or cut off alike.

    Args:
        value: in the number's unit.
        number: as published.
        text: another of its printings; by default the first.
    """
    printed = number.published if text is None else text
    exact = Decimal(printed.removesuffix("..."))
    decimals = max(-int(exact.as_tuple().exponent), 0)
    if printed.endswith("..."):
        scale = 10**decimals
        return bool(math.floor(value * scale + 1e-9) == round(float(exact) * scale))
    if f"{value:.{decimals}f}" == f"{exact:.{decimals}f}":
        return True
    has_float32_digits = len(exact.as_tuple().digits) >= FLOAT32_DIGITS
    return has_float32_digits and math.isclose(value, float(exact), rel_tol=FLOAT32_ROUNDING)


def counts_printed_as(number: Number, rows: int, text: str | None = None) -> list[int]:
    """Return the counts of rows, of 0 to rows, whose share is printed with the number's digits."""
    printed = number.published if text is None else text
    exact = Decimal(printed.removesuffix("..."))
    unit = 10.0 ** int(exact.as_tuple().exponent)
    first = math.floor((float(exact) - unit) / number.factor * rows) - 1
    last = math.ceil((float(exact) + unit) / number.factor * rows) + 1
    return [
        count
        for count in range(max(first, 0), min(last, rows) + 1)
        if same_digits(number.factor * count / rows, number, printed)
    ]


def is_specific(counts: list[int], rows: int) -> bool:
    """Whether printed digits that these counts share say which count it was."""
    return len(counts) == 1 or (
        1 <= len(counts) <= SPECIFIC_COUNTS and len(counts) <= SPECIFIC_SHARE * rows
    )


def why_impossible(number: Number, rows: int) -> str:
    """Return why a printed share cannot be one of these rows; "" where it can.

    The mean of several runs is a share of all their rows together. A difference is no share, and
    the mean of an epoch's batches is none where the last batch is short.
    """
    if not number.is_share or number.is_of_epochs or not number.published:
        return ""
    total = rows * number.runs
    for printed in number.printings:
        if counts_printed_as(number, total, printed):
            continue
        exact = float(printed.removesuffix("..."))
        below = math.floor(exact / number.factor * total)
        digits = max(-int(Decimal(printed.removesuffix("...")).as_tuple().exponent), 0) + 1
        near = " or ".join(f"{number.factor * k / total:.{digits}f}" for k in (below, below + 1))
        of = f"the {rows:,} rows" if number.runs == 1 else f"{number.runs} times {rows:,} rows"
        return (
            f"impossible: no count of {of} is printed as {printed} ({near} would be), so it "
            "was measured on other rows or averaged otherwise"
        )
    return ""
