"""Charts as SVG text: lines over steps, small curves, and planes of two inputs.

Nothing is drawn by a script, so a page says the same without JavaScript and in print. Colours are
classes of the page's style, in light and in dark; dashes differ too, so no line is told by colour
alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
Range = tuple[float, float]

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 12, 38
"""Of a line chart, in its own pixels."""
Y_TICKS = 6
"""How many a y axis has at most."""
MOST_DECIMALS = 4
"""Of a tick; longer numbers are written as 2e-05."""
FEW_DECADES = 2
"""A logarithmic axis of fewer decades has ticks between powers of ten."""
SMALL_WIDTH, SMALL_HEIGHT = 150, 100
MOST_POINTS = 160
"""Of a line. More cannot be seen, and cost bytes."""
PLANE = (-0.25, 1.25)
"""The square of inputs that a plane shows, unless its points need more."""
MARK = 0.045
"""Half the size of a mark, as a share of the square."""


PLANE_SIDE, PLANE_MARGIN, PLANE_ABOVE = 200, 18, 2
"""Of a plane: its side, and the space on its left and above."""
BESIDE = ((-9, -9, "end"), (9, -9, "start"), (9, 17, "start"), (-9, 17, "end"))
"""Where the labels of four points stand: right, down, and which end of the text is there."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        label: its name in the key.
        x, y: (points,); where y is not finite, the line is interrupted.
    """

    label: str
    x: Floats
    y: Floats

    @classmethod
    def over_steps(cls, label: str, y: ArrayLike) -> "Line":
        """Return a line whose x is 1, 2, 3, ..."""
        values = np.asarray(y, np.float64)
        return cls(label, np.arange(1, len(values) + 1, dtype=np.float64), values)


@dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Args:
        title: what it shows.
        svg: safe text.
        key: (class of the style, label) of every line.
        small: whether several stand beside each other.
    """

    title: str
    svg: Markup
    key: tuple[tuple[str, str], ...] = ()
    small: bool = False


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    marks: bool = False,
) -> Chart:
    """Draw lines.

    Args:
        title: of the chart.
        lines: at most as many as the style has colours.
        x_label: of the axis below.
        y_label: of the axis on the left.
        logarithmic: whether the y axis is.
        marks: whether every point has a dot, for few points.
    """
    x = _Axis.of(np.concatenate([line.x for line in lines]), LEFT, WIDTH - RIGHT, 5)
    every = np.concatenate([line.y for line in lines])
    place = _Axis.logarithmic if logarithmic else _Axis.of
    y = place(every, HEIGHT - BOTTOM, TOP, Y_TICKS)
    parts = [_grid(x, y, x_label, y_label)]
    for number, line in enumerate(lines):
        parts.extend(_path(line, x, y, number, marks))
    key = tuple((f"s{number}", line.label) for number, line in enumerate(lines))
    return Chart(title, _svg(WIDTH, HEIGHT, title, parts), key)


def small_curve(title: str, x: Floats, y: Floats, y_range: Range) -> Chart:
    """Draw a function with its two axes, a line at y = 1, and what x reaches."""
    across = _Axis((float(x[0]), float(x[-1])), (4, SMALL_WIDTH - 4), ())
    up = _Axis(y_range, (SMALL_HEIGHT - 4, 4), ())
    right, bottom = SMALL_WIDTH - 4, SMALL_HEIGHT - 4
    axes = Markup(
        '<path class="grid" d="M4 {one}H{right}"/>'
        '<path class="axis" d="M4 {zero}H{right}M{middle} 4V{bottom}"/>'
        '<text class="tick tiny" x="{beside}" y="{above_one}">1</text>'
        '<text class="tick tiny" x="{right}" y="{below}" text-anchor="end">{last}</text>'
    ).format(
        one=_text(up(1.0)),
        zero=_text(up(0.0)),
        middle=_text(across(0.0)),
        right=right,
        bottom=bottom,
        beside=_text(across(0.0) + 3),
        above_one=_text(up(1.0) - 2),
        below=_text(min(up(0.0) + 10, bottom + 3)),
        last=_tick(across.shown[1]),
    )
    low, high = y_range
    within = np.where((y >= low) & (y <= high), y, np.nan)
    line = _path(Line(title, x, within), across, up, 0, marks=False)
    return Chart(title, _svg(SMALL_WIDTH, SMALL_HEIGHT, title, [axes, *line]), (), small=True)


