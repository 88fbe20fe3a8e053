"""What a Dask worker runs: greet a session, and do one unit of its work.

A task is given paths and ids, and returns a word; all that is computed stays in the attempt's
folder. Trials are processes of their own, started by `Workers` exactly as the local runner starts
them: with an environment of their own instead of the nanny's, and by `Popen`, since a Dask worker
may not use multiprocessing.
"""

import contextlib
import dataclasses
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock.environment import available_cpus, has_gpu, machine_label
from harness.cluster.environment import differences, environment_of
from harness.cluster.guard import Guard
from harness.cluster.host import Abandoned, node_of, one_at_a_time, place
from harness.cluster.session import Attempt, Session, read_environment
from harness.cluster.work import Kind
from harness.execute import product_times, proving
from harness.execute.left_processes import mark_of_folder
from harness.execute.listener import Listener
from harness.execute.workers import Workers
from harness.experiment.vocabulary import Device
from harness.parity import verdicts
from harness.plan import Plan, Trial
from harness.registry import Framework
from harness.results import write_atomically

DONE, ABANDONED, BEGUN_BEFORE = "done", "abandoned", "begun before"
LOOK_EVERY_S = 1.0
"""How often a worker looks whether its session is over."""
SEEN_AFTER_S = 3.0
"""A shared file system may show a new file so much later on another machine."""

_guard = Guard()
_verified: set[str] = set()
"""Datasets that this process has found in the cache, with the right SHA-256."""


@dataclass(frozen=True)
class Greeting:
    """What a worker says of its machine.

    Args:
        node: which machine it is, see `harness.cluster.host.node_of`.
        machine: what kind, see `harness.clock.environment.machine_label`.
        problems: why it cannot take part; empty where it can.
    """

    node: str
    machine: str
    problems: tuple[str, ...]


def greet(session: str, run: str) -> Greeting:
    """Say what this machine is, and whether it may take part in a session.

    Args:
        session: its folder.
        run: the plan's digest.
    """
    return Greeting(node_of(run), machine_label(), tuple(_problems(Path(session))))


def do_unit(session: str, kind: str, trials: Sequence[str], attempt: str, alone: bool) -> str:
    """Run trials, limits or proofs of a session into the folder of an attempt.

    Args:
        session: its folder.
        kind: what the trials are.
        trials: their ids.
        attempt: name of the folder to leave rows in.
        alone: whether nothing else may run on this machine meanwhile.

    Returns:
        `DONE`; `ABANDONED` where the session is over; `BEGUN_BEFORE` where a worker that is gone
        has begun the attempt already.
    """
    try:
        given = Session.read(Path(session))
        folder = given.attempt(attempt)
        folder.path.mkdir()
    except FileNotFoundError:
        return ABANDONED
    except FileExistsError:
        return BEGUN_BEFORE
    known = {trial.id: trial for trial in _of_kind(given.plan, Kind(kind))}
    todo = [known[trial] for trial in trials]
    threads = max(trial.threads for trial in todo)
    alone = alone or any(_may_use_gpu(trial) for trial in todo)
    try:
        with place(threads, alone, lambda: given.is_over) as cpus:
            _do(Kind(kind), todo, given, folder, cpus)
    except Abandoned:
        return ABANDONED
    folder.write_done(list(trials))
    return DONE


def _of_kind(plan: Plan, kind: Kind) -> tuple[Trial, ...]:
    return {Kind.TRIALS: plan.trials, Kind.LIMITS: plan.limits, Kind.PROOFS: plan.proofs}[kind]


def _may_use_gpu(trial: Trial) -> bool:
    """Whether trials of several workers would share a GPU, whose memory is not known."""
    return trial.device != Device.CPU and has_gpu()


# ---------------------------------------------------------------- may this machine take part?


def _problems(folder: Path) -> list[str]:
    try:
        here, frameworks = _seen(folder)
    except OSError as error:
        return [
            f"it does not see the run's folder {folder.parents[1]} ({error.strerror or error}); "
            "name one on a file system that all machines share: --out FOLDER"
        ]
    problems = differences(here, environment_of(frameworks))
    if problems:
        return problems
    plan = Session.read(folder).plan
    threads = max(trial.threads for trial in (*plan.trials, *plan.proofs))
    if threads > available_cpus():
        problems.append(f"trials use {threads} threads, and it has {available_cpus()} CPUs")
    try:
        trace = folder / f"greeting-{secrets.token_hex(4)}"
        write_atomically(trace, b"")
        trace.unlink()
    except OSError as error:
        problems.append(f"it cannot write to {folder.parents[1]} ({error.strerror or error})")
    return problems


def _seen(folder: Path) -> tuple[dict[str, str], list[Framework]]:
    deadline = time.monotonic() + SEEN_AFTER_S
    while True:
        try:
            return read_environment(folder)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


# ---------------------------------------------------------------- the work


def _do(
    kind: Kind, trials: Sequence[Trial], session: Session, folder: Attempt, cpus: Sequence[int]
) -> None:
    """Run the trials one after the other.

    Raises:
        Abandoned: the session is over.
    """
    workers = Workers(session.plan, folder, session.timeout_s, Listener(), session.retries, cpus)
    with _ended_with(session, workers):
        workers.know_data(_verified)
        for trial in trials:
            with one_at_a_time("data", lambda: session.is_over):
                workers.data_problem(session.plan.experiments[trial.experiment])
        _verified.update(workers.known_data)
        for trial in trials:
            if kind == Kind.PROOFS:
                _prove(trial, session, folder, workers)
            else:
                _run(trial, session, folder, workers, kind)
            if workers.ended.is_set():
                raise Abandoned


def _run(trial: Trial, session: Session, folder: Attempt, workers: Workers, kind: Kind) -> None:
    is_limit = kind == Kind.LIMITS
    row = product_times.cached_row(trial) if is_limit and not session.fresh else None
    if row is None:
        experiment = session.plan.experiments[trial.experiment]
        row, tail = workers.run(trial, experiment, keep=False)
        if workers.ended.is_set():
            return
        if row.failed:
            folder.write_tail(trial.id, tail)
    if is_limit:
        product_times.store_row(folder, row)
    else:
        folder.write_row(dataclasses.replace(row, node=node_of(session.plan.digest)))


def _prove(proof: Trial, session: Session, folder: Attempt, workers: Workers) -> None:
    """Judge a proof; the process of a framework stays for the next, as in a local run."""
    judgement = None if session.fresh else verdicts.cached(proof)
    if judgement is None:
        judgement, tail = proving.judge(proof, workers)
        if workers.ended.is_set():
            return
        if not judgement.proven:
            folder.write_tail(proof.id, tail)
    verdicts.store(folder, proof, judgement)


@contextlib.contextmanager
def _ended_with(session: Session, workers: Workers) -> Iterator[None]:
    """End trials when their session is over, this process dies, or the block ends."""
    mark = mark_of_folder(workers.folder.path)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            if session.is_over:
                workers.kill()
                return

    watching = threading.Thread(target=watch, daemon=True)
    _guard.begin(mark)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
        workers.kill()
        _guard.end(mark)
