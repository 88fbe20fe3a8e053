"""Finds the facts that `samestep doctor` judges: asks the system, and a worker per framework.

Workers run one at a time. What the system does not say is None; a worker that crashes or hangs
is a framework that is broken.
"""

import contextlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from harness.clock.environment import KERNEL_CHOICE, available_cpus, child_environment
from harness.clock.inspection import (
    CPUS_BUSY_AT_MOST,
    KERNELS,
    THREADS,
    TOO_FEW_CPUS,
    Cache,
    Contention,
    Dataset,
    Facts,
    Inspected,
    Kernel,
    Machine,
    Pool,
    Taker,
    ignored_variables,
)
from harness.data import fetching
from harness.data.sources import MEMBERS
from harness.execute.process import Death, WorkerProcess
from harness.experiment.datasets import DATASETS
from harness.registry import BROKEN, Framework, UnknownFrameworkError, find, installed

TIMEOUT_S = 60.0
KERNEL_ROUNDS, KERNEL_ROUNDS_IF_STARVED = 2, 3
WATCHED_S = 1.0
TAKERS_AT_MOST = 3
TAKES_CPUS = 0.05
GIB = 2**30
JUST_NUMPY = Framework("numpy", "identical", "", "", ("numpy",), "", ())
"""For workers that import NumPy and no adapter."""


def inspect(names: Sequence[str], say: Callable[[str], None]) -> Facts:
    """All facts.

    Args:
        names: of frameworks, files or module:Class; none means all that are entered.
        say: told what is done next.

    Raises:
        harness.registry.UnknownFrameworkError: a name that no adapter has.
    """
    described = _described(names)
    with tempfile.TemporaryDirectory(prefix="samestep-doctor-") as scratch:
        log = Path(scratch) / "log"
        say("watching the machine for a second")
        contention = watch()
        inspected = []
        for framework in described:
            if isinstance(framework, Framework):
                say(f"asking {framework.name}")
                framework = _inspected(framework, bool(names), log)
            inspected.append(framework)
            if framework.starved and (contention.others_cpus or 0.0) <= CPUS_BUSY_AT_MOST:
                contention = watch()  # look at once who it is
        say("trying OpenBLAS kernels with NumPy")
        this = machine()
        kernels, note = try_kernels(this.flags, log)
    say("reading the data")
    return Facts(
        machine=this,
        contention=contention,
        frameworks=tuple(inspected),
        kernels=kernels,
        kernel_note=note,
        datasets=tuple(_dataset(name) for name, facts in DATASETS.items() if facts.fetched),
        cache=_cache(fetching.cache()),
        ignored_variables=ignored_variables(os.environ),
    )


# ------------------------------------------------------------ frameworks


def _described(names: Sequence[str]) -> list[Framework | Inspected]:
    """The frameworks asked for; one that cannot be described is broken, not unknown."""
    entered = installed()
    if not names:
        broken = [
            Inspected(name, "broken", detail=_line(why), mend=f"samestep check {name}")
            for name, why in BROKEN.items()
        ]
        return [*entered.values(), *broken]
    found: list[Framework | Inspected] = []
    for name in names:
        try:
            found.append(find(name))
        except UnknownFrameworkError as error:
            if name not in BROKEN and not Path(name).is_file():
                raise
            mend = f"correct the file, then: samestep check {name}"
            found.append(Inspected(name, "broken", detail=_line(str(error)), mend=mend, named=True))
    return found


def _inspected(framework: Framework, named: bool, log: Path) -> Inspected:
    """One framework, asked in a worker of its own."""
    known: dict[str, Any] = {
        "name": framework.name,
        "version": framework.version,
        "named": named,
        "loops": framework.loops,
        "native": framework.name in installed("native"),
    }
    if framework.missing:
        detail = f"no {', '.join(framework.missing)}"
        return Inspected(state="missing", detail=detail, mend=framework.install_line, **known)
    answer = _ask_once(framework, {"inspect": "framework"}, os.environ, log)
    misses = answer.pop("misses", None)
    if problem := answer.pop("problem", None):
        mend = _mend(framework, misses, imported="import_s" in answer)
        return Inspected(state="broken", detail=_line(problem), mend=mend, **known, **answer)
    affinity = answer.pop("affinity")
    return Inspected(
        state="ok",
        affinity=None if affinity is None else tuple(affinity),
        pools=tuple(Pool(**pool) for pool in answer.pop("pools")),
        **known,
        **answer,
    )


def _mend(framework: Framework, misses: str | None, imported: bool) -> str:
    if misses:
        return f"python -m pip install {misses}"
    if framework.requirements and not imported:
        packages = " ".join(framework.requirements)
        return f"python -m pip install --force-reinstall {packages}"
    place = framework.module if framework.module.endswith(".py") else framework.name
    return f"correct the adapter; `samestep check {place}` says whether it is right"


