"""`report`: train, or read a run again, and tabulate."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import options, running
from harness.cli import tensorboard as events
from harness.cli.console import console
from harness.cli.exits import INTERRUPTED, USAGE, stop
from harness.experiment.vocabulary import Device, Dtype, Preset

if TYPE_CHECKING:
    from harness.plan import Plan

WRITTEN = ("report.md", "results.csv", "report.html")
"""Files that every report writes into its run's folder."""
SUFFIXES = (".md", ".csv", ".json", ".html")

Experiments = Annotated[
    list[str] | None,
    typer.Argument(help="Names of the catalogue or your own .toml files; default: the preset."),
]
Loops = Annotated[str, typer.Option(help="best, all, or of idiomatic,stepwise,fused by comma.")]
PresetOption = Annotated[Preset, typer.Option(help="How long and how often.")]
Seeds = Annotated[int | None, typer.Option(min=1, max=10_000, help="Default: 1, 3, 10 by preset.")]
Repeats = Annotated[int | None, typer.Option(min=1, max=1_000, help="Default: 1, 1, 3 by preset.")]
Out = Annotated[Path | None, options.out("results/runs/<plan>")]
Outputs = Annotated[
    list[str] | None,
    options.output(
        ".md, .csv, .json or .html",
        "<experiment>/<chart>=FILE, such as xor-mlp/test-accuracy-by-step=x.svg: a chart",
    ),
]
Source = Annotated[
    Path | None, typer.Option("--from", help="Rebuild from a run's folder; trains nothing.")
]
AUTO = "auto"
Timeout = Annotated[
    str,
    typer.Option(
        help="Limit of one trial: 90s, 10m, 2h, none; auto is ten times the longest estimate, "
        "10m at least."
    ),
]
TensorBoard = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Also write TensorBoard runs there.")
]


def report(
    context: typer.Context,
    experiments: Experiments = None,
    frameworks: options.FrameworksOption = "",
    loops: Loops = "best",
    preset: PresetOption = Preset.QUICK,
    seeds: Seeds = None,
    repeats: Repeats = None,
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    dtype: options.DtypeOption = Dtype.FLOAT32,
    timeout: Timeout = AUTO,
    out: Out = None,
    fresh: options.FreshOption = False,
    output: Outputs = None,
    source: Source = None,
    tensorboard: TensorBoard = None,
) -> None:
    """Train the same networks in every framework, and tabulate accuracy and time."""
    from harness.plan import Request

    if source is not None:
        options.only_read(context, ("output", "tensorboard"), "-o, --tensorboard")
        plan = running.read_plan(source)
        _finish(plan, source, _outputs(output, plan), tensorboard)
    request = Request(
        experiments=tuple(experiments or ()), frameworks=options.split(frameworks),
        loops=options.loops(loops), preset=preset, seeds=seeds, repeats=repeats,
        threads=options.threads(threads), device=device, dtype=dtype,
    )  # fmt: skip
    timeout_s = None if timeout == AUTO else options.timeout_s(timeout)
    plan = running.make_plan(request)
    if timeout == AUTO:
        from harness.report.estimate import patience_s

        timeout_s = patience_s(plan)
    outputs = _outputs(output, plan)
    options.need_charts(outputs)
    path = out or Path("results") / "runs" / plan.digest
    finished = running.execute(plan, path, timeout_s, fresh)
    _finish(plan, path, outputs, tensorboard, finished)


def _outputs(texts: list[str] | None, plan: "Plan") -> list[options.Output]:
    """What `-o` names, held against the charts that the plan can have."""
    if not texts:
        return []
    from harness.report.page import drawing

    charts = drawing.names(plan)
    outputs = options.outputs(texts, SUFFIXES, charts)
    for each in outputs:
        if each.is_image and not each.chart:
            stop(USAGE, f"-o {each.file}: chart must be named, such as {charts[0]}=FILE")
    return outputs


def _finish(
    plan: "Plan", path: Path, outputs: list[options.Output], tensorboard: Path | None,
    finished: bool = True,
) -> NoReturn:  # fmt: skip
    """Print the tables, write the files, draw last, and exit by the rows.

    What cannot be written decides the exit code only of a run with nothing else to say.
    """
    from harness.report import export, terminal

    made = running.read_report(plan, path)
    code = running.exit_code(made.rows, made.verdicts.values()) if finished else INTERRUPTED
    files = [*(options.Output(path / name) for name in WRITTEN), *outputs]
    try:
        terminal.print_sections(made.sections, console())
    finally:  # even if nobody reads what is printed
        texts = [each for each in files if not each.is_image]
        written, failed = options.write(texts, lambda file, _: export.write(file, made))
    _say([*(f"wrote {file}" for file in written), f"rows in {path / 'trials'}"])
    code = code or failed
    if tensorboard:
        failed = events.write(tensorboard, plan, path)
        code = code or failed
    images = [each for each in files if each.is_image]
    drawn, failed = options.write(images, lambda file, chart: export.write(file, made, chart))
    _say(f"wrote {file}" for file in drawn)
    sys.exit(code or failed)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
