"""`reproduce`: published numbers rerun and judged."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import claims as shared
from harness.cli import options, outputs
from harness.cli.console import console
from harness.cli.exits import ENVIRONMENT, FAILED, INTERRUPTED, OK, USAGE, stop
from harness.cli.outputs import Output
from harness.experiment.vocabulary import Device, Status

if TYPE_CHECKING:
    from harness.claims.judge import Judged
    from harness.claims.model import Claim
    from harness.shards import Shard

SUFFIXES = (".md", ".json", ".html")

Claims = Annotated[
    list[str] | None,
    typer.Argument(help="Ids of the ledger or your own .toml files. Default: the five posts."),
]
Everything = Annotated[
    bool, typer.Option("--all", help="Every claim of the ledger except the heavy ones.")
]
Heavy = Annotated[
    bool, typer.Option("--heavy", help="Every claim, the heavy ones too: hours on two cores.")
]
Listing = Annotated[bool, typer.Option("--list", help="List the claims; run nothing.")]
Source = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="Judge a folder's samples; train nothing."),
]


def reproduce(
    context: typer.Context,
    claims: Claims = None,
    everything: Everything = False,
    heavy: Heavy = False,
    listing: Listing = False,
    frameworks: shared.FrameworksOption = "",
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    timeout: options.TimeoutOption = "2h",
    retries: options.RetriesOption = options.RETRIES,
    shard: options.ShardOption = "",
    cluster: options.ClusterOption = "",
    out: shared.OutOption = None,
    fresh: options.FreshOption = False,
    output: Annotated[list[str] | None, outputs.file_option(SUFFIXES)] = None,
    chart: Annotated[list[str] | None, outputs.chart_option("differences")] = None,
    source: Source = None,
    json_output: options.JsonOption = False,
) -> None:
    """Rerun published accuracy numbers and say whether they hold.

    Exits with 1 where a verdict is not the one that the ledger registers.
    """
    from harness.claims import claim_plan, loading, multiplicity
    from harness.report.chart_names import CLAIMS

    if source is not None:
        options.only_read(context, ("claims", "output", "chart", "json_output"))
    files = outputs.parse(output, chart, SUFFIXES, CLAIMS, has_folder=True)
    names = claims or []
    chosen = shared.load(names)
    if not names and source is None:
        chosen = _preselected(chosen, everything or listing, heavy or listing)
    if listing:
        _list(chosen, json_output)
        return
    typed = {claim.id: name for name, claim in zip(names, chosen, strict=False)}
    if source is not None:
        _finish(_judge_again(chosen, source, bool(names)), typed, files, True, json_output)
    chosen = [loading.with_source_data(claim) for claim in chosen]
    runs = [run for claim in chosen for run in claim_plan.claim_runs(claim)]
    part, address = options.shard(shard), options.cluster(cluster)
    folder = out or shared.folder_of(part)
    finished = True
    if runs:
        outputs.need_charts(files)
        finished = shared.run(
            runs,
            frameworks,
            threads,
            device,
            timeout,
            folder,
            fresh,
            shard=part,
            cluster=address,
            retries=retries,
        )
    samples = shared.read_samples(folder)
    if part is not None:
        _finish_part(part, len(samples), folder, finished)
    judged = multiplicity.adjust([shared.judge(claim, runs, samples) for claim in chosen])
    _finish(judged, typed, [Output(folder / "ledger.md"), *files], finished, json_output)


def _finish_part(shard: "Shard", samples: int, folder: Path, finished: bool) -> NoReturn:
    """Say what a part left, which is not judged: other parts have other seeds."""
    print(
        f"part {shard}: {samples} samples in {folder}; put the parts together with "
        f"`samestep merge FOLDER... -o {shared.FOLDER}`, which says how to judge them"
    )
    sys.exit(OK if finished else INTERRUPTED)


def _preselected(ledger: Sequence["Claim"], everything: bool, heavy: bool) -> list["Claim"]:
    """Return the claims that run when none is named: the posts, unless an option adds others."""
    return [
        claim
        for claim in ledger
        if (everything or heavy or claim.group == "posts") and (heavy or claim.cost != "heavy")
    ]


def _judge_again(chosen: Sequence["Claim"], folder: Path, named: bool) -> list["Judged"]:
    """Return the verdicts by a folder's samples; without names, of the claims that have any."""
    from harness.claims import claim_plan, multiplicity
    from harness.claims.samples import FILE

    if not (folder / FILE).is_file():
        stop(USAGE, f"{folder}: holds no samples of claims; run `samestep reproduce` first")
    samples = shared.read_samples(folder)
    chosen = [claim_plan.on_sampled_data(claim, samples) for claim in chosen]
    judged = multiplicity.adjust(
        [shared.judge(claim, claim_plan.claim_runs(claim), samples) for claim in chosen]
    )
    to_judge = [one for one in judged if not one.claim.not_run]
    if to_judge and not any(one.samples for one in to_judge):
        if named:
            what = ", ".join(one.claim.id for one in to_judge)
            remedy = "run it there first, or name a claim that was run there"
        else:
            what = "the ledger's claims"
            remedy = "name the .toml file of your own claim"
        stop(USAGE, f"{folder}: holds no samples of {what} as registered; {remedy}")
    return judged if named else [one for one in judged if one.samples or one.claim.not_run]


def _list(chosen: Sequence["Claim"], json_output: bool) -> None:
    from harness.report import claims as report

    if json_output:
        print(report.list_as_json(chosen))
    else:
        report.print_list(chosen, console())


def _finish(
    judged: Sequence["Judged"],
    typed: Mapping[str, str],
    files: Sequence[Output],
    finished: bool,
    json_output: bool,
) -> NoReturn:
    """Print the verdicts, write the files, and exit."""
    from harness.report import claims as report

    def show() -> None:
        if json_output:
            print(report.as_json(judged))
        else:
            report.print_judged(judged, console())

    def write(file: Path, chart: str) -> None:
        from harness.report.files import write_verdicts

        write_verdicts(file, judged, typed, chart)

    outputs.finish(show, exit_code(judged) if finished else INTERRUPTED, files, write)


def exit_code(judged: Sequence["Judged"]) -> int:
    """Return 0 if every verdict is the registered one, 3 if nothing that was tried could run."""
    to_judge = [one for one in judged if not one.claim.not_run]
    statuses = {sample.row.status for one in to_judge for sample in one.samples}
    if statuses == {Status.MISSING}:
        return ENVIRONMENT
    return OK if all(one.as_registered for one in to_judge) else FAILED
