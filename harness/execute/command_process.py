"""A command of the user's, seen from the parent: start, wait with a limit, end with all it started.

The process has a group of its own. What leaves the group, as a daemon does, is known by a variable
of its environment.
"""

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.clock.environment import THREAD_VARIABLES
from harness.execute import command_start
from harness.execute.left_processes import MARK, end_marked, new_mark
from harness.execute.worker_process import (
    GRACE_S,
    LINE_BYTES_AT_MOST,
    LOG_BYTES_AT_MOST,
    TAIL_LINES,
    Death,
    death_by_signal,
    kill_group,
    lines_of,
    oom_kills,
    write_line,
)
from harness.experiment.vocabulary import Device, Status

MORE_THREAD_VARIABLES = ("GOMAXPROCS", "JULIA_NUM_THREADS", "RAYON_NUM_THREADS")
DETAIL_CHARACTERS = 300


def environment_of(parent: Mapping[str, str], threads: int, device: str) -> dict[str, str]:
    """Return the environment of a command: the parent's, but for threads and GPUs.

    A program may need whatever the user's shell has set. It is not timed, so that what would change
    its times does no harm.
    """
    environment = dict(parent)
    environment |= dict.fromkeys((*THREAD_VARIABLES, *MORE_THREAD_VARIABLES), str(threads))
    environment["PYTHONUNBUFFERED"] = "1"  # what was printed before it was killed
    if device == Device.CPU:
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return environment


class CommandProcess:
    """A running command.

    Args:
        words: the program and its arguments.
        environment: all variables that it has.
        cpus: that it may use; none where no system says so.
        log: where the beginning of what it prints goes.
        run: how the marks of all processes of its run begin.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        cpus: Sequence[int],
        log: Path,
        run: str = "",
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._mark = new_mark(run)
        self._oom_kills = oom_kills()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        start = [sys.executable, "-I", "-S", command_start.__file__, ",".join(map(str, cpus))]
        self._process = subprocess.Popen(
            [*start, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, MARK: self._mark},
            start_new_session=True,
        )
        self._drain = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._drain.start()

    @property
    def log_tail(self) -> list[str]:
        """The last lines that it printed."""
        return list(self._tail)

    def wait(self, timeout_s: float | None) -> Death | None:
        """Wait for the end, and end what it left behind.

        Returns:
            Why there is no answer; None where the program ended with exit code 0.
        """
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return Death(Status.TIMEOUT, f"killed after {timeout_s:g} s")
        self.kill()
        if code == 0:
            return None
        if code > 0:
            return Death(Status.ERROR, f"ended with exit code {code}{self._last_line()}")
        return death_by_signal(-code, self._oom_kills)

    def kill(self) -> None:
        """End the program and all that it started, at once."""
        kill_group(self._process)
        end_marked(self._mark)
        self._drain.join(GRACE_S)

    def _last_line(self) -> str:
        """What it said last, which mostly is why it ended."""
        line = next((line for line in reversed(self._tail) if line.strip()), "")
        return f": {line.strip()[:DETAIL_CHARACTERS]}" if line else ""

    def _read(self, log: Path) -> None:
        """Read what it prints, so that it never blocks on a full pipe; store the beginning."""
        left = LOG_BYTES_AT_MOST
        for line in lines_of(self._process.stdout, LINE_BYTES_AT_MOST):
            self._tail.append(line.decode("utf-8", errors="replace").rstrip())
            if left > 0:
                left -= write_line(log, line[:left])
