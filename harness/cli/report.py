"""`report`: train, or read a run again, and tabulate."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options, running
from harness.cli import tensorboard as events
from harness.cli.ending import INTERRUPTED, USAGE, stop
from harness.cli.screen import console

if TYPE_CHECKING:
    from harness.plan import Plan


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
        list[str] | None,
        options.output(
            ".md, .csv, .json or .html",
            "<experiment>/<chart>=FILE, such as xor-mlp/test-accuracy-by-step=x.svg: a chart",
        ),
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

    outputs = options.outputs(output, (".md", ".csv", ".json", ".html"))
    files = [each.file for each in outputs if each.file.suffix not in options.IMAGES]
    images = [each for each in outputs if each.file.suffix in options.IMAGES]
    if source is not None:
        if experiments or frameworks or seeds or repeats or fresh or out:
            stop(
                USAGE, "--from rebuilds a whole run; it takes no other option but -o, --tensorboard"
            )
        plan = running.read_plan(source)
        _check(images, plan)
        code = running.tabulate(plan, source, files)
        _draw(images, plan, source)
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
    _check(images, plan)
    path = out or Path("results") / "runs" / plan.digest
    finished = running.execute(plan, path, timeout_s, fresh)
    code = running.tabulate(plan, path, files)
    _draw(images, plan, path)
    if tensorboard:
        code = events.write(tensorboard, plan, path) or code
    sys.exit(code if finished else INTERRUPTED)


def _check(images: Sequence[options.Output], plan: "Plan") -> None:
    """End at once where a chart is of no experiment of the plan."""
    if images:
        from harness.report.page import drawing

        for image in images:
            try:
                drawing.check(image.chart, plan)
            except ValueError as error:
                stop(USAGE, f"-o {image.file}: {error}")


def _draw(images: Sequence[options.Output], plan: "Plan", path: Path) -> None:
    """Write the charts that were asked for; a name that is none of them ends the command."""
    if not images:
        return
    from harness.parity.verdicts import read as read_verdicts
    from harness.report import export, summary
    from harness.results import RunFolder

    folder = RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    sections = summary.sections(plan, folder, rows, verdicts)
    made = export.Report(plan, rows, sections, verdicts, arrays=folder.arrays)
    options.write(images, lambda file, chart: export.write(file, made, chart))
    for image in images:
        console().print(f"wrote {image.file}", markup=False, highlight=False, soft_wrap=True)
