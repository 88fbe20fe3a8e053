"""The `samestep` command: the only place that wires rooms together.

Nothing heavy is imported at the top, so `--help` answers at once; each command imports what it
needs. Exit codes: 0 ok; 1 a trial failed; 2 usage or protocol; 3 environment; 130 interrupted.
"""

import os
import re
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.plan import Plan, Request
    from harness.results import Row

app = typer.Typer(
    help="The same network, from the same weights, on the same batches, in every framework.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="Fetch and verify MNIST and Fashion-MNIST.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")

LONGEST_TIMEOUT_S = 30 * 24 * 3600
OK, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130


class Preset(StrEnum):
    """How much is run."""

    quick = "quick"
    standard = "standard"
    full = "full"


class Device(StrEnum):
    """Where it is run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Dtype(StrEnum):
    """How it is computed."""

    float32 = "float32"
    float64 = "float64"


class Listing(StrEnum):
    """What can be listed."""

    experiments = "experiments"
    frameworks = "frameworks"
    datasets = "datasets"


def main() -> None:
    """Run the command; a closed pipe (`| head`) ends it quietly."""
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


@app.command()
def report(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the catalogue or your own .toml files; default: the preset."),
    ] = None,
    frameworks: Annotated[
        str, typer.Option(help="Names, adapter files or module:Class, by comma; default: all.")
    ] = "",
    loops: Annotated[
        str, typer.Option(help="best, all, or of idiomatic,stepwise,fused by comma.")
    ] = "best",
    preset: Annotated[Preset, typer.Option(help="How long and how often.")] = Preset.quick,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Default: 1, 3, 10 by preset.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="Default: 1, 1, 3 by preset.")
    ] = None,
    threads: Annotated[str, typer.Option(help="A number, or all.")] = "1",
    device: Annotated[
        Device, typer.Option(help="auto takes a GPU where the framework sees one.")
    ] = Device.auto,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.float32,
    timeout: Annotated[str, typer.Option(help="Limit of one trial: 90s, 10m, 2h, none.")] = "10m",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: results/runs/<plan>.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run finished trials again.")] = False,
    output: Annotated[
        list[Path] | None, typer.Option("-o", help="Also write this .md, .csv or .json.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Rebuild from a run's folder; trains nothing.")
    ] = None,
) -> None:
    """Train the same networks in every framework, and tabulate accuracy and time."""
    from harness.plan import Request

    outputs = output or []
    for file in outputs:
        if file.suffix not in (".md", ".csv", ".json"):
            _stop(USAGE, f"-o {file}: suffix must be .md, .csv or .json. Got {file.suffix!r}")
    if source is not None:
        if experiments or frameworks or seeds or repeats or fresh or out:
            _stop(USAGE, "--from rebuilds a whole run; it takes no other option but -o")
        sys.exit(_rebuild(source, outputs))
    request = Request(
        experiments=tuple(experiments or ()),
        frameworks=_split(frameworks),
        loops=_loops(loops),
        preset=preset.value,
        seeds=seeds,
        repeats=repeats,
        threads=_threads(threads),
        device=device.value,
        dtype=dtype.value,
    )
    sys.exit(_run(request, _timeout_s(timeout), out, fresh, outputs))


def _run(
    request: "Request", timeout_s: float | None, out: Path | None, fresh: bool, outputs: list[Path]
) -> int:
    """Plan, run, tabulate; the exit code."""
    plan = _plan(request)
    path = out or Path("results") / "runs" / plan.digest
    finished = _execute(plan, path, timeout_s, fresh)
    code = _tabulate(plan, path, outputs)
    return code if finished else INTERRUPTED


def _execute(plan: "Plan", path: Path, timeout_s: float | None, fresh: bool) -> bool:
    """Run what has no row yet; whether it went to its end."""
    from harness.execute.local import FolderInUseError, OtherPlanError, Runner
    from harness.report.progress import Announcer
    from harness.results import RunFolder

    errors = _console(stderr=True)
    _announce(plan, path, errors)
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        with Announcer(plan, errors) as announcer:
            Runner(plan, RunFolder(path), timeout_s, announcer).run(fresh)
    except KeyboardInterrupt:
        errors.print("interrupted; finished trials are kept, the same command goes on from here")
        return False
    except OtherPlanError as error:
        _stop(USAGE, str(error))
    except FolderInUseError as error:
        _stop(ENVIRONMENT, str(error))
    except OSError as error:
        _stop(ENVIRONMENT, f"{path}: cannot be written ({error.strerror or error})")
    return True


def _plan(request: "Request") -> "Plan":
    from harness.experiment.loading import ProtocolError
    from harness.plan import frameworks_by_track, make
    from harness.registry import UnknownFrameworkError

    try:
        plan = make(request)
        frameworks = frameworks_by_track(request)
    except (ProtocolError, UnknownFrameworkError, ValueError) as error:
        _stop(USAGE, str(error))
    asked = [frameworks[trial.framework, trial.track] for trial in plan.trials]
    if all(framework.missing for framework in asked):
        lines = sorted({framework.install_line for framework in asked})
        missing = ", ".join(sorted({name for f in asked for name in f.missing}))
        _stop(ENVIRONMENT, "\n".join([f"none of them is installed: {missing}", *lines]))
    return plan


def _announce(plan: "Plan", folder: Path, console: "Console") -> None:
    """The plan and an estimate, before anything is imported or run."""
    from harness.report.estimate import total_s
    from harness.report.numbers import seconds

    names = list(dict.fromkeys(trial.framework for trial in plan.trials))
    about = seconds(max(1.0, total_s(plan)))
    console.print(
        f"{_count(len(plan.experiments), 'experiment')}, {_count(len(names), 'framework')} "
        f"({', '.join(names)}), {_count(len(plan.trials), 'trial')}, "
        f"{_count(len(plan.proofs), 'proof')}, about {about} on 2 cores; rows go to {folder}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _rebuild(source: Path, outputs: list[Path]) -> int:
    return _tabulate(_stored_plan(source), source, outputs)


def _stored_plan(source: Path) -> "Plan":
    from harness.plan import Plan
    from harness.results import RunFolder

    file = RunFolder(source).plan_file
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        _stop(USAGE, f"{source} holds no run: {file} ({error.strerror})")
    except ValueError as error:
        _stop(USAGE, f"{file}: {error}")


def _read_run(source: Path) -> tuple["Plan", list["Row"]]:
    from harness.results import RunFolder

    plan = _stored_plan(source)
    return plan, RunFolder(source).rows(trial.id for trial in plan.trials)


def _tabulate(plan: "Plan", path: Path, outputs: list[Path]) -> int:
    """Print the tables, write the files, and say where; the exit code by the rows."""
    from harness.parity.verdicts import read as read_verdicts
    from harness.report import export, summary, terminal
    from harness.results import RunFolder

    folder = RunFolder(path)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    sections = summary.sections(plan, folder, rows, verdicts)
    limits = folder.limit_rows(trial.id for trial in plan.limits)
    made = export.Report(plan, rows, sections, verdicts, limits)
    written = []
    for file in (path / "report.md", path / "results.csv", *outputs):
        try:
            export.write(file, made)
        except OSError as error:
            _stop(ENVIRONMENT, f"{file}: cannot be written ({error.strerror or error})")
        written.append(file)
    console = _console()
    terminal.print_sections(sections, console)
    for file in written:
        console.print(f"wrote {file}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"rows in {folder.trials}", markup=False, highlight=False, soft_wrap=True)
    if rows and all(row.status == "missing" for row in rows):
        return ENVIRONMENT
    different = any(judgement.verdict == "different" for judgement in verdicts.values())
    return FAILED if different or any(row.failed for row in rows) else OK


@app.command()
def check(
    adapters: Annotated[
        list[str], typer.Argument(help="Names of frameworks, adapter files or module:Class.")
    ],
    full: Annotated[bool, typer.Option("--full", help="Every protocol, not just twelve.")] = False,
    device: Annotated[Device, typer.Option(help="cpu or cuda.")] = Device.cpu,
    json_output: Annotated[bool, typer.Option("--json", help="As JSON, on standard output.")] = (
        False
    ),
) -> None:
    """Does an adapter compute the right thing and keep the contract? If not, what does it do?"""
    import tempfile

    from harness.execute.checking import check as run_check
    from harness.registry import UnknownFrameworkError, find
    from harness.report import checks

    try:
        missing = {find(name).install_line for name in adapters if find(name).missing}
    except UnknownFrameworkError as error:
        _stop(USAGE, str(error))
    if missing:
        _stop(ENVIRONMENT, "\n".join(["not installed", *sorted(missing)]))
    console = _console(stderr=json_output)
    findings = []
    try:
        for name in adapters:
            with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
                for finding in run_check(name, full, device.value, Path(scratch)):
                    findings.append(finding)
                    checks.print_finding(finding, console)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    checks.print_summary(findings, console)
    if json_output:
        print(checks.as_json(findings))
    sys.exit(OK if all(finding.holds for finding in findings) else FAILED)


@app.command(name="new-adapter")
def new_adapter(
    name: Annotated[str, typer.Argument(help="Of the framework, as a Python file may be called.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where to write it.")] = Path(),
) -> None:
    """Write an adapter that runs at once and says what is still to write."""
    from harness import scaffold
    from harness.registry import installed

    if name in installed():
        _stop(USAGE, f"name: {name!r} is the name of an installed adapter; take another")
    try:
        file = scaffold.write(name, folder)
    except ValueError as error:
        _stop(USAGE, str(error))
    except OSError as error:
        _stop(ENVIRONMENT, f"{folder}: cannot be written ({error.strerror or error})")
    print(f"wrote {file}")
    print(f"samestep check {file}    # green as it is; run it after every change")


@app.command()
def doctor(
    frameworks: Annotated[
        str, typer.Option(help="Names, adapter files or module:Class, by comma; default: all.")
    ] = "",
    json_output: Annotated[bool, typer.Option("--json", help="As JSON, on standard output.")] = (
        False
    ),
) -> None:
    """What is installed, what is slow and why; each problem with the line that mends it."""
    from harness.execute.inspecting import inspect
    from harness.registry import UnknownFrameworkError
    from harness.report import doctor as shown

    errors = _console(stderr=True)
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        facts = inspect(_split(frameworks), lambda line: shown.print_progress(line, errors))
    except UnknownFrameworkError as error:
        _stop(USAGE, str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if json_output:
        print(shown.as_json(facts))
    else:
        shown.print_facts(facts, _console())
    sys.exit(shown.exit_code(facts))


@app.command()
def scale(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small points and fastest loops: a minute or two.")
    ] = False,
    frameworks: Annotated[
        str, typer.Option(help="Names, adapter files or module:Class, by comma; default: all.")
    ] = "",
    threads: Annotated[str, typer.Option(help="A number, or all.")] = "1",
    device: Annotated[
        Device, typer.Option(help="auto takes a GPU where the framework sees one.")
    ] = Device.auto,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.float32,
    timeout: Annotated[str, typer.Option(help="Limit of one trial: 90s, 10m, 2h, none.")] = "10m",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: results/runs/scale-<plan>.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run finished trials again.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="As JSON, on standard output.")] = (
        False
    ),
) -> None:
    """How does step time grow with width, batch and depth, and which framework wins where?"""
    from harness.parity.verdicts import read as read_verdicts
    from harness.plan import Request
    from harness.report import scale as reporting
    from harness.results import RunFolder

    request = Request(
        frameworks=_split(frameworks),
        loops=("best",) if quick else ("all",),
        threads=_threads(threads),
        device=device.value,
        dtype=dtype.value,
    )
    plan = _scale_plan(request, quick)
    folder = RunFolder(out or Path("results") / "runs" / f"scale-{plan.digest}")
    finished = _execute(plan, folder.path, _timeout_s(timeout), fresh)
    rows = folder.rows(trial.id for trial in plan.trials)
    verdicts = read_verdicts(folder, plan.proofs)
    made = reporting.sweep(plan, rows, verdicts)
    if json_output:
        print(reporting.as_json(made, rows, folder.trials))
    else:
        reporting.print_sweep(made, folder.trials, _console())
    if not finished:
        sys.exit(INTERRUPTED)
    if rows and all(row.status == "missing" for row in rows):
        sys.exit(ENVIRONMENT)
    different = any(judgement.verdict == "different" for judgement in verdicts.values())
    sys.exit(FAILED if different or any(row.failed for row in rows) else OK)


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
        plan = _plan(dataclasses.replace(request, experiments=tuple(files)))
    names = tuple(plan.experiments)
    return dataclasses.replace(
        plan,
        request=dataclasses.replace(request, experiments=names),
        proofs=tuple(proof for proof in plan.proofs if proof.experiment == names[0]),
        limits=(),
    )


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a run, the one to compare with.")],
    b: Annotated[Path, typer.Argument(help="Folder of the other run.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(help='Exit with 1 if B is worse, such as "time>5%" or "accuracy>1%".'),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Hold two runs against each other: paired, with intervals; refuse what is not comparable."""
    from harness.clock import compare as comparing
    from harness.clock.noise import noise
    from harness.report import comparison

    try:
        gates = [comparing.Gate.parse(text) for text in fail_on or ()]
    except ValueError as error:
        _stop(USAGE, str(error))
    (plan_a, rows_a), (plan_b, rows_b) = (_read_run(folder) for folder in (a, b))
    try:
        comparing.refuse(plan_a, plan_b, rows_a, rows_b)
    except comparing.NotComparableError as error:
        _stop(USAGE, f"{a} and {b} cannot be compared:\n{error}")
    noisy = [*noise(rows_a), *noise(rows_b)]
    comparisons = comparing.compare(rows_a, rows_b, noisy)
    failures = [
        f"{gate.metric}>{gate.limit * 100:g}%: {' '.join(cell[:3])}: {change}"
        for gate in gates
        for cell, change in comparing.tripped(gate, rows_a, rows_b)
    ]
    if json_output:
        print(comparison.as_json(comparisons, failures))
    else:
        comparison.print_comparison(comparisons, _console())
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(FAILED if failures else OK)


@app.command(name="list")
def list_(
    what: Annotated[Listing, typer.Argument(help="What to look up.")],
    json_output: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look up experiments, frameworks or datasets."""
    from harness import listing

    records = getattr(listing, what.value)()
    if json_output:
        print(listing.as_json(what.value, records))
    else:
        console = _console()
        console.print(listing.table(records), soft_wrap=False)


@data_app.command()
def fetch(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: mnist.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder that has the four IDX files.")
    ] = None,
) -> None:
    """Fetch datasets into the cache, verified."""
    from harness.data import fetching

    for dataset in _fetched(datasets or ["mnist"]):
        try:
            outcome = fetching.fetch(dataset, source)
        except fetching.DataMissingError as error:
            _stop(ENVIRONMENT, str(error))
        print(f"{dataset}: {outcome}; {fetching.folder(dataset)}")


@data_app.command()
def verify(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
) -> None:
    """Check every file in the cache against its published SHA-256."""
    from harness.data import fetching

    bad = False
    for dataset in _fetched(datasets):
        try:
            fetching.files(dataset, fetching.folder(dataset))
            print(f"{dataset}: verified; {fetching.folder(dataset)}")
        except fetching.DataMissingError as error:
            bad = True
            print(str(error))
    sys.exit(ENVIRONMENT if bad else OK)


@data_app.command()
def where(
    json_output: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say where fetched data lives."""
    import json

    from harness.data import fetching

    folders = {name: str(fetching.folder(name)) for name in _fetched(None)}
    if json_output:
        print(json.dumps({"schema": 1, "folders": folders}, indent=1))
    else:
        for name, folder in folders.items():
            print(f"{name}: {folder}")


def _fetched(names: list[str] | None) -> list[str]:
    """The datasets named, or all that are fetched."""
    from harness.experiment.datasets import DATASETS
    from harness.experiment.names import unknown

    known = [name for name, facts in DATASETS.items() if facts.fetched]
    for name in names or ():
        if name not in known:
            _stop(USAGE, f"dataset: {unknown(name, known)}")
    return list(names or known)


def _loops(text: str) -> tuple[str, ...]:
    from harness.experiment.names import unknown

    known = ("best", "all", "idiomatic", "stepwise", "fused")
    names = _split(text) or ("best",)
    for name in names:
        if name not in known:
            _stop(USAGE, f"--loops: {unknown(name, known)}")
    return names


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _threads(text: str) -> int:
    from harness.clock.environment import available_cpus

    if text == "all":
        return available_cpus()
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= available_cpus():
        _stop(
            USAGE,
            f"--threads must be all, or 1 to the {available_cpus()} CPUs there are. Got {text!r}",
        )
    return int(text)


def _timeout_s(text: str) -> float | None:
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)", text)
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        _stop(USAGE, f"--timeout must be such as 90s, 10m, 2h, or none. Got {text!r}")
    return seconds


def _console(stderr: bool = False) -> "Console":
    """A console that never cuts a table short in a pipe or a log."""
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=140)


def _on_sigterm(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _stop(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