@dataclass(frozen=True)
class Plane:
    """A picture of the plane of two numbers.

    Args:
        title: what it shows.
        points: (points, 2), drawn as rings for class 0 and crosses for class 1.
        classes: (points,).
        picture: data URI of the answers at every point; "" for none.
        line: (w1, w2, b) of a boundary w1 x1 + w2 x2 + b = 0; None for none.
        axes: names of both numbers.
        labels: of the points; () for none.
        span: what is shown of both.
    """

    title: str
    points: Floats
    classes: NDArray[np.integer]
    picture: str = ""
    line: tuple[float, float, float] | None = None
    axes: tuple[str, str] = ("x1", "x2")
    labels: tuple[str, ...] = ()
    span: Range = PLANE


def plane_chart(plane: Plane) -> Chart:
    """Draw a plane."""
    margin, side, above = PLANE_MARGIN, PLANE_SIDE, PLANE_ABOVE
    low, high = plane.span
    on_picture = " on-picture" if plane.picture else ""

    def at(point: Iterable[float]) -> tuple[float, float]:
        x1, x2 = point
        scale = side / (high - low)
        return (x1 - low) * scale + margin, (high - x2) * scale + above

    parts = []
    if plane.picture:
        image = '<image href="{}" x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"/>'
        parts.append(Markup(image).format(plane.picture, margin, above, side, side))
    frame = '<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>'
    parts.append(Markup(frame).format(margin, above, side, side))
    if plane.line is not None and (ends := boundary_ends(plane.line, plane.span)):
        places = [_text(pixel) for end in ends for pixel in at(end)]
        boundary = '<path class="boundary{}" d="M{} {}L{} {}"/>'
        parts.append(Markup(boundary).format(on_picture, *places))
    for point, label in zip(plane.points.tolist(), plane.classes.tolist(), strict=True):
        parts.append(_mark(*at(point), int(label), side * MARK, on_picture))
    for point, label, beside in zip(plane.points.tolist(), plane.labels, BESIDE, strict=False):
        (x, y), (right, down, anchor) = at(point), beside
        name = '<text class="tick{}" x="{}" y="{}" text-anchor="{}">{}</text>'
        places = [_text(x + right), _text(y + down)]
        parts.append(Markup(name).format(on_picture, *places, anchor, label))
    across, up = plane.axes
    names = (
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
    )
    below = side + above + 13
    parts.append(Markup(names).format(side + margin, below, across, margin - 4, above + 10, up))
    svg = _svg(side + margin + 2, below + 5, plane.title, parts)
    return Chart(plane.title, svg, (), small=True)


