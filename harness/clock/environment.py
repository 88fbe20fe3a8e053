"""Threads, affinity and environment of a worker: stated here, never inherited by accident.

Imports the standard library only: affinity must be set before NumPy's BLAS counts the CPUs.
"""

import contextlib
import hashlib
import os
import platform
import site
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

END_OF_TRIAL = b"\n--- end of trial ---\n"
"""A worker writes this to its log before it sends a row, so the parent knows the log is whole."""

INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV",
    "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
    "XDG_CACHE_HOME", "SAMESTEP_CACHE", "SAMESTEP_DATA",
    "SYSTEMROOT", "TEMP", "TMP", "APPDATA", "LOCALAPPDATA", "USERPROFILE",
)  # fmt: skip
"""Variables a worker may take over. All others (OMP_*, MALLOC_*, TF_*, XLA_FLAGS, …) it may not:
schedulers and other tools set them silently and change times two- to threefold."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip

KERNEL_CHOICE = "SAMESTEP_OPENBLAS_CORETYPE"
"""The user's choice of OpenBLAS kernels for all workers; `samestep doctor` says when to make one.
OPENBLAS_CORETYPE itself is not inherited. The `blas` column of a row has the kernels in use."""

STATED = {
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "NVIDIA_TF32_OVERRIDE": "0",
    # glibc returns freed memory to the kernel above these sizes, and page faults then cost a
    # NumPy step more than its arithmetic; the same high values for every framework.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
}


def child_environment(parent: Mapping[str, str], threads: int, device: str) -> dict[str, str]:
    """Return the whole environment of a worker."""
    environment = {name: parent[name] for name in INHERITED if name in parent}
    environment |= STATED
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    if parent.get(KERNEL_CHOICE):
        environment["OPENBLAS_CORETYPE"] = parent[KERNEL_CHOICE]
    paths = [*_import_path(), *filter(None, [environment.pop("PYTHONPATH", "")])]
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return environment


def _import_path() -> list[str]:
    """The folder that this package is imported from, so that workers find it in any folder.

    Empty where the package is installed: Python searches `site-packages` by itself, after the
    standard library, while PYTHONPATH comes before it.
    """
    folder = Path(__file__).resolve().parents[2]
    searched = [*site.getsitepackages(), site.getusersitepackages()]
    return [] if folder in (Path(place).resolve() for place in searched) else [str(folder)]


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(allowed_cpus()) or os.cpu_count() or 1


def allowed_cpus() -> list[int]:
    """Return the numbers of the CPUs that this thread may use; none where no system says so."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def lane_cpus(threads: int, lane: int, cpus: Sequence[int] = ()) -> list[int]:
    """Return the CPUs of a lane: lane 0 has the highest-numbered ones.

    The first CPU serves interrupts. Lanes share CPUs where there are too few.

    Args:
        threads: how many CPUs a lane has.
        lane: its number.
        cpus: the CPUs of all lanes; by default those that this thread may use.
    """
    cpus = cpus or allowed_cpus()
    lane %= max(1, len(cpus) // threads)
    stop = len(cpus) - lane * threads
    return list(cpus[max(0, stop - threads) : stop])


def pin(threads: int, lane: int = 0, cpus: Sequence[int] = ()) -> str | None:
    """Bind all threads of this process to the `threads` CPUs of its lane.

    Args:
        threads: as in `lane_cpus`.
        lane: likewise.
        cpus: likewise; a process that changes its lane must say them.

    Returns:
        None when done, else why not.
    """
    if not hasattr(os, "sched_setaffinity"):
        return f"affinity cannot be set on {platform.system()}"
    own = lane_cpus(threads, lane, cpus)
    try:
        os.sched_setaffinity(0, own)
    except OSError as error:
        return f"affinity could not be set ({error.strerror})"
    for thread in _other_threads():
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(thread, own)
    if os.sched_getaffinity(0) != set(own):
        return f"affinity was not set to {own}"
    return None


def _other_threads() -> list[int]:
    """The kernel's ids of this process' other threads; none where there is no /proc."""
    threads = Path("/proc/self/task")
    numbers = [int(thread.name) for thread in threads.iterdir()] if threads.is_dir() else []
    return [number for number in numbers if number != threading.get_native_id()]


def has_gpu() -> bool:
    """Whether this machine runs NVIDIA's driver."""
    return Path("/proc/driver/nvidia/version").exists()


def machine_label() -> str:
    """Return `AMD EPYC, 2 CPUs, Linux x86_64`: it tells machines apart and is not private."""
    model = platform.processor() or "unknown CPU"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    gpu = ", NVIDIA GPU" if has_gpu() else ""
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}{gpu}"


def on_this_machine(trial: str) -> str:
    """Return the name of a cached file that holds for a trial on machines like this one only."""
    return f"{trial}-{hashlib.sha256(machine_label().encode()).hexdigest()[:8]}.json"
