"""The folder of a run: it belongs to one plan, and one process at a time writes to it."""

import contextlib
import errno
import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.cache import cache_folder
from harness.plan import Plan
from harness.results import LEFTOVER, RunFolder, sweep
from harness.untrusted import NotAPlainFileError, open_plain, parse_json, read_plain

WRITTEN_BEFORE_PLAN = {"lock", "trials"}
CACHE_LEFTOVER_S = 3_600.0
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system says that has no locks, as some that are shared: nobody is kept out then."""


class FolderInUseError(RuntimeError):
    """Another process is writing to the run's folder."""


class OtherPlanError(ValueError):
    """The folder holds something else, which is never overwritten."""


def prepare(folder: RunFolder, plan: Plan) -> None:
    """Make the folder ready, or refuse before anything is written.

    Raises:
        OtherPlanError: the folder holds another plan, or files of no run.
        OSError: the folder cannot be written.
    """
    if folder.plan_file.exists():
        try:
            other = Plan.from_json(read_plain(folder.plan_file)).digest
        except ValueError:
            other = "unreadable"
        if other != plan.digest:
            new = f"{folder.path}-{plan.digest[:8]}"
            raise OtherPlanError(
                f"{folder.path} holds another plan ({other}, this one is {plan.digest}); it is "
                f"left as it is. Name a new folder: --out {new}, or in Python folder={new!r}"
            )
    elif folder.path.is_dir() and _names(folder) - WRITTEN_BEFORE_PLAN:
        new = str(folder.path / plan.digest[:8])
        raise OtherPlanError(
            f"{folder.path} is not empty and holds no run; it is left as it is. Name a new "
            f"folder: --out {new}, or in Python folder={new!r}"
        )
    for part in folder.parts:
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise OtherPlanError(
                f"{part} is no folder of its own, and nothing is written through it. Name a new "
                f"folder: --out {folder.path}-new"
            )
    folder.trials.mkdir(parents=True, exist_ok=True)


def sweep_all(folder: RunFolder) -> None:
    """Remove what killed processes left half written; only for the one who holds the lock.

    In the cache, which other runs write to, only what is an hour old.
    """
    for part in (folder.path, *folder.parts):
        sweep(part)
    with contextlib.suppress(OSError):
        for part in cache_folder().iterdir():
            sweep(part, CACHE_LEFTOVER_S)


def _names(folder: RunFolder) -> set[str]:
    names = {file.name for file in folder.path.iterdir()}
    return {name for name in names if not LEFTOVER.fullmatch(name)}  # these are swept


def is_in_use(folder: RunFolder) -> bool:
    """Whether a process of this machine is writing to the folder."""
    try:
        import fcntl

        with open_plain(folder.path / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out; the lock ends with the process that holds the lock.

    The file says which process that is, on which host, and since when.

    Raises:
        FolderInUseError: another process holds the lock; the message says which.
        OtherPlanError: what stands in the lock's place is no plain file.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder.path / "lock"
    with _opened(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(
                f"{folder.path} is being written by another samestep{_holder(path)}; wait for it, "
                "or name another folder with --out"
            ) from error
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        os.ftruncate(lock, 0)
        os.write(lock, json.dumps(_this_process()).encode())
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the lock to write, without emptying it; no link is followed."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise NotAPlainFileError(0, "is no plain file", str(path))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        lock = os.open(path, flags, 0o666)
    except NotAPlainFileError as error:
        raise OtherPlanError(
            f"{path} is no plain file, and is left as it is. Remove it, or name a new folder: "
            f"--out {path.parent}-new"
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            raise OtherPlanError(f"{path} is no plain file, and is left as it is")
        yield lock
    finally:
        os.close(lock)


def _this_process() -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(lock: Path) -> str:
    """Return ` (process 41 on host ada since 2026-01-31T12:00:00+00:00)`, as far as it is said."""
    try:
        said = parse_json(read_plain(lock, at_most=1_000))
        facts = said["process"], said["host"], said["since"]
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return " (process {} on host {} since {})".format(*facts)
