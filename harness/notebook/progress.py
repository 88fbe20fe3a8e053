"""Progress in a notebook: one line that is rewritten, and what went wrong below it."""

import sys
from typing import Any

from rich.console import Console

from harness.running.progress import Announcer

WIDTH = 140


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which can rewrite what it displays."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def console(shown: bool) -> Console:
    """Return where progress is printed: below the cell, or on standard error as the command does.

    Args:
        shown: whether to print at all.
    """
    if is_notebook():
        return Console(
            file=sys.stdout,
            force_jupyter=False,
            force_terminal=False,
            width=WIDTH,
            quiet=not shown,
        )
    terminal = Console(stderr=True, quiet=not shown)
    return terminal if terminal.is_terminal else Console(stderr=True, width=WIDTH, quiet=not shown)


class RewrittenLine(Announcer):
    """Shows what went well in one line that is rewritten, and prints all else."""

    _display: Any = None

    def _say_routine(self, line: str) -> None:
        if self.console.quiet:
            return
        from IPython.display import HTML, display

        text = HTML(f"<pre style='margin:0'>{_escaped(line)}</pre>")
        if self._display is None:
            self._display = display(text, display_id=True)
        else:
            self._display.update(text)


def announcer_type() -> type[Announcer]:
    """Return what says how a run goes on, here."""
    return RewrittenLine if is_notebook() else Announcer


def _escaped(text: str) -> str:
    import html

    return html.escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
