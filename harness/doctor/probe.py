"""What a worker of `samestep doctor` measures of its own process."""

import os
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.doctor.facts import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNS, TURN_S, TURNS_S_AT_MOST = 60, 0.005, 0.6
"""Many short turns: where a CPU is shared, the best of them still had it alone."""


def numpy_product() -> dict[str, Any]:
    """The speed of NumPy's float32 product, and the kernels of the BLAS it loaded."""
    import numpy as np

    x, y = (np.random.default_rng(seed).standard_normal((SIDE, SIDE), "float32") for seed in (0, 1))
    product = np.empty_like(x)

    def multiply(times: int) -> None:
        for _ in range(times):
            np.matmul(x, y, out=product)

    return speed(multiply, 2.0 * SIDE**3) | threads_and_pools()


def speed(multiply: Callable[[int], None], operations: float) -> dict[str, float]:
    """GFLOP/s of the best turn, and CPU time / wall time over all.

    Args:
        multiply: computes so many times what it computes, and returns when that is done.
        operations: floating-point operations of once.
    """
    multiply(1)  # compiles, where something is compiled
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
    """One layer for `matrix_products`: x, W and d, all of SIDE x SIDE."""
    import numpy as np

    generator = np.random.default_rng(0)
    x, weights, d = (generator.standard_normal((SIDE, SIDE)).astype(dtype) for _ in range(3))
    return [(x, weights / np.sqrt(SIDE, dtype=dtype), d)]


def speed_of(multiply: Callable[[int], None] | None) -> dict[str, float]:
    """The `speed` of an adapter's products of `operands`: x W and x^T d; of none, nothing."""
    return speed(multiply, 2 * 2.0 * SIDE**3) if multiply else {}


def why_not(error: BaseException) -> dict[str, str]:
    """An exception in one line with its place, and the module that it misses, if it does."""
    text = " ".join(str(error).split())[:300]
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
    else:
        written = [f for f in frames if not f.filename.startswith("<frozen")]
        place = f"{written[-1].filename}:{written[-1].lineno}" if written else "?"
    found = {"problem": f"{type(error).__name__}: {text} ({place})"}
    if isinstance(error, ModuleNotFoundError) and error.name:
        found["misses"] = error.name.partition(".")[0]
    return found


def threads_and_pools() -> dict[str, Any]:
    """CPUs, pools and threads of this process."""
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
