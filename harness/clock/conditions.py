"""What else went on while something was timed: waiting, stealing, other processes, slowness.

Everything is read from Linux's /proc. Where /proc is absent the values are None, and no row is
called noisy for that.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns, process_time

import numpy as np

PROBES = 15
PROBE_SIZE = 128
PROBE_PRODUCTS = 4


@dataclass(slots=True)
class Conditions:
    """What went on while a region ran; filled when the region ends. None: the system is silent.

    Args:
        wait_fraction: share of the time in which a thread of this process was ready to run and
            did not.
        steal_fraction: share of the CPUs' time that the hypervisor gave to others.
        other_cpus: how many CPUs other processes kept busy.
        idle_fraction: share of the time in which the process neither computed nor waited for a
            CPU: it was frozen, or slept.
        frequency_mhz: clock of the fastest CPU.
        probe_us: time of a fixed piece of NumPy work, before or after, whichever was slower.
    """

    wait_fraction: float | None = None
    steal_fraction: float | None = None
    other_cpus: float | None = None
    idle_fraction: float | None = None
    frequency_mhz: float | None = None
    probe_us: float | None = None


@contextmanager
def record_conditions() -> Iterator[Conditions]:
    """Record the conditions of a region; costs about 5 ms before and after, nothing inside."""
    conditions = Conditions()
    probe_us = _probe_us()
    before = _Reading.now()
    try:
        yield conditions
    finally:
        _fill(conditions, before, _Reading.now())
        conditions.frequency_mhz = _frequency_mhz()
        conditions.probe_us = max(probe_us, _probe_us())


def allocator() -> str:
    """Return the glibc thresholds that the environment of this process states."""
    names = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX")
    return ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)


@dataclass(frozen=True)
class _Reading:
    wall_s: float
    waited_s: float | None
    own_cpu_s: float
    children_cpu_s: float
    busy_s: float | None
    stolen_s: float | None

    @classmethod
    def now(cls) -> "_Reading":
        busy_s, stolen_s = cpu_times_s() or (None, None)
        used = os.times()
        of_children_s = used.children_user + used.children_system
        return cls(perf_counter(), _waited_s(), process_time(), of_children_s, busy_s, stolen_s)


def _fill(conditions: Conditions, before: _Reading, after: _Reading) -> None:
    """Put what happened between two readings into the conditions."""
    wall_s = max(after.wall_s - before.wall_s, 1e-9)
    cpus = os.cpu_count() or 1
    waited = _difference(before.waited_s, after.waited_s)
    stolen = _difference(before.stolen_s, after.stolen_s)
    busy = _difference(before.busy_s, after.busy_s)
    own_cpu_s = after.own_cpu_s - before.own_cpu_s
    conditions.wait_fraction = None if waited is None else waited / wall_s
    if waited is not None:
        occupied_s = own_cpu_s + after.children_cpu_s - before.children_cpu_s + waited
        conditions.idle_fraction = max(0.0, 1 - occupied_s / wall_s)
    conditions.steal_fraction = None if stolen is None else stolen / (wall_s * cpus)
    conditions.other_cpus = None if busy is None else max(0.0, (busy - own_cpu_s) / wall_s)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _waited_s() -> float | None:
    """Seconds in which threads of this process were ready and did not run: field 2 of schedstat."""
    total = 0
    try:
        for thread in Path("/proc/self/task").iterdir():
            total += int((thread / "schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return total * 1e-9


def cpu_times_s(cpus: Iterable[int] | None = None) -> tuple[float, float] | None:
    """Return (busy, stolen) seconds of these CPUs (default: all) since the machine started.

    The kernel counts in steps of 10 ms. None where the kernel does not say.
    """
    names = {"cpu"} if cpus is None else {f"cpu{number}" for number in cpus}
    busy = stolen = 0
    try:
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
            name, *values = line.split()
            if name in names:
                user, nice, system, _, _, irq, soft, steal = map(int, values[:8])
                busy += user + nice + system + irq + soft
                stolen += steal
    except (OSError, ValueError):
        return None
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return busy * tick_s, stolen * tick_s


def _frequency_mhz() -> float | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    clocks = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    return max(clocks, default=None)


def _probe_us() -> float:
    """Median time of a few small float64 products, microseconds.

    A machine can slow down without showing it anywhere (a neighbour on the same core, a lower
    clock); the same work then takes longer.
    """
    a = np.full((PROBE_SIZE, PROBE_SIZE), 0.5)
    out = np.empty_like(a)
    times = []
    for _ in range(PROBES):
        began = perf_counter_ns()
        for _ in range(PROBE_PRODUCTS):
            np.matmul(a, a, out=out)
        times.append((perf_counter_ns() - began) * 1e-3)
    return median(times)
