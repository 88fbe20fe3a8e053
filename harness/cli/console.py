"""Where a command prints."""

import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 140


def console(stderr: bool = False) -> "Console":
    """Return a console. In a pipe or a log its fixed width keeps tables whole."""
    from rich.console import Console

    terminal = Console(stderr=stderr)
    if terminal.is_dumb_terminal:  # rich takes it for 80 columns wide
        size = shutil.get_terminal_size()
        return Console(stderr=stderr, width=size.columns, height=size.lines)
    if terminal.is_terminal:
        return terminal
    return Console(stderr=stderr, width=WIDTH_WITHOUT_TERMINAL)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, without markup and without breaking long ones."""
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
