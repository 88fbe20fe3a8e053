"""What must hold of a run that was broken: it is as one that was not."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.execute.folder import is_in_use
from harness.execute.left_processes import MARK, mark_of_folder
from harness.plan import Plan
from harness.results import LEFTOVER, TIMES, Row, RunFolder
from tests.soak.faults import processes_marked

MAY_DIFFER = {*TIMES, "started_at", "import_s", "peak_rss_mb", "gpu_peak_mb", "attempt"}
"""Columns of times, of memory, and of how often a trial was disturbed."""
CURVES_THAT_MAY_DIFFER = {"train_s"}


def settled(folder: RunFolder) -> dict[str, str]:
    """Return the trials that are done, each with the digest of its row and arrays on disk."""
    digests = {}
    for row in folder.rows():
        if row.status.done:
            files = (folder.trials / f"{row.trial}{suffix}" for suffix in (".json", ".npz"))
            content = b"".join(file.read_bytes() for file in files if file.exists())
            digests[row.trial] = hashlib.sha256(content).hexdigest()
    return digests


def run_again(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return what is wrong where a trial that was done was run again, or is done no more."""
    lost = [f"{trial}: was done, and is no more" for trial in before if trial not in after]
    twice = [
        f"{trial}: was done, and was run again"
        for trial, digest in before.items()
        if after.get(trial, digest) != digest
    ]
    return [*lost, *twice]


def differences(folder: RunFolder, undisturbed: RunFolder) -> list[str]:
    """Return what differs between a run and one that was not disturbed, but for times."""
    plan = Plan.from_json(folder.plan_file.read_bytes())
    wanted = {row.trial: row for row in undisturbed.rows()}
    found = {row.trial: row for row in folder.rows()}
    planned = [trial.id for trial in plan.trials]
    said = [f"{trial}: has no row" for trial in planned if trial not in found]
    said += [f"{trial}: is not in the plan" for trial in found if trial not in set(planned)]
    for trial in found.keys() & wanted.keys():
        said += [f"{trial}: {what}" for what in _columns(found[trial], wanted[trial])]
        said += [f"{trial}: {what}" for what in _arrays(trial, folder, undisturbed)]
    return said + _proofs(plan, folder, undisturbed)


def _columns(row: Row, wanted: Row) -> list[str]:
    return [
        f"{name} is {getattr(row, name)!r}, without faults {value!r}"
        for name, value in vars(wanted).items()
        if name not in MAY_DIFFER and getattr(row, name) != value
    ]


def _arrays(trial: str, folder: RunFolder, undisturbed: RunFolder) -> list[str]:
    mine, wanted = folder.arrays(trial), undisturbed.arrays(trial)
    if mine.keys() != wanted.keys():
        return [f"has the arrays {sorted(mine)}, without faults {sorted(wanted)}"]
    return [
        f"{name} differs"
        for name in mine
        if name not in CURVES_THAT_MAY_DIFFER and not np.array_equal(mine[name], wanted[name])
    ]


def _proofs(plan: Plan, folder: RunFolder, undisturbed: RunFolder) -> list[str]:
    said = []
    for proof in plan.proofs:
        texts = [
            (each.proofs / f"{proof.id}.json").read_text(encoding="utf-8")
            for each in (folder, undisturbed)
            if (each.proofs / f"{proof.id}.json").exists()
        ]
        if len(texts) < 2:
            said.append(f"{proof.id}: has no verdict")
        elif json.loads(texts[0]) != json.loads(texts[1]):
            said.append(f"{proof.id}: has another verdict")
    return said


def left_over(folder: RunFolder, cache: Path) -> list[str]:
    """Return what a run has left that nothing needs: processes, temporary files, a lock."""
    files = [*folder.path.rglob("*"), *cache.rglob("*")]
    said = [f"{file}: is left over" for file in files if LEFTOVER.fullmatch(file.name)]
    said += [f"{file}: is left over" for file in files if "commands" in file.parts]
    said += [f"{file}: was set aside" for file in files if file.suffix == ".bad"]
    mark = f"{MARK}={mark_of_folder(folder.path)}"
    said += [f"process {number} is left over" for number in processes_marked(mark)]
    if is_in_use(folder):
        said.append("the lock is held")
    return said
