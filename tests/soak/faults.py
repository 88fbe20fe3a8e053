"""What goes wrong while a run goes on: processes are killed or frozen, and its disk fills.

Every fault is a function of the command's process and of the run's disk. It says what it did, and
raises `Missed` where there was nothing to break.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

WORKER = "harness.execute.worker"
FROZEN_S = 0.5
FULL_S = 1.0
DISK_MIB = 64
PIECE_BYTES = 2**20


class Missed(Exception):  # noqa: N818 (no error: the fault came too early or too late)
    """There was nothing to break."""


@dataclass
class Disk:
    """Where a run is: a small file system of its own, where root may make one.

    Args:
        folder: of the run and of nothing else.
        is_small: whether it can be filled.
    """

    folder: Path
    is_small: bool

    @property
    def ballast(self) -> Path:
        """What fills it."""
        return self.folder / "ballast"

    def fill(self) -> None:
        """Take all space that is left."""
        with contextlib.suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * PIECE_BYTES)

    def empty(self) -> None:
        """Give the space back."""
        self.ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def disk(folder: Path):
    """Make a folder on a file system of `DISK_MIB`; on the ordinary one where that is refused."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "samestep-soak", str(folder)]
    try:
        is_small = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        is_small = False
    try:
        yield Disk(folder, is_small)
    finally:
        if is_small:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


Fault = Callable[[psutil.Process, Disk, Random], None]


def kill_worker(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(_worker(command, random), signal.SIGKILL)


def end_worker(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(_worker(command, random), signal.SIGTERM)


def freeze_worker(command: psutil.Process, disk: Disk, random: Random) -> None:
    worker = _worker(command, random)
    _send(worker, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    with contextlib.suppress(psutil.Error):  # the command has ended it meanwhile
        worker.send_signal(signal.SIGCONT)


def kill_command(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(command, signal.SIGKILL)


def interrupt_command(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(command, signal.SIGINT)


def interrupt_command_twice(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(command, signal.SIGINT)
    time.sleep(random.uniform(0.0, 0.3))
    with contextlib.suppress(psutil.Error):  # once was enough
        command.send_signal(signal.SIGINT)


def end_command(command: psutil.Process, disk: Disk, random: Random) -> None:
    _send(command, signal.SIGTERM)


def fill_disk(command: psutil.Process, disk: Disk, random: Random) -> None:
    if not disk.is_small:
        raise Missed
    try:
        disk.fill()
        time.sleep(FULL_S)
    finally:
        disk.empty()


FAULTS: tuple[Fault, ...] = (
    kill_worker, kill_worker, end_worker, freeze_worker, kill_command, interrupt_command,
    interrupt_command_twice, end_command, fill_disk,
)  # fmt: skip
"""What is drawn from; a worker is killed twice as often as anything else happens."""


def _worker(command: psutil.Process, random: Random) -> psutil.Process:
    workers = []
    with contextlib.suppress(psutil.Error):
        for process in command.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if WORKER in process.cmdline():
                    workers.append(process)
    if not workers:
        raise Missed
    return random.choice(workers)


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error as error:
        raise Missed from error


def processes_marked(beginning: str) -> list[int]:
    """Return the processes that a run with that mark left, see `harness.execute.left_processes`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            is_own = int(folder.name) == os.getpid()
            if not is_own and any(v.startswith(beginning.encode()) for v in variables):
                found.append(int(folder.name))
    return found
