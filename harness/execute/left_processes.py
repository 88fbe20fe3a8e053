"""Processes that a worker's adapter started and detached, found by a mark in their environment.

A detached process has a session of its own and is no descendant any more once its parent has
ended, but it has inherited the environment. Only Linux shows the environment of a process.
"""

import contextlib
import hashlib
import os
import secrets
import signal
from pathlib import Path

MARK = "SAMESTEP_WORKER"
"""The variable that marks a worker and all that it starts."""
ENVIRONMENT_BYTES_AT_MOST = 2**20


def mark_of_folder(folder: Path) -> str:
    """Return how the marks of all workers of a run's folder begin."""
    return hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def new_mark(beginning: str = "") -> str:
    """Return a mark that no other worker has."""
    return f"{beginning}-{secrets.token_hex(8)}"


def end_marked(beginning: str) -> None:
    """Kill every process whose mark begins so, except this one."""
    wanted = f"{MARK}={beginning}".encode()
    for process in _processes():
        if any(variable.startswith(wanted) for variable in _environment(process)):
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        names = [folder.name for folder in Path("/proc").iterdir()]
        return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]
    return []


def _environment(process: int) -> list[bytes]:
    with contextlib.suppress(OSError), Path(f"/proc/{process}/environ").open("rb") as file:
        return file.read(ENVIRONMENT_BYTES_AT_MOST).split(b"\0")
    return []
