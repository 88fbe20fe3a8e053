"""`reproduce` and `explain`: published numbers rerun, judged, and taken apart."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import options, running
from harness.cli.console import console
from harness.cli.exits import ENVIRONMENT, FAILED, INTERRUPTED, OK, USAGE, stop
from harness.experiment.vocabulary import Device

if TYPE_CHECKING:
    from harness.claims.claim_plan import ClaimRun
    from harness.claims.judge import Judged
    from harness.claims.model import Claim
    from harness.claims.samples import Sample

Claims = Annotated[
    list[str] | None,
    typer.Argument(help="Ids of the ledger or your own .toml files; default: the five posts."),
]
Everything = Annotated[
    bool, typer.Option("--all", help="Every claim of the ledger but the heavy ones.")
]
Heavy = Annotated[bool, typer.Option("--heavy", help="The heavy ones too: hours on two cores.")]
Listing = Annotated[bool, typer.Option("--list", help="List the claims; run nothing.")]
Out = Annotated[Path | None, options.out("results/runs/claims")]
Outputs = Annotated[
    list[str] | None, options.output(".md, .json or .html", "the chart of differences")
]
Source = Annotated[
    Path | None, typer.Option("--from", help="Judge the samples of a folder; trains nothing.")
]
ClaimFrameworks = Annotated[
    str,
    typer.Option(help="Names, adapter files or module:Class, by comma; default: the two fastest."),
]


def reproduce(
    context: typer.Context,
    claims: Claims = None,
    everything: Everything = False,
    heavy: Heavy = False,
    listing: Listing = False,
    frameworks: ClaimFrameworks = "",
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    timeout: options.TimeoutOption = "2h",
    out: Out = None,
    fresh: options.FreshOption = False,
    output: Outputs = None,
    source: Source = None,
    json_output: options.JsonOption = False,
) -> None:
    """Rerun published accuracy numbers, and say whether they hold."""
    from harness.claims import claim_plan, loading
    from harness.report.charts import CLAIMS

    if source is not None:
        options.only_read(context, ("claims", "output", "json_output"), "-o, --json")
    outputs = options.outputs(output, (".md", ".json", ".html"), CLAIMS)
    chosen = _chosen(claims or [], everything or listing, heavy or listing, source)
    if listing:
        _list(chosen, json_output)
        return
    asked = {claim.id: name for name, claim in zip(claims or [], chosen, strict=False)}
    if source is not None:
        _finish(_again(chosen, source, bool(claims)), asked, outputs, True, json_output)
    chosen = [loading.with_own_data(claim) for claim in chosen]
    parts = [part for claim in chosen for part in claim_plan.claim_runs(claim)]
    folder = out or Path("results") / "runs" / "claims"
    finished = True
    if parts:
        options.need_charts(outputs)
        finished = _run(parts, frameworks, threads, device, timeout, folder, fresh)
    samples = _samples(folder)
    judged = [_judge(claim, parts, samples) for claim in chosen]
    ledger = options.Output(folder / "ledger.md")
    _finish(judged, asked, [ledger, *outputs], finished, json_output)


def _again(chosen: Sequence["Claim"], folder: Path, named: bool) -> list["Judged"]:
    """The verdicts by a folder's samples, on whichever data they are; unnamed, of those in it."""
    from harness.claims import claim_plan
    from harness.claims.samples import FILE

    if not (folder / FILE).is_file():
        stop(USAGE, f"{folder}: holds no samples of claims; run `samestep reproduce` first")
    samples = _samples(folder)
    chosen = [claim_plan.on_sampled_data(claim, samples) for claim in chosen]
    judged = [_judge(claim, claim_plan.claim_runs(claim), samples) for claim in chosen]
    wanted = [one for one in judged if not one.claim.not_run]
    if wanted and not any(one.samples for one in wanted):
        what = ", ".join(one.claim.id for one in wanted) if named else "the ledger's claims"
        rule = "run it there first, or name a claim that was" if named else "name your own file"
        stop(USAGE, f"{folder}: holds no samples of {what} as registered; {rule}")
    return judged if named else [one for one in judged if one.samples or one.claim.not_run]


def _list(chosen: Sequence["Claim"], json_output: bool) -> None:
    from harness.report import claims as shown

    print(shown.list_as_json(chosen)) if json_output else shown.print_list(chosen, console())


