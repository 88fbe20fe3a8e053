"""One worker process, seen from the parent: start, ask, wait with a limit, kill with its group."""

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from harness.clock.environment import END_OF_TRIAL
from harness.execute.left_processes import MARK, end_marked, new_mark
from harness.experiment.vocabulary import Status
from harness.private import without_user
from harness.untrusted import parse_json

LOG_BYTES_AT_MOST = 1_000_000
TAIL_LINES = 500
LINE_BYTES_AT_MOST = 1_000
ANSWER_BYTES_AT_MOST = 1_000_000
GRACE_S = 2.0
LOG_GRACE_S = 0.5
LOOK_EVERY_S = 0.1
MEMORY_SHARE = 0.9
FROM_OUTSIDE = ("SIGHUP", "SIGINT", "SIGKILL", "SIGTERM", "SIGUSR1", "SIGUSR2")
"""Signals by which a user, a scheduler or the kernel ends a process. A program that fails by itself
ends by another, such as SIGSEGV or SIGABRT."""


@dataclass(frozen=True)
class Death:
    """Why no answer came: status and detail of the row to write instead.

    `is_lost`: something outside ended the process, so that this says nothing about the trial.
    """

    status: Status
    detail: str
    is_lost: bool = False


class WorkerProcess:
    """A child in a process group of its own, so that nothing it starts outlives it.

    Args:
        setup: the first message: framework, threads, lane, the CPUs of all lanes.
        environment: the whole environment of the process.
        log: file for what it prints.
        run: how the marks of all workers of its run begin.
    """

    def __init__(
        self, setup: Mapping[str, Any], environment: dict[str, str], log: Path, run: str = ""
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._mark = new_mark(run)
        self._oom_kills = oom_kills()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.execute.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | {MARK: self._mark},
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._log_is_complete = threading.Event()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._threads = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._drain, args=(log,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._send(setup)

    def ask(self, message: Mapping[str, Any], timeout_s: float | None) -> dict[str, Any] | Death:
        """Send one request and wait for its answer; after a Death the process is gone.

        A process that takes `MEMORY_SHARE` of the memory that was free is killed, before the
        system kills whatever it likes.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._tail.clear()
        self._log_is_complete.clear()
        allowed_bytes = self._used_bytes() + MEMORY_SHARE * free_bytes()
        self._send(message)
        while True:
            left = math.inf if deadline is None else deadline - time.monotonic()
            try:
                line = self._answers.get(timeout=max(0.0, min(LOOK_EVERY_S, left)))
                break
            except queue.Empty:
                if left <= 0:
                    return self._timed_out(timeout_s)
            used_bytes = self._used_bytes()
            if used_bytes > allowed_bytes:
                self.kill()
                taken, allowed = used_bytes / 2**20, allowed_bytes / 2**20
                detail = (
                    f"killed at {taken:,.0f} MiB of memory; {allowed:,.0f} MiB were free for it"
                )
                return Death(Status.OOM, detail)
        if line is None:
            return self._cause_of_death(deadline, timeout_s)
        self._log_is_complete.wait(LOG_GRACE_S)
        try:
            answer = parse_json(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.kill()
            return Death(Status.ERROR, "the worker's answer is not a row")
        return answer

    @property
    def log_tail(self) -> list[str]:
        """The last lines that the process printed during the latest trial."""
        return list(self._tail)

    def close(self) -> None:
        """Ask the worker to exit, and kill the process after `GRACE_S` seconds."""
        started = _descendants(self._process)  # nobody knows them once the process has ended
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait(GRACE_S)
        self.kill(started)

    def kill(self, started: Iterable[psutil.Process] = ()) -> None:
        """Kill the process, its group, and whatever else it started, detached or not, at once."""
        kill_group(self._process, started)
        end_marked(self._mark)
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        # Each thread ends when its pipe does. A process that inherited the pipe may delay that.
        for thread in self._threads:
            thread.join(GRACE_S)

    def _used_bytes(self) -> int:
        """Memory that the process itself has resident; 0 once it has ended."""
        used: int = 0
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(self._process.pid).memory_info().rss
        return used

    def _send(self, message: Mapping[str, Any]) -> None:
        pipe = self._process.stdin
        with contextlib.suppress(OSError):  # it died; the missing answer will say so
            if pipe:
                pipe.write(json.dumps(message).encode() + b"\n")
                pipe.flush()

    def _read_answers(self) -> None:
        for line in lines_of(self._process.stdout, ANSWER_BYTES_AT_MOST):
            self._answers.put(line)
        self._answers.put(None)

    def _drain(self, log: Path) -> None:
        """Read the log so that the child never blocks on a full pipe; store its beginning."""
        left = LOG_BYTES_AT_MOST
        for line in lines_of(self._process.stderr, LINE_BYTES_AT_MOST):
            if line == END_OF_TRIAL.strip():
                self._log_is_complete.set()
                continue
            if not line:
                continue
            self._tail.append(line.decode("utf-8", errors="replace").rstrip())
            if left > 0:
                left -= write_line(log, line[:left])
        self._log_is_complete.set()

    def _timed_out(self, timeout_s: float | None) -> Death:
        self.kill()
        return Death(Status.TIMEOUT, f"killed after {timeout_s:g} s")

    def _cause_of_death(self, deadline: float | None, timeout_s: float | None) -> Death:
        """Say why the channel closed: usually the process is dead or dying."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            code = self._process.wait(left)
        except subprocess.TimeoutExpired:
            return self._timed_out(timeout_s)
        self.kill()
        if code >= 0:
            return Death(Status.ERROR, f"ended without a result (exit code {code})")
        return death_by_signal(-code, self._oom_kills)


def kill_group(process: subprocess.Popen[bytes], started: Iterable[psutil.Process] = ()) -> None:
    """Kill a process that leads a group, the group, and whatever else descends from it.

    Args:
        process: the leader.
        started: what is known to be started by it, and may be no descendant any more.
    """
    for descendant in (*started, *_descendants(process)):
        with contextlib.suppress(psutil.Error):  # it has ended; psutil knows reused numbers
            descendant.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    descendants: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):  # it has ended
        descendants = psutil.Process(process.pid).children(recursive=True)
    return descendants


def death_by_signal(number: int, oom_kills_before: int) -> Death:
    """Return what the end of a process by a signal means.

    Args:
        number: of the signal.
        oom_kills_before: what `oom_kills` returned when the process began.
    """
    name = signal_name(number)
    if name == "SIGKILL" and oom_kills() > oom_kills_before:
        return Death(Status.OOM, "killed by the system: out of memory", is_lost=True)
    return Death(Status.CRASHED, name, is_lost=name in FROM_OUTSIDE)


def signal_name(number: int) -> str:
    """Return `SIGSEGV`; a real-time signal has a number only, counted from the first."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def lines_of(pipe: IO[bytes] | None, at_most: int) -> Iterator[bytes]:
    """Yield lines without their ends, until the pipe ends; a line that is too long is cut."""
    if pipe is None:
        return
    line = b""
    with pipe:
        while piece := os.read(pipe.fileno(), 65_536):
            *whole, rest = piece.split(b"\n")
            for part in whole:
                yield (line + part)[:at_most]
                line = b""
            line = (line + rest)[:at_most]
    if line:
        yield line


def write_line(log: Path, line: bytes) -> int:
    """Add a line to a log, without the user's home and name; return how many bytes it takes."""
    text = without_user(line.decode("utf-8", "surrogateescape"))
    content = text.encode("utf-8", "surrogateescape") + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(log, flags, 0o666), "ab") as file:
            file.write(content)
    except OSError:  # a full disk, or what is no plain file
        pass
    return len(content)


def free_bytes() -> int:
    """Return how much memory is free, on this machine and in this control group."""
    free: int = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # without a limit it says `max`
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        free = min(free, max(0, limit - used))
    return free


def oom_kills() -> int:
    """Return how often the kernel has killed a process here for lack of memory."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            lines = Path(path).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
