"""Verdicts on disk: in a run's folder, and in a cache that spares proofs already made.

A proof's trial id changes with the adapter's source, the framework's version, the protocol and
the loop. The name of a cached file also changes with the oracle's source and with the machine,
so a cached verdict is always of the same computation.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from harness.cache import cache_folder
from harness.clock.environment import on_this_machine
from harness.parity.judgement import Judgement, Verdict, with_proof_as_timed
from harness.plan import Trial
from harness.private import values_without_user
from harness.results import RunFolder, write_atomically
from harness.untrusted import parse_json, read_plain

SCHEMA = 1


class CellKey(NamedTuple):
    """What a verdict is about."""

    experiment: str
    framework: str
    loop: str


def read(folder: RunFolder, proofs: Iterable[Trial]) -> dict[CellKey, Judgement]:
    """Return the verdicts of a run, as far as there are any."""
    judgements: dict[CellKey, Judgement] = {}
    for trial in proofs:  # the proof in the precision that is timed comes second
        judgement = read_one(folder, trial)
        if judgement is not None:
            key = CellKey(trial.experiment, trial.framework, trial.loop)
            first = judgements.get(key)
            judgements[key] = with_proof_as_timed(first, judgement) if first else judgement
    return judgements


def read_one(folder: RunFolder, proof: Trial) -> Judgement | None:
    """Return the verdict of one proof of a run; None where there is none that can be read."""
    return _read_file(folder.proofs / f"{proof.id}.json")


def cached(trial: Trial) -> Judgement | None:
    """Return the verdict of an earlier run of the same computation on such a machine."""
    return _read_file(_cached_file(trial))


def store(folder: RunFolder, trial: Trial, judgement: Judgement, in_cache: bool = True) -> None:
    """Store a verdict with the run, and in the cache if the ladder gave it.

    What was not comparable is not cached: the next run tries it again.

    Args:
        folder: of the run.
        trial: the proof.
        judgement: its verdict.
        in_cache: whether the verdict holds for other runs on this machine, too.
    """
    values = values_without_user(judgement.to_dict())
    content = json.dumps({"schema": SCHEMA, **values}, indent=1).encode()
    write_atomically(folder.proofs / f"{trial.id}.json", content)
    if in_cache and judgement.verdict != Verdict.NOT_COMPARABLE:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(_cached_file(trial), content)


def forget(folder: RunFolder, proofs: Iterable[Trial]) -> None:
    """Remove verdicts from a run's folder and from the cache, so that they are made again."""
    for trial in proofs:
        for file in (folder.proofs / f"{trial.id}.json", _cached_file(trial)):
            with contextlib.suppress(OSError):
                file.unlink()


def _cached_file(trial: Trial) -> Path:
    return cache_folder() / "proofs" / on_this_machine(f"{trial.id}-{oracle_digest()}")


@cache
def oracle_digest(folder: Path = Path(__file__).parent) -> str:
    """Return a digest of this package's source: it changes whenever the oracle may."""
    hasher = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        hasher.update(source.read_bytes())
    return hasher.hexdigest()[:8]


def _read_file(file: Path) -> Judgement | None:
    try:
        values = parse_json(read_plain(file), keeps_infinite=True)
        return Judgement.from_dict(values) if values["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
