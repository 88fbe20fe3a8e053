"""The `samestep` command: the only place that wires rooms together.

Nothing heavy is imported at the top, so `--help` answers at once; each command imports what it
needs. Exit codes: 0 ok; 1 a trial failed; 2 usage or protocol; 3 environment; 130 interrupted.
"""

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
from harness.cli.exits import FAILED

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
    """Run the command; a closed pipe (`| head`) ends it quietly."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where what it raises is still caught
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
