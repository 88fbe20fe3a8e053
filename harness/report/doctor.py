"""What `samestep doctor` prints: facts, notes, and the problems last."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console

from harness.doctor import facts as doctor_facts
from harness.doctor.facts import Facts, FrameworkState, Inspected, Machine
from harness.doctor.problems import Problem, notes, problems
from harness.private import values_without_user
from harness.report.console_table import ConsoleTable
from harness.report.text import count_text, plain, seconds

SCHEMA = 1
UNKNOWN = "n/a"
OK, PROBLEMS, NOTHING_INSTALLED = 0, 1, 3
SIMD = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "asimd", "sve", "sve2")
WIDTH = 16
PUBLIC_KEYS = {"fix": "mend", "busy_processes": "takers"}
"""Field to its key in the JSON, where scripts know it by an older name."""
MOST_CPUS = 4
"""More CPUs than these are not listed."""


def exit_code(facts: Facts) -> int:
    """Return 0, 1 with problems, or 3 where no framework is installed."""
    if facts.none_installed:
        return NOTHING_INSTALLED
    return PROBLEMS if problems(facts) else OK


def as_json(facts: Facts) -> str:
    shares = doctor_facts.shares_of_best(facts.frameworks)
    value: dict[str, Any] = {"schema": SCHEMA} | _as_dict(facts)
    relevant = frozenset(SIMD).union(*doctor_facts.KERNELS.values())
    value["machine"]["flags"] = sorted(facts.machine.flags & relevant)
    for framework in value["frameworks"]:
        framework["share_of_best"] = shares.get(framework["name"])
    value["notes"] = notes(facts)
    value["problems"] = [_as_dict(problem) for problem in problems(facts)]
    return json.dumps(values_without_user(value), indent=1, allow_nan=False)


def _as_dict(facts: Facts | Problem) -> dict[str, Any]:
    def with_public_keys(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        return {PUBLIC_KEYS.get(name, name): value for name, value in fields}

    return asdict(facts, dict_factory=with_public_keys)


def print_progress(line: str, console: Console) -> None:
    console.print(plain(f"{line} …"), style="dim", highlight=False, soft_wrap=True)


def print_facts(facts: Facts, console: Console) -> None:
    """Print section by section. The problems come last, numbered, each with its fix."""
    _heading("machine", console)
    _pairs(_machine(facts), console)
    _heading("frameworks", console)
    console.print(_frameworks(facts.frameworks))
    computing = [f for f in facts.frameworks if f.affinity is not None or f.gflops is not None]
    if computing:
        side = doctor_facts.SIDE
        _heading(
            f"each in its own worker with {count_text(doctor_facts.THREADS, 'thread')}, "
            f"multiplying float32 matrices of {side} x {side}",
            console,
        )
        console.print(_computing(computing))
        _pairs(((framework.name, _libraries(framework)) for framework in computing), console)
    _heading("OpenBLAS kernels for NumPy", console)
    if facts.kernels:
        console.print(_kernels(facts))
    if facts.kernel_note:
        _say(f"  {facts.kernel_note}", console)
    _heading("data", console)
    _pairs(_data(facts), console)
    _print_notes(facts, console)
    _print_problems(facts, console)


def _machine(facts: Facts) -> list[tuple[str, str]]:
    this, contention = facts.machine, facts.contention
    mhz = f"{this.mhz / 1000:.2f} GHz" if this.mhz else "frequency n/a"
    governor = f", governor {this.governor}" if this.governor else ""
    limit = f"{this.cpu_limit:g} CPUs at a time" if this.cpu_limit is not None else "no CPU limit"
    if this.memory_limit_gib is not None:
        limit += f", {this.memory_limit_gib:.1f} GiB of memory"
    others, steal = _cpus(contention.others_cpus), _cpus(contention.steal_cpus)
    return [
        ("CPU", f"{this.cpu}, {this.cpus_usable} of {this.cpus} usable, {mhz}{governor}"),
        ("SIMD", " ".join(flag for flag in SIMD if flag in this.flags) or UNKNOWN),
        ("memory", f"{this.memory_gib:.1f} GiB, {this.memory_free_gib:.1f} GiB free"),
        ("container", f"{limit} seen"),
        ("GPU", _gpu(this)),
        ("system", f"{this.system}, Python {this.python}"),
        ("load", " ".join(f"{value:g}" for value in this.load) if this.load else UNKNOWN),
        ("others use", f"{others} now; the host steals {steal}"),
    ]


def _gpu(machine: Machine) -> str:
    return "; ".join(machine.gpus) or machine.gpu_driver or "none seen"


def _cpus(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f} CPUs"


def _frameworks(frameworks: Sequence[Inspected]) -> ConsoleTable:
    table = _table("name", "state", "version", "loops", "import", right=("import",))
    for framework in frameworks:
        loops = ", ".join(framework.loops)
        cells = [
            framework.name,
            framework.state,
            framework.version or "-",
            f"{loops}; native" if framework.native else loops or "-",
            seconds(framework.import_s) if framework.import_s is not None else "-",
        ]
        _row(table, cells, "dim" if framework.state == FrameworkState.MISSING else "")
    return table


def _computing(frameworks: Sequence[Inspected]) -> ConsoleTable:
    right = ("CPUs used", "threads", "GFLOP/s", "of the best")
    table = _table("name", "device", "precision", "bound to", *right, right=right)
    shares = doctor_facts.shares_of_best(frameworks)
    for framework in frameworks:
        share = _number(shares.get(framework.name), ".0%")
        cells = [
            framework.name,
            framework.device or UNKNOWN,
            framework.precision or UNKNOWN,
            _affinity(framework.affinity),
            _number(framework.cpus_used, ".2f"),
            _number(framework.os_threads, "d"),
            _number(framework.gflops, ".0f"),
            "unsure" if framework.starved else share,
        ]
        _row(table, cells)
    return table


def _affinity(affinity: Sequence[int] | None) -> str:
    if affinity is None:
        return UNKNOWN
    more = ",…" if len(affinity) > MOST_CPUS else ""
    return f"CPU {','.join(map(str, affinity[:MOST_CPUS]))}{more}"


def _libraries(framework: Inspected) -> str:
    """Return `BLAS; pools: openblas 0.3.31 SkylakeX 1 thread, openmp 1 thread`."""
    pools = []
    for pool in framework.pools:
        parts = (pool.library, pool.version, pool.kernel, count_text(pool.threads, "thread"))
        pools.append(" ".join(filter(None, parts)))
    names = ", ".join(dict.fromkeys(pools)) or "none"
    return f"{framework.blas or UNKNOWN}; pools: {names}"


def _kernels(facts: Facts) -> ConsoleTable:
    table = _table("choice", "kernels", "GFLOP/s", "", right=("GFLOP/s",))
    for kernel in facts.kernels:
        remark = kernel.detail or ("in use" if kernel.in_use else "")
        gflops = _number(kernel.gflops, ".0f")
        _row(table, [kernel.choice, kernel.kernel or UNKNOWN, gflops, remark])
    return table


def _data(facts: Facts) -> list[tuple[str, str]]:
    free = facts.cache.free_gib
    disk = UNKNOWN if free is None else f"{free:.1f} GiB"
    pairs = [(dataset.name, dataset.state) for dataset in facts.datasets]
    return [*pairs, ("stored in", f"{facts.cache.folder}, {disk} free")]


def _print_notes(facts: Facts, console: Console) -> None:
    lines = notes(facts)
    if lines:
        _heading("notes", console)
    for line in lines:
        _say(f"  - {line}", console)


def _print_problems(facts: Facts, console: Console) -> None:
    all_problems = problems(facts)
    if not all_problems:
        console.print()
        _say("no problems" if not facts.none_installed else "no framework is installed", console)
        return
    count = len(all_problems)
    _heading("problem" if count == 1 else f"{count} problems", console)
    for number, problem in enumerate(all_problems, 1):
        _say(f"  {number}. {problem.what}", console)
        _say(f"     fix: {problem.fix}", console, "bold")


def _pairs(pairs: Iterable[tuple[str, str]], console: Console) -> None:
    for name, value in pairs:
        _say(f"  {name:<{WIDTH}} {value}", console)


def _heading(text: str, console: Console) -> None:
    console.print()
    console.print(plain(text), style="bold", highlight=False, soft_wrap=True)


def _say(text: str, console: Console, style: str = "") -> None:
    console.print(plain(text), style=style, highlight=False, soft_wrap=True)


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _table(*headings: str, right: Sequence[str] = ()) -> ConsoleTable:
    table = ConsoleTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def _row(table: ConsoleTable, cells: Sequence[str], style: str = "") -> None:
    table.add_row(*(plain(cell) for cell in cells), style=style)
