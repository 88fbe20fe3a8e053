"""`report`: train, or read a run again, and tabulate."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import options, outputs, own_data, run_plan, tensorboard
from harness.cli.console import console, print_lines
from harness.cli.exits import INTERRUPTED, exit_code
from harness.cli.outputs import Output
from harness.experiment.vocabulary import Device, Dtype, Preset

if TYPE_CHECKING:
    from harness.plan import Plan
    from harness.run import Run

PAGE = "report.html"
WRITTEN = ("report.md", "results.csv", PAGE)
"""Files that every report writes into its run's folder."""
SUFFIXES = (".md", ".csv", ".json", ".html")
AUTO = "auto"

Experiments = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names (`samestep list experiments`), .toml files, or a table of your own with "
        "--target. Default: by preset."
    ),
]
Loops = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="best, all, or idiomatic, stepwise and fused by comma. In quick the best loop is one "
        "that starts fast, except on xor-mlp and mnist-mlp.",
    ),
]
PresetOption = Annotated[
    Preset,
    typer.Option(
        help="How long and how often to train. Without --frameworks, quick runs numpy, sklearn, "
        "keras, torch, jax and adapters of other packages; this project's others on xor-mlp and "
        "mnist-mlp only, if they are installed."
    ),
]
Seeds = Annotated[
    int | None, typer.Option(min=1, max=10_000, help="How many. Default by preset: 1, 3, 10.")
]
Repeats = Annotated[
    int | None,
    typer.Option(min=1, max=1_000, help="Runs of a seed. Default by preset: 1, 1, 3."),
]
Timeout = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Limit of one trial: 90s, 10m, 2h, none, or auto: ten times the longest estimate, "
        "but at least 10m.",
    ),
]
NoTiming = Annotated[
    bool,
    typer.Option("--no-timing", help="Accuracy and proof alone: several trials at once, no times."),
]
Source = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="Read this run again; train nothing."),
]
OpenPage = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
TensorBoard = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Also write TensorBoard runs there.")
]


def report(
    context: typer.Context,
    experiments: Experiments = None,
    target: own_data.TargetOption = "",
    header: own_data.HeaderOption = None,
    encoding: own_data.EncodingOption = "",
    test_file: own_data.TestFileOption = None,
    test_target: own_data.TestTargetOption = "",
    frameworks: options.EntrantsOption = "",
    loops: Loops = "best",
    preset: PresetOption = Preset.QUICK,
    seeds: Seeds = None,
    repeats: Repeats = None,
    threads: options.ThreadCountsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    dtype: options.DtypeOption = Dtype.FLOAT32,
    no_timing: NoTiming = False,
    timeout: Timeout = AUTO,
    retries: options.RetriesOption = options.RETRIES,
    shard: options.ShardOption = "",
    cluster: options.ClusterOption = "",
    out: Annotated[Path | None, options.out("results/runs/<plan>")] = None,
    fresh: options.FreshOption = False,
    traceback: options.TracebackOption = False,
    output: Annotated[list[str] | None, outputs.file_option(SUFFIXES)] = None,
    chart: Annotated[
        list[str] | None,
        outputs.chart_option("overview, xor-mlp/phases or another <experiment>/<chart>"),
    ] = None,
    source: Source = None,
    tensorboard: TensorBoard = None,
    open_page: OpenPage = False,
) -> None:
    """Train the same networks in every framework and compare.

    Prints accuracy, times and proof of every framework, one table per experiment. Files and
    rows are written to the run's folder. The same command continues an interrupted run.
    """
    from harness.command_line import split_names
    from harness.plan import Request
    from harness.run import load_run

    if source is not None:
        options.only_read(context, ("output", "chart", "tensorboard", "open_page"))
        run = run_plan.read_run(source)
        files = _outputs(run.plan, output, chart)
        _finish(run, exit_code(run), files, tensorboard, open_page)
    table = own_data.TableOptions(target, header, encoding, test_file, test_target)
    request = Request(
        experiments=own_data.protocols_of(experiments or (), table, out),
        frameworks=split_names(frameworks),
        loops=options.loops(loops),
        preset=preset,
        seeds=seeds,
        repeats=repeats,
        threads=options.thread_counts(threads),
        device=device,
        dtype=dtype,
        timed=not no_timing,
    )
    timeout_s = None if timeout == AUTO else options.timeout_s(timeout)
    part, address = options.shard(shard), options.cluster(cluster)
    whole = run_plan.make_plan(request)
    if address is not None:
        run_plan.refuse_commands(whole)
    plan = run_plan.part_of(whole, part)
    if timeout == AUTO:
        from harness.report.trial_durations import patience_s

        timeout_s = patience_s(plan)
    files = _outputs(plan, output, chart)
    outputs.need_charts(files)
    name = whole.digest + (part.suffix if part else "")
    path = out or Path("results") / "runs" / name
    finished = run_plan.run_plan(
        plan,
        path,
        timeout_s,
        fresh,
        timed=not no_timing,
        traceback=traceback,
        whole=whole,
        retries=retries,
        cluster=address,
    )
    if part is not None:
        console(stderr=True).print(
            f"this is part {part} of the plan; put the parts together with "
            f"`samestep merge FOLDER... -o results/runs/{whole.digest}`",
            soft_wrap=True,
        )
    run = load_run(path, plan)
    code = exit_code(run) if finished else INTERRUPTED
    _finish(run, code, files, tensorboard, open_page)


def _outputs(
    plan: "Plan", files: Sequence[str] | None, charts: Sequence[str] | None
) -> list[Output]:
    if not files and not charts:
        return []
    from harness.report.page import drawing

    return outputs.parse(files, charts, SUFFIXES, drawing.names(plan), has_folder=True)


def _finish(
    run: "Run",
    code: int,
    files: Sequence[Output],
    tensorboard_folder: Path | None,
    open_page: bool,
) -> NoReturn:
    """Print the tables, write the files, draw last, show the page, and exit.

    What cannot be written decides the exit code only of a run that would exit with 0.
    """
    from harness.report import terminal
    from harness.report.files import write_report
    from harness.report.sections import make_report

    report = make_report(run)
    tables = [*(Output(run.path / name) for name in WRITTEN), *(f for f in files if not f.chart)]
    charts = [file for file in files if file.chart]
    try:
        terminal.print_sections(report.sections, console())
        terminal.print_answer(report, console())
    finally:  # even if nobody reads what is printed
        written, failed = outputs.write(tables, lambda file, _: write_report(file, report))
    print_lines([*(f"wrote {file}" for file in written), f"rows in {run.path / 'trials'}"])
    code = code or failed
    if tensorboard_folder:
        failed = tensorboard.write(tensorboard_folder, run)
        code = code or failed
    drawn, failed = outputs.write(charts, lambda file, chart: write_report(file, report, chart))
    print_lines(f"wrote {file}" for file in drawn)
    if run.path / PAGE in written:
        _show(run.path / PAGE, open_page)
    sys.exit(code or failed)


def _show(page: Path, in_browser: bool) -> None:
    """Print the page's link; many a terminal opens it with a click."""
    import webbrowser

    link = page.resolve().as_uri()
    opened = in_browser and webbrowser.open(link)
    print_lines([link])
    if in_browser and not opened:
        console(stderr=True).print("no browser can be started here; the link above opens the page")
