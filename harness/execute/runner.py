"""Runs a plan on this machine: one trial at a time, frameworks taking turns.

Quick: one worker per framework stays alive and takes its trials in turn. Standard and full: a
fresh worker for every trial. A trial that crashes, hangs or runs out of memory becomes a row,
its worker is replaced, and the rest goes on.
"""

import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil

from harness.analysis import noise
from harness.clock.environment import available_cpus, has_gpu, machine
from harness.execute import limit_rows, proving, workers
from harness.execute.folder import locked, prepare
from harness.execute.lanes import in_lanes
from harness.execute.workers import FIRST_LANE, Workers
from harness.experiment.vocabulary import Status
from harness.plan import Plan, Trial
from harness.results import Row, RunFolder, write_arrays, write_atomically

RERUN_SHARE, RERUN_AT_LEAST_S = 0.5, 20.0
"""Reruns of disturbed trials may take so much of the run's own time, or so many seconds."""
LANE_BYTES = 3 << 30
"""Memory that a lane may need, with a worker of every framework alive."""


class Listener(workers.Listener, proving.Listener, Protocol):
    """Told what happens while a plan runs."""

    def resumed(self, done: Sequence[Trial]) -> None:
        """These trials were done already."""

    def started(self, trial: Trial) -> None:
        """A trial starts."""

    def rerunning(self, trials: Sequence[Trial]) -> None:
        """These were measured on a disturbed machine and are run again."""

    def finished(self, trial: Trial, row: Row, log_tail: list[str]) -> None:
        """A trial has its row; the tail of its log is for failures."""


