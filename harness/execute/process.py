"""One worker process, seen from the parent: start, ask, wait with a limit, kill with its group."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LOG_BYTES_AT_MOST = 1_000_000
TAIL_LINES = 15
GRACE_S = 2.0


@dataclass(frozen=True)
class Death:
    """Why no answer came: status and detail of the row to write instead."""

    status: str
    detail: str


class WorkerProcess:
    """A child in a process group of its own, so that nothing it starts outlives it."""

    def __init__(self, setup: Mapping[str, Any], environment: dict[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._oom_kills = oom_kills()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._threads = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._drain, args=(log,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._send(setup)

    def ask(self, message: Mapping[str, Any], timeout_s: float | None) -> dict[str, Any] | Death:
        """Send one trial and wait for its row; after a Death the process is gone."""
        self._tail.clear()
        self._send(message)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            line = self._answers.get(
                timeout=None if deadline is None else max(0.0, deadline - time.monotonic())
            )
        except queue.Empty:
            self.kill()
            return Death("timeout", f"killed after {timeout_s:g} s")
        if line is None:
            return self._cause_of_death()
        try:
            answer = json.loads(line)
        except ValueError:
            self.kill()
            return Death("error", "the worker's answer is not JSON")
        if not isinstance(answer, dict):
            self.kill()
            return Death("error", "the worker's answer is not a row")
        return answer

    @property
    def log_tail(self) -> list[str]:
        """The last lines it printed during the latest trial."""
        return list(self._tail)

    def close(self) -> None:
        """End of work: the worker exits by itself, or is killed after a moment."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait(GRACE_S)
        self.kill()

    def kill(self) -> None:
        """Kill the whole process group, at once."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(GRACE_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close_quietly(pipe)

    def _send(self, message: Mapping[str, Any]) -> None:
        pipe = self._process.stdin
        with contextlib.suppress(OSError):  # it died; the missing answer will say so
            if pipe:
                pipe.write(json.dumps(message).encode() + b"\n")
                pipe.flush()

    def _read_answers(self) -> None:
        for line in self._process.stdout or ():
            self._answers.put(line)
        self._answers.put(None)

    def _drain(self, log: Path) -> None:
        """Keep the child from blocking on a full pipe; keep little of what it says."""
        written = 0
        with log.open("ab") as file:
            for line in self._process.stderr or ():
                self._tail.append(line[:1000].decode("utf-8", errors="replace").rstrip())
                if written < LOG_BYTES_AT_MOST:
                    file.write(line[: LOG_BYTES_AT_MOST - written])
                    file.flush()
                    written += len(line)

    def _cause_of_death(self) -> Death:
        code = self._process.wait()
        self.kill()
        if code >= 0:
            return Death("error", f"ended without a result (exit code {code})")
        name = signal.Signals(-code).name
        if name == "SIGKILL" and oom_kills() > self._oom_kills:
            return Death("oom", "killed by the system: out of memory")
        return Death("crashed", name)


def oom_kills() -> int:
    """How often the kernel has killed a process of this machine or container for memory."""
    for path, sign in (
        ("/sys/fs/cgroup/memory.events", "oom_kill "),
        ("/proc/vmstat", "oom_kill "),
    ):
        try:
            lines = Path(path).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(sign):
                return int(line.split()[1])
    return 0


def _close_quietly(pipe: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError):
        if pipe:
            pipe.close()
