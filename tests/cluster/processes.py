"""A Dask scheduler and workers with nannies, as a user starts them; all of them end with a test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

STARTS_WITHIN_S = 60


class Dask:
    """Processes of Dask on this machine.

    Args:
        folder: for what they write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.started: list[subprocess.Popen[bytes]] = []
        self.scheduler: subprocess.Popen[bytes] | None = None

    def start(
        self,
        workers: int = 1,
        preload: str = "",
        memory: str = "0",
        nanny: bool = True,
        **env: str,
    ) -> "Dask":
        """Start a scheduler, if there is none, and more workers; wait until they are connected.

        Args:
            workers: how many.
            preload: Python that every worker runs first.
            memory: limit of a worker by its nanny; "0" is none.
            nanny: whether workers have one, which starts them again.
            env: variables of the workers.
        """
        from distributed import Client

        if self.scheduler is None or self.scheduler.poll() is not None:
            self.file.unlink(missing_ok=True)
            self.scheduler = self._start(
                "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                "--scheduler-file", str(self.file), env=env,
            )  # fmt: skip
            wait(self.file.is_file)
        options = ["--nthreads", "1", "--memory-limit", memory, "--no-dashboard"]
        if not nanny:
            options.append("--no-nanny")
        if preload:
            script = self.folder / f"preload-{len(self.started)}.py"
            script.write_text(preload)
            options += ["--preload", str(script)]
        for _ in range(workers):
            scratch = self.folder / f"scratch-{len(self.started)}"
            self._start(
                "worker", "--scheduler-file", str(self.file), "--local-directory", str(scratch),
                *options, env=env,
            )  # fmt: skip
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.started) - 1, timeout=STARTS_WITHIN_S)
        return self

    @property
    def address(self) -> str:
        return json.loads(self.file.read_text())["address"]

    def _start(self, what: str, *options: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{what}-{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"distributed.cli.dask_{what}", *options],
                cwd=self.folder,
                env=os.environ | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def workers(self) -> list[psutil.Process]:
        """The worker processes, which are children of their nannies."""
        nannies = [process.pid for process in self.started if process is not self.scheduler]
        return [child for pid in nannies for child in _children(pid) if _is_worker(child)]

    def stop(self) -> None:
        """End everything at once."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.started.clear()


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children()
    return []


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def wait(condition, within_s: float = STARTS_WITHIN_S):
    """Wait until a condition holds, and return what it returned."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {condition}"
        time.sleep(0.05)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
