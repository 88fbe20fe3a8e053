"""Hands units of work to workers, one at a time each, and notices workers that are gone."""

import itertools
import queue
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.cluster.address import ClusterError
from harness.cluster.connection import Connection, Ended
from harness.cluster.session import Session
from harness.cluster.task import DONE, Greeting, do_unit, greet
from harness.cluster.work import Unit

LOOK_EVERY_S = 1.0
"""How often it is asked which workers there are."""
WAKE_EVERY_S = 0.2
"""How often the main thread wakes up, so that Ctrl-C is noticed."""


class NoWorkersError(ClusterError):
    """No worker may take part; the message says of each why."""


class Foreman(Protocol):
    """Who hands out the work, and hears how it goes."""

    def sent(self, unit: Unit, worker: str) -> None:
        """A worker got a unit."""

    def done(self, unit: Unit, attempt: str, worker: str) -> Sequence[Unit]:
        """A unit is done; return what is left of it to do."""

    def lost(self, unit: Unit, attempt: str, worker: str, why: str) -> Sequence[Unit]:
        """A unit was not done, for its worker is gone or failed; return what to do instead."""

    def dropped(self, unit: Unit) -> None:
        """A unit is not done, because its machine is gone and no other will do."""

    def refused(self, worker: str, why: str) -> None:
        """A worker may not take part."""

    def waiting(self) -> None:
        """There is work, and no worker yet."""


@dataclass
class _Worker:
    """One worker that takes part.

    Args:
        address: of Dask's.
        threads: how many tasks it takes at once.
        node: its machine, see `Greeting`.
        machine: likewise.
        units: attempts that it works at.
    """

    address: str
    threads: int
    node: str
    machine: str
    units: dict[str, Unit] = field(default_factory=dict)


