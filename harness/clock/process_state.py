"""What code can change in its own process, and what the next trial there would inherit.

Imports the standard library only: the state is read before anything heavy is imported.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.clock.environment import STATED, THREAD_VARIABLES

STEERING = (
    *THREAD_VARIABLES, "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "MALLOC_",
    "LD_", "DYLD_", "PYTHONPATH", "PYTHONHOME", "XLA_FLAGS", "TF_XLA_FLAGS", "CUDA_VISIBLE_DEVICES",
    "CUBLAS_", "NVIDIA_TF32_OVERRIDE", "PATH", "HOME", "TMPDIR", "TZ", "LC_ALL", "SAMESTEP_",
)  # fmt: skip
"""Beginnings of the names of variables that decide where and how fast others compute."""
SET_ON_IMPORT = frozenset(
    {"KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}
)
"""Variables of these that adapters and frameworks set for themselves when they are imported."""
IS_SPENT = "is_spent"
"""Key of a worker's answer: its process is not as it was, and must run no further trial."""
CLOCKS = ("perf_counter", "perf_counter_ns", "process_time", "monotonic", "time")


@dataclass(frozen=True)
class ProcessState:
    """The state of this process that outlives a trial. None: the system has no such thing.

    Args:
        environment: variables that steer what computes.
        cpus: numbers of the CPUs that any of its threads may use.
        niceness: how far it steps back behind other processes, -20 to 19.
        policy: of the scheduler, as its number.
        folder: the working directory; "" where it was removed.
        umask: permissions that new files do not get.
        limits: soft limits of resources, by name.
        timers: whether an alarm is set.
        on_interrupt: what handles SIGINT.
        clocks: the functions that say the time.
    """

    environment: MappingProxyType[str, str]
    cpus: frozenset[int] | None
    niceness: int | None
    policy: int | None
    folder: str
    umask: int | None
    limits: MappingProxyType[str, int]
    timers: bool
    on_interrupt: object
    clocks: tuple[object, ...]

    @classmethod
    def now(cls) -> "ProcessState":
        """Read the state of this process."""
        return cls(
            environment=MappingProxyType(dict(_steering_variables())),
            cpus=_cpus_of_all_threads(),
            niceness=os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else None,
            policy=os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None,
            folder=_working_directory(),
            umask=_umask(),
            limits=MappingProxyType(_limits()),
            timers=hasattr(signal, "getitimer") and signal.getitimer(signal.ITIMER_REAL)[0] > 0,
            on_interrupt=signal.getsignal(signal.SIGINT),
            clocks=tuple(getattr(time, name) for name in CLOCKS),
        )

    def changes_since(self, before: "ProcessState") -> list[str]:
        """Return in words what is not as it was `before`, a part of a sentence each."""
        return [
            *_environment_changes(before.environment, self.environment),
            *_cpu_changes(before.cpus, self.cpus),
            *_changed("niceness", before.niceness, self.niceness),
            *_changed("scheduling policy", before.policy, self.policy),
            *(["the working directory"] if self.folder != before.folder else []),
            *_changed("umask", _octal(before.umask), _octal(self.umask)),
            *(
                f"the limit {name}"
                for name, value in self.limits.items()
                if value != before.limits.get(name)
            ),
            *(["an alarm is set"] if self.timers and not before.timers else []),
            *(["the handler of SIGINT"] if self.on_interrupt != before.on_interrupt else []),
            *(
                f"time.{name}"
                for name, new, old in zip(CLOCKS, self.clocks, before.clocks, strict=True)
                if new is not old
            ),
        ]


def _steering_variables() -> Iterator[tuple[str, str]]:
    for name, value in sorted(os.environ.items()):
        steers = name in STATED or name.startswith(STEERING)
        if steers and name not in SET_ON_IMPORT:
            yield name, value


def _environment_changes(
    before: MappingProxyType[str, str], after: MappingProxyType[str, str]
) -> list[str]:
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return [f"the variable {name}" for name in names]


def _cpus_of_all_threads() -> frozenset[int] | None:
    """Numbers of the CPUs that some thread of this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    threads = Path("/proc/self/task")
    numbers = [0, *(int(t.name) for t in threads.iterdir())] if threads.is_dir() else [0]
    cpus: set[int] = set()
    for number in numbers:
        try:
            cpus |= os.sched_getaffinity(number)
        except OSError:  # it has ended
            continue
    return frozenset(cpus)


def _cpu_changes(before: frozenset[int] | None, after: frozenset[int] | None) -> list[str]:
    if before == after or before is None or after is None:
        return []
    return [f"may run on CPUs {_listed(after)}, given {_listed(before)}"]


def _listed(cpus: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(cpus)))


def _changed(what: str, before: object, after: object) -> list[str]:
    return [f"{what} {before} to {after}"] if before != after else []


def _octal(umask: int | None) -> str | None:
    return None if umask is None else f"{umask:03o}"


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def _umask() -> int | None:
    """Read from Linux, because elsewhere it can only be read by setting it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), None)


def _limits() -> dict[str, int]:
    try:
        import resource
    except ImportError:  # Windows
        return {}
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name))[0] for name in names}
