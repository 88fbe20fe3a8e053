"""`explain`: a published number taken apart."""

import sys
from typing import Annotated

import typer

from harness.cli import claims, options
from harness.cli.console import console
from harness.cli.exits import FAILED, INTERRUPTED, OK, USAGE, stop
from harness.experiment.vocabulary import Device


def explain(
    claim: Annotated[str, typer.Argument(help="Id of the ledger, or your own .toml file.")],
    frameworks: claims.FrameworksOption = "",
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    timeout: options.TimeoutOption = "2h",
    out: claims.OutOption = None,
    fresh: options.FreshOption = False,
    json_output: options.JsonOption = False,
) -> None:
    """Find which unstated detail a published number depends on.

    Trains the claim's protocol again with one detail changed at a time, and says which changes
    bring the number back or lose it.
    """
    from harness.claims import claim_plan, explaining, loading
    from harness.report import claim_swaps
    from harness.running.claims import without_details

    (registered,) = claims.load([claim])
    chosen = loading.with_source_data(registered)
    if chosen.not_run:
        stop(USAGE, f"{chosen.id}: cannot be run: {chosen.not_run}")
    if all(variant.role == "part" for variant in chosen.variants):
        stop(USAGE, without_details(chosen))
    runs = claim_plan.claim_runs(chosen, every_variant=True)
    folder = out or claims.FOLDER
    finished = claims.run(
        runs, frameworks, threads, device, timeout, folder, fresh, only_fastest=True
    )
    judged = claims.judge(chosen, runs, claims.read_samples(folder))
    swaps = explaining.swaps(judged)
    if json_output:
        print(claim_swaps.as_json(judged, swaps))
    else:
        claim_swaps.print_swaps(judged, swaps, console())
    if not finished:
        sys.exit(INTERRUPTED)
    sys.exit(OK if all(swap.ran for swap in swaps) else FAILED)
