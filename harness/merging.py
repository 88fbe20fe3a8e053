"""Folders of the same plan, run on several machines or at several times, put into one.

Rows, proofs and limits are copied; nothing is run. The folder that is written to counts as the
first one, so that more folders can be added later.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.experiment.vocabulary import Status
from harness.parity import verdicts
from harness.parity.judgement import Judgement
from harness.plan import Plan
from harness.results import Row, RunFolder, to_json, write_atomically
from harness.stored_arrays import BYTES_AT_MOST
from harness.untrusted import NotAPlainFileError, read_plain


class NotMergedError(ValueError):
    """The folders do not belong together; the message says why, and nothing was written."""


@dataclass
class Merged:
    """What was put together.

    Args:
        plan: of all folders.
        trials: how many trials have a row now.
        proofs: likewise, a verdict.
        twice: ids of trials that were run to the end more than once.
        contradicted: ids of proofs that two folders judged differently.
        machines: that the rows were measured on.
    """

    plan: Plan
    trials: int = 0
    proofs: int = 0
    twice: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)


def plan_in(folder: Path) -> Plan:
    """Return the plan of a run's folder.

    Raises:
        NotMergedError: the folder holds no run, or one of another version.
    """
    file = RunFolder(folder).plan_file
    try:
        return Plan.from_json(read_plain(file))
    except OSError as error:
        raise NotMergedError(
            f"{folder}: holds no run ({file.name}: {error.strerror or error}); give folders that "
            "`samestep report` or `samestep reproduce` wrote rows to"
        ) from error
    except ValueError as error:
        raise NotMergedError(f"{file}: {error}") from error


def common_plan(folders: Sequence[Path]) -> Plan:
    """Return the plan that all folders are of.

    Raises:
        NotMergedError: a folder holds no run, or the plans differ.
    """
    plans = [plan_in(folder) for folder in folders]
    for folder, plan in zip(folders, plans, strict=True):
        if plan.digest != plans[0].digest:
            raise NotMergedError(
                f"{folder} holds plan {plan.digest}, {folders[0]} holds {plans[0].digest}: they "
                f"{_difference(plans[0], plan)}. Only runs of one plan are merged"
            )
    return plans[0]


def _difference(plan: Plan, other: Plan) -> str:
    """Return in which fields two plans differ, in words."""
    differing = [
        f"{name} ({_shown(value)} and {_shown(getattr(other.request, name))})"
        for name, value in vars(plan.request).items()
        if value != getattr(other.request, name)
    ]
    requests = plan.request, other.request
    if requests[0].experiments == requests[1].experiments and plan.experiments != other.experiments:
        differing.append("the protocols themselves")
    if requests[0].frameworks == requests[1].frameworks:
        names = [{trial.framework for trial in each.trials} for each in (plan, other)]
        differing += [f"frameworks ({', '.join(sorted(names[0] ^ names[1]))})"] * (
            names[0] != names[1]
        )
    return f"differ in {', '.join(differing)}" if differing else "were made by other versions"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) or "all" if isinstance(value, tuple) else str(value)


def merge(plan: Plan, sources: Sequence[RunFolder], target: RunFolder) -> Merged:
    """Copy what the sources hold of a plan into the target, which is prepared and locked.

    Of a trial with several rows the first whole one stays: it ended well, and its curves can be
    read. Of proofs that were judged differently the worse stays: first one that found a
    difference, then one that could not be made.
    """
    folders = [target, *(source for source in sources if not _same(source.path, target.path))]
    merged = Merged(plan)
    write_atomically(target.plan_file, plan.to_json().encode())
    rows: dict[str, list[tuple[RunFolder, Row]]] = {}
    for folder in folders:
        for row in folder.rows(trial.id for trial in plan.trials):
            rows.setdefault(row.trial, []).append((folder, row))
    for trial, candidates in rows.items():
        whole = [(folder, row) for folder, row in candidates if _is_whole(folder, row)]
        folder, row = (whole or candidates)[0]
        if len({row.started_at for _, row in whole}) > 1:  # a copy of the same row is not another
            merged.twice.append(trial)
        if folder is not target:
            _copy(trial, row, folder, target)
        if row.machine and row.machine not in merged.machines:
            merged.machines.append(row.machine)
    merged.trials = len(rows)
    _merge_proofs(plan, folders, target, merged)
    merge_limits(plan, folders, target)
    return merged


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve()


def _is_whole(folder: RunFolder, row: Row) -> bool:
    if not row.status.done:
        return False
    return row.status != Status.OK or bool(folder.arrays(row.trial))


def _copy(trial: str, row: Row, source: RunFolder, target: RunFolder) -> None:
    """Copy a trial's arrays first: a row on disk says that they are there."""
    arrays = source.trials / f"{trial}.npz"
    if row.status == Status.OK:
        with contextlib.suppress(FileNotFoundError, NotAPlainFileError):
            write_atomically(target.trials / arrays.name, read_plain(arrays, BYTES_AT_MOST))
    target.write_row(row)


def _merge_proofs(
    plan: Plan, folders: Sequence[RunFolder], target: RunFolder, merged: Merged
) -> None:
    for proof in plan.proofs:
        judged = [
            (folder.proofs / f"{proof.id}.json", judgement)
            for folder in folders
            if (judgement := verdicts.read_one(folder, proof)) is not None
        ]
        if not judged:
            continue
        merged.proofs += 1
        worst_first = sorted(judged, key=lambda one: goodness(one[1]))
        if len({judgement.verdict for _, judgement in judged}) > 1:
            merged.contradicted.append(proof.id)
        file, _ = worst_first[0]
        if file.parent != target.proofs:
            write_atomically(target.proofs / file.name, read_plain(file))


def goodness(judgement: Judgement) -> int:
    """Return a number that is lower for the verdict that stays, where two machines differ."""
    if judgement.refuted:
        return 0
    return 2 if judgement.proven else 1


def merge_limits(plan: Plan, folders: Iterable[RunFolder], target: RunFolder) -> None:
    """Copy what times matrix products alone: one row of every kind of machine."""
    ids = [limit.id for limit in plan.limits]
    kept = {(row.trial, row.machine) for row in target.limit_rows(ids)}
    for folder in folders:
        for row in folder.limit_rows(ids):
            if (row.trial, row.machine) in kept:
                continue
            others = sum(trial == row.trial for trial, _ in kept)
            kept.add((row.trial, row.machine))
            name = f"{row.trial}@{others + 1}.json" if others else f"{row.trial}.json"
            write_atomically(target.limits / name, to_json(row).encode())
