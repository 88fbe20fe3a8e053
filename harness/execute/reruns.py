"""Trials that were measured on a disturbed machine: which run again, how long, which row stays."""

from collections.abc import Iterable

from harness.analysis import noise
from harness.command_line import Command
from harness.experiment.vocabulary import Preset, Status
from harness.plan import Plan, Trial
from harness.results import Row

RERUN_SHARE = {Preset.QUICK: 0.15, Preset.STANDARD: 0.5, Preset.FULL: 0.5}
RERUN_AT_LEAST_S = 20.0
"""Reruns of disturbed trials may take so much of the run's own time, or so many seconds, but
never longer than the run itself. With the one seed of quick they decide little."""


def rerun_budget_s(own_s: float, share: float) -> float:
    """Return how long reruns may take after a run that itself took `own_s`."""
    return min(max(share * own_s, RERUN_AT_LEAST_S), own_s)


def ranked_trials(plan: Plan) -> list[Trial]:
    """Return trials of experiments where times are compared: those of two or more cells."""
    cells: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for trial in plan.trials:
        framework = plan.frameworks[trial.framework_key]
        if not framework.missing and not isinstance(framework, Command):
            cell = (trial.framework, trial.loop)
            cells.setdefault((trial.experiment, trial.threads), set()).add(cell)
    ranked = {place for place, of_place in cells.items() if len(of_place) > 1}
    return [trial for trial in plan.trials if (trial.experiment, trial.threads) in ranked]


def disturbed_rows(rows: Iterable[Row], attempt: int) -> list[Row]:
    """Return the rows that deserve another attempt, the most disturbed first.

    Args:
        rows: of all trials that are compared.
        attempt: the number of the attempt.
    """
    measured = [row for row in rows if row.status == Status.OK]
    disturbed = noise.severity(measured)
    again = [row for row in measured if disturbed[row.trial] > 1 and row.attempt < attempt]
    return sorted(again, key=lambda row: -disturbed[row.trial])


def is_calmer(row: Row, before: Row, others: Iterable[Row]) -> tuple[bool, bool]:
    """Return whether a rerun's row replaces the earlier one, and whether it is calm.

    Args:
        row: of the rerun.
        before: the earlier row of the trial.
        others: the run's other rows, which both are judged against.
    """
    others = list(others)
    severity = noise.severity([*others, before, row])[row.trial]  # of the later of the two
    earlier = noise.severity([*others, row, before])[row.trial]
    is_better = row.status == Status.OK and severity <= earlier
    return is_better, row.status == Status.OK and severity <= 1
