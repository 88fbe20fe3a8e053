"""A table of the terminal that stays readable where the terminal is too narrow for it."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

BETWEEN_COLUMNS = 2
LONGEST_WORD = 24
"""A longer word, such as an address, may be broken."""
NOTHING = ("", "-")


class ConsoleTable(Table):
    """A table. Where its columns do not fit, every row is a paragraph with the headings in it.

    A cell that may not be wrapped needs its whole width, any other its longest word, up to a limit.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or its rows as paragraphs."""
        if self.fits(options.max_width):
            yield from super().__rich_console__(console, options)
        else:
            yield from self._paragraphs()

    def fits(self, width: int) -> bool:
        """Whether so many characters are enough for the columns."""
        needed = sum(map(_width, self.columns)) + BETWEEN_COLUMNS * (len(self.columns) - 1)
        return needed <= width

    def _paragraphs(self) -> Iterator[RenderableType]:
        if self.title:
            yield self.title
        headings = [_text(column.header) for column in self.columns]
        rows = zip(*(column.cells for column in self.columns), strict=True)
        for row, cells in zip(self.rows, rows, strict=True):
            first, *others = map(_text, cells)
            style = str(row.style or "")
            yield Text(first.plain, style=f"bold {style}".strip())
            said = [
                Text.assemble(heading, " ", cell)
                for heading, cell in zip(headings[1:], others, strict=True)
                if cell.plain not in NOTHING
            ]
            yield Padding(Text("; ", style=style).join(said), (0, 0, 0, 2))


def _width(column: Column) -> int:
    texts = [_text(cell) for cell in (column.header, *column.cells)]
    if column.no_wrap:
        return max(text.cell_len for text in texts)
    words = [Text(word).cell_len for text in texts for word in text.plain.split()]
    return min(max(words, default=0), LONGEST_WORD)


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))