@dataclass
class Runner:
    """Runs the trials of one plan into one folder.

    Args:
        plan: what to run.
        folder: where rows go.
        timeout_s: limit for one trial, its framework's import included; None for no limit.
        listener: told of progress.
        timed: whether times matter: trials run one at a time, and those on a disturbed machine
            again. Otherwise as many run at once as there are CPUs and memory for them.
    """

    plan: Plan
    folder: RunFolder
    timeout_s: float | None
    listener: Listener
    timed: bool = True

    def __post_init__(self) -> None:
        self._workers = Workers(self.plan, self.folder, self.timeout_s, self.listener)
        self._left: Counter[workers.Key] = Counter()
        self._telling = threading.Lock()

    def run(self, fresh: bool = False) -> None:
        """Run what has no good row yet; rows are on disk as each trial ends.

        Raises:
            OtherPlanError, FolderInUseError: before anything is touched.
            KeyboardInterrupt: after the running trial got its `interrupted` row.
        """
        prepare(self.folder, self.plan)
        with locked(self.folder):
            prepare(self.folder, self.plan)  # another run may have come first meanwhile
            write_atomically(self.folder.plan_file, self.plan.to_json().encode())
            if fresh:
                self.folder.remove(trial.id for trial in self.plan.trials)
            done = self._done()
            self.listener.resumed([trial for trial in self.plan.trials if trial.id in done])
            todo = [trial for trial in self.plan.trials if trial.id not in done]
            self._left = Counter(_kind(trial) for trial in todo)
            try:
                began = time.monotonic()
                if self.timed:
                    for trial in todo:
                        self._run_one(trial)
                    self._rerun_noisy(RERUN_SHARE * (time.monotonic() - began))
                else:
                    for trial in todo:
                        self._workers.data_problem(self.plan.experiments[trial.experiment])
                    in_lanes(todo, self._run_one, lanes(self.plan), self._workers.kill)
                self._workers.let_go()  # a limit or a proof needs memory
                self._limit(fresh)
                proving.prove(self._workers, self.listener, lanes(self.plan))
            finally:
                self._workers.kill()

    def _done(self) -> set[str]:
        """Trials that have a good row of this machine, and arrays that can be read."""
        rows = self.folder.rows((trial.id for trial in self.plan.trials), set_bad_aside=True)
        here = machine()
        return {
            row.trial
            for row in rows
            if row.status.done
            and row.machine == here
            and (row.status != "ok" or self.folder.arrays(row.trial))
        }

    def _rerun_noisy(self, budget_s: float) -> None:
        """Run disturbed trials again, the worst first, and keep the calmer row of each."""
        deadline = time.monotonic() + max(budget_s, RERUN_AT_LEAST_S)
        trials = {trial.id: trial for trial in self.plan.trials}
        for attempt in range(2, noise.ATTEMPTS + 1):
            rows = [row for row in self.folder.rows(trials) if row.status == "ok"]
            disturbed = noise.severity(rows)
            again = [row for row in rows if disturbed[row.trial] > 1 and row.attempt < attempt]
            again.sort(key=lambda row: -disturbed[row.trial])
            if not again or time.monotonic() > deadline:
                return
            self.listener.rerunning([trials[row.trial] for row in again])
            for row in again:
                if time.monotonic() > deadline:
                    return
                self._rerun(trials[row.trial], row, attempt)

    def _rerun(self, trial: Trial, before: Row, attempt: int) -> None:
        """One more attempt; what it leaves is judged against the run's other rows."""
        arrays = self.folder.arrays(trial.id)
        self._left[_kind(trial)] += 1
        self.listener.started(trial)
        row, tail = self._measure(trial)
        others = self.folder.rows(t.id for t in self.plan.trials if t.id != trial.id)
        worse = row.status != "ok" or (
            noise.severity([*others, before, row])[trial.id]  # of the later of the two
            > noise.severity([*others, row, before])[trial.id]
        )
        if worse:
            write_arrays(self.folder.trials / f"{trial.id}.npz", arrays)
            row, tail = before, []
        self._store(trial, dataclasses.replace(row, attempt=attempt), tail)

    def _limit(self, fresh: bool) -> None:
        """The matrix products of frameworks that were not asked for, cached per machine."""
        for _, trials in itertools.groupby(self.plan.limits, lambda t: t.framework):
            for trial in trials:
                row = None if fresh else limit_rows.cached(trial)
                if row is None:
                    row, _ = self._workers.run(trial, self.plan.experiments[trial.experiment])
                limit_rows.store(self.folder, row)
            self._workers.let_go()

    def _run_one(self, trial: Trial, lane: int = FIRST_LANE) -> None:
        with self._telling:
            self.listener.started(trial)
        try:
            row, tail = self._measure(trial, lane)
        except KeyboardInterrupt:
            self._store(trial, self._workers.blank(trial, Status.INTERRUPTED, "Ctrl-C"), [])
            raise
        self._store(trial, row, tail)

    def _measure(self, trial: Trial, lane: int = FIRST_LANE) -> tuple[Row, list[str]]:
        """A trial's row; its worker stays if it has more to do, and presets do not forbid."""
        with self._telling:
            self._left[_kind(trial)] -= 1
            keep = self.plan.request.preset == "quick" and self._left[_kind(trial)] > 0
        return self._workers.run(trial, self.plan.experiments[trial.experiment], lane, keep)

    def _store(self, trial: Trial, row: Row, tail: list[str]) -> None:
        if row.status != "ok":  # arrays of a trial that then failed
            (self.folder.trials / f"{trial.id}.npz").unlink(missing_ok=True)
        with self._telling:
            self.folder.write_row(row)
            self.listener.finished(trial, row, tail)


def lanes(plan: Plan) -> int:
    """How many trials may run at once where times do not matter: by CPUs and free memory.

    One, if they may share a GPU, whose memory is not asked for.
    """
    if plan.request.device != "cpu" and has_gpu():
        return 1
    by_memory = int(psutil.virtual_memory().available // LANE_BYTES)
    return max(1, min(available_cpus() // plan.request.threads, by_memory))


def _kind(trial: Trial) -> workers.Key:
    """Which workers, of any lane, may run a trial."""
    return workers.Key.of(trial, FIRST_LANE)
