"""Runs a plan on this machine: one trial at a time, frameworks taking turns.

Quick: one worker per framework stays alive and takes its trials in turn. Standard and full: a
fresh worker for every trial. A trial that crashes, hangs or runs out of memory becomes a row,
its worker is replaced, and the rest goes on.
"""

import dataclasses
import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from harness.clock import noise
from harness.clock.environment import available_cpus, child_environment, machine
from harness.data import fetching
from harness.execute import limit_rows
from harness.execute.folder import locked, prepare
from harness.execute.lanes import in_lanes
from harness.execute.process import Death, WorkerProcess
from harness.experiment.model import Experiment
from harness.experiment.proof import proof_of
from harness.parity import diagnosis, ladder, verdicts
from harness.parity.ladder import Judgement
from harness.parity.trace import Trace
from harness.plan import CLOSELY, MEASURE, Plan, Trial, frameworks_by_track
from harness.registry import Framework
from harness.results import (
    DONE,
    FAILED,
    BadRowError,
    Row,
    RunFolder,
    from_json,
    write_arrays,
    write_atomically,
)
from harness.trial import blank_row

RERUN_SHARE, RERUN_AT_LEAST_S = 0.5, 20.0
"""Reruns of disturbed trials may take so much of the run's own time, or so many seconds."""


