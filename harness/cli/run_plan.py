"""Make a plan, run it, and read a run's folder. A command that cannot go on exits here."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import options
from harness.cli.console import console
from harness.cli.exits import (
    ENVIRONMENT,
    INTERRUPTED,
    USAGE,
    interrupt_on_sigterm,
    interrupted_twice,
    stop,
)

if TYPE_CHECKING:
    from harness.cluster.address import ClusterAddress
    from harness.plan import Plan, Request
    from harness.run import Run
    from harness.shards import Shard


def make_plan(request: "Request") -> "Plan":
    """Return the plan of a request, or exit where none of its frameworks is installed."""
    one_blas_thread()
    from harness.running.run_plan import NothingInstalledError, plan_request

    try:
        return plan_request(request)
    except ValueError as error:  # of a protocol, a framework, or their combination
        stop(USAGE, str(error))
    except NothingInstalledError as error:
        stop(ENVIRONMENT, str(error))


def one_blas_thread() -> None:
    """Let the oracle use one thread, before NumPy is imported: workers have the other CPUs."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def part_of(plan: "Plan", shard: "Shard | None") -> "Plan":
    """Return the part of a plan that a shard runs; the whole plan without one."""
    if shard is None:
        return plan
    from harness import shards
    from harness.report import trial_durations

    part = shards.part_of(plan, shard, trial_durations.estimates_anywhere_s(plan))
    if not part.trials:
        stop(USAGE, f"--shard {shard}: the plan has fewer parts, so there is nothing to run here")
    return part


def refuse_commands(plan: "Plan") -> None:
    """Exit where a plan for a cluster has a command of the user's."""
    from harness.command_line import Command

    for framework in plan.frameworks.values():
        if isinstance(framework, Command):
            stop(
                USAGE,
                f"--cluster runs adapters alone; {framework.name} is a command, whose program and "
                "files only this machine has. Leave out --cluster or the command",
            )


def run_plan(
    plan: "Plan",
    path: Path,
    timeout_s: float | None,
    fresh: bool,
    timed: bool = True,
    traceback: bool = False,
    whole: "Plan | None" = None,
    retries: int = options.RETRIES,
    cluster: "ClusterAddress | None" = None,
) -> bool:
    """Run the trials that have no row yet. Return False if the user interrupted them.

    A second Ctrl-C ends the command.
    """
    from harness.cluster.address import ClusterError
    from harness.execute.folder import FolderInUseError, OtherPlanError
    from harness.running import run_plan as running

    errors = console(stderr=True)
    interrupt_on_sigterm()
    try:
        finished = running.run_plan(
            plan,
            path,
            timeout_s,
            fresh,
            errors,
            timed=timed,
            traceback=traceback,
            whole=whole,
            retries=retries,
            cluster=cluster,
        )
    except ClusterError as error:
        stop(ENVIRONMENT, str(error))
    except OtherPlanError as error:
        stop(USAGE, str(error))
    except FolderInUseError as error:
        stop(ENVIRONMENT, str(error))
    except OSError as error:
        reason = error.strerror or error
        stop(ENVIRONMENT, f"{error.filename or path}: cannot be read or written ({reason})")
    if not finished and interrupted_twice():
        sys.exit(INTERRUPTED)
    return finished


def read_run(path: Path) -> "Run":
    """Return the run that a folder holds, or exit where it holds none."""
    from harness.run import load_run

    try:
        return load_run(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        stop(
            USAGE,
            f"{path} holds no run: {error.filename} ({error.strerror}). Give a folder that "
            "`samestep report` wrote rows to, such as results/runs/<plan>",
        )
    except OSError as error:
        stop(USAGE, f"{error.filename}: cannot be read ({error.strerror})")
    except ValueError as error:
        stop(USAGE, f"{path / 'plan.json'}: {error}")
