"""`export`: a protocol as files, for a program of any kind to compute and to be proven by."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import print_lines
from harness.cli.exits import ENVIRONMENT, USAGE, stop
from harness.experiment.vocabulary import Dtype

MOST_STEPS = 100
LARGEST_SEED = 2**31


def export(
    experiment: Annotated[
        str, typer.Argument(help="A name (`samestep list experiments`) or a .toml file.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write; an empty or a new folder.")],
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the start and the batches.")
    ] = 0,
    steps: Annotated[
        int, typer.Option(min=1, max=MOST_STEPS, help="How many steps to compute, at most.")
    ] = 20,
    dtype: Annotated[
        Dtype, typer.Option(help="Precision of protocols that do not state one.")
    ] = Dtype.FLOAT64,
) -> None:
    """Write a protocol as files, for a script of yours to compute.

    The folder has inputs, targets, starting parameters, the rows of every batch, and a page with
    the formulas and what to hand back. `samestep check FOLDER` then says whether the script
    computed the same.
    """
    from harness.data.fetching import DataMissingError
    from harness.experiment.loading import ProtocolError, load
    from harness.handover import writing
    from harness.handover.folder import HandoverError, protocol_of_steps
    from harness.handover.layout import ANSWER, PAGE

    try:
        protocol = protocol_of_steps(load(experiment), steps)
        written = writing.write(folder, protocol, seed, dtype)
    except (ProtocolError, HandoverError) as error:
        stop(USAGE, str(error))
    except DataMissingError as error:
        stop(ENVIRONMENT, str(error))
    except OSError as error:
        place = error.filename or folder
        stop(ENVIRONMENT, f"{place}: cannot be written ({error.strerror or error})")
    count = protocol.steps
    length = f"{count} step{'s' * (count != 1)}" if count else "no training"
    print_lines(
        [
            f"wrote {len(written)} files into {folder}: {protocol.name}, seed {seed}, {length}",
            f"{folder / PAGE} has the formulas, and says what to hand back in {folder / ANSWER}",
            f"samestep check {_quoted(folder)}    # then says whether it is the same",
        ]
    )


def _quoted(folder: Path) -> str:
    """The folder as a shell takes it."""
    import shlex

    return shlex.quote(str(folder))