def _ask_once(
    framework: Framework, message: Mapping[str, Any], parent: Mapping[str, str], log: Path
) -> dict[str, Any]:
    worker = _worker(framework, parent, log)
    try:
        return _ask(worker, message)
    finally:
        worker.close()


def _worker(framework: Framework, parent: Mapping[str, str], log: Path) -> WorkerProcess:
    setup = {"framework": asdict(framework), "threads": THREADS}
    return WorkerProcess(setup, child_environment(parent, THREADS, "auto"), log)


def _ask(worker: WorkerProcess, message: Mapping[str, Any]) -> dict[str, Any]:
    """Its answer; a death is a `problem`."""
    answer = worker.ask(message, TIMEOUT_S)
    if not isinstance(answer, Death):
        return answer
    said = [line.strip() for line in worker.log_tail if line.strip()]
    frames = [line for line in said if line.startswith('File "')]  # by faulthandler
    last = f"; {(frames or said[-1:])[0]}" if said else ""
    return {"problem": f"its process {_death(answer)}{last}"}


def _death(death: Death) -> str:
    return {
        "timeout": f"gave no answer and was {death.detail}",
        "crashed": f"crashed ({death.detail})",
    }.get(death.status, death.detail)


# ------------------------------------------------------------ OpenBLAS kernels


def try_kernels(flags: frozenset[str], log: Path) -> tuple[tuple[Kernel, ...], str]:
    """NumPy's product with each choice of kernels that this CPU can run, in turns.

    Returns:
        The choices; and why there are none, or what to know of them.
    """
    chosen = os.environ.get(KERNEL_CHOICE) or "automatic"
    possible = [name for name, needs in KERNELS.items() if needs <= flags]
    parent = {name: value for name, value in os.environ.items() if name != KERNEL_CHOICE}
    answers: dict[str, list[dict[str, Any]]] = {}
    workers: dict[str, WorkerProcess] = {}
    try:
        for choice in dict.fromkeys(["automatic", chosen, *possible]):
            own = {} if choice == "automatic" else {KERNEL_CHOICE: choice}
            workers[choice] = _worker(JUST_NUMPY, parent | own, log)
            answers[choice] = [_ask(workers[choice], {"inspect": "numpy"})]
        twins = _twins(answers, chosen)
        for turn in range(1, KERNEL_ROUNDS_IF_STARVED):
            if turn >= KERNEL_ROUNDS and not any(map(_starved, answers.values())):
                break
            for choice in [name for name in answers if name not in twins]:
                if "problem" not in answers[choice][-1]:
                    answers[choice].append(_ask(workers[choice], {"inspect": "numpy"}))
    finally:
        for worker in workers.values():
            worker.close()
    if not any(_openblas(given[0]) or "problem" in given[0] for given in answers.values()):
        return (), "NumPy's BLAS is not OpenBLAS: there is nothing to choose"
    kernels = [
        Kernel(
            choice,
            _openblas(given[0]),
            max((answer["gflops"] for answer in given if "gflops" in answer), default=None),
            choice == chosen,
            _line(given[-1].get("problem", "")),
        )
        for choice, given in answers.items()
        if choice not in twins
    ]
    meant = ", ".join(f"{name} means {kernel}" for name, kernel in twins.items() if name != kernel)
    return tuple(kernels), f"in NumPy's OpenBLAS, {meant}" if meant else ""


def _twins(answers: Mapping[str, list[dict[str, Any]]], chosen: str) -> dict[str, str]:
    """Choices that gave the kernels of a choice before them, with these kernels."""
    seen: set[str] = set()
    found = {}
    for choice, given in answers.items():
        kernel = _openblas(given[0])
        if kernel in seen and choice not in ("automatic", chosen):
            found[choice] = kernel
        if kernel:
            seen.add(kernel)
    return found


def _starved(given: Sequence[Mapping[str, Any]]) -> bool:
    return any(answer.get("cpus_used", 1.0) < TOO_FEW_CPUS for answer in given)


def _openblas(answer: Mapping[str, Any]) -> str:
    """The kernels that the OpenBLAS of a worker took; "" if it has none."""
    kernels = [p["kernel"] for p in answer.get("pools", ()) if p["library"] == "openblas"]
    return str(kernels[0]) if kernels else ""


# ------------------------------------------------------------ the machine


