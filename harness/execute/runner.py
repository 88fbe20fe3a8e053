"""Run a plan on this machine: one trial at a time, frameworks taking turns.

Quick: one worker per framework stays alive and takes its trials in turn. Standard and full: a
fresh worker for every trial. A trial that crashes, hangs or runs out of memory becomes a row.
Its worker is replaced, and the rest goes on.
"""

import dataclasses
import itertools
import threading
import time
from dataclasses import dataclass

import psutil

from harness.analysis import noise
from harness.clock.environment import available_cpus, has_gpu, machine_label
from harness.execute import product_times, proving
from harness.execute.folder import locked, prepare, sweep_all
from harness.execute.lanes import in_lanes
from harness.execute.left_processes import end_marked, mark_of_folder
from harness.execute.listener import Listener
from harness.execute.reruns import (
    RERUN_SHARE,
    disturbed_rows,
    is_calmer,
    ranked_trials,
    rerun_budget_s,
)
from harness.execute.workers import FIRST_LANE, Workers
from harness.experiment.vocabulary import Preset, Status
from harness.parity import verdicts
from harness.plan import Plan, Trial
from harness.results import Row, RunFolder, write_arrays, write_atomically

FUTILE_RERUNS = 3
"""Where so many reruns are disturbed too, and none was calm, the machine stays busy."""
LANE_BYTES = 3 << 30
"""Memory that a lane may need, with a worker of every framework alive."""


