"""`new-adapter`: a file to start from, for whoever writes an adapter."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.exits import ENVIRONMENT, USAGE, stop


def new_adapter(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores.")],
    folder: Annotated[
        Path, typer.Option("--dir", metavar="FOLDER", help="Where to write the file.")
    ] = Path(),
) -> None:
    """Write an adapter that runs at once, to be filled in.

    It computes with NumPy. The places to replace with the framework's own functions are marked.
    """
    from harness import scaffold
    from harness.registry import installed

    if name in installed():
        stop(USAGE, f"name: {name!r} is the name of an installed adapter; choose another")
    try:
        file = scaffold.write(name, folder)
    except ValueError as error:
        stop(USAGE, str(error))
    except OSError as error:
        stop(ENVIRONMENT, f"{folder}: cannot be written ({error.strerror or error})")
    print(f"wrote {file}")
    print(f"samestep check {file}    # passes as it is; run it after every change")
