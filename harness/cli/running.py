"""A run, from request to rows: planned, announced, executed, read; or read again.

What several commands do alike. A command that cannot go on ends here, with its exit code.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import console
from harness.cli.exits import (
    ENVIRONMENT,
    FAILED,
    OK,
    USAGE,
    interrupt_on_sigterm,
    stop,
)

if TYPE_CHECKING:
    from rich.console import Console

    from harness.parity.judgement import Judgement
    from harness.plan import Plan, Request
    from harness.report.export import Report
    from harness.results import Row


def make_plan(request: "Request") -> "Plan":
    """The plan of a request, if at least one of its frameworks is installed."""
    from harness import planning
    from harness.experiment.loading import ProtocolError
    from harness.registry import UnknownFrameworkError

    try:
        plan = planning.make_plan(request)
    except (ProtocolError, UnknownFrameworkError, ValueError) as error:
        stop(USAGE, str(error))
    asked = [plan.frameworks[trial.framework_key] for trial in plan.trials]
    if all(framework.missing for framework in asked):
        lines = sorted({framework.install_line for framework in asked})
        missing = ", ".join(sorted({name for f in asked for name in f.missing}))
        stop(ENVIRONMENT, "\n".join([f"none of them is installed: {missing}", *lines]))
    return plan


def execute(
    plan: "Plan", path: Path, timeout_s: float | None, fresh: bool, timed: bool = True
) -> bool:
    """Run what has no row yet; whether it went to its end."""
    from harness.cli.progress import Announcer
    from harness.execute.folder import FolderInUseError, OtherPlanError
    from harness.execute.runner import Runner
    from harness.results import RunFolder

    errors = console(stderr=True)
    announce(plan, path, errors, timed)
    interrupt_on_sigterm()
    try:
        with Announcer(plan, errors) as announcer:
            Runner(plan, RunFolder(path), timeout_s, announcer, timed).run(fresh)
    except KeyboardInterrupt:
        errors.print("interrupted; finished trials are kept, the same command goes on from here")
        return False
    except OtherPlanError as error:
        stop(USAGE, str(error))
    except FolderInUseError as error:
        stop(ENVIRONMENT, str(error))
    except OSError as error:
        stop(ENVIRONMENT, f"{error.filename or path}: {error.strerror or error}")
    return True


def announce(plan: "Plan", folder: Path, errors: "Console", timed: bool = True) -> None:
    """The plan and an estimate, before anything is imported or run."""
    from harness.execute.runner import lanes
    from harness.report.estimate import total_s
    from harness.report.numbers import seconds

    names = list(dict.fromkeys(trial.framework for trial in plan.trials))
    about = seconds(max(1.0, total_s(plan) / (1 if timed else lanes(plan))))
    errors.print(
        f"{_count(len(plan.experiments), 'experiment')}, {_count(len(names), 'framework')} "
        f"({', '.join(names)}), {_count(len(plan.trials), 'trial')}, "
        f"{_count(len(plan.proofs), 'proof')}, about {about} on 2 cores; rows go to {folder}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def read_report(plan: "Plan", path: Path) -> "Report":
    """All that the rows of a plan say, and what they left in the run's folder."""
    from harness.parity.verdicts import read as read_verdicts
    from harness.report import export, summary
    from harness.results import RunFolder

    folder = RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    sections = summary.sections(plan, folder, rows, verdicts)
    limits = folder.limit_rows(trial.id for trial in plan.limits)
    return export.Report(plan, rows, sections, verdicts, limits, folder.arrays)


def exit_code(rows: Sequence["Row"], judgements: Iterable["Judgement"]) -> int:
    """What a run that went to its end exits with."""
    from harness.experiment.vocabulary import Status

    if rows and all(row.status == Status.MISSING for row in rows):
        return ENVIRONMENT
    broken = any(j.verdict == "different" or Status(j.status).failed for j in judgements)
    return FAILED if broken or any(row.failed for row in rows) else OK


def read_plan(source: Path) -> "Plan":
    """The plan that a run's folder holds."""
    from harness.plan import Plan
    from harness.results import RunFolder

    file = RunFolder(source).plan_file
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        stop(
            USAGE,
            f"{source} holds no run: {file} ({error.strerror}). Give a folder that "
            "`samestep report` wrote rows to, such as results/runs/<plan>",
        )
    except ValueError as error:
        stop(USAGE, f"{file}: {error}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
