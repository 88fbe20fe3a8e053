"""What the system says of itself, and what others take of it; None where it says nothing."""

import contextlib
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from harness.clock.conditions import cpu_times_s
from harness.clock.environment import available_cpus
from harness.doctor.facts import Contention, Machine, Taker

WATCHED_S = 1.0
TAKERS_AT_MOST = 3
TAKES_CPUS = 0.05
GIB = 2**30


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
        return None  # psutil raises one of these where a platform does not tell
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


def watch(seconds: float = WATCHED_S) -> Contention:
    """Who keeps the CPUs that this process may use busy."""
    processes = _cpu_times()
    own, before, began = time.process_time(), cpu_times_s(_own_cpus()), time.monotonic()
    time.sleep(seconds)
    passed, after = time.monotonic() - began, cpu_times_s(_own_cpus())
    used = time.process_time() - own
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


def _own_cpus() -> set[int] | None:
    """CPUs that this process may use; None where the system does not say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
