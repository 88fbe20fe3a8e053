"""A process that outlives its Dask worker for a moment, and ends what the worker left running.

A worker may be killed in mid-trial: by a nanny, a walltime, a person. Linux then ends the trial's
process with it. What that process had started would go on; the guard finds it by its mark. Imports
the standard library only.
"""

import contextlib
import os
import subprocess
import sys
import threading

from harness.clock.environment import child_environment
from harness.execute.left_processes import end_marked

BEGIN, END = "+", "-"


class Guard:
    """The guard of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def begin(self, mark: str) -> None:
        """Have everything ended whose mark begins so, should this process die."""
        self._say(BEGIN + mark)

    def end(self, mark: str) -> None:
        """Nothing with that mark is left."""
        self._say(END + mark)

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "harness.cluster.guard"],
                    stdin=subprocess.PIPE,
                    env=child_environment(os.environ, 1, "cpu"),
                    start_new_session=True,
                )
            with contextlib.suppress(OSError):
                if self._process.stdin:
                    self._process.stdin.write(line.encode() + b"\n")
                    self._process.stdin.flush()


def main() -> None:
    """Remember marks until standard input ends, which is when the worker does."""
    marks: set[str] = set()
    for line in sys.stdin:
        change, mark = line[:1], line[1:].strip()
        if change == BEGIN:
            marks.add(mark)
        else:
            marks.discard(mark)
    for mark in marks:
        end_marked(mark)


if __name__ == "__main__":
    main()
