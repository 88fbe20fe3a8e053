"""`doctor`, `scale`, `compare`: what slows this machine, what time grows with, what changed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli import options, running
from harness.cli.console import console
from harness.cli.exits import FAILED, INTERRUPTED, OK, USAGE, interrupt_on_sigterm, stop
from harness.experiment.vocabulary import Device, Dtype

if TYPE_CHECKING:
    from harness.analysis.gates import Gate
    from harness.plan import Plan, Request
    from harness.report.changes import Run


def doctor(
    frameworks: options.FrameworksOption = "",
    json_output: options.JsonOption = False,
) -> None:
    """What is installed, what is slow and why; each problem with its fix."""
    from harness.execute.inspecting import inspect
    from harness.registry import UnknownFrameworkError
    from harness.report import doctor as shown

    errors = console(stderr=True)
    interrupt_on_sigterm()
    try:
        facts = inspect(options.split(frameworks), lambda line: shown.print_progress(line, errors))
    except UnknownFrameworkError as error:
        stop(USAGE, str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if json_output:
        print(shown.as_json(facts))
    else:
        shown.print_facts(facts, console())
    sys.exit(shown.exit_code(facts))


def scale(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small points and fastest loops: a minute or two.")
    ] = False,
    frameworks: options.FrameworksOption = "",
    threads: options.ThreadsOption = "1",
    device: options.DeviceOption = Device.AUTO,
    dtype: options.DtypeOption = Dtype.FLOAT32,
    timeout: options.TimeoutOption = "10m",
    out: Annotated[Path | None, options.out("results/runs/scale-<plan>")] = None,
    fresh: options.FreshOption = False,
    output: Annotated[list[str] | None, options.output(".json", "the chart of laws")] = None,
    json_output: options.JsonOption = False,
) -> None:
    """How does step time grow with width, batch and depth, and which framework wins where?"""
    from harness.plan import Request
    from harness.report.charts import SWEEP

    request = Request(
        frameworks=options.split(frameworks),
        loops=("best",) if quick else ("all",),
        threads=options.threads(threads),
        device=device,
        dtype=dtype,
    )
    outputs = options.outputs(output, (".json",), SWEEP)
    options.need_charts(outputs)
    plan = _scale_plan(request, quick)
    folder = out or Path("results") / "runs" / f"scale-{plan.digest}"
    finished = running.execute(plan, folder, options.timeout_s(timeout), fresh)
    _finish_scale(plan, folder, outputs, finished, json_output)


def _finish_scale(
    plan: "Plan", path: Path, outputs: Sequence[options.Output], finished: bool, json_output: bool
) -> NoReturn:
    """Print the laws, write the files, and exit by the rows."""
    from harness.parity.verdicts import read as read_verdicts
    from harness.report import scale as shown
    from harness.report.sweep import sweep
    from harness.results import RunFolder

    folder = RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    made = sweep(plan, rows, verdicts)

    def show() -> None:
        if json_output:
            print(shown.as_json(made, rows, folder.trials))
        else:
            shown.print_sweep(made, folder.trials, console())

    def write(file: Path, chart: str) -> None:
        shown.write(file, made, rows, folder.trials, chart)

    code = running.exit_code(rows, verdicts.values()) if finished else INTERRUPTED
    options.finish(show, code, outputs, write)


def _scale_plan(request: "Request", quick: bool) -> "Plan":
    """A plan of the sweep's points, with the proofs of its first, the centre, only."""
    import dataclasses
    import tempfile

    from harness.analysis import sweep_points

    with tempfile.TemporaryDirectory(prefix="samestep-scale-") as scratch:
        files = []
        for point in sweep_points.points(quick):
            file = Path(scratch) / f"{point.name}.toml"
            file.write_text(sweep_points.to_toml(point), encoding="utf-8")
            files.append(str(file))
        plan = running.make_plan(dataclasses.replace(request, experiments=tuple(files)))
    names = tuple(plan.experiments)
    return dataclasses.replace(
        plan,
        request=dataclasses.replace(request, experiments=names),
        proofs=tuple(proof for proof in plan.proofs if proof.experiment == names[0]),
        limits=(),
    )


def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a run, the one to compare with.")],
    b: Annotated[Path, typer.Argument(help="Folder of the other run.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help='Exit with 1 if B is worse, such as "time>5%" or "accuracy>1%"; cells that are '
            "not proven count too."
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        options.output(".md, .json or .html", "time=FILE or time-to-baseline=FILE: that chart"),
    ] = None,
    json_output: options.ShortJsonOption = False,
) -> None:
    """Hold two runs against each other: paired, with intervals; refuse what is not comparable."""
    from harness.report import changes, comparison
    from harness.report.charts import COMPARISON

    gates = [_gate(text) for text in fail_on or ()]
    outputs = options.outputs(output, (".md", ".json", ".html"), COMPARISON)
    made = changes.held((_read_run(a), _read_run(b)), gates)
    if made.refusal:
        outputs = [each for each in outputs if not each.is_image]

    def show() -> None:
        if made.refusal:
            print(f"{a} and {b} cannot be compared:\n{made.refusal}", file=sys.stderr)
        elif json_output:
            print(comparison.as_json(made))
        else:
            comparison.print_comparison(made, console())
        for failure in made.failures:
            print(failure, file=sys.stderr)

    code = USAGE if made.refusal else FAILED if made.failures else OK
    options.finish(show, code, outputs, lambda file, chart: comparison.write(file, made, chart))


def _gate(text: str) -> "Gate":
    from harness.analysis.gates import Gate

    try:
        return Gate.parse(text)
    except ValueError as error:
        stop(USAGE, str(error))


def _read_run(path: Path) -> "Run":
    """The plan, the rows and the verdicts that a run's folder holds."""
    from harness.parity.verdicts import read as read_verdicts
    from harness.report.changes import Run
    from harness.results import RunFolder

    plan, folder = running.read_plan(path), RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    return Run(str(path), plan, rows, read_verdicts(folder, plan.proofs))
