"""Facts about the machine and its load; None where the system does not report them."""

import contextlib
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from harness.clock.conditions import cpu_times_s
from harness.clock.environment import available_cpus
from harness.doctor.facts import BusyProcess, Contention, Machine

SAMPLE_S = 1.0
NAMED_AT_MOST = 3
BUSY_CPUS = 0.05
"""A process that uses more CPUs than this is named."""
GIB = 2**30


def read_machine() -> Machine:
    """Return what the system reports about the machine."""
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
    """Return the value of the first line `name : value`."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _mhz() -> float | None:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, AttributeError, NotImplementedError, RuntimeError):
        return None  # psutil raises one of these where a platform does not report it
    return float(frequency.current) or None if frequency else None


def cpu_limit() -> float | None:
    """Return how many CPUs the control group may use at a time; None without a limit."""
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
    """Return the folders of this process's control group and those above it, innermost first."""
    lines = _read("/proc/self/cgroup").splitlines()
    name = next((line[3:] for line in lines if line.startswith("0::")), "/")
    path = Path("/sys/fs/cgroup") / name.strip("/")
    folders = [path, *path.parents]
    return [str(folder) for folder in folders if folder.is_relative_to("/sys/fs/cgroup")]


def _gpus() -> tuple[str, ...]:
    """Return lines of nvidia-smi such as `NVIDIA H100, 550.54, 81559 MiB`; () without it."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ()
    query = "--query-gpu=name,driver_version,memory.total"
    try:
        done = subprocess.run(
            [tool, query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return tuple(line.strip() for line in lines if line.strip())


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def sample_contention(seconds: float = SAMPLE_S) -> Contention:
    """Measure for `seconds` how much other processes use the CPUs that this process may use."""
    cpu_s_before = _cpu_s_by_process()
    own_before, times_before = time.process_time(), cpu_times_s(_allowed_cpus())
    began = time.monotonic()
    time.sleep(seconds)
    passed, times_after = time.monotonic() - began, cpu_times_s(_allowed_cpus())
    own_s = time.process_time() - own_before
    busy = tuple(_busy_processes(cpu_s_before, _cpu_s_by_process(), passed)[:NAMED_AT_MOST])
    if times_before is None or times_after is None:
        return Contention(None, None, busy)
    used, steal = (
        (after - before) / passed for after, before in zip(times_after, times_before, strict=True)
    )
    others = max(0.0, used - own_s / passed)
    return Contention(round(others, 2), round(steal, 2), busy)


ProcessKey = tuple[int, float]
"""(pid, time it started): a pid alone may be used again."""


def _busy_processes(
    before: Mapping[ProcessKey, tuple[str, float]],
    after: Mapping[ProcessKey, tuple[str, float]],
    passed_s: float,
) -> list[BusyProcess]:
    """Return the other processes that used CPUs meanwhile, the busiest first."""
    busy = []
    for process, (name, cpu_s) in after.items():
        cpus = (cpu_s - before.get(process, (name, 0.0))[1]) / passed_s
        if cpus > BUSY_CPUS and process[0] != os.getpid():
            busy.append(BusyProcess(name, process[0], round(cpus, 2)))
    return sorted(busy, key=lambda process: -process.cpus)


def _cpu_s_by_process() -> dict[ProcessKey, tuple[str, float]]:
    """Return the name of every process and the CPU seconds it has used."""
    processes = {}
    for process in psutil.process_iter(("pid", "name", "cpu_times", "create_time")):
        info = process.info
        if info["cpu_times"]:
            cpu_s = info["cpu_times"].user + info["cpu_times"].system
            processes[info["pid"], info["create_time"] or 0.0] = str(info["name"]), cpu_s
    return processes


def _allowed_cpus() -> set[int] | None:
    """Return the CPUs that this process may use; None where the system does not report them."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
