"""A chart of characters: step time over work, both logarithmic, at most 80 columns wide."""

import math
from collections.abc import Sequence

from harness.analysis.scaling import Timing

CHART_COLUMNS, CHART_ROWS, MARGIN = 68, 18, 9
SEVERAL = "*"
"""The sign where several points share a place."""


def step_time_chart(series: Sequence[tuple[str, Sequence[Timing]]]) -> list[str]:
    """Return the lines of a chart of signs and their timings, with ticks at powers of ten."""
    timings = [timing for _, points in series for timing in points]
    if not timings:
        return []
    low_x, high_x = _decades([timing.work for timing in timings])
    low_y, high_y = _decades([timing.step_us for timing in timings])
    grid = [[" "] * CHART_COLUMNS for _ in range(CHART_ROWS + 1)]
    for sign, points in series:
        for timing in points:
            x = _place(timing.work, low_x, high_x, CHART_COLUMNS - 1)
            y = CHART_ROWS - _place(timing.step_us, low_y, high_y, CHART_ROWS)
            grid[y][x] = sign if grid[y][x] in (" ", sign) else SEVERAL
    ticks = {
        CHART_ROWS - _place(10**d, low_y, high_y, CHART_ROWS): _time(d)
        for d in range(low_y, high_y + 1)
    }
    lines = [
        f"{ticks.get(y, ''):>{MARGIN}} {'+' if y in ticks else '|'}{''.join(row)}".rstrip()
        for y, row in enumerate(grid)
    ]
    return [f"{'step time':>{MARGIN}}", *lines, *_x_axis(low_x, high_x)]


def _x_axis(low: int, high: int) -> list[str]:
    axis, labels = ["-"] * CHART_COLUMNS, [" "] * (CHART_COLUMNS + MARGIN)
    for decade in range(low, high + 1):
        place = _place(10**decade, low, high, CHART_COLUMNS - 1)
        axis[place] = "+"
        label = _flop(decade)
        first = min(max(0, place - len(label) // 2), CHART_COLUMNS - len(label))
        labels[first : first + len(label)] = label
    margin = " " * (MARGIN + 2)
    return [
        f"{' ' * (MARGIN + 1)}+{''.join(axis)}",
        f"{margin}{''.join(labels)}".rstrip(),
        f"{margin}{'work of a step: floating-point operations':^{CHART_COLUMNS}}".rstrip(),
    ]


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _place(value: float, low: int, high: int, cells: int) -> int:
    return round((math.log10(value) - low) / (high - low) * cells)


def _time(decade: int) -> str:
    """10^decade microseconds: `100 µs`."""
    for unit, size in (("s", 6), ("ms", 3), ("µs", 0)):
        if decade >= size:
            return f"{10 ** (decade - size):,} {unit}"
    return f"{10.0**decade:g} µs"


def _flop(decade: int) -> str:
    """10^decade operations, short enough for many decades side by side: `10 M`."""
    for prefix, size in (("T", 12), ("G", 9), ("M", 6), ("k", 3)):
        if decade >= size:
            return f"{10 ** (decade - size):,} {prefix}"
    return f"{10**decade}"
