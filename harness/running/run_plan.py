"""Make a plan, and run it into its folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness import planning
from harness.cluster.address import ClusterAddress
from harness.execute.listener import Listener
from harness.execute.runner import Runner, lanes
from harness.plan import Plan, Request
from harness.report import trial_durations
from harness.report.text import count_text, seconds
from harness.results import RunFolder
from harness.running.progress import Announcer

if TYPE_CHECKING:
    from harness.cluster.runner import ClusterRunner

RUNS = Path("results") / "runs"
"""Where the folders of runs are, unless another folder is named."""


class NothingInstalledError(RuntimeError):
    """None of the requested frameworks is installed. The message has the commands to install."""


def plan_request(request: Request) -> Plan:
    """Return the plan of a request.

    Raises:
        harness.experiment.loading.ProtocolError: an experiment cannot be read.
        harness.registry.UnknownFrameworkError: a framework is not known.
        ValueError: the combination cannot be planned.
        NothingInstalledError: none of its frameworks is installed.
    """
    plan = planning.make_plan(request)
    requested = [plan.frameworks[trial.framework_key] for trial in plan.trials]
    if all(framework.missing for framework in requested):
        packages = sorted({name for framework in requested for name in framework.missing})
        reason = f"None of the requested frameworks is installed: {', '.join(packages)}"
        install_lines = sorted({framework.install_line for framework in requested})
        raise NothingInstalledError("\n".join([reason, *install_lines]))
    return plan


def run_plan(
    plan: Plan,
    path: Path,
    timeout_s: float | None,
    fresh: bool,
    console: Console,
    *,
    timed: bool = True,
    traceback: bool = False,
    announcer_type: type[Announcer] = Announcer,
    whole: Plan | None = None,
    retries: int = 1,
    cluster: ClusterAddress | None = None,
) -> bool:
    """Run the trials that have no row yet. Return False if the user interrupted them.

    Args:
        plan: what to run.
        path: of the run's folder.
        timeout_s: limit of one trial; None for no limit.
        fresh: whether to measure and prove again what is there.
        console: where progress is said.
        timed: whether times matter.
        traceback: whether to print the whole of what an adapter raises.
        announcer_type: says what happens.
        whole: the plan that the folder is of, where `plan` is a part of it.
        retries: how often a trial is run again whose process was ended from outside.
        cluster: where to run it; None for this machine.

    Raises:
        harness.execute.folder.OtherPlanError: the folder holds another plan.
        harness.execute.folder.FolderInUseError: another process runs into it.
        harness.cluster.address.ClusterError: the cluster cannot be used.
        OSError: the folder cannot be read or written.
    """
    estimates_s = trial_durations.estimates_s(plan, lanes(plan), timed, fresh)
    _announce(plan, path, console, sum(estimates_s.values()))
    try:
        with announcer_type(plan, console, traceback, estimates_s) as announcer:
            runner = _runner(
                plan, RunFolder(path), timeout_s, announcer, timed, whole, retries, cluster
            )
            runner.run(fresh)
    except KeyboardInterrupt:
        console.print("interrupted: finished trials are kept; the same command goes on from here")
        return False
    return True


def _runner(
    plan: Plan,
    folder: RunFolder,
    timeout_s: float | None,
    listener: Listener,
    timed: bool,
    whole: Plan | None,
    retries: int,
    cluster: ClusterAddress | None,
) -> "Runner | ClusterRunner":
    """Return what runs the plan, here or on a cluster; a run here imports nothing of Dask."""
    if cluster is None:
        return Runner(plan, folder, timeout_s, listener, timed, whole, retries)
    from harness.cluster.runner import ClusterRunner

    estimates_s = trial_durations.estimates_anywhere_s(plan)
    return ClusterRunner(
        plan, folder, timeout_s, listener, cluster, estimates_s, timed, whole, retries
    )


def _announce(plan: Plan, folder: Path, console: Console, total_s: float) -> None:
    """Print the plan and an estimate, before anything is imported or run."""
    names = list(dict.fromkeys(trial.framework for trial in plan.trials))
    about = seconds(max(1.0, total_s))
    console.print(
        f"{count_text(len(plan.experiments), 'experiment')}, "
        f"{count_text(len(names), 'framework')} ({', '.join(names)}), "
        f"{count_text(len(plan.trials), 'trial')}, {count_text(len(plan.proofs), 'proof')}, "
        f"about {about} on 2 cores; rows go to {folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
