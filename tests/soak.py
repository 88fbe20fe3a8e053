"""Kills at random what computes, again and again, and checks that nothing is lost by it.

    python -m tests.soak                                   # 15 minutes at most, seed 0
    python -m tests.soak --minutes 3 --trials 200 --seed 7 --output soak.md

Trials run in lanes, and then on a Dask cluster, while workers, trials, the command, the scheduler
and the disk fail in an order that the seed decides. The same command is started again until all is
done. Then the rows must be those of a run that nobody disturbed, but for times: none lost, none
twice, and no process, temporary file or lock left.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from harness.data.own_rows import FOLDER_VARIABLE
from harness.execute.folder import is_in_use
from harness.results import LEFTOVER, TIMES, RunFolder
from tests.cluster.processes import Dask, wait
from tests.execute.test_faults import PROTOCOL

PAUSE_S = 5.0
"""Mean time between two faults."""
DISK_MIB = 64
NOT_COMPARED = (*TIMES, "started_at", "peak_rss_mb", "node", "attempt")
ADAPTER = """
import time
from implementations.numpy_scratch import NumpyTrainer

class SleepyTrainer(NumpyTrainer):
    loops = ("stepwise",)

    def advance(self, batches):
        time.sleep(0.02)
        return super().advance(batches)
"""


@dataclasses.dataclass
class Soak:
    """One way to run, and what was done to it.

    Args:
        name: of the way.
        command: that is started again and again.
        folder: of the run.
        scratch: where it works.
        faults: name to what does it; each returns whether there was anything to do it to.
    """

    name: str
    command: list[str]
    folder: Path
    scratch: Path
    faults: dict[str, Callable[[], bool]] = dataclasses.field(default_factory=dict)
    struck: Counter[str] = dataclasses.field(default_factory=Counter)
    ends: Counter[int] = dataclasses.field(default_factory=Counter)
    seconds: float = 0.0
    process: "subprocess.Popen[bytes] | None" = None

    def run(self, chance: random.Random, until: float) -> None:
        """Start the command until it ends well, while faults strike."""
        began, over = time.monotonic(), threading.Event()
        striking = threading.Thread(target=self._strike, args=(chance, over))
        striking.start()
        try:
            while True:
                assert time.monotonic() < until, f"{self.name}: not done in time: {self.ends}"
                with (self.scratch / "command.log").open("ab") as log:
                    self.process = subprocess.Popen(
                        self.command, stdout=log, stderr=log, cwd=self.scratch
                    )
                    code = self.process.wait()
                self.ends[code] += 1
                if code == 0:
                    break
        finally:
            over.set()
            striking.join()
            self.seconds = time.monotonic() - began

    def _strike(self, chance: random.Random, over: threading.Event) -> None:
        while not over.wait(chance.expovariate(1 / PAUSE_S)):
            name = chance.choice(sorted(self.faults))
            if self.faults[name]():
                self.struck[name] += 1

    def kill_command(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.kill()
        return True

    def interrupt_command(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(signal.SIGTERM)
        return True

    def fill_disk(self) -> bool:
        """Leave no room for a second, so that a row cannot be written."""
        filler = self.folder.parent / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            for _ in range(DISK_MIB):
                file.write(bytes(2**20))
                file.flush()
        time.sleep(1.0)
        filler.unlink(missing_ok=True)
        return True


def trials(scratch: Path) -> Iterator[psutil.Process]:
    """Processes of this soak's trials, whoever started them."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(FOLDER_VARIABLE, "").startswith(f"{scratch.resolve()}/"):
                yield process


def kill_one(processes: list[psutil.Process], chance: random.Random) -> bool:
    if not processes:
        return False
    with contextlib.suppress(psutil.Error):
        chance.choice(processes).kill()
        return True
    return False


def freeze_one(processes: list[psutil.Process], chance: random.Random) -> bool:
    if not processes:
        return False
    with contextlib.suppress(psutil.Error):
        one = chance.choice(processes)
        one.suspend()
        time.sleep(1.0)
        one.resume()
        return True
    return False


def columns(folder: Path) -> dict[str, dict[str, object]]:
    """Return what must be the same, of every trial."""
    rows = RunFolder(folder).rows()
    return {r.trial: {k: v for k, v in vars(r).items() if k not in NOT_COMPARED} for r in rows}