class Dispatcher:
    """Hands out the work of one session.

    Args:
        connection: to the workers.
        session: what they are told.
        foreman: hears how it goes.
    """

    def __init__(self, connection: Connection, session: Session, foreman: Foreman) -> None:
        self._connection, self._session, self._foreman = connection, session, foreman
        self._taking_part: dict[str, _Worker] = {}
        self._greeted: dict[str, tuple[str, int]] = {}
        """Key of the greeting to the address and threads of the worker that is asked."""
        self._refused: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._looked_at = -LOOK_EVERY_S
        self._said_waiting = False

    @property
    def nodes(self) -> set[str]:
        """The machines that take part."""
        return {worker.node for worker in self._taking_part.values()}

    @property
    def running(self) -> list[tuple[str, Unit]]:
        """Attempts in progress, with their units."""
        return [item for worker in self._taking_part.values() for item in worker.units.items()]

    def gather(self) -> None:
        """Wait until every worker that is there has said who it is, and one may take part.

        Raises:
            NoWorkersError: none of them may.
            harness.cluster.connection.SchedulerLostError: the scheduler is gone.
        """
        while not self._taking_part or self._greeted:
            self._step([])

    def work_off(self, units: Iterable[Unit], until: float | None = None) -> list[Unit]:
        """Have all units done; return those that were not begun.

        Args:
            units: in the order they are begun; all of them alone on their machines, or none.
            until: when to begin no more, by `time.monotonic`; None for all.

        Raises:
            As `gather`.
        """
        waiting = deque(units)
        while waiting or self.running:
            if until is not None and time.monotonic() > until and not self.running:
                break
            may_begin = until is None or time.monotonic() < until
            done = self._step(waiting if may_begin else [])
            waiting.extendleft(reversed(done))
        return list(waiting)

    def _step(self, waiting: "deque[Unit] | list[Unit]") -> list[Unit]:
        """Hand out what fits, then wait for one end; return units to do first."""
        again: list[Unit] = []
        if self._is_time_to_look():
            again = self._look_at_workers()
            if isinstance(waiting, deque):
                self._replace_what_fits_nowhere(waiting)
        if isinstance(waiting, deque):
            self._hand_out(waiting)
        try:
            key = self._connection.ended.get(timeout=WAKE_EVERY_S)
        except queue.Empty:
            return again
        ended = self._connection.result(key)
        return [*again, *(self._take(ended) if ended else ())]

    # ------------------------------------------------------------ workers

    def _is_time_to_look(self) -> bool:
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return False
        self._looked_at = time.monotonic()
        return True

    def _look_at_workers(self) -> list[Unit]:
        """Greet new workers, and give up those that are gone; return what those were doing."""
        there = self._connection.workers()
        asked = {address for address, _ in self._greeted.values()}
        known = asked | self._taking_part.keys() | self._refused.keys()
        for address in [each for each in there if each not in known]:
            key = self._key("greeting")
            self._greeted[key] = address, there[address]
            self._connection.submit(
                key, address, greet, str(self._session.path), self._session.plan.digest
            )
        again = []
        for key, (address, _) in [*self._greeted.items()]:
            if address not in there:
                self._connection.forget(key)
                del self._greeted[key]
        for address in [each for each in self._taking_part if each not in there]:
            again += self._lose(self._taking_part.pop(address))
        if not there and not self._said_waiting:
            self._said_waiting = True
            self._foreman.waiting()
        if self._refused and not self._taking_part and not self._greeted:
            reasons = [f"{worker}: {why}" for worker, why in self._refused.items()]
            raise NoWorkersError("no worker may take part:\n" + "\n".join(reasons))
        return again

    def _lose(self, worker: _Worker) -> list[Unit]:
        again: list[Unit] = []
        for attempt, unit in worker.units.items():
            self._connection.forget(attempt)
            why = "its worker is gone"
            again += self._foreman.lost(unit, attempt, worker.address, why)
        return again

    def _key(self, what: str) -> str:
        return f"{what}-{next(self._numbers)}-{self._session.path.name}"

    # ------------------------------------------------------------ work

    def _hand_out(self, waiting: "deque[Unit]") -> None:
        """Give every free worker the first unit that it may run."""
        busy = Counter(w.node for w in self._taking_part.values() for _ in w.units)
        alone = {
            w.node for w in self._taking_part.values() for unit in w.units.values() if unit.alone
        }
        for worker in self._taking_part.values():
            while len(worker.units) < worker.threads and worker.node not in alone:
                unit = self._first_that_fits(waiting, worker, bool(busy[worker.node]))
                if unit is None:
                    break
                busy[worker.node] += 1
                if unit.alone:
                    alone.add(worker.node)
                self._send(unit, worker)

    def _first_that_fits(
        self, waiting: "deque[Unit]", worker: _Worker, is_busy: bool
    ) -> Unit | None:
        if is_busy and waiting and waiting[0].alone:
            return None
        for place, unit in enumerate(waiting):
            if unit.fits(worker.node, worker.machine):
                del waiting[place]
                return unit
        return None

    def _replace_what_fits_nowhere(self, waiting: "deque[Unit]") -> None:
        """Where a machine is gone that alone may run a unit, take what to do otherwise."""
        places = {(worker.node, worker.machine) for worker in self._taking_part.values()}
        if not places:
            return
        for _ in range(len(waiting)):
            unit = waiting.popleft()
            if unit.is_bound and not any(unit.fits(*place) for place in places):
                if unit.otherwise is not None:
                    waiting.append(unit.otherwise)
                else:
                    self._foreman.dropped(unit)
            else:
                waiting.append(unit)

    def _send(self, unit: Unit, worker: _Worker) -> None:
        attempt = self._key(unit.kind)
        worker.units[attempt] = unit
        self._foreman.sent(unit, worker.address)
        self._connection.submit(
            attempt,
            worker.address,
            do_unit,
            str(self._session.path),
            str(unit.kind),
            tuple(trial.id for trial in unit.trials),
            attempt,
            unit.alone,
        )

    def _take(self, ended: Ended) -> Sequence[Unit]:
        if ended.key in self._greeted:
            address, threads = self._greeted.pop(ended.key)
            self._welcome(address, threads, ended)
            return ()
        for worker in self._taking_part.values():
            unit = worker.units.pop(ended.key, None)
            if unit is None:
                continue
            if ended.answer == DONE:
                return self._foreman.done(unit, ended.key, worker.address)
            self._connection.workers()  # if the scheduler is gone, no worker is to blame
            why = ended.why or "its worker was started again"
            return self._foreman.lost(unit, ended.key, worker.address, why)
        return ()

    def _welcome(self, address: str, threads: int, ended: Ended) -> None:
        greeting = ended.answer
        if not isinstance(greeting, Greeting):
            why = f"samestep cannot be run there ({ended.why}); install it there, the same version"
        elif greeting.problems:
            why = "; ".join(greeting.problems)
        else:
            self._taking_part[address] = _Worker(address, threads, greeting.node, greeting.machine)
            return
        self._refused[address] = why
        self._foreman.refused(address, why)
