"""`doctor`, `scale`, `compare`: what slows this machine, what time grows with, what changed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options, running
from harness.cli.ending import FAILED, INTERRUPTED, OK, USAGE, interrupt_on_sigterm, stop
from harness.cli.screen import console

if TYPE_CHECKING:
    from harness.plan import Plan, Request


def doctor(
    frameworks: options.FrameworksOption = "",
    json_output: options.JsonOption = False,
) -> None:
    """What is installed, what is slow and why; each problem with the line that mends it."""
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
    device: options.DeviceOption = options.Device.auto,
    dtype: options.DtypeOption = options.Dtype.float32,
    timeout: options.TimeoutOption = "10m",
    out: Annotated[Path | None, options.out("results/runs/scale-<plan>")] = None,
    fresh: options.FreshOption = False,
    output: Annotated[list[str] | None, options.output(".json", "the chart of laws")] = None,
    json_output: options.JsonOption = False,
) -> None:
    """How does step time grow with width, batch and depth, and which framework wins where?"""
    from harness.parity.verdicts import read as read_verdicts
    from harness.plan import Request
    from harness.report import scale as shown
    from harness.report.sweep import sweep
    from harness.results import RunFolder

    request = Request(
        frameworks=options.split(frameworks),
        loops=("best",) if quick else ("all",),
        threads=options.threads(threads),
        device=device.value,
        dtype=dtype.value,
    )
    outputs = options.outputs(output, (".json",), ("step-time",))
    plan = _scale_plan(request, quick)
    folder = RunFolder(out or Path("results") / "runs" / f"scale-{plan.digest}")
    finished = running.execute(plan, folder.path, options.timeout_s(timeout), fresh)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    made = sweep(plan, rows, verdicts)
    options.write(outputs, lambda file, chart: shown.write(file, made, rows, folder.trials, chart))
    if json_output:
        print(shown.as_json(made, rows, folder.trials))
    else:
        shown.print_sweep(made, folder.trials, console())
    sys.exit(running.exit_code(rows, verdicts.values()) if finished else INTERRUPTED)


def _scale_plan(request: "Request", quick: bool) -> "Plan":
    """A plan of the sweep's points, with the proofs of its first, the centre, only."""
    import dataclasses
    import tempfile

    from harness.clock import scaling

    with tempfile.TemporaryDirectory(prefix="samestep-scale-") as scratch:
        files = []
        for point in scaling.points(quick):
            file = Path(scratch) / f"{point.name}.toml"
            file.write_text(scaling.to_toml(point), encoding="utf-8")
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
        typer.Option(help='Exit with 1 if B is worse, such as "time>5%" or "accuracy>1%".'),
    ] = None,
    output: Annotated[
        list[str] | None,
        options.output(".md, .json or .html", "time=FILE or time-to-baseline=FILE: that chart"),
    ] = None,
    json_output: options.ShortJsonOption = False,
) -> None:
    """Hold two runs against each other: paired, with intervals; refuse what is not comparable."""
    from harness.clock import compare as comparing
    from harness.clock.noise import noise
    from harness.report import comparison

    try:
        gates = [comparing.Gate.parse(text) for text in fail_on or ()]
    except ValueError as error:
        stop(USAGE, str(error))
    outputs = options.outputs(output, (".md", ".json", ".html"), ("time", "time-to-baseline"))
    (plan_a, rows_a), (plan_b, rows_b) = (running.read_run(folder) for folder in (a, b))
    runs = comparison.Run(str(a), plan_a, rows_a), comparison.Run(str(b), plan_b, rows_b)
    try:
        comparing.refuse(plan_a, plan_b, rows_a, rows_b)
    except comparing.NotComparableError as error:
        made = comparison.Compared(runs, (), refusal=str(error))
        texts = [each for each in outputs if each.file.suffix not in options.IMAGES]
        options.write(texts, lambda file, chart: comparison.write(file, made, chart))
        stop(USAGE, f"{a} and {b} cannot be compared:\n{error}")
    noisy = [*noise(rows_a), *noise(rows_b)]
    comparisons = comparing.compare(rows_a, rows_b, noisy)
    failures = [
        f"{gate.metric}>{gate.limit * 100:g}%: {' '.join(cell[:3])}: {change}"
        for gate in gates
        for cell, change in comparing.tripped(gate, rows_a, rows_b)
    ]
    done = comparison.Compared(runs, comparisons, failures)
    options.write(outputs, lambda file, chart: comparison.write(file, done, chart))
    if json_output:
        print(comparison.as_json(comparisons, failures))
    else:
        comparison.print_comparison(comparisons, console())
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(FAILED if failures else OK)
