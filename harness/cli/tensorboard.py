"""`report --tensorboard DIR`: the run's files for TensorBoard, once its tables are written."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import console
from harness.cli.exits import ENVIRONMENT, OK

if TYPE_CHECKING:
    from harness.plan import Plan


def write(directory: Path, plan: "Plan", path: Path) -> int:
    """Write them and say where, and what is left out; the exit code."""
    from harness.report import tensorboard
    from harness.results import RunFolder

    folder = RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    try:
        written = tensorboard.write(directory, plan, folder, rows)
    except ImportError as error:
        again = shlex.join(["samestep", "report", "--from", f"{path}"])
        print(
            f"--tensorboard {directory}: not written, because tensorboardX cannot be imported "
            f'({error}): python -m pip install "tensorboardX>=2.6", then (trains nothing) '
            f"{again} --tensorboard {shlex.quote(str(directory))}",
            file=sys.stderr,
        )
        return ENVIRONMENT
    except OSError as error:
        reason = error.strerror or error
        print(f"--tensorboard {directory}: cannot be written ({reason})", file=sys.stderr)
        return ENVIRONMENT
    show = f"tensorboard --logdir {shlex.quote(str(directory))}"
    count = len(written.runs)
    lines = [f"wrote {count} TensorBoard run{'s' * (count != 1)} to {directory}; look: {show}"]
    lines += [f"left out: {reason}" for reason in written.left_out]
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
    return OK
