"""`scale`: what step time grows with."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import options, outputs, run_plan
from harness.cli.console import console
from harness.cli.exits import INTERRUPTED, exit_code
from harness.cli.outputs import Output
from harness.experiment.vocabulary import Device, Dtype

if TYPE_CHECKING:
    from harness.plan import Plan, Request
    from harness.run import Run

SUFFIXES = (".json",)


def scale(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small points and fastest loops: a minute or two.")
    ] = False,
    frameworks: options.FrameworksOption = "",
    threads: options.ThreadCountsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    dtype: options.DtypeOption = Dtype.FLOAT32,
    timeout: options.TimeoutOption = "10m",
    out: Annotated[Path | None, options.out("results/runs/scale-<plan>")] = None,
    fresh: options.FreshOption = False,
    output: Annotated[list[str] | None, outputs.file_option(SUFFIXES)] = None,
    chart: Annotated[list[str] | None, outputs.chart_option("step-time")] = None,
    json_output: options.JsonOption = False,
) -> None:
    """Measure how step time grows with width, batch and depth.

    Fits a law to every framework, and says which one is faster from which width on.
    """
    from harness.plan import Request
    from harness.report.chart_names import SWEEP
    from harness.run import load_run

    request = Request(
        frameworks=options.adapters(frameworks),
        loops=("best",) if quick else ("all",),
        threads=options.thread_counts(threads),
        device=device,
        dtype=dtype,
    )
    timeout_s = options.timeout_s(timeout)
    files = outputs.parse(output, chart, SUFFIXES, SWEEP, has_folder=True)
    outputs.need_charts(files)
    plan = _plan(request, quick)
    folder = out or Path("results") / "runs" / f"scale-{plan.digest}"
    finished = run_plan.run_plan(plan, folder, timeout_s, fresh)
    run = load_run(folder, plan)
    _finish(run, exit_code(run) if finished else INTERRUPTED, files, json_output)


def _finish(run: "Run", code: int, files: Sequence[Output], json_output: bool) -> NoReturn:
    """Print the laws, write the files, and exit."""
    from harness.report import scale as report
    from harness.report.sweep import fit_sweep

    sweep = fit_sweep(run)

    def show() -> None:
        if json_output:
            print(report.as_json(sweep))
        else:
            report.print_sweep(sweep, console())

    def write(file: Path, chart: str) -> None:
        from harness.report.files import write_sweep

        write_sweep(file, sweep, chart)

    outputs.finish(show, code, files, write)


def _plan(request: "Request", quick: bool) -> "Plan":
    """Return a plan of the sweep's points. Only its first point, the centre, is proven."""
    import tempfile

    from harness.analysis import sweep_points
    from harness.experiment.toml_text import to_toml

    with tempfile.TemporaryDirectory(prefix="samestep-scale-") as scratch:
        files = []
        for point in sweep_points.points(quick):
            file = Path(scratch) / f"{point.name}.toml"
            file.write_text(to_toml(point), encoding="utf-8")
            files.append(str(file))
        plan = run_plan.make_plan(dataclasses.replace(request, experiments=tuple(files)))
    names = tuple(plan.experiments)
    return dataclasses.replace(
        plan,
        request=dataclasses.replace(request, experiments=names),
        proofs=tuple(proof for proof in plan.proofs if proof.experiment == names[0]),
        limits=(),
    )