def machine() -> Machine:
    """What the system says of itself."""
    cpuinfo = _read("/proc/cpuinfo")
    memory = psutil.virtual_memory()
    driver = _read("/proc/driver/nvidia/version").partition("\n")[0].strip()
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = tuple(round(value, 2) for value in os.getloadavg())
    return Machine(
        cpu=_field(cpuinfo, "model name") or platform.processor() or "n/a",
        cpus_usable=available_cpus(),
        cpus=os.cpu_count() or 1,
        flags=frozenset((_field(cpuinfo, "flags") or _field(cpuinfo, "Features")).split()),
        mhz=_mhz(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        memory_gib=memory.total / GIB,
        memory_free_gib=memory.available / GIB,
        load=load,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu_limit=cpu_limit(),
        memory_limit_gib=_memory_limit_gib(memory.total),
        gpu_driver=driver or None,
        gpus=_gpus(),
    )


def _field(text: str, name: str) -> str:
    """The first value of `name : value`."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _mhz() -> float | None:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, AttributeError, NotImplementedError, RuntimeError):
        return None
    return float(frequency.current) or None if frequency else None


def cpu_limit() -> float | None:
    """CPUs that the control group may use at a time; None without a limit."""
    for folder in _cgroups():
        quota, _, period = _read(f"{folder}/cpu.max").partition(" ")
        if quota.isdecimal() and period.strip().isdecimal():
            return int(quota) / int(period)
    quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()
    period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    if quota.isdecimal() and period.isdecimal() and int(period):
        return int(quota) / int(period)
    return None


def _memory_limit_gib(total: int) -> float | None:
    files = [f"{folder}/memory.max" for folder in _cgroups()]
    for file in (*files, "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(file).strip()
        if text.isdecimal() and int(text) < total:
            return int(text) / GIB
    return None


def _cgroups() -> list[str]:
    """The control group of this process and those above it, innermost first."""
    own = next((x[3:] for x in _read("/proc/self/cgroup").splitlines() if x.startswith("0::")), "/")
    path = Path("/sys/fs/cgroup") / own.strip("/")
    above = [path, *path.parents]
    return [str(folder) for folder in above if folder.is_relative_to("/sys/fs/cgroup")]


def _gpus() -> tuple[str, ...]:
    """`NVIDIA H100, driver 550.54, 81559 MiB`, as nvidia-smi says; () without one."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ()
    query = "--query-gpu=name,driver_version,memory.total"
    try:
        done = subprocess.run(
            [tool, query, "--format=csv,noheader"],
            capture_output=True, text=True, errors="replace", timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return tuple(line.strip() for line in lines if line.strip())


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# ------------------------------------------------------------ what others take


def watch(seconds: float = WATCHED_S) -> Contention:
    """Who keeps the CPUs that this process may use busy."""
    processes = _cpu_times()
    own, before, began = time.process_time(), _ticks(), time.monotonic()
    time.sleep(seconds)
    passed, after, used = time.monotonic() - began, _ticks(), time.process_time() - own
    takers = []
    for process, (name, cpu_s) in _cpu_times().items():
        cpus = (cpu_s - processes.get(process, (name, 0.0))[1]) / passed
        if cpus > TAKES_CPUS and process[0] != os.getpid():
            takers.append(Taker(name, process[0], round(cpus, 2)))
    takers.sort(key=lambda taker: -taker.cpus)
    if before is None or after is None:
        return Contention(None, None, tuple(takers[:TAKERS_AT_MOST]))
    busy, steal = ((new - old) / passed for new, old in zip(after, before, strict=True))
    others = max(0.0, busy - used / passed)
    return Contention(round(others, 2), round(steal, 2), tuple(takers[:TAKERS_AT_MOST]))


def _cpu_times() -> dict[tuple[int, float], tuple[str, float]]:
    """(Process, its start) to its name and the CPU seconds it took."""
    found = {}
    for process in psutil.process_iter(("pid", "name", "cpu_times", "create_time")):
        facts = process.info
        if facts["cpu_times"]:
            spent = facts["cpu_times"].user + facts["cpu_times"].system
            found[facts["pid"], facts["create_time"] or 0.0] = str(facts["name"]), spent
    return found


def _ticks() -> tuple[float, float] | None:
    """Seconds that our CPUs were busy, and stolen, since the start; None where not told."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    busy = steal = 0
    for line in _read("/proc/stat").splitlines():
        name, *values = line.split()
        if name in ours and len(values) >= 8:
            user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, values[:8])
            busy += user + nice + system + irq + softirq
            steal += stolen
    per_second = os.sysconf("SC_CLK_TCK")
    return (busy / per_second, steal / per_second) if busy else None


# ------------------------------------------------------------ data


def _dataset(name: str) -> Dataset:
    folder = fetching.folder(name)
    try:
        fetching.files(name, folder)
    except (fetching.DataMissingError, OSError) as error:
        if not any((folder / file).exists() for file in MEMBERS.values()):
            return Dataset(name, "absent")
        what = str(error).removeprefix(f"{name}: ").partition(";")[0].partition(": SHA-256")[0]
        return Dataset(name, "damaged", _line(what))
    return Dataset(name, "verified")


def _cache(folder: Path) -> Cache:
    """Free disk and whether it can be written, at the nearest folder that exists."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    free_gib = None
    with contextlib.suppress(OSError):
        free_gib = shutil.disk_usage(there).free / GIB
    return Cache(str(folder), free_gib, there.is_dir() and os.access(there, os.W_OK))


def _line(text: str) -> str:
    return " ".join(text.split())
