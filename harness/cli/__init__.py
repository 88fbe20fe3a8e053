"""The `samestep` command: the only place that wires rooms together.

Nothing heavy is imported at the top, so `--help` answers at once; each command imports what it
needs. Exit codes: 0 ok; 1 a trial failed; 2 usage or protocol; 3 environment; 130 interrupted.
"""

import io
import os
import sys
from typing import Annotated

import typer

from harness import __version__
from harness.cli import (
    check,
    compare,
    data,
    doctor,
    explain,
    export,
    lesson,
    listing,
    merge,
    new_adapter,
    own_data,
    report,
    reproduce,
    scale,
    status,
    step,
)
from harness.cli.exits import ENVIRONMENT, FAILED, stop

app = typer.Typer(
    help="The same network, from the same weights, on the same batches, in every framework.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Describe a table of your own; fetch datasets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"samestep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


# In the order of `--help`.
app.command()(report.report)
app.command()(check.check)
app.command()(export.export)
app.command(name="new-adapter")(new_adapter.new_adapter)
app.command()(reproduce.reproduce)
app.command()(explain.explain)
app.command()(step.step)
app.command()(lesson.lesson)
app.command()(doctor.doctor)
app.command()(scale.scale)
app.command()(compare.compare)
app.command()(status.status)
app.command()(merge.merge)
app.command(name="list")(listing.list_)
app.add_typer(data_app, name="data")
data_app.command()(own_data.describe)
data_app.command()(data.fetch)
data_app.command()(data.verify)
data_app.command()(data.where)


def main() -> None:
    """Run the command; a closed pipe (`| head`) ends it quietly, a full disk with a sentence."""
    _make_streams_safe()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where what it raises is still caught
    except BrokenPipeError:
        _discard_output()
        sys.exit(FAILED)
    except OSError as error:
        if error.filename is not None:  # a file, not the output
            raise
        _discard_output()
        stop(ENVIRONMENT, f"The output cannot be written ({error.strerror or error})")


def _make_streams_safe() -> None:
    """Open what the shell closed, and print what the locale lacks as a question mark.

    A file that is opened later would else get the number of a closed stream, and what is printed.
    """
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _discard_output() -> None:
    """Let what is still buffered go nowhere when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