def _finish(
    judged: Sequence["Judged"], asked: Mapping[str, str], outputs: Sequence[options.Output],
    finished: bool, json_output: bool,
) -> NoReturn:  # fmt: skip
    """Print the verdicts, write the files, and exit by the verdicts."""
    from harness.report import claims as shown
    from harness.report import ledger

    def show() -> None:
        if json_output:
            print(shown.as_json(judged))
        else:
            shown.print_judged(judged, console())

    def write(file: Path, chart: str) -> None:
        ledger.write(file, judged, asked, chart)

    options.finish(show, _exit_code(judged) if finished else INTERRUPTED, outputs, write)


def explain(
    claim: Annotated[str, typer.Argument(help="Id of the ledger, or your own .toml file.")],
    frameworks: ClaimFrameworks = "",
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    timeout: options.TimeoutOption = "2h",
    out: Out = None,
    fresh: options.FreshOption = False,
    json_output: options.JsonOption = False,
) -> None:
    """Change one unstated detail of a claim at a time: which ones does its number depend on?"""
    from harness.claims import claim_plan, explaining, loading
    from harness.report import explained as shown

    (chosen,) = _chosen([claim], everything=False, heavy=False, source=None)
    chosen = loading.with_own_data(chosen)
    if chosen.not_run:
        stop(USAGE, f"{chosen.id}: cannot be run: {chosen.not_run}")
    parts = claim_plan.claim_runs(chosen, every_variant=True)
    if len(parts) == 1:
        stop(USAGE, f"{chosen.id}: lists no [[variants]], so there is nothing to swap")
    folder = out or Path("results") / "runs" / "claims"
    finished = _run(parts, frameworks, threads, device, timeout, folder, fresh, alone=True)
    judged = _judge(chosen, parts, _samples(folder))
    swapped = explaining.swaps(judged)
    if json_output:
        print(shown.as_json(judged, swapped))
    else:
        shown.print_explained(judged, swapped, console())
    if not finished:
        sys.exit(INTERRUPTED)
    sys.exit(OK if all(swap.ran for swap in swapped) else FAILED)


def _chosen(
    names: Sequence[str], everything: bool, heavy: bool, source: Path | None
) -> list["Claim"]:
    """The claims asked for, as registered; with `--from` all, for any may be in the folder."""
    from harness.claims import loading
    from harness.experiment.loading import ProtocolError

    try:
        if names:
            found = [loading.load(name) for name in names]
        else:
            found = [
                claim
                for claim in loading.ledger().values()
                if source is not None
                or ((everything or heavy or claim.group == "posts")
                    and (heavy or claim.cost != "heavy"))
            ]  # fmt: skip
    except ProtocolError as error:
        stop(USAGE, str(error))
    ids = [claim.id.upper() for claim in found]
    for claim in found:
        if ids.count(claim.id.upper()) > 1:
            stop(USAGE, f"claim: {claim.id!r} is named twice")
    return found


def _run(
    parts: Sequence["ClaimRun"], frameworks: str, threads: str, device: Device, timeout: str,
    folder: Path, fresh: bool, alone: bool = False,
) -> bool:  # fmt: skip
    """Run what has no row yet, and keep what it says; whether it went to its end."""
    from harness.claims import claim_plan, samples
    from harness.claims.collecting import collect
    from harness.registry import UnknownFrameworkError
    from harness.run import load_run

    try:
        chosen = claim_plan.choose_frameworks(options.split(frameworks))
        if alone and not frameworks:
            chosen = chosen[:1]
        plan = claim_plan.make_claim_plan(parts, chosen, options.threads(threads), device)
    except (UnknownFrameworkError, ValueError) as error:
        stop(USAGE, str(error))
    before = _samples(folder)
    finished = running.execute(plan, folder, options.timeout_s(timeout), fresh, timed=False)
    now = list(collect(load_run(folder, plan), parts))
    try:
        samples.write(folder, samples.merge(before, now))
    except OSError as error:
        stop(ENVIRONMENT, f"{folder}: cannot be written ({error.strerror or error})")
    return finished


def _samples(folder: Path) -> list["Sample"]:
    from harness.claims import samples

    try:
        return samples.read(folder)
    except (OSError, ValueError) as error:
        stop(USAGE, str(error))


def _judge(claim: "Claim", parts: Sequence["ClaimRun"], samples: Sequence["Sample"]) -> "Judged":
    from harness.claims.judge import judge

    digests = {part.variant: part.experiment.digest for part in parts if part.claim.id == claim.id}
    return judge(claim, samples, digests)


def _exit_code(judged: Sequence["Judged"]) -> int:
    """0 if every verdict is the registered one; 3 if all that was tried is missing here."""
    wanted = [one for one in judged if not one.claim.not_run]
    statuses = {told.row.status for one in wanted for told in one.samples}
    if statuses == {"missing"}:
        return ENVIRONMENT
    return OK if all(one.as_registered for one in wanted) else FAILED
