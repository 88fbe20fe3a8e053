"""Turn a trial into its row: in a worker process of its framework, on the CPUs of its lane."""

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from harness.clock.environment import child_environment
from harness.clock.process_state import IS_SPENT
from harness.command_line import Command
from harness.data import fetching, own_rows
from harness.execute.commands import Commands, lost_times
from harness.execute.left_processes import mark_of_folder
from harness.execute.listener import Listener
from harness.execute.worker_process import Death, WorkerProcess
from harness.experiment.data import Data
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Status
from harness.parity.judgement import Judgement
from harness.plan import Plan, Trial
from harness.results import BadRowError, Row, RunFolder, from_json
from harness.trial.outcome import blank_row

FIRST_LANE = 0
ENDED_WELL = (Status.OK, Status.UNSUPPORTED, Status.MISSING)
"""Statuses after which a worker serves further trials."""


class Key(NamedTuple):
    """What the trials of one worker share, in either precision; the device is the whole run's."""

    framework: str
    track: str
    threads: int

    @classmethod
    def of(cls, trial: Trial) -> "Key":
        """Return the key of the worker of a trial, in whatever lane."""
        return cls(trial.framework, trial.track, trial.threads)


class Ran(NamedTuple):
    """What came of a trial: its row, the end of its log, and whether it was ended from outside."""

    row: Row
    log_tail: list[str]
    is_lost: bool = False


