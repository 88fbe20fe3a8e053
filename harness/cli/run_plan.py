"""Make a plan, run it, and read a run's folder. A command that cannot go on exits here."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import console
from harness.cli.exits import ENVIRONMENT, USAGE, interrupt_on_sigterm, stop

if TYPE_CHECKING:
    from rich.console import Console

    from harness.plan import Plan, Request
    from harness.run import Run


def make_plan(request: "Request") -> "Plan":
    """Return the plan of a request, or exit where none of its frameworks is installed."""
    one_blas_thread()
    from harness import planning
    from harness.experiment.loading import ProtocolError
    from harness.registry import UnknownFrameworkError

    try:
        plan = planning.make_plan(request)
    except (ProtocolError, UnknownFrameworkError, ValueError) as error:
        stop(USAGE, str(error))
    requested = [plan.frameworks[trial.framework_key] for trial in plan.trials]
    if all(framework.missing for framework in requested):
        packages = sorted({name for framework in requested for name in framework.missing})
        reason = f"None of the requested frameworks is installed: {', '.join(packages)}"
        install_lines = sorted({framework.install_line for framework in requested})
        stop(ENVIRONMENT, "\n".join([reason, *install_lines]))
    return plan


def one_blas_thread() -> None:
    """Let the oracle use one thread, before NumPy is imported: workers have the other CPUs."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def run_plan(
    plan: "Plan",
    path: Path,
    timeout_s: float | None,
    fresh: bool,
    timed: bool = True,
    traceback: bool = False,
) -> bool:
    """Run the trials that have no row yet. Return False if the user interrupted them."""
    from harness.cli.progress import Announcer
    from harness.execute.folder import FolderInUseError, OtherPlanError
    from harness.execute.runner import Runner, lanes
    from harness.report import trial_durations
    from harness.results import RunFolder

    errors = console(stderr=True)
    estimates_s = trial_durations.estimates_s(plan, lanes(plan), timed, fresh)
    _announce(plan, path, errors, sum(estimates_s.values()))
    interrupt_on_sigterm()
    try:
        with Announcer(plan, errors, traceback, estimates_s) as announcer:
            Runner(plan, RunFolder(path), timeout_s, announcer, timed).run(fresh)
    except KeyboardInterrupt:
        errors.print("interrupted: finished trials are kept; the same command goes on from here")
        return False
    except OtherPlanError as error:
        stop(USAGE, str(error))
    except FolderInUseError as error:
        stop(ENVIRONMENT, str(error))
    except OSError as error:
        reason = error.strerror or error
        stop(ENVIRONMENT, f"{error.filename or path}: cannot be read or written ({reason})")
    return True


def _announce(plan: "Plan", folder: Path, errors: "Console", total_s: float) -> None:
    """Print the plan and an estimate, before anything is imported or run."""
    from harness.report.text import seconds

    names = list(dict.fromkeys(trial.framework for trial in plan.trials))
    about = seconds(max(1.0, total_s))
    errors.print(
        f"{_count(len(plan.experiments), 'experiment')}, {_count(len(names), 'framework')} "
        f"({', '.join(names)}), {_count(len(plan.trials), 'trial')}, "
        f"{_count(len(plan.proofs), 'proof')}, about {about} on 2 cores; rows go to {folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
