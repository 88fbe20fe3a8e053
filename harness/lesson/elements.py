"""What an item shows beside its sentences: tables, text, pictures and charts; and its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from harness.lesson.drawing import Chart

DEEPEST_SHADE = 5
"""Of the classes `shade0` to `shade5` of the page's style."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `shade` 0 to 5 says how large its number is among those shown."""

    text: str
    shade: int = 0


@dataclass(frozen=True)
class Table:
    """Rows below headings; the first cell of a row is its name."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def columns_of_words(self) -> frozenset[int]:
        """The columns whose cells begin with a letter, which stand on the left."""
        columns = enumerate(zip(*self.rows, strict=True))
        return frozenset(
            number for number, cells in columns if all(cell.text[:1].isalpha() for cell in cells)
        )


@dataclass(frozen=True)
class Board:
    """Lines of text whose columns stand below each other, as on a blackboard, or a program."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A small picture: a data URI, and the text below it."""

    uri: str
    text: str


@dataclass(frozen=True)
class Pictures:
    """Pictures in a row."""

    title: str
    pictures: tuple[Picture, ...]


Element = Table | Board | Pictures | Chart


@dataclass(frozen=True)
class Shown:
    """What an item shows.

    Args:
        numbers: name of a placeholder of its sentences to the text that stands there.
        elements: what is shown below the sentences, in order.
    """

    numbers: Mapping[str, str] = field(default_factory=dict)
    elements: Sequence[Element] = ()


def table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], shades: ArrayLike = ()
) -> Table:
    """Return a table of texts; `shades`: (rows, columns - 1) numbers 0 to 1, or nothing."""
    shares = np.asarray(shades, np.float64)
    cells = []
    for number, row in enumerate(rows):
        name, *others = row
        levels = (
            np.clip(shares[number] * DEEPEST_SHADE, 0, DEEPEST_SHADE).round().astype(int).tolist()
            if shares.size
            else [0] * len(others)
        )
        cells.append((Cell(name), *map(Cell, others, levels)))
    return Table(title, tuple(headings), tuple(cells))


def decimals(value: float, digits: int = 4) -> str:
    """Return a number with so many digits behind the point, with commas in thousands."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits: `0.0123`, `1.23e-07`."""
    return f"{value:.{digits}g}"


def count(value: int) -> str:
    """Return a whole number with commas in thousands."""
    return f"{value:,}"


def shape_text(array: ArrayLike) -> str:
    """Return a shape as NumPy writes it: `(5, 784)`."""
    return str(np.shape(array))
