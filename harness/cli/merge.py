"""`merge`: folders of one plan, from several machines, to one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import print_lines
from harness.cli.exits import ENVIRONMENT, USAGE, stop

if TYPE_CHECKING:
    from harness.merging import Merged

SHOWN = 3
"""So many ids are named; of more, the number is said."""


def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Folders of one plan, such as its shards."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="FOLDER", help="Where to put the run; it may hold a part of it."
        ),
    ],
) -> None:
    """Put the parts of a run together in one folder.

    Nothing is run, and the folders given are left as they are. Of a trial that was run twice the
    first whole row stays. `samestep report --from FOLDER` shows the result.
    """
    from harness import merging
    from harness.execute.folder import FolderInUseError, OtherPlanError, locked, prepare
    from harness.results import RunFolder

    target = RunFolder(out)
    try:
        plan = merging.common_plan(folders)
        prepare(target, plan)
        with locked(target):
            merged = merging.merge(plan, [RunFolder(folder) for folder in folders], target)
            samples = _merge_samples(folders, out)
    except (merging.NotMergedError, OtherPlanError) as error:
        stop(USAGE, str(error))
    except FolderInUseError as error:
        stop(ENVIRONMENT, str(error))
    except OSError as error:
        stop(ENVIRONMENT, f"{error.filename or out}: {error.strerror or error}")
    print_lines([*_summary(merged), *_what_next(merged, samples, out)])


def _merge_samples(folders: Sequence[Path], out: Path) -> int:
    """Merge the samples of claims, where `reproduce` left any; return how many there are.

    The later one of two stays, so the first folder comes last.
    """
    from harness.claims import samples

    try:
        found = [samples.read(folder) for folder in (*reversed(folders), out)]
    except ValueError as error:
        stop(USAGE, str(error))
    merged: list[samples.Sample] = []
    for of_folder in found:
        merged = samples.merge(merged, of_folder)
    if merged:
        samples.write(out, merged)
    return len(merged)


def _summary(merged: "Merged") -> list[str]:
    planned, proofs = len(merged.plan.trials), len(merged.plan.proofs)
    lines = [
        f"{merged.trials} of {planned} trials and {merged.proofs} of {proofs} proofs, measured on "
        + ("; ".join(merged.machines) or "no machine that is known")
    ]
    if len(merged.machines) > 1:
        lines.append("times are compared on each machine apart, accuracies and proofs together")
    if merged.twice:
        lines.append(f"run twice, the first whole row stays: {_named(merged.twice)}")
    if merged.contradicted:
        lines.append(
            "judged differently on two machines, the worse verdict stays: "
            f"{_named(merged.contradicted)}"
        )
    return lines


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(ids[:SHOWN]) + more


def _what_next(merged: "Merged", samples: int, out: Path) -> list[str]:
    command = "reproduce" if samples else "report"
    missing = len(merged.plan.trials) - merged.trials
    are = "trial is" if missing == 1 else "trials are"
    left = [f"{missing} {are} in none of these folders"] if missing else []
    return [*left, f"see it: samestep {command} --from {out}"]