class Workers:
    """The worker processes of one run, started when a trial first needs one.

    Every lane has workers of its own. One that is parked goes to the lane that needs it first.

    Args:
        plan: whose trials they run.
        folder: where they leave arrays and logs.
        timeout_s: limit for one trial, its framework's import included; None for no limit.
        listener: hears of datasets, and of trials that were lost.
        retries: how often a trial is run again whose process was ended from outside.
        cpus: of all lanes; by default those that a worker may use.

    Attributes:
        ended: set when `kill` was called.
        suspects: (framework, loop) to the mistakes that were named of it so far.
    """

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        timeout_s: float | None,
        listener: Listener,
        retries: int = 0,
        cpus: Sequence[int] = (),
    ) -> None:
        self.plan, self.folder, self.timeout_s, self.listener = plan, folder, timeout_s, listener
        self.retries, self.cpus = retries, list(cpus)
        self.ended = threading.Event()
        self.suspects: dict[tuple[str, str], list[str]] = {}
        self._alive: dict[tuple[int, Key], WorkerProcess] = {}
        self._parked: dict[Key, WorkerProcess] = {}
        self._frameworks = plan.frameworks
        self._commands = Commands(folder, timeout_s, plan.request.timed, retries, listener)
        self._data_problems: dict[str | Data, str | None] = {}
        self._lock = threading.Lock()
        """Held to start and move workers, and to end them for good."""

    def missing(self, trial: Trial) -> tuple[str, ...]:
        """Return the packages that the trial's framework lacks."""
        return self._frameworks[trial.framework_key].missing

    def command_of(self, trial: Trial) -> Command | None:
        """Return the command that a trial runs; None where it has an adapter."""
        framework = self._frameworks[trial.framework_key]
        return framework if isinstance(framework, Command) else None

    def run(
        self, trial: Trial, experiment: Experiment, lane: int = FIRST_LANE, keep: bool = True
    ) -> tuple[Row, list[str]]:
        """Return the row of a trial, and the tail of its worker's log.

        Args:
            trial: what to run.
            experiment: its protocol.
            lane: where.
            keep: whether the worker stays alive for further trials.
        """
        framework = self._frameworks[trial.framework_key]
        if framework.missing:
            return self.blank(trial, Status.MISSING, framework.why_missing), []
        problem = self.data_problem(experiment)
        if problem:
            return self.blank(trial, Status.MISSING, problem), []
        if isinstance(framework, Command):
            blank = self.blank(trial, Status.OK, None)
            return self._commands.measure(trial, experiment, framework, blank, lane)
        times = 1
        while True:
            row, tail, is_lost = self._run_once(trial, experiment, lane, keep)
            if not is_lost:
                return row, tail
            why = row.status_detail or row.status
            if times > self.retries:
                return replace(row, status_detail=lost_times(why, times)), tail
            self.listener.run_again(trial, why)
            times += 1

    def _run_once(self, trial: Trial, experiment: Experiment, lane: int, keep: bool) -> Ran:
        with self._lock:
            if self.ended.is_set():
                return Ran(self.blank(trial, Status.INTERRUPTED, "Ctrl-C"), [])
            worker = self._worker(trial, lane)
        answer = worker.ask(self._message(trial, experiment, lane), self.timeout_s)
        tail = worker.log_tail
        if isinstance(answer, Death):
            self._alive.pop((lane, Key.of(trial)), None)
            if self.ended.is_set():
                return Ran(self.blank(trial, Status.INTERRUPTED, "Ctrl-C"), tail)
            return Ran(self.blank(trial, answer.status, answer.detail), tail, answer.is_lost)
        if not keep or answer.get("status") not in ENDED_WELL or answer.get(IS_SPENT):
            self._alive.pop((lane, Key.of(trial)), None)
            worker.close()
        try:
            row = from_json(json.dumps(answer))
        except BadRowError as error:
            return Ran(self.blank(trial, Status.ERROR, f"bad result: {error}"), tail)
        if row.trial != trial.id:
            why = f"bad result: row of trial {row.trial!r}"
            return Ran(self.blank(trial, Status.ERROR, why), tail)
        is_lost = row.status == Status.INTERRUPTED and not self.ended.is_set()
        return Ran(row, tail, is_lost)

    def judge_command(
        self, proof: Trial, command: Command, lane: int = FIRST_LANE
    ) -> tuple[Judgement, list[str]]:
        """Run the proof of a command; return its judgement, and the end of what was printed."""
        experiment = self.plan.experiments[proof.experiment]
        return self._commands.judge(proof, experiment, command, lane)

    def blank(self, trial: Trial, status: Status, detail: str | None) -> Row:
        """Return the row of a trial that measured nothing."""
        framework = self._frameworks[trial.framework_key]
        experiment = self.plan.experiments[trial.experiment]
        version, command = framework.version, self.command_of(trial)
        row = blank_row(trial, self.plan.digest, version, experiment, status, detail)
        return replace(row, command=command.module) if command else row

    def park(self) -> None:
        """Let idle workers serve whichever lane needs them first.

        On Linux they live only as long as the thread that started them.
        """
        with self._lock:
            while self._alive:
                (_, key), worker = self._alive.popitem()
                spare = self._parked.pop(key, None)
                self._parked[key] = worker
                if spare:
                    spare.close()

    def close_idle(self, framework: str | None = None) -> None:
        """Ask idle workers to exit: all, or those of one framework."""
        self.park()
        for key in [key for key in self._parked if framework in (None, key.framework)]:
            self._parked.pop(key).close()

    def kill(self) -> None:
        """End every worker at once, for good; a trial in progress becomes `interrupted`."""
        with self._lock:
            self.ended.set()
            self._commands.kill()
            for worker in (*self._alive.values(), *self._parked.values()):
                worker.kill()
            self._alive.clear()
            self._parked.clear()

    def data_problem(self, experiment: Experiment) -> str | None:
        """Return why a protocol's dataset is missing, or None; fetch the dataset once if needed.

        Fetching happens off every clock. Before lanes start, the main thread calls this, so that
        Ctrl-C interrupts a fetch.
        """
        dataset = experiment.data.dataset
        if dataset is None or experiment.data.contents is not None:
            return self._own_data_problem(experiment)
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

    def know_data(self, datasets: Iterable[str]) -> None:
        """Take it that these datasets are in the cache, and were verified."""
        self._data_problems |= dict.fromkeys(datasets)

    @property
    def known_data(self) -> set[str]:
        """The datasets that are in the cache, and were verified."""
        return {
            data
            for data, problem in self._data_problems.items()
            if isinstance(data, str) and problem is None
        }

    def _own_data_problem(self, experiment: Experiment) -> str | None:
        """Return why the rows of a user's file or package are missing; leave them for workers."""
        if experiment.data not in self._data_problems:
            self._data_problems[experiment.data] = None
            try:
                own_rows.store(experiment.data, self.folder.data)
            except fetching.DataMissingError as error:
                self._data_problems[experiment.data] = str(error)
        return self._data_problems[experiment.data]

    def _worker(self, trial: Trial, lane: int) -> WorkerProcess:
        key = Key.of(trial)
        if (lane, key) not in self._alive:
            parked = self._parked.pop(key, None)
            self._alive[lane, key] = parked or self._start(trial, lane)
        return self._alive[lane, key]

    def _start(self, trial: Trial, lane: int) -> WorkerProcess:
        framework = self._frameworks[trial.framework_key]
        setup: dict[str, Any] = {"framework": asdict(framework), "threads": trial.threads}
        setup |= {"lane": lane, "cpus": self.cpus}
        environment = child_environment(os.environ, trial.threads, trial.device)
        environment[own_rows.FOLDER_VARIABLE] = str(self.folder.data.resolve())
        name = f"{_slug(trial.framework)}-{trial.track}"
        log = self.folder.logs / f"{name}{f'-{lane}' if lane else ''}.log"
        return WorkerProcess(setup, environment, log, mark_of_folder(self.folder.path))

    def _message(self, trial: Trial, experiment: Experiment, lane: int) -> Mapping[str, Any]:
        return {
            "run": self.plan.digest,
            "trial": asdict(trial),
            "experiment": experiment.model_dump(mode="json"),
            "arrays": str((self.folder.trials / f"{trial.id}.npz").resolve()),
            "lane": lane,
            "timed": self.plan.request.timed,
        }


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