@dataclass
class Runner:
    """Runs the trials of one plan into one folder.

    Args:
        plan: what to run.
        folder: where rows go.
        timeout_s: limit for one trial, its framework's import included; None for no limit.
        listener: hears of progress.
        timed: whether times matter. Then trials run one at a time, and those on a disturbed
            machine run again. Otherwise as many run at once as there are CPUs and memory.
        whole: the plan that the folder is of, where `plan` is one machine's part of it.
        retries: how often a trial is run again whose process was ended from outside.
    """

    plan: Plan
    folder: RunFolder
    timeout_s: float | None
    listener: Listener
    timed: bool = True
    whole: Plan | None = None
    retries: int = 0

    def __post_init__(self) -> None:
        self._workers = Workers(self.plan, self.folder, self.timeout_s, self.listener, self.retries)
        self._listening = threading.Lock()

    def run(self, fresh: bool = False) -> None:
        """Run every trial that has no good row yet; each row is on disk when its trial ends.

        Args:
            fresh: whether to forget the rows and verdicts that there are.

        Raises:
            harness.execute.folder.OtherPlanError: before anything is touched.
            harness.execute.folder.FolderInUseError: likewise.
            KeyboardInterrupt: after the running trial got its `interrupted` row.
        """
        prepare(self.folder, self.plan)
        with locked(self.folder):
            prepare(self.folder, self.plan)  # another run may have come first meanwhile
            sweep_all(self.folder)
            end_marked(mark_of_folder(self.folder.path))  # of a run that was killed
            whole = self.whole or self.plan
            write_atomically(self.folder.plan_file, whole.to_json().encode())
            if fresh:
                self.folder.remove(trial.id for trial in self.plan.trials)
                verdicts.forget(self.folder, self.plan.proofs)
            done = self._done()
            self.listener.resumed([trial for trial in self.plan.trials if trial.id in done])
            todo = [trial for trial in self.plan.trials if trial.id not in done]
            try:
                began = time.monotonic()
                if self.timed:
                    for trial in todo:
                        self._run_one(trial)
                    self._rerun_noisy(time.monotonic() - began)
                else:
                    for trial in todo:
                        self._workers.data_problem(self.plan.experiments[trial.experiment])
                    in_lanes(todo, self._run_one, lanes(self.plan), self._workers.kill)
                    self._workers.close_idle()  # they would die with the threads of their lanes
                self._workers.park()
                if psutil.virtual_memory().available < LANE_BYTES:
                    self._workers.close_idle()  # a limit or a proof needs memory
                self._measure_limits(fresh)
                proving.prove(self._workers, self.listener, lanes(self.plan))
            finally:
                try:
                    self._workers.kill()
                except KeyboardInterrupt:  # a second Ctrl-C: whatever is left ends all the same
                    end_marked(mark_of_folder(self.folder.path))
                    raise

    def _done(self) -> set[str]:
        """Ids of trials that have a good row of this machine, and arrays that can be read."""
        rows = self.folder.rows((trial.id for trial in self.plan.trials), set_bad_aside=True)
        here = machine_label()
        return {
            row.trial
            for row in rows
            if row.status.done
            and row.machine == here
            and (row.status != Status.OK or self.folder.arrays(row.trial))
        }

    def _rerun_noisy(self, own_s: float) -> None:
        """Run disturbed trials again, the worst first, and store the calmer row of each.

        Args:
            own_s: how long the run itself took.
        """
        budget_s = rerun_budget_s(own_s, RERUN_SHARE[self.plan.request.preset])
        deadline = time.monotonic() + budget_s
        trials = {trial.id: trial for trial in ranked_trials(self.plan)}
        futile, any_calm = 0, False
        for attempt in range(2, noise.ATTEMPTS + 1):
            again = disturbed_rows(self.folder.rows(trials), attempt)
            if not again:
                return
            self.listener.rerunning([trials[row.trial] for row in again])
            too_long = 0
            for number, row in enumerate(again):
                if time.monotonic() + (row.total_s or 0.0) > deadline:
                    too_long += 1
                    continue
                is_calm = self._rerun(trials[row.trial], row, attempt)
                any_calm, futile = any_calm or is_calm, futile + (not is_calm)
                if not any_calm and futile == FUTILE_RERUNS < len(again):
                    why = f"the first {FUTILE_RERUNS} reruns were disturbed too"
                    self.listener.gave_up(too_long + len(again) - number - 1, why)
                    return
            if too_long:
                why = f"{budget_s:.0f} s of reruns are enough for this run"
                self.listener.gave_up(too_long, why)
                return

    def _rerun(self, trial: Trial, before: Row, attempt: int) -> bool:
        """Run a trial once more; return whether the machine was calm.

        The result is judged against the run's other rows.
        """
        arrays = self.folder.arrays(trial.id)
        self.listener.started(trial)
        row, _ = self._measure(trial)
        others = self.folder.rows(t.id for t in self.plan.trials if t.id != trial.id)
        replaces, is_calm = is_calmer(row, before, others)
        if not replaces:
            write_arrays(self.folder.trials / f"{trial.id}.npz", arrays)
        with self._listening:
            stored = row if replaces else before
            self.folder.write_row(dataclasses.replace(stored, attempt=attempt))
            self.listener.reran(trial, row, kept=not replaces)
        return is_calm

    def _measure_limits(self, fresh: bool) -> None:
        """Time the matrix products of frameworks that are not requested, cached per machine."""
        for framework, trials in itertools.groupby(self.plan.limits, lambda t: t.framework):
            for trial in trials:
                row = None if fresh else product_times.cached_row(trial)
                if row is None:
                    row, _ = self._workers.run(trial, self.plan.experiments[trial.experiment])
                product_times.store_row(self.folder, row)
            self._workers.close_idle(framework)

    def _run_one(self, trial: Trial, lane: int = FIRST_LANE) -> None:
        with self._listening:
            self.listener.started(trial)
        try:
            row, tail = self._measure(trial, lane)
        except KeyboardInterrupt:
            self._store(trial, self._workers.blank(trial, Status.INTERRUPTED, "Ctrl-C"), [])
            raise
        self._store(trial, row, tail)

    def _measure(self, trial: Trial, lane: int = FIRST_LANE) -> tuple[Row, list[str]]:
        """Return the row of a trial. In the quick preset its worker stays, for proofs too."""
        keep = self.plan.request.preset == Preset.QUICK
        return self._workers.run(trial, self.plan.experiments[trial.experiment], lane, keep)

    def _store(self, trial: Trial, row: Row, tail: list[str]) -> None:
        if row.status != Status.OK:  # arrays of a trial that then failed
            (self.folder.trials / f"{trial.id}.npz").unlink(missing_ok=True)
        with self._listening:
            self.folder.write_row(row)
            self.listener.finished(trial, row, tail)


def lanes(plan: Plan) -> int:
    """Return how many trials may run at once where times do not matter.

    CPUs and free memory decide. Where trials may share a GPU, whose memory is not known, one.
    """
    if plan.request.device != "cpu" and has_gpu():
        return 1
    by_memory = int(psutil.virtual_memory().available // LANE_BYTES)
    return max(1, min(available_cpus() // max(plan.request.threads), by_memory))
