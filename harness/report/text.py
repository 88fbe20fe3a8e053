"""Numbers and names as text, and text made harmless for a terminal or for Markdown."""

import math
from collections.abc import Iterable, Sequence

from rich.text import Text

from harness.analysis.intervals import Estimate

WIDEST_PERCENT = 99
"""A wider interval is shown as `>99 %`."""


def seconds(value: float) -> str:
    """Three significant digits and a fitting unit: `412 µs`, `3.05 ms`, `1.27 s`, `2 min 5 s`."""
    if value >= 119.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size * 0.9995:
            return f"{three_digits(value / size)} {unit}"
    return f"{three_digits(value / 1e-9)} ns" if value > 0 else "0 s"


def three_digits(value: float) -> str:
    """Three significant digits of a positive number: `1,560`, `205`, `37.4`, `1.27`."""
    if value >= 99.95:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def time_text(time_s: Estimate | None) -> str:
    """`1.09 s ± 3 %`: the median and the further end of its 95 % interval."""
    if time_s is None:
        return "-"
    if time_s.low is None or time_s.high is None:
        return seconds(time_s.value)
    further = max(time_s.high / time_s.value - 1, 1 - time_s.low / time_s.value) * 100
    percent = f"{max(further, 1):.0f}" if further < WIDEST_PERCENT else f">{WIDEST_PERCENT}"
    return f"{seconds(time_s.value)} ± {percent} %"


def ratio_text(ratio: Estimate | None) -> str:
    """`2.22 (2.10 to 2.35)`; the ratio alone without an interval; a dash without a ratio."""
    if ratio is None:
        return "-"
    if ratio.low is None or ratio.high is None:
        return ratio_digits(ratio.value)
    return f"{ratio_digits(ratio.value)} ({ratio_digits(ratio.low)} to {ratio_digits(ratio.high)})"


def ratio_digits(value: float) -> str:
    """Two decimals from 0.1 to 10, one below 100, none above; two significant digits below 0.1."""
    if value < 0.095:
        return two_digits(value)
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def two_digits(value: float) -> str:
    """Two significant digits of a positive number: `1,300`, `18`, `4.3`, `0.87`, `0.0021`."""
    rounded = float(f"{value:.2g}")
    if rounded <= 0:
        return "0"
    decimals = max(0, 1 - math.floor(math.log10(rounded)))
    return f"{rounded:,.{decimals}f}"


def count_text(number: int, noun: str) -> str:
    """`1 claim`, `1,200 claims`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def plain(text: str) -> Text:
    """Return text for a terminal, on one line: a line break in it becomes a space.

    Neither markup nor a control character in it has an effect.
    """
    shown = (
        " " if c.isspace() else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return Text("".join(shown))


def escaped(text: str) -> str:
    """Return text for Markdown. No column, link, code or HTML starts in it."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of cells that are escaped already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