def boundary_ends(
    line: tuple[float, float, float], span: Range
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return where w1 x1 + w2 x2 + b = 0 enters and leaves a square; None where it does not."""
    w1, w2, b = line
    low, high = span
    crossings = []
    for edge in span:
        if w2:
            crossings.append((edge, -(b + w1 * edge) / w2))
        if w1:
            crossings.append((-(b + w2 * edge) / w1, edge))
    found = {(x1, x2) for x1, x2 in crossings if low <= x1 <= high and low <= x2 <= high}
    if len(found) < 2:
        return None
    ordered = sorted(found)
    return ordered[0], ordered[-1]


# ---------------------------------------------------------------- parts


@dataclass(frozen=True)
class _Axis:
    """Places numbers on an axis.

    Args:
        shown: the lowest and the highest number.
        pixels: where these lie.
        ticks: (number, text).
        takes_logarithm: whether numbers are placed by their logarithm.
    """

    shown: Range
    pixels: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    takes_logarithm: bool = False

    @classmethod
    def of(cls, values: ArrayLike, first: float, last: float, most: int) -> "_Axis":
        """Return an axis of all the values, with round numbers marked."""
        low, high = _ends(values)
        step = _nice_step((high - low) / most)
        numbers = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        marked = tuple((float(n * step), _tick(float(n * step), step)) for n in numbers)
        return cls((low, high), (first, last), marked)

    @classmethod
    def logarithmic(cls, values: ArrayLike, first: float, last: float, most: int) -> "_Axis":
        """Return an axis of the positive values, with powers of ten marked."""
        exact = np.asarray(values, np.float64)
        low, high = _ends(np.log10(exact[np.isfinite(exact) & (exact > 0)]))
        every = max(1, math.ceil((high - low) / most))
        powers = range(math.floor(low), math.floor(high) + 1, every)
        factors = (1, 2, 5) if high - low < FEW_DECADES else (1,)
        marked = tuple(
            (factor * 10.0**power, _power(factor, power))
            for power in powers
            for factor in factors
            if low <= power + math.log10(factor) <= high
        )
        return cls((low, high), (first, last), marked, takes_logarithm=True)

    def __call__(self, value: float) -> float:
        """Return the pixel of a number."""
        if self.takes_logarithm:
            value = math.log10(value) if value > 0 else -math.inf
        low, high = self.shown
        first, last = self.pixels
        return first + (last - first) * (value - low) / (high - low)


def _ends(values: ArrayLike) -> Range:
    exact = np.asarray(values, np.float64)
    exact = exact[np.isfinite(exact)]
    low, high = (float(exact.min()), float(exact.max())) if exact.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _nice_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least as large."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _tick(value: float, step: float = 1.0) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        return text.lstrip("-")
    return text if decimals <= MOST_DECIMALS else f"{value:.3g}"


def _power(factor: int, power: int) -> str:
    if -4 <= power <= 5:
        return _tick(factor * 10.0**power, 10.0 ** min(power, 0))
    return f"{factor}e{power}"


def _text(pixel: float) -> str:
    return f"{pixel:.1f}".removesuffix(".0")


def _grid(x: _Axis, y: _Axis, x_label: str, y_label: str) -> Markup:
    parts = []
    for value, text in y.ticks:
        parts.append(
            Markup(
                '<path class="grid" d="M{} {}H{}"/>'
                '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(LEFT, _text(y(value)), WIDTH - RIGHT, LEFT - 6, _text(y(value) + 4), text)
        )
    for value, text in x.ticks:
        parts.append(
            Markup(
                '<path class="axis" d="M{} {}v4"/>'
                '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>'
            ).format(_text(x(value)), HEIGHT - BOTTOM, _text(x(value)), HEIGHT - BOTTOM + 17, text)
        )
    parts.append(
        Markup(
            '<path class="axis" d="M{} {}H{}"/>'
            '<text class="name" x="{}" y="{}" text-anchor="end">{}</text>'
            '<text class="name" x="{}" y="{}" transform="rotate(-90 {} {})" '
            'text-anchor="middle">{}</text>'
        ).format(
            LEFT,
            HEIGHT - BOTTOM,
            WIDTH - RIGHT,
            WIDTH - RIGHT,
            HEIGHT - 5,
            x_label,
            12,
            (HEIGHT - BOTTOM) / 2,
            12,
            (HEIGHT - BOTTOM) / 2,
            y_label,
        )
    )
    return Markup("").join(parts)


def _path(line: Line, x: _Axis, y: _Axis, number: int, marks: bool) -> list[Markup]:
    """Return a line, in pieces where it is interrupted, and perhaps its dots."""
    kept = _thinned(len(line.x))
    commands, dots, is_down = [], [], False
    for value_x, value_y in zip(line.x[kept].tolist(), line.y[kept].tolist(), strict=True):
        if not math.isfinite(value_y) or (y.takes_logarithm and value_y <= 0):
            is_down = False
            continue
        across, up = x(value_x), y(value_y)
        commands.append(f"{'L' if is_down else 'M'}{_text(across)} {_text(up)}")
        is_down = True
        if marks:
            dots.append(
                Markup('<circle class="dot s{}" cx="{}" cy="{}" r="3"/>').format(
                    number, _text(across), _text(up)
                )
            )
    path = Markup('<path class="line s{}" d="{}"/>').format(number, "".join(commands))
    return [path, *dots]


def _thinned(count: int) -> NDArray[np.int64]:
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, MOST_POINTS).round().astype(np.int64))


def _mark(x: float, y: float, label: int, size: float, on_picture: str) -> Markup:
    if label == 0:
        return Markup('<circle class="zero{}" cx="{}" cy="{}" r="{}"/>').format(
            on_picture, _text(x), _text(y), _text(size)
        )
    d = _text(2 * size)
    return Markup('<path class="one{}" d="M{} {}l{} {}m0 -{}l-{} {}"/>').format(
        on_picture, _text(x - size), _text(y - size), d, d, d, d, d
    )


def _svg(width: int, height: int, title: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )
