"""Verdicts on disk: in a run's folder, and in a cache that spares proofs already made.

A proof's trial id changes with the adapter's source, the framework's version, the protocol, the
loop and the oracle, and the cached file's name with the machine, so a cached verdict is always of
the same computation.
"""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from harness.cache import cache_folder
from harness.clock.environment import on_this_machine
from harness.parity.judgement import PROVEN, Judgement
from harness.plan import Trial
from harness.results import RunFolder, write_atomically

SCHEMA = 1
JUDGED = (*PROVEN, "different")
"""Verdicts of the ladder; `not comparable` is tried again."""

Cell = tuple[str, str, str]


def cell_of(trial: Trial) -> Cell:
    """(experiment, framework, loop): what a verdict is about."""
    return trial.experiment, trial.framework, trial.loop


def read(folder: RunFolder, proofs: Iterable[Trial]) -> dict[Cell, Judgement]:
    """The verdicts of a run, as far as there are any."""
    found = {}
    for trial in proofs:
        judgement = _read(folder.proofs / f"{trial.id}.json")
        if judgement is not None:
            found[cell_of(trial)] = judgement
    return found


def cached(trial: Trial) -> Judgement | None:
    """The verdict of an earlier run, of the very same computation on such a machine."""
    return _read(cache_folder() / "proofs" / on_this_machine(trial.id))


def store(folder: RunFolder, trial: Trial, judgement: Judgement) -> None:
    """Keep a verdict with the run, and in the cache if the ladder gave it."""
    content = json.dumps({"schema": SCHEMA, **judgement.to_dict()}, indent=1).encode()
    write_atomically(folder.proofs / f"{trial.id}.json", content)
    if judgement.verdict in JUDGED:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(cache_folder() / "proofs" / on_this_machine(trial.id), content)


def _read(file: Path) -> Judgement | None:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Judgement.from_dict(values) if values.get("schema") == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
