"""What a worker of `samestep doctor` measures in its own process."""

import os
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.doctor.facts import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNS, TURN_S, TURNS_S_AT_MOST = 60, 0.005, 0.6
"""Many short turns: where a CPU is shared, the best turn still had the CPU alone."""


def numpy_product() -> dict[str, Any]:
    """Return the speed of NumPy's float32 product, and the pools and kernels of its BLAS."""
    import numpy as np

    x, y = (np.random.default_rng(seed).standard_normal((SIDE, SIDE), "float32") for seed in (0, 1))
    product = np.empty_like(x)

    def multiply(times: int) -> None:
        for _ in range(times):
            np.matmul(x, y, out=product)

    return speed(multiply, 2.0 * SIDE**3) | threads_and_pools()


def speed(multiply: Callable[[int], None], operations: float) -> dict[str, float]:
    """Return GFLOP/s of the best turn, and CPU time / wall time over all turns.

    Args:
        multiply: repeats its products so many times, and returns when they are done.
        operations: floating-point operations of one repetition.
    """
    multiply(1)  # the first call may compile
    began = time.perf_counter()
    multiply(1)
    once_s = time.perf_counter() - began
    times = max(1, min(1_000, int(TURN_S / max(once_s, 1e-9))))
    best_s, wall_s, cpu_s = float("inf"), 0.0, 0.0
    for _ in range(TURNS):
        cpu_began, began = time.process_time(), time.perf_counter()
        multiply(times)
        turn_s = time.perf_counter() - began
        cpu_s += time.process_time() - cpu_began
        wall_s += turn_s
        best_s = min(best_s, turn_s / times)
        if wall_s > TURNS_S_AT_MOST:
            break
    return {"gflops": operations * 1e-9 / best_s, "cpus_used": cpu_s / wall_s}


def operands(dtype: str) -> "list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]":
    """Return one layer for `matrix_products`: x, W and d, all of SIDE x SIDE."""
    import numpy as np

    generator = np.random.default_rng(0)
    x, weights, d = (generator.standard_normal((SIDE, SIDE)).astype(dtype) for _ in range(3))
    return [(x, weights / np.sqrt(SIDE, dtype=dtype), d)]


def speed_of(multiply: Callable[[int], None] | None) -> dict[str, float]:
    """Return the `speed` of an adapter's products x W and x^T d; {} without such products."""
    return speed(multiply, 2 * 2.0 * SIDE**3) if multiply else {}


def describe_error(error: BaseException) -> dict[str, str]:
    """Return an exception as one line with its place, and the module that could not be found."""
    text = " ".join(str(error).split())[:300]
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
    else:
        in_files = [f for f in frames if not f.filename.startswith("<frozen")]
        place = f"{in_files[-1].filename}:{in_files[-1].lineno}" if in_files else "?"
    description = {"problem": f"{type(error).__name__}: {text} ({place})"}
    if isinstance(error, ModuleNotFoundError) and error.name:
        description["missing_module"] = error.name.partition(".")[0]
    return description


def threads_and_pools() -> dict[str, Any]:
    """Return the CPUs, the thread pools and the number of threads of this process."""
    import psutil
    from threadpoolctl import threadpool_info

    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    pools = [
        {
            "library": pool["internal_api"],
            "version": str(pool["version"] or ""),
            "kernel": str(pool.get("architecture") or ""),
            "threads": int(pool["num_threads"]),
        }
        for pool in threadpool_info()
    ]
    return {"affinity": affinity, "pools": pools, "os_threads": psutil.Process().num_threads()}
