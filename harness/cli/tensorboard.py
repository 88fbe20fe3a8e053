"""`report --tensorboard FOLDER`: the run's files for TensorBoard, once its tables are written."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import print_lines
from harness.cli.exits import ENVIRONMENT, OK, fail

if TYPE_CHECKING:
    from harness.run import Run


def write(directory: Path, run: "Run") -> int:
    """Write them, print where they are and what is left out, and return the exit code."""
    from harness.report import tensorboard

    try:
        written = tensorboard.write(directory, run)
    except ImportError as error:
        again = shlex.join(["samestep", "report", "--from", f"{run.path}"])
        return fail(
            ENVIRONMENT,
            f"--tensorboard {directory}: not written, because tensorboardX cannot be imported "
            f'({error}): python -m pip install "tensorboardX>=2.6", then (trains nothing) '
            f"{again} --tensorboard {shlex.quote(str(directory))}",
        )
    except OSError as error:
        reason = error.strerror or error
        return fail(ENVIRONMENT, f"--tensorboard {directory}: cannot be written ({reason})")
    show = f"tensorboard --logdir {shlex.quote(str(directory))}"
    count = len(written.runs)
    lines = [f"wrote {count} TensorBoard run{'s' * (count != 1)} to {directory}; look: {show}"]
    print_lines([*lines, *(f"left out: {reason}" for reason in written.left_out)])
    return OK
