"""The machine that a Dask worker runs on: which CPUs a trial has, and who is alone.

All workers of a user on one machine agree by locks in `/tmp`. `TMPDIR` is not asked: Slurm gives
every job another one. A lock ends with the process that holds it. Containers with a `/tmp` of their
own do not see each other's locks.
"""

import contextlib
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.clock.environment import allowed_cpus

LOOK_EVERY_S = 0.05


class Abandoned(Exception):  # noqa: N818 (an outcome, not a fault)
    """Nobody waits for the work any more."""


def node_of(run: str) -> str:
    """Return 8 hexadecimal digits that tell the machines of a run apart, and name none.

    Containers on one machine have the same, since they share its kernel.

    Args:
        run: the plan's digest, so that the digits are others in another run.
    """
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        machine = platform.node()
    return hashlib.sha256(f"{run} {machine}".encode()).hexdigest()[:8]


@contextlib.contextmanager
def place(threads: int, alone: bool, is_over: Callable[[], bool]) -> Iterator[list[int]]:
    """Hold CPUs for a trial until the block ends, and yield their numbers, the highest free ones.

    Args:
        threads: how many the trial uses; on a smaller machine it gets all.
        alone: whether no other trial may run on this machine meanwhile. Then the other threads of
            this process leave its CPUs, too.
        is_over: whether to give up waiting.

    Raises:
        Abandoned: `is_over` said so.
    """
    cpus = allowed_cpus()
    with contextlib.ExitStack() as held:
        # Whoever waits to be alone keeps the gate, so that nobody else comes in meanwhile.
        with contextlib.ExitStack() as gate:
            _wait_for(gate, "gate", True, is_over)
            _wait_for(held, "machine", alone, is_over)
        own = cpus[-threads:] if alone else _free_cpus(held, cpus, threads, is_over)
        if alone:
            held.enter_context(_others_elsewhere(cpus, own))
        yield own


@contextlib.contextmanager
def one_at_a_time(what: str, is_over: Callable[[], bool]) -> Iterator[None]:
    """Let one process of this machine do something while others wait.

    Raises:
        Abandoned: as `place`.
    """
    with contextlib.ExitStack() as held:
        _wait_for(held, what, True, is_over)
        yield


def _free_cpus(
    held: contextlib.ExitStack, cpus: Sequence[int], threads: int, is_over: Callable[[], bool]
) -> list[int]:
    """Return CPUs that no other trial has, once there are enough."""
    wanted = min(threads, len(cpus))
    with contextlib.ExitStack() as choice:
        # Who chooses is alone in that until there are enough: two would keep half each, and one
        # that needs many would never find them free.
        _wait_for(choice, "choice", True, is_over)
        while True:
            own: list[int] = []
            with contextlib.ExitStack() as taken:
                for cpu in reversed(cpus):
                    if len(own) < wanted and _try(taken, f"cpu-{cpu}", exclusive=True):
                        own.append(cpu)
                if len(own) == wanted:
                    held.push(taken.pop_all())
                    return sorted(own)
            _pause(is_over)


def _wait_for(
    held: contextlib.ExitStack, name: str, exclusive: bool, is_over: Callable[[], bool]
) -> None:
    while not _try(held, name, exclusive):
        _pause(is_over)


def _pause(is_over: Callable[[], bool]) -> None:
    if is_over():
        raise Abandoned
    time.sleep(LOOK_EVERY_S)


def _try(held: contextlib.ExitStack, name: str, exclusive: bool) -> bool:
    """Take a lock if it is free; return whether it was."""
    try:
        import fcntl
    except ImportError:  # Windows: workers of one machine know nothing of each other
        return True
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(_folder() / f"{name}.lock", flags, 0o600)
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    held.callback(os.close, lock)
    return True


def _folder() -> Path:
    """Return the folder of this user's locks, which no other user can write.

    Raises:
        PermissionError: another user made a folder of that name.
    """
    temporary = Path("/tmp")
    if not temporary.is_dir():
        temporary = Path(tempfile.gettempdir())
    folder = temporary / f"samestep-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise PermissionError(f"{folder} must belong to the user who runs the worker; remove it")
    return folder


@contextlib.contextmanager
def _others_elsewhere(cpus: Sequence[int], own: Sequence[int]) -> Iterator[None]:
    """Keep the threads of this process, Dask's loop among them, off the CPUs of a trial."""
    others = [cpu for cpu in cpus if cpu not in own]
    if others:
        _move_threads(others)
    try:
        yield
    finally:
        if others:
            _move_threads(cpus)


def _move_threads(cpus: Sequence[int]) -> None:
    threads = Path("/proc/self/task")
    for thread in [*threads.iterdir()] if threads.is_dir() else []:
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.name), cpus)
