"""`report`: train, or read a run again, and tabulate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options, running
from harness.cli import tensorboard as events
from harness.cli.ending import INTERRUPTED, USAGE, stop


def report(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the catalogue or your own .toml files; default: the preset."),
    ] = None,
    frameworks: options.FrameworksOption = "",
    loops: Annotated[
        str, typer.Option(help="best, all, or of idiomatic,stepwise,fused by comma.")
    ] = "best",
    preset: Annotated[
        options.Preset, typer.Option(help="How long and how often.")
    ] = options.Preset.quick,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Default: 1, 3, 10 by preset.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="Default: 1, 1, 3 by preset.")
    ] = None,
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = options.Device.auto,
    dtype: options.DtypeOption = options.Dtype.float32,
    timeout: options.TimeoutOption = "10m",
    out: Annotated[Path | None, options.out("results/runs/<plan>")] = None,
    fresh: options.FreshOption = False,
    output: Annotated[
        list[Path] | None, typer.Option("-o", help="Also write this .md, .csv, .json or .html.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Rebuild from a run's folder; trains nothing.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write TensorBoard runs there.")
    ] = None,
) -> None:
    """Train the same networks in every framework, and tabulate accuracy and time."""
    from harness.plan import Request

    outputs = output or []
    for file in outputs:
        if file.suffix not in (".md", ".csv", ".json", ".html"):
            stop(USAGE, f"-o {file}: suffix must be .md, .csv, .json or .html. Got {file.suffix!r}")
    if source is not None:
        if experiments or frameworks or seeds or repeats or fresh or out:
            stop(
                USAGE, "--from rebuilds a whole run; it takes no other option but -o, --tensorboard"
            )
        plan = running.read_plan(source)
        code = running.tabulate(plan, source, outputs)
        sys.exit(events.write(tensorboard, plan, source) or code if tensorboard else code)
    request = Request(
        experiments=tuple(experiments or ()),
        frameworks=options.split(frameworks),
        loops=options.loops(loops),
        preset=preset.value,
        seeds=seeds,
        repeats=repeats,
        threads=options.threads(threads),
        device=device.value,
        dtype=dtype.value,
    )
    timeout_s = options.timeout_s(timeout)
    plan = running.make_plan(request)
    path = out or Path("results") / "runs" / plan.digest
    finished = running.execute(plan, path, timeout_s, fresh)
    code = running.tabulate(plan, path, outputs)
    if tensorboard:
        code = events.write(tensorboard, plan, path) or code
    sys.exit(code if finished else INTERRUPTED)
