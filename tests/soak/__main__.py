"""Break runs at random until the time is over, and hold each against one that was not broken.

    python -m tests.soak                       # 15 minutes
    python -m tests.soak --minutes 2 --seed 7 --trials 400
    python -m tests.soak --more "--cluster local:2"

A round is one plan, run in lanes into a new folder. While it runs its workers are killed, ended and
frozen, the command is killed, ended and interrupted, and its disk fills. The same command then goes
on, until it ends by itself. Faults and the time between them are drawn from the seed; what a fault
hits is up to the machine.

Exits with 1 where a round ends as it should not: a row that is missing, differs from the row of the
undisturbed run or was made twice; a process, a temporary file or a lock that is left.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from harness.clock.environment import machine_label
from harness.results import RunFolder
from tests.soak.comparing import differences, left_over, run_again, settled
from tests.soak.faults import FAULTS, Disk, Missed, disk

EXPERIMENTS = ("and", "or", "xor-poly", "xor-mlp")
"""Of 30 to 100 ms a trial, on one CPU."""
PAUSE_S = (0.3, 4.0)
"""Shortest and longest time between two faults; the first second is the start of the command."""
LONGEST_COMMAND_S = 600.0
ENDINGS = {
    0: "to its end", 1: "with failed trials", 3: "a full disk", 130: "interrupted",
    -signal.SIGKILL: "killed", -signal.SIGTERM: "as it began", -signal.SIGINT: "as it began",
}  # fmt: skip
SHOWN = 20
TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Round:
    """One run and what happened to it."""

    trials: int
    commands: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    arguments = _arguments()
    began = time.monotonic()
    deadline = began + 60 * arguments.minutes
    random = Random(arguments.seed)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="samestep-soak-") as scratch:
        place = Path(scratch)
        command = _command(arguments)
        undisturbed = RunFolder(place / "undisturbed" / "run")
        first_s = _run_undisturbed(command, undisturbed, place / "cache-undisturbed")
        print(f"undisturbed: {len(undisturbed.rows())} trials in {first_s:.0f} s", flush=True)
        while time.monotonic() < deadline:
            number = len(rounds) + 1
            with disk(place / f"round-{number}") as small:
                cache = place / f"cache-{number}"
                done = _round(command, small, cache, undisturbed, random, deadline)
            rounds.append(done)
            print(_line(number, done), flush=True)
            for what in done.wrong[:SHOWN]:
                print(f"    {what}", flush=True)
    print(_summary(rounds, small.is_small, arguments, time.monotonic() - began))
    sys.exit(any(done.wrong for done in rounds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="when no new round begins")
    parser.add_argument("--seed", type=int, default=0, help="of faults and pauses")
    parser.add_argument("--trials", type=int, default=1_000, help="of a round, about")
    parser.add_argument("--frameworks", default="numpy")
    parser.add_argument("--more", default="", help="further options of `samestep report`")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser.parse_args()


def _command(arguments: argparse.Namespace) -> list[str]:
    frameworks = arguments.frameworks.split(",")
    seeds = max(1, arguments.trials // (len(EXPERIMENTS) * len(frameworks)))
    words = [sys.executable, "-m", "harness", "report", *EXPERIMENTS, "--no-timing"]
    words += ["--frameworks", arguments.frameworks, "--loops", "best", "--seeds", str(seeds)]
    return [*words, *shlex.split(arguments.more)]


def _start(command: Sequence[str], run: Path, cache: Path) -> subprocess.Popen[bytes]:
    with (run.parent / "output").open("ab") as output:
        return subprocess.Popen(
            [*command, "--out", str(run)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"SAMESTEP_CACHE": str(cache)},
            start_new_session=True,
        )


def _run_undisturbed(command: Sequence[str], folder: RunFolder, cache: Path) -> float:
    folder.path.parent.mkdir()
    began = time.monotonic()
    code = _start(command, folder.path, cache).wait()
    if code:
        text = (folder.path.parent / "output").read_text(encoding="utf-8")
        sys.exit(f"the run without faults ended with {code}:\n{text[-2000:]}")
    return time.monotonic() - began


def _round(
    command: Sequence[str],
    small: Disk,
    cache: Path,
    undisturbed: RunFolder,
    random: Random,
    deadline: float,
) -> Round:
    """Run the plan with faults until it ends by itself; look at what is left after every end."""
    folder, output = RunFolder(small.folder / "run"), small.folder / "output"
    done = Round(len(undisturbed.rows()))
    began = time.monotonic()
    before: dict[str, str] = {}
    code = None
    while code != 0:
        said = output.stat().st_size if output.exists() else 0
        process = _start(command, folder.path, cache)
        done.commands += 1
        code = _disturb(process, small, random, done, deadline)
        done.endings[ENDINGS.get(code, f"with {code}")] += 1
        text = output.read_bytes()[said:].decode(errors="replace")
        if TRACEBACK in text and code != -signal.SIGINT:  # that is Python, as it begins
            done.wrong.append(f"a traceback: {text[text.index(TRACEBACK) :][-800:]}")
        after = settled(folder)
        done.wrong += run_again(before, after)
        before = after
        if code not in ENDINGS or time.monotonic() - began > LONGEST_COMMAND_S:
            last = " ".join(text.splitlines()[-3:])
            done.wrong.append(f"command {done.commands} ended with {code}: {last[-500:]}")
            return done
    done.seconds = time.monotonic() - began
    done.wrong += differences(folder, undisturbed) + left_over(folder, cache)
    return done


def _disturb(
    process: subprocess.Popen[bytes], small: Disk, random: Random, done: Round, deadline: float
) -> int:
    """Break a command again and again until it ends, or the time is over; return its exit code."""
    seen = psutil.Process(process.pid)
    while time.monotonic() < deadline:
        try:
            return process.wait(random.uniform(*PAUSE_S))
        except subprocess.TimeoutExpired:
            fault = random.choice(FAULTS)
        try:
            fault(seen, small, random)
        except Missed:
            continue
        done.faults[fault.__name__.replace("_", " ")] += 1
    return process.wait(LONGEST_COMMAND_S)


def _line(number: int, done: Round) -> str:
    endings = ", ".join(f"{count} {name}" for name, count in done.endings.items())
    outcome = f"{len(done.wrong)} WRONG" if done.wrong else "as without faults"
    return (
        f"round {number}: {done.trials} trials, {done.faults.total()} faults, "
        f"{done.commands} commands ({endings}), {done.seconds:.0f} s: {outcome}"
    )


def _summary(
    rounds: Sequence[Round], is_small: bool, arguments: argparse.Namespace, seconds: float
) -> str:
    """Return the figures of all rounds, as Markdown."""
    faults = sum((done.faults for done in rounds), Counter())
    endings = sum((done.endings for done in rounds), Counter())
    lines = [
        "",
        f"{machine_label()}; seed {arguments.seed}; {seconds / 60:.1f} minutes"
        + (f"; {arguments.more}" if arguments.more else ""),
        "",
        f"{len(rounds)} rounds, {sum(done.trials for done in rounds):,} trials, "
        f"{sum(done.commands for done in rounds)} commands, "
        f"{sum(len(done.wrong) for done in rounds)} things wrong",
        "",
        "| fault | times |",
        "| --- | --: |",
        *(f"| {name} | {count} |" for name, count in sorted(faults.items())),
        "",
        "| a command ended | times |",
        "| --- | --: |",
        *(f"| {name} | {count} |" for name, count in sorted(endings.items())),
    ]
    if not is_small:
        lines.append("\nNo small disk could be made here, so none was filled.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