def check(soak: Soak, expected: dict[str, dict[str, object]]) -> None:
    """Compare with the undisturbed run, and look for what is left."""
    found = columns(soak.folder)
    assert found.keys() == expected.keys(), f"{soak.name}: {len(expected) - len(found)} lost"
    different = [trial for trial in expected if expected[trial] != found[trial]]
    assert not different, f"{soak.name}: {found[different[0]]} is not {expected[different[0]]}"
    run = RunFolder(soak.folder)
    assert len(list(run.trials.glob("*.npz"))) == len(expected)
    left = [str(f) for f in soak.folder.rglob("*") if LEFTOVER.fullmatch(f.name)]
    assert not left, f"{soak.name}: left {left}"
    assert not run.cluster.exists()
    assert not is_in_use(run)
    wait(lambda: not any(trials(soak.scratch)), 10)


def in_lanes(scratch: Path, command: list[str], chance: random.Random) -> Soak:
    folder = scratch / "disk" / "lanes"
    soak = Soak("lanes on this machine", [*command, "--out", str(folder)], folder, scratch)
    soak.faults = {
        "a trial's process was killed": lambda: kill_one([*trials(scratch)], chance),
        "a trial's process was frozen for a second": lambda: freeze_one([*trials(scratch)], chance),
        "the command was killed": soak.kill_command,
        "the command got SIGTERM": soak.interrupt_command,
        "the disk was full for a second": soak.fill_disk,
    }
    return soak


def on_dask(scratch: Path, command: list[str], chance: random.Random, dask: Dask) -> Soak:
    folder = scratch / "disk" / "dask"
    cluster = ["--cluster", str(dask.file), "--out", str(folder)]
    soak = Soak(
        "Dask: a scheduler, two workers with nannies", [*command, *cluster], folder, scratch
    )

    def restart_scheduler() -> bool:
        dask.stop()
        dask.start(2)
        return True

    soak.faults = {
        "a trial's process was killed": lambda: kill_one([*trials(scratch)], chance),
        "a Dask worker was killed": lambda: kill_one(dask.workers(), chance),
        "a Dask worker was frozen for a second": lambda: freeze_one(dask.workers(), chance),
        "the scheduler and its workers were killed, and started again": restart_scheduler,
        "the command was killed": soak.kill_command,
        "the command got SIGTERM": soak.interrupt_command,
        "the disk was full for a second": soak.fill_disk,
    }
    return soak


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """Mount a file system that is soon full; yield whether that was allowed."""
    place.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


def report(soaks: list[Soak], count: int, seed: int) -> str:
    """Return what was done, as Markdown."""
    lines = []
    for soak in soaks:
        lines += [
            f"## {soak.name}",
            "",
            f"{count} trials, seed {seed}, {soak.seconds:.0f} s. The command was started "
            f"{soak.ends.total()} times, and ended with "
            + ", ".join(f"{code} ({n}x)" for code, n in sorted(soak.ends.items()))
            + ". Rows as undisturbed; none lost, none twice; no process, temporary file or lock "
            "left.",
            "",
            "| fault | times |",
            "| --- | --: |",
            *(f"| {name} | {n} |" for name, n in sorted(soak.struck.items())),
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--trials", type=int, default=300, help="of each way to run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("lanes", "dask"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    chance, until = random.Random(options.seed), time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="samestep-soak-") as name:
        scratch = Path(name)
        os.environ["SAMESTEP_CACHE"] = str(scratch / "cache")
        (scratch / "short.toml").write_text(PROTOCOL)
        (scratch / "sleepy.py").write_text(ADAPTER)
        command = [
            sys.executable, "-P", "-m", "harness", "report", str(scratch / "short.toml"),
            "--frameworks", f"numpy,{scratch / 'sleepy.py'}", "--seeds", str(options.trials // 2),
            "--no-timing",
        ]  # fmt: skip
        undisturbed = [*command, "--out", str(scratch / "undisturbed")]
        subprocess.run(undisturbed, check=True, cwd=scratch, stdout=subprocess.DEVNULL)
        expected, soaks = columns(scratch / "undisturbed"), []
        with small_disk(scratch / "disk") as is_small:
            dask = Dask(scratch / "processes")
            try:
                if options.only != "dask":
                    soaks.append(in_lanes(scratch, command, chance))
                if options.only != "lanes":
                    dask.start(2)
                    soaks.append(on_dask(scratch, command, chance, dask))
                for soak in soaks:
                    if not is_small:  # a full disk would be the machine's own
                        del soak.faults["the disk was full for a second"]
                    soak.run(chance, until)
                    check(soak, expected)
            finally:
                dask.stop()
        text = report(soaks, len(expected), options.seed)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
