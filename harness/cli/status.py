"""`status`: how far the folders of a plan are."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import console
from harness.cli.exits import USAGE, stop

if TYPE_CHECKING:
    from harness.plan import Plan

WORDS = ("folder", "ok", "other", "failed", "proofs", "state", "last trial", "machine")


@dataclass(frozen=True)
class Standing:
    """How far one folder is.

    Args:
        folder: that was asked about.
        done: ids of trials that need not run again, to whether they failed.
        proofs: ids of proofs with a verdict.
        counts: status to how many rows have it.
        machines: that measured the rows.
        running: whether a process of this machine writes to it now.
        first_at, last_at: when its first and its last trial began, in seconds since 1970; None
            without rows.
    """

    folder: Path
    done: frozenset[str]
    proofs: frozenset[str]
    counts: Counter[str]
    machines: tuple[str, ...]
    running: bool
    first_at: float | None
    last_at: float | None


def status(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...", help="Folders of runs; those of one plan are added up."
        ),
    ],
) -> None:
    """Say how far a run is, or all of its parts together.

    What is done, failed, running and left, on which machines, and until when.

    Reads only; may be asked while the run goes on, from another machine too.
    """
    from harness import merging

    try:
        plans = [merging.plan_in(folder) for folder in folders]
    except merging.NotMergedError as error:
        stop(USAGE, str(error))
    by_plan: dict[str, tuple[Plan, list[Path]]] = {}
    for folder, plan in zip(folders, plans, strict=True):
        by_plan.setdefault(plan.digest, (plan, []))[1].append(folder)
    for plan, of_plan in by_plan.values():
        standings = [_standing(folder, plan) for folder in of_plan]
        _print_table(standings)
        for line in _totals(standings, plan):
            console().print(line, markup=False, highlight=False, soft_wrap=True)


def _standing(folder: Path, plan: "Plan") -> Standing:
    from harness.execute.folder import is_in_use
    from harness.parity import verdicts
    from harness.results import RunFolder

    run = RunFolder(folder)
    rows = run.rows(trial.id for trial in plan.trials)
    times = [datetime.fromisoformat(row.started_at).timestamp() for row in rows if row.started_at]
    return Standing(
        folder=folder,
        done=frozenset(row.trial for row in rows if row.status.done),
        proofs=frozenset(p.id for p in plan.proofs if verdicts.read_one(run, p) is not None),
        counts=Counter(row.status for row in rows),
        machines=tuple(dict.fromkeys(row.machine for row in rows if row.machine)),
        running=is_in_use(run),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def _print_table(standings: list[Standing]) -> None:
    from harness.report.console_table import ConsoleTable
    from harness.report.text import plain

    table = ConsoleTable(*WORDS, box=None, header_style="bold", pad_edge=False)
    for standing in standings:
        ok, failed = standing.counts["ok"], _failed(standing.counts)
        texts = (
            str(standing.folder),
            str(ok),
            str(standing.counts.total() - ok - failed),
            str(failed),
            str(len(standing.proofs)),
            "running" if standing.running else "not running here",
            "none" if standing.last_at is None else f"{_ago(standing.last_at)} ago",
            "; ".join(standing.machines) or "-",
        )
        table.add_row(*map(plain, texts))
    console().print(table)


def _failed(counts: Counter[str]) -> int:
    from harness.experiment.vocabulary import Status

    return sum(count for name, count in counts.items() if Status(name).failed)


def _ago(moment: float) -> str:
    from harness.report.text import seconds

    return seconds(max(1.0, time.time() - moment))


def _totals(standings: list[Standing], plan: "Plan") -> list[str]:
    """Return how much is done in all folders together, and when the rest may be."""
    done = frozenset().union(*(standing.done for standing in standings))
    proofs = frozenset().union(*(standing.proofs for standing in standings))
    left = [trial.id for trial in plan.trials if trial.id not in done]
    lines = [
        f"plan {plan.digest}: {len(done)} of {len(plan.trials)} trials done, {len(left)} left; "
        f"{len(proofs)} of {len(plan.proofs)} proofs"
    ]
    running = [standing for standing in standings if standing.running]
    if not left:
        return lines
    remaining_s = _remaining_s(running, left, plan)
    if remaining_s is None:
        return [*lines, "nothing is running here: the command that began it goes on from here"]
    from harness.report.text import seconds

    by = time.strftime("%H:%M", time.localtime(time.time() + remaining_s))
    shared = f" by {len(running)} at once" if len(running) > 1 else ""
    return [*lines, f"at the pace so far{shared}, trials end in {seconds(remaining_s)}, at {by}"]


def _remaining_s(running: list[Standing], left: list[str], plan: "Plan") -> float | None:
    """Return how long the trials left may take; None where nothing runs that has a pace."""
    from harness.report.trial_durations import estimates_anywhere_s

    estimates_s = estimates_anywhere_s(plan)
    pace = 0.0
    for standing in running:
        if standing.first_at is None or standing.last_at is None:
            continue
        taken_s = max(standing.last_at - standing.first_at, 1.0)  # they are in whole seconds
        pace += sum(estimates_s[trial] for trial in standing.done) / taken_s
    return sum(estimates_s[trial] for trial in left) / pace if pace else None
