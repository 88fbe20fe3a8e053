"""What a command asks of its workers, and what they leave, in the run's folder.

    <run>/cluster/<session>/order.json       what is asked, written once
    <run>/cluster/<session>/<attempt>/       what a worker left of one unit of work

A session ends when its folder is removed. Workers look, and stop. The command alone moves rows
from attempts to their place in the run: one writer, although many machines compute.
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.cluster.environment import environment_of
from harness.experiment.vocabulary import Track
from harness.plan import FrameworkKey, Plan
from harness.registry import Framework
from harness.results import RunFolder, write_atomically
from harness.untrusted import parse_json, read_plain

ORDER = "order.json"


class Attempt(RunFolder):
    """The folder of one attempt at a unit of work; the data is the run's own.

    `done.json` is written last, so an attempt that has it is whole.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.data = path.parents[2] / "data"
        self.tails = path / "tails"
        self.done_file = path / "done.json"

    def write_tail(self, trial: str, lines: list[str]) -> None:
        """Keep the end of the log of a trial that failed."""
        write_atomically(self.tails / f"{trial}.json", json.dumps(lines).encode())

    def tail(self, trial: str) -> list[str]:
        """Return the end of the log of a trial, where there is one."""
        try:
            lines = parse_json(read_plain(self.tails / f"{trial}.json"))
        except (OSError, ValueError):
            return []
        return [str(line) for line in lines] if isinstance(lines, list) else []

    def write_done(self, trials: list[str]) -> None:
        """Say that the attempt is whole."""
        write_atomically(self.done_file, json.dumps(trials).encode())

    def done(self) -> list[str]:
        """Return the ids of the trials of a whole attempt; [] of another."""
        try:
            trials = parse_json(read_plain(self.done_file))
        except (OSError, ValueError):
            return []
        return [str(trial) for trial in trials] if isinstance(trials, list) else []

    def remove_all(self) -> None:
        """Remove the folder: what it held is taken."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True)
class Session:
    """One command's stay at a cluster.

    Args:
        path: its folder.
        plan: what is run, with the frameworks.
        environment: what workers must share with the command.
        timeout_s: limit of one trial; None for no limit.
        fresh: whether to prove again what a machine's cache has proven.
    """

    path: Path
    plan: Plan
    environment: Mapping[str, str]
    timeout_s: float | None
    fresh: bool

    @classmethod
    def begin(cls, run: RunFolder, plan: Plan, timeout_s: float | None, fresh: bool) -> "Session":
        """Write down what is asked; the plan must hold its frameworks.

        Raises:
            OSError: the folder cannot be written.
        """
        frameworks = _used(plan)
        environment = environment_of(frameworks.values())
        path = run.cluster.resolve() / secrets.token_hex(6)
        session = cls(path, plan, environment, timeout_s, fresh)
        order = {
            "plan": plan.to_json(),
            "frameworks": [asdict(framework) for framework in frameworks.values()],
            "environment": dict(environment),
            "timeout_s": timeout_s,
            "fresh": fresh,
        }
        write_atomically(path / ORDER, json.dumps(order).encode())
        return session

    @classmethod
    def read(cls, path: Path) -> "Session":
        """Return the session of a folder, read once by every worker.

        Raises:
            OSError: the folder is not there, or not seen from this machine.
            ValueError: it holds no order of this version.
        """
        return _read(path)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for its work any more."""
        return not (self.path / ORDER).exists()

    def attempt(self, name: str) -> Attempt:
        """Return the folder of an attempt, which need not be there."""
        return Attempt(self.path / name)


def left_attempts(run: RunFolder) -> Iterator[Attempt]:
    """Yield what workers left in earlier sessions, whose command did not take it any more."""
    for session in sorted(run.cluster.glob("*/")):
        if session.is_symlink():
            continue
        for path in sorted(session.glob("*/"), key=lambda each: each.name):
            if not path.is_symlink():
                yield Attempt(path)


def end_all(run: RunFolder) -> None:
    """End every session of a run, and remove what it left."""
    for order in run.cluster.glob(f"*/{ORDER}"):
        order.unlink(missing_ok=True)
    shutil.rmtree(run.cluster, ignore_errors=True)


def read_environment(path: Path) -> tuple[dict[str, str], list[Framework]]:
    """Return what machines must share, and the frameworks of a session, of any version.

    Raises:
        OSError: the session's folder is not there, or not seen from this machine.
        ValueError: it holds no order.
    """
    order = _order(path)
    environment = {str(name): str(value) for name, value in order["environment"].items()}
    try:
        return environment, [_framework(described) for described in order["frameworks"]]
    except (KeyError, TypeError):  # of another version, which the environment says
        return environment, []


@lru_cache(maxsize=4)
def _read(path: Path) -> Session:
    order = _order(path)
    frameworks = [_framework(described) for described in order["frameworks"]]
    table = {(each.name, each.track): each for each in frameworks}
    plan = replace(Plan.from_json(order["plan"]), frameworks=table)
    environment, _ = read_environment(path)
    return Session(path, plan, environment, order["timeout_s"], bool(order["fresh"]))


def _order(path: Path) -> dict[str, Any]:
    order = parse_json(read_plain(path / ORDER))
    if not isinstance(order, dict) or not isinstance(order.get("environment"), dict):
        raise ValueError(f"{path / ORDER} holds no order")
    return order


def _used(plan: Plan) -> dict[FrameworkKey, Framework]:
    """Return the frameworks that a trial of the plan names."""
    trials = (*plan.trials, *plan.proofs, *plan.limits)
    keys = dict.fromkeys(trial.framework_key for trial in trials)
    return {key: plan.frameworks[key] for key in keys}


def _framework(described: Mapping[str, Any]) -> Framework:
    """Return a framework of its JSON, in which tuples are lists and tracks are text."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in described.items()
    }
    values["track"] = Track(values["track"])
    return Framework(**values)
