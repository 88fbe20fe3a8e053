"""Limit rows on disk: in a run's folder, and in a cache that spares measuring them again.

A limit trial's id changes with everything its time depends on but the machine, which the
cached file's name adds. One measured on a disturbed machine is kept with its run only.
"""

import contextlib

from harness.analysis.noise import noise
from harness.cache import cache_folder
from harness.clock.environment import on_this_machine
from harness.plan import Trial
from harness.results import BadRowError, Row, RunFolder, from_json, to_json, write_atomically


def cached(trial: Trial) -> Row | None:
    """The row of an earlier run on this machine."""
    try:
        return from_json(
            (cache_folder() / "limits" / on_this_machine(trial.id)).read_text(encoding="utf-8")
        )
    except (OSError, UnicodeDecodeError, BadRowError):
        return None


def store(folder: RunFolder, row: Row) -> None:
    """Keep a limit with the run, and in the cache if it is one."""
    content = to_json(row).encode()
    write_atomically(folder.limits / f"{row.trial}.json", content)
    if row.status == "ok" and not noise([row]):
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(cache_folder() / "limits" / on_this_machine(row.trial), content)
