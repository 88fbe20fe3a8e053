"""Stores rows that only time matrix products: in a run's folder, and in a cache for later runs.

The id of such a trial changes with everything that its time depends on, except the machine. The
name of the cached file adds the machine. A row from a disturbed machine is not cached.
"""

import contextlib
from pathlib import Path

from harness.analysis.noise import disturbances
from harness.cache import cache_folder
from harness.clock.environment import on_this_machine
from harness.experiment.vocabulary import Status
from harness.plan import Trial
from harness.results import Row, RunFolder, from_json, to_json, write_atomically
from harness.untrusted import read_plain


def cached_row(trial: Trial) -> Row | None:
    """Return the row of an earlier run on this machine; None where there is none."""
    try:
        return from_json(read_plain(_cached_file(trial.id)))
    except (OSError, ValueError):
        return None


def store_row(folder: RunFolder, row: Row) -> None:
    """Write a row to the run's folder, and to the cache where it was measured undisturbed."""
    content = to_json(row).encode()
    write_atomically(folder.limits / f"{row.trial}.json", content)
    if row.status == Status.OK and not disturbances([row]):
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(_cached_file(row.trial), content)


def _cached_file(trial: str) -> Path:
    return cache_folder() / "limits" / on_this_machine(trial)
