"""Run a plan on a cluster: blocks of timed trials each whole on one machine, the rest anywhere.

The same command, started again, goes on where it stopped, on this cluster, another one or none.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.analysis import noise
from harness.cluster.address import ClusterAddress
from harness.cluster.connection import connected
from harness.cluster.dispatcher import Dispatcher
from harness.cluster.publishing import Publisher
from harness.cluster.session import Attempt, Session, end_all, left_attempts
from harness.cluster.work import Kind, Unit
from harness.data import own_rows
from harness.data.fetching import DataMissingError
from harness.execute.folder import locked, prepare, sweep_all
from harness.execute.listener import Listener
from harness.execute.reruns import (
    RERUN_SHARE,
    disturbed_rows,
    is_calmer,
    ranked_trials,
    rerun_budget_s,
)
from harness.execute.runner import lanes
from harness.experiment.vocabulary import Status
from harness.parity import verdicts
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Plan, Trial
from harness.results import Row, RunFolder, write_atomically
from harness.shards import unit_of
from harness.trial.outcome import blank_row

LOSSES_AT_MOST = 2
"""A trial whose machine was lost so often is not tried again by this command."""
PROOFS_AT_ONCE = 8
"""So many proofs of a framework share its process: most are shorter than its import."""


@dataclass
class ClusterRunner:
    """Runs the trials of one plan on a cluster into one folder, which all machines see.

    Args:
        plan: what to run, with its frameworks.
        folder: where rows go.
        timeout_s: limit for one trial, its framework's import included; None for no limit.
        listener: hears of progress.
        address: of the cluster.
        estimates_s: seconds of every trial, by id; what takes longest is begun first.
        timed: whether times matter. Then blocks stay together, each alone on its machine.
        whole: the plan that the folder is of, where `plan` is a part of it.
    """

    plan: Plan
    folder: RunFolder
    timeout_s: float | None
    listener: Listener
    address: ClusterAddress
    estimates_s: Mapping[str, float]
    timed: bool = True
    whole: Plan | None = None
    _publisher: Publisher = field(init=False)
    _now: Session = field(init=False)
    _losses: Counter[str] = field(init=False, default_factory=Counter)
    _reruns: dict[str, int] = field(init=False, default_factory=dict)
    """Trials that run again because their machine was disturbed, with the number of the attempt."""
    _to_judge: Counter[str] = field(init=False, default_factory=Counter)
    """Proofs, and on how many kinds of machines they have yet to be made."""

    def run(self, fresh: bool = False) -> None:
        """Run every trial that has no good row yet.

        Args:
            fresh: whether to forget the rows and verdicts that there are.

        Raises:
            harness.execute.folder.OtherPlanError: before anything is touched.
            harness.execute.folder.FolderInUseError: likewise.
            harness.cluster.connection.SchedulerLostError: no scheduler answers, or not any more.
            harness.cluster.dispatcher.NoWorkersError: no worker may take part.
            KeyboardInterrupt: after the running trials got their `interrupted` rows.
        """
        prepare(self.folder, self.plan)
        with locked(self.folder):
            prepare(self.folder, self.plan)  # another run may have come first meanwhile
            self._begin(fresh)
            workers = self.address.workers or lanes(self.plan)
            with connected(self.address, workers) as connection, self._session(fresh) as session:
                dispatcher = Dispatcher(connection, session, self)
                try:
                    self._work(dispatcher)
                except KeyboardInterrupt:
                    self._interrupt(dispatcher)
                    raise

    # ------------------------------------------------------------ begin and end

    def _begin(self, fresh: bool) -> None:
        sweep_all(self.folder)
        write_atomically(self.folder.plan_file, (self.whole or self.plan).to_json().encode())
        self._publisher = Publisher(self.folder, self.plan)
        if fresh:
            self.folder.remove(trial.id for trial in self.plan.trials)
            verdicts.forget(self.folder, self.plan.proofs)
        else:
            self._take_what_is_left()
        end_all(self.folder)
        for experiment in self.plan.experiments.values():
            data = experiment.data
            if data.dataset is None or data.contents is not None:
                with contextlib.suppress(DataMissingError):  # the rows of its trials say why
                    own_rows.store(data, self.folder.data)

    @contextlib.contextmanager
    def _session(self, fresh: bool) -> Iterator[Session]:
        session = Session.begin(self.folder, self.plan, self.timeout_s, fresh)
        self._now = session
        try:
            yield session
        finally:
            self._take_what_is_left()
            end_all(self.folder)
            if self._publisher.twice:
                self.listener.ran_twice(self._publisher.twice)

    def _take_what_is_left(self) -> None:
        """Take over what workers finished and nobody was told of."""
        for attempt in left_attempts(self.folder):
            self._publisher.take_whole(attempt)

    def _interrupt(self, dispatcher: Dispatcher) -> None:
        """Write a row for every trial in progress."""
        for _, unit in dispatcher.running:
            if unit.kind != Kind.TRIALS:
                continue
            has_row = {row.trial for row in self.folder.rows(trial.id for trial in unit.trials)}
            for trial in unit.trials:
                if trial.id not in has_row:
                    self._store(trial, self._blank(trial, Status.INTERRUPTED, "Ctrl-C"), [])

    # ------------------------------------------------------------ phases

    def _work(self, dispatcher: Dispatcher) -> None:
        dispatcher.gather()
        units = self._units(dispatcher.nodes)
        todo = {trial.id for unit in units for trial in unit.trials}
        missing = [t for t in self.plan.trials if self.plan.frameworks[t.framework_key].missing]
        absent = {trial.id for trial in missing}
        self.listener.resumed([t for t in self.plan.trials if t.id not in todo | absent])
        for trial in missing:
            why = self.plan.frameworks[trial.framework_key].why_missing
            self._store(trial, self._blank(trial, Status.MISSING, why), [])
        began = time.monotonic()
        dispatcher.work_off(units)
        if self.timed:
            self._rerun_noisy(dispatcher, time.monotonic() - began)
            dispatcher.work_off(self._limits())
        dispatcher.work_off(self._proofs())

    def _units(self, nodes: set[str]) -> list[Unit]:
        """Return what is left to train, the longest first."""
        done = {
            row.trial: row
            for row in self.folder.rows((t.id for t in self.plan.trials), set_bad_aside=True)
            if row.status.done and (row.status != Status.OK or self.folder.arrays(row.trial))
        }
        blocks: dict[Hashable, list[Trial]] = {}
        for trial in self.plan.trials:
            if not self.plan.frameworks[trial.framework_key].missing:
                blocks.setdefault(unit_of(trial, self.timed), []).append(trial)
        units = [
            self._rest_of(block, done, nodes)
            for block in blocks.values()
            if any(trial.id not in done for trial in block)
        ]
        return sorted(units, key=lambda u: -sum(self.estimates_s[t.id] for t in u.trials))

    def _rest_of(self, block: Sequence[Trial], done: Mapping[str, Row], nodes: set[str]) -> Unit:
        """Return what is left of a block, for the machine that has run the others of it.

        Where this machine is not there any more, the whole block runs again: it is never split.
        """
        whole = Unit(Kind.TRIALS, tuple(block), alone=self.timed)
        if not self.timed:
            return whole
        ran_on = {done[trial.id].node for trial in block if trial.id in done}
        node = next(iter(ran_on)) if len(ran_on) == 1 else None
        if node is None or node not in nodes:
            return whole
        rest = tuple(trial for trial in block if trial.id not in done)
        return replace(whole, trials=rest, node=node, otherwise=whole)

    def _rerun_noisy(self, dispatcher: Dispatcher, own_s: float) -> None:
        """Run disturbed trials again, each on its machine, and keep the calmer row of each.

        Args:
            dispatcher: knows the machines.
            own_s: how long the run itself took.
        """
        budget_s = rerun_budget_s(own_s, RERUN_SHARE[self.plan.request.preset])
        deadline = time.monotonic() + budget_s
        trials = {trial.id: trial for trial in ranked_trials(self.plan)}
        for number in range(2, noise.ATTEMPTS + 1):
            again = disturbed_rows(self.folder.rows(trials), number)
            again = [row for row in again if row.node in dispatcher.nodes]
            if not again:
                break
            self.listener.rerunning([trials[row.trial] for row in again])
            self._reruns = dict.fromkeys((row.trial for row in again), number)
            left = dispatcher.work_off(
                (
                    Unit(Kind.TRIALS, (trials[row.trial],), alone=True, node=row.node or "")
                    for row in again
                ),
                deadline,
            )
            if left:
                why = f"{budget_s:.0f} s of reruns are enough for this run"
                self.listener.gave_up(len(left), why)
                break
        self._reruns = {}

    def _limits(self) -> list[Unit]:
        """Time matrix products of other frameworks once on every kind of machine."""
        if not self.plan.limits:
            return []
        rows = self.folder.rows(trial.id for trial in self.plan.trials)
        there = {(row.trial, row.machine) for row in self.folder.limit_rows(self._limit_ids)}
        units = []
        for machine in dict.fromkeys(row.machine for row in rows if row.node and row.machine):
            todo = [limit for limit in self.plan.limits if (limit.id, machine) not in there]
            if todo:
                units.append(Unit(Kind.LIMITS, tuple(todo), alone=True, machine=machine))
        return units

    @property
    def _limit_ids(self) -> list[str]:
        return [limit.id for limit in self.plan.limits]

    def _proofs(self) -> list[Unit]:
        """Prove every cell on every kind of machine that trained it."""
        rows = self.folder.rows(trial.id for trial in self.plan.trials)
        trained_on: dict[tuple[str, str, str], dict[str, None]] = {}
        for row in rows:
            cell = trained_on.setdefault((row.experiment, row.framework, row.loop), {})
            if row.machine and row.node:
                cell[row.machine] = None
        groups: dict[tuple[str, str], list[Trial]] = {}
        for proof in self.plan.proofs:
            if self.plan.frameworks[proof.framework_key].missing:
                continue
            cell = trained_on.get((proof.experiment, proof.framework, proof.loop)) or {"": None}
            for machine in cell:
                groups.setdefault((proof.framework, machine), []).append(proof)
                self._to_judge[proof.id] += 1
        return [
            self._proofs_on(machine, proofs[start : start + PROOFS_AT_ONCE])
            for (_, machine), group in groups.items()
            for proofs in [sorted(group, key=lambda proof: proof.dtype)]
            for start in range(0, len(proofs), PROOFS_AT_ONCE)
        ]

    def _proofs_on(self, machine: str, proofs: Sequence[Trial]) -> Unit:
        anywhere = Unit(Kind.PROOFS, tuple(proofs))
        return replace(anywhere, machine=machine, otherwise=anywhere)

    # ------------------------------------------------------------ what the dispatcher says

    def sent(self, unit: Unit, worker: str) -> None:
        """Forget the rows of a block that runs again."""
        if unit.kind == Kind.TRIALS and not self._reruns:
            self.folder.remove(trial.id for trial in unit.trials)
        self.listener.sent(unit.trials, worker)

    def done(self, unit: Unit, attempt: str, worker: str) -> Sequence[Unit]:
        """Take over what a worker left; return what it did not leave after all."""
        folder = self._now.attempt(attempt)
        self._publisher.take_log(folder)
        if unit.kind == Kind.LIMITS:
            self._publisher.take_limits(folder)
            folder.remove_all()
            return ()
        take: Callable[[Attempt, Trial], bool] = self._take_verdict
        if unit.kind == Kind.TRIALS:
            take = self._take_rerun if self._reruns else self._take_row
        taken = [take(folder, trial) for trial in unit.trials]
        if all(taken):
            folder.remove_all()
            return ()
        why = "what it left does not show up in the run's folder, which all machines must share"
        return self.lost(unit, attempt, worker, why)

    def lost(self, unit: Unit, attempt: str, worker: str, why: str) -> Sequence[Unit]:
        """Count the loss against the trial that was running; return what to run in its place."""
        if unit.kind == Kind.LIMITS or self._reruns:
            self.dropped(unit)
            return ()
        folder = self._now.attempt(attempt)
        self.listener.lost(unit.trials, worker, why)
        has_ended = set(_ended(folder, unit.kind))
        running = next((t for t in unit.trials if t.id not in has_ended), unit.trials[0])
        self._losses[running.id] += 1
        anywhere = replace(unit, node="", otherwise=None)
        if self._losses[running.id] < LOSSES_AT_MOST:
            return [unit.otherwise or anywhere]
        detail = f"lost {self._losses[running.id]} times, at last because {why} ({worker})"
        if unit.kind == Kind.TRIALS:
            self._store(running, self._blank(running, Status.CRASHED, detail), [])
        else:
            judgement = Judgement(Verdict.NOT_COMPARABLE, detail, (), Status.CRASHED)
            self._tell(running, self._publisher.store_verdict(running, judgement), [])
        rest = tuple(trial for trial in unit.trials if trial.id != running.id)
        return [replace(anywhere, trials=rest)] if rest else []

    def dropped(self, unit: Unit) -> None:
        """Let a rerun or a limit be: nothing is missing without it."""
        if self._reruns:
            self.listener.gave_up(len(unit.trials), "its machine is gone")

    def refused(self, worker: str, why: str) -> None:
        """Pass it on."""
        self.listener.refused(worker, why)

    def waiting(self) -> None:
        """Pass it on."""
        self.listener.waiting_for_workers()

    # ------------------------------------------------------------ rows and verdicts

    def _take_row(self, folder: Attempt, trial: Trial) -> bool:
        row = self._publisher.take_row(folder, trial)
        if row is not None:
            self.listener.finished(trial, row, folder.tail(trial.id))
        return row is not None

    def _take_rerun(self, folder: Attempt, trial: Trial) -> bool:
        row = self._publisher.row_of(folder, trial)
        rows = self.folder.rows(each.id for each in self.plan.trials)
        before = next(each for each in rows if each.trial == trial.id)
        number, is_better = self._reruns[trial.id], False
        if row is not None:
            others = [each for each in rows if each.trial != trial.id]
            is_better, _ = is_calmer(row, before, others)
        if row is not None and is_better:
            self._publisher.take_rerun(folder, trial, row, number)
        else:
            self.folder.write_row(replace(before, attempt=number))
        self.listener.reran(trial, row or before, kept=not is_better)
        return True

    def _take_verdict(self, folder: Attempt, proof: Trial) -> bool:
        judgement = self._publisher.take_verdict(folder, proof)
        if judgement is not None:
            self._tell(proof, judgement, folder.tail(proof.id))
        return judgement is not None

    def _tell(self, proof: Trial, judgement: Judgement, tail: list[str]) -> None:
        """Say a verdict once it is known from every kind of machine."""
        self._to_judge[proof.id] -= 1
        if self._to_judge[proof.id] == 0:
            self.listener.proved(proof, judgement, tail)

    def _store(self, trial: Trial, row: Row, tail: list[str]) -> None:
        (self.folder.trials / f"{trial.id}.npz").unlink(missing_ok=True)
        self.folder.write_row(row)
        self.listener.finished(trial, row, tail)

    def _blank(self, trial: Trial, status: Status, detail: str) -> Row:
        version = self.plan.frameworks[trial.framework_key].version
        experiment = self.plan.experiments[trial.experiment]
        return blank_row(trial, self.plan.digest, version, experiment, status, detail)


def _ended(folder: Attempt, kind: Kind) -> Iterator[str]:
    """Yield the trials or proofs of an attempt that came to an end."""
    place = folder.proofs if kind == Kind.PROOFS else folder.trials
    return (file.stem for file in place.glob("*.json"))
