"""The `samestep` command: the only place that wires rooms together.

Nothing heavy is imported at the top, so `--help` answers at once; each command imports what it
needs. Exit codes: 0 ok; 1 a trial failed; 2 usage or protocol; 3 environment; 130 interrupted.
"""

import os
import sys

import typer

from harness.cli import adapters, claims, inventory, report, timing
from harness.cli.exits import FAILED

app = typer.Typer(
    help="The same network, from the same weights, on the same batches, in every framework.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Fetch and verify MNIST and Fashion-MNIST.", no_args_is_help=True, rich_markup_mode=None
)

# In the order of `--help`.
app.command()(report.report)
app.command()(adapters.check)
app.command(name="new-adapter")(adapters.new_adapter)
app.command()(claims.reproduce)
app.command()(claims.explain)
app.command()(timing.doctor)
app.command()(timing.scale)
app.command()(timing.compare)
app.command(name="list")(inventory.list_)
app.add_typer(data_app, name="data")
data_app.command()(inventory.fetch)
data_app.command()(inventory.verify)
data_app.command()(inventory.where)


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
