"""`step`: one step of training in numbers, as on a blackboard."""

from typing import Annotated

import typer

from harness.cli.console import print_lines
from harness.cli.exits import ENVIRONMENT, USAGE, stop
from harness.cli.run_plan import one_blas_thread

LARGEST_SEED = 2**31


def step(
    experiment: Annotated[
        str, typer.Argument(help="A name (`samestep list experiments`) or a .toml file.")
    ],
    number: Annotated[int, typer.Option(min=1, help="Which step, counted from 1.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the start and the batches.")
    ] = 0,
    rows: Annotated[int, typer.Option(min=1, help="How many rows of the batch to show.")] = 5,
) -> None:
    """Work one step of training through in numbers.

    Forward, loss, backward, update: every formula of the protocol with its shapes and numbers,
    computed by the oracle that judges the frameworks. Large arrays are shown in part.
    """
    one_blas_thread()
    from harness.data.fetching import DataMissingError
    from harness.experiment.loading import ProtocolError, load
    from harness.lesson.worked_step import work_through
    from harness.lesson.worked_step_text import lines_of

    try:
        worked = work_through(load(experiment), seed, number)
    except ProtocolError as error:
        stop(USAGE, str(error))
    except DataMissingError as error:
        stop(ENVIRONMENT, str(error))
    except ValueError as error:
        stop(USAGE, f"--number: {error}")
    print_lines(lines_of(worked, rows))