class Listener(Protocol):
    """Told what happens while a plan runs."""

    def resumed(self, done: Sequence[Trial]) -> None:
        """These trials were done already."""

    def fetching(self, dataset: str) -> None:
        """A dataset is about to be fetched."""

    def fetched(self, dataset: str, outcome: str) -> None:
        """It was, or was not, and why."""

    def started(self, trial: Trial) -> None:
        """A trial starts."""

    def rerunning(self, trials: Sequence[Trial]) -> None:
        """These were measured on a disturbed machine and are run again."""

    def finished(self, trial: Trial, row: Row, log_tail: list[str]) -> None:
        """A trial has its row; the tail of its log is for failures."""

    def proved(self, trial: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        """A proof has its verdict."""


@dataclass
class Runner:
    """Runs the trials of one plan into one folder.

    Args:
        plan: what to run.
        folder: where rows go.
        timeout_s: limit for one trial, its framework's import included; None for no limit.
        listener: told of progress.
        timed: whether times matter: trials run one at a time, and those on a disturbed machine
            again. Otherwise as many run at once as there are CPUs for them, of different workers.
    """

    plan: Plan
    folder: RunFolder
    timeout_s: float | None
    listener: Listener
    timed: bool = True

    def __post_init__(self) -> None:
        self._workers: dict[tuple[str, str, str], WorkerProcess] = {}
        self._frameworks = frameworks_by_track(self.plan.request)
        self._data_problems: dict[str, str | None] = {}
        self._left: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.RLock()
        self._interrupted = False

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
            self._left = Counter(_worker_key(trial) for trial in todo)
            try:
                began = time.monotonic()
                if self.timed:
                    for trial in todo:
                        self._run_one(trial)
                    self._rerun_noisy(RERUN_SHARE * (time.monotonic() - began))
                else:
                    in_lanes(todo, _worker_key, self._run_one, lanes(self.plan), self._abandon)
                self.end_workers()  # a limit or a proof needs memory, not quiet
                self._limit()
                self._prove()
            finally:
                for worker in self._workers.values():
                    worker.kill()
                self._workers.clear()

    def _done(self) -> set[str]:
        """Trials that have a good row of this machine, and arrays that can be read."""
        rows = self.folder.rows((trial.id for trial in self.plan.trials), set_bad_aside=True)
        here = machine()
        return {
            row.trial
            for row in rows
            if row.status in DONE
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
        self._left[_worker_key(trial)] += 1
        self.listener.started(trial)
        row, tail = self._row(trial, self.plan.experiments[trial.experiment])
        others = self.folder.rows(t.id for t in self.plan.trials if t.id != trial.id)
        worse = row.status != "ok" or (
            noise.severity([*others, before, row])[trial.id]  # of the later of the two
            > noise.severity([*others, row, before])[trial.id]
        )
        if worse:
            write_arrays(self.folder.trials / f"{trial.id}.npz", arrays)
            row, tail = before, []
        self._store(trial, dataclasses.replace(row, attempt=attempt), tail)

    def _limit(self) -> None:
        """The matrix products of frameworks that were not asked for, cached per machine."""
        for _, trials in itertools.groupby(self.plan.limits, lambda t: t.framework):
            for trial in trials:
                row = limit_rows.cached(trial)
                if row is None:
                    row, _ = self._row(trial, self.plan.experiments[trial.experiment])
                limit_rows.store(self.folder, row)
            self.end_workers()

    def _run_one(self, trial: Trial, lane: int = 0) -> None:
        with self._lock:
            self.listener.started(trial)
        try:
            row, tail = self._row(trial, self.plan.experiments[trial.experiment], lane)
        except KeyboardInterrupt:
            row, tail = self._blank(trial, "interrupted", "Ctrl-C"), []
            self._store(trial, row, tail)
            raise
        if self._interrupted:
            row, tail = self._blank(trial, "interrupted", "Ctrl-C"), []
        self._store(trial, row, tail)

    def _abandon(self) -> None:
        """End the trials in progress in all lanes."""
        self._interrupted = True
        for worker in list(self._workers.values()):
            worker.kill()

    def _prove(self) -> None:
        """Judge every measured cell that no earlier proof has judged, in the plan's order."""
        last = {proof.framework: proof for proof in self.plan.proofs}
        for proof in self.plan.proofs:
            if self._framework(proof).missing:
                continue
            judgement, tail = verdicts.cached(proof), list[str]()
            if judgement is None:
                judgement, tail = self.judge(proof)
            verdicts.store(self.folder, proof, judgement)
            self.listener.proved(proof, judgement, tail)
            if proof is last[proof.framework]:
                self._end_workers_of(proof.framework)

    def judge(self, proof: Trial) -> tuple[Judgement, list[str]]:
        """Run a proof in its worker and judge what it leaves; if it fails, say why."""
        experiment = proof_of(self.plan.experiments[proof.experiment])
        trace, row, tail = self._trace(proof, experiment)
        if trace is None:
            reason = f"the proof gave no trace: {row.status}"
            detail = f" ({row.status_detail})" if row.status_detail else ""
            return Judgement("not comparable", reason + detail, ()), tail
        try:
            judgement = ladder.judge(trace, experiment, proof.seed, proof.dtype)
            if judgement.verdict == "different":
                closely = dataclasses.replace(proof, purpose=CLOSELY)
                close, _, _ = self._trace(closely, experiment)
                seed = proof.seed
                judgement = diagnosis.explained(judgement, close or trace, experiment, seed)
        except Exception as error:  # whatever a strange trace does to the judge, rows are kept
            reason = f"the trace cannot be judged: {type(error).__name__}: {error}"
            return Judgement("not comparable", reason, ()), tail
        return judgement, tail

    def _trace(self, proof: Trial, experiment: Experiment) -> tuple[Trace | None, Row, list[str]]:
        """Run a proof; its trace is read and deleted."""
        row, tail = self._row(proof, experiment)
        file = self.folder.trials / f"{proof.id}.npz"
        arrays = self.folder.arrays(proof.id)
        file.unlink(missing_ok=True)
        return (Trace.from_arrays(arrays) if row.status == "ok" else None), row, tail

    def _end_workers_of(self, framework: str) -> None:
        for key in [key for key in self._workers if key[0] == framework]:
            self._workers.pop(key).close()

    def end_workers(self) -> None:
        """Let every worker go."""
        while self._workers:
            self._workers.popitem()[1].close()

    def _store(self, trial: Trial, row: Row, tail: list[str]) -> None:
        if row.status != "ok":  # arrays of a trial that then failed
            (self.folder.trials / f"{trial.id}.npz").unlink(missing_ok=True)
        with self._lock:
            self.folder.write_row(row)
            self.listener.finished(trial, row, tail)

    def _row(self, trial: Trial, experiment: Experiment, lane: int = 0) -> tuple[Row, list[str]]:
        """The row of a trial, and the tail of its worker's log."""
        framework = self._framework(trial)
        if framework.missing:
            names = ", ".join(framework.missing)
            detail = f"{names} not installed; {framework.install_line}"
            return self._blank(trial, "missing", detail), []
        with self._lock:
            problem = self._data_problem(trial)
            if problem:
                return self._blank(trial, "missing", problem), []
            worker = self._worker(trial, lane)
        answer = worker.ask(self._message(trial, experiment), self.timeout_s)
        tail = worker.log_tail
        if isinstance(answer, Death):
            self._workers.pop(_worker_key(trial), None)
            return self._blank(trial, answer.status, answer.detail), tail
        self._left[_worker_key(trial)] -= 1
        fresh = self.plan.request.preset != "quick" and trial.purpose == MEASURE
        last = trial.purpose == MEASURE and self._left[_worker_key(trial)] == 0
        if fresh or last or answer.get("status") in FAILED:
            worker.close()
            self._workers.pop(_worker_key(trial), None)
        try:
            row = from_json(json.dumps(answer))
        except BadRowError as error:
            return self._blank(trial, "error", f"bad result: {error}"), tail
        if row.trial != trial.id:
            return self._blank(trial, "error", f"bad result: row of trial {row.trial!r}"), tail
        return row, tail

    def _framework(self, trial: Trial) -> Framework:
        return self._frameworks[trial.framework, trial.track]

    def _data_problem(self, trial: Trial) -> str | None:
        """Why the trial's dataset is not to be had; fetched on the way, once, off every clock."""
        experiment = self.plan.experiments[trial.experiment]
        dataset = experiment.data.dataset
        if not experiment.data.facts.fetched:
            return None
        if dataset not in self._data_problems:
            self._data_problems[dataset] = None
            try:
                fetching.files(dataset, fetching.folder(dataset))
            except fetching.DataMissingError:
                self.listener.fetching(dataset)
                try:
                    self.listener.fetched(dataset, fetching.fetch(dataset))
                except fetching.DataMissingError as error:
                    self._data_problems[dataset] = str(error)
                    self.listener.fetched(dataset, str(error))
        return self._data_problems[dataset]

    def _worker(self, trial: Trial, lane: int) -> WorkerProcess:
        """The worker of a trial, on the CPUs of its lane."""
        key = _worker_key(trial)
        if key in self._workers:
            self._workers[key].move(trial.threads, lane)
        else:
            framework = self._framework(trial)
            setup = {"framework": asdict(framework), "threads": trial.threads, "lane": lane}
            environment = child_environment(os.environ, trial.threads, trial.device)
            log = self.folder.logs / f"{_slug(trial.framework)}-{trial.track}-{trial.dtype}.log"
            self._workers[key] = WorkerProcess(setup, environment, log)
        return self._workers[key]

    def _message(self, trial: Trial, experiment: Experiment) -> Mapping[str, Any]:
        return {
            "run": self.plan.digest,
            "trial": asdict(trial),
            "experiment": experiment.model_dump(mode="json"),
            "arrays": str((self.folder.trials / f"{trial.id}.npz").resolve()),
        }

    def _blank(self, trial: Trial, status: str, detail: str) -> Row:
        return blank_row(
            trial,
            self.plan.digest,
            self._framework(trial).version,
            self.plan.experiments[trial.experiment],
            status,
            detail,
        )


def lanes(plan: Plan) -> int:
    """How many trials may run at once where times do not matter."""
    return max(1, available_cpus() // plan.request.threads)


def _worker_key(trial: Trial) -> tuple[str, str, str]:
    """What the trials of one worker share; device and threads are the whole run's."""
    return trial.framework, trial.track, trial.dtype


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
