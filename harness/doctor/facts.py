"""The facts that `samestep doctor` finds: about machine, frameworks and data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.clock.environment import INHERITED

SIDE = 512
"""Rows and columns of the float32 matrices whose product is timed."""
THREADS = 1
"""A worker of the doctor is given so many, as one of `samestep report` is by default."""

TOO_FEW_CPUS = 0.85
CPUS_BUSY_AT_MOST = 0.2

KERNELS: dict[str, frozenset[str]] = {
    "Haswell": frozenset({"avx2", "fma"}),
    "Zen": frozenset({"avx2", "fma"}),
    "SkylakeX": frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}),
    "Cooperlake": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512_bf16", "avx512_vnni"}),
    "Sapphirerapids": frozenset({"avx512f", "avx512_bf16", "avx512_fp16", "amx_tile"}),
}
"""Names that OpenBLAS takes in OPENBLAS_CORETYPE, and the CPU flags that each needs."""

FOREIGN = (
    "OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "VECLIB_", "NUMEXPR_",
    "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "TF_", "XLA_", "JAX_", "KERAS_", "TORCH_",
    "PYTORCH_", "ATEN_", "CUBLAS_", "CUDA_", "NVIDIA_TF32_OVERRIDE", "ONEDNN_", "DNNL_", "NPY_",
)  # fmt: skip
"""Beginnings of variables that change how fast or how exactly frameworks compute."""


@dataclass(frozen=True)
class Machine:
    """The machine; None where it does not say.

    Args:
        cpus_usable, cpus: CPUs this process may use, and all.
        flags: the CPU's instruction sets, as Linux names them.
        mhz, governor: frequency now, and what steers it.
        load: averages over 1, 5 and 15 minutes.
        cpu_limit: CPUs that the container may use at a time; None also where it has no limit.
    """

    cpu: str
    cpus_usable: int
    cpus: int
    flags: frozenset[str]
    mhz: float | None
    governor: str | None
    memory_gib: float
    memory_free_gib: float
    load: tuple[float, ...] | None
    system: str
    python: str
    cpu_limit: float | None
    memory_limit_gib: float | None
    gpu_driver: str | None
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Taker:
    """A process of somebody else, and the CPUs it keeps busy."""

    name: str
    pid: int
    cpus: float


@dataclass(frozen=True)
class Contention:
    """One second of the CPUs that this process may use; None where the system does not say."""

    others_cpus: float | None
    steal_cpus: float | None
    takers: tuple[Taker, ...]


@dataclass(frozen=True)
class Pool:
    """A thread pool or BLAS, as threadpoolctl sees it."""

    library: str
    version: str
    kernel: str
    threads: int


@dataclass(frozen=True)
class Inspected:
    """A framework, as its own worker found it.

    Args:
        state: "ok", "missing" or "broken".
        detail: why it is not ok, in one line.
        mend: the line that mends that.
        named: whether the user asked for it.
        loops: of the identical track; `native` if it has a trainer in the other.
        import_s: NumPy's import and its own.
        affinity: CPUs its process may use; None where the system does not say.
        os_threads: how many its process has.
        cpus_used: CPU time / wall time while it multiplies.
        gflops: 10^9 floating-point operations per second of `matrix_products`.
    """

    name: str
    state: str
    version: str = ""
    detail: str = ""
    mend: str = ""
    named: bool = False
    loops: tuple[str, ...] = ()
    native: bool = False
    import_s: float | None = None
    device: str | None = None
    precision: str | None = None
    blas: str | None = None
    affinity: tuple[int, ...] | None = None
    pools: tuple[Pool, ...] = ()
    os_threads: int | None = None
    cpus_used: float | None = None
    gflops: float | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether it multiplies on the CPU."""
        return (self.device or "cpu").startswith("cpu")

    @property
    def starved(self) -> bool:
        """Whether it got less than its CPU while it multiplied."""
        return self.on_cpu and self.cpus_used is not None and self.cpus_used < TOO_FEW_CPUS


@dataclass(frozen=True)
class Kernel:
    """NumPy's product with one choice of OpenBLAS kernels.

    Args:
        choice: "automatic", or a name for OPENBLAS_CORETYPE.
        kernel: what OpenBLAS then took.
        gflops: best of several turns; None if `detail` says why there is none.
        in_use: whether workers use it.
    """

    choice: str
    kernel: str
    gflops: float | None
    in_use: bool
    detail: str = ""


@dataclass(frozen=True)
class Dataset:
    """A fetched dataset: "verified", "absent" or "damaged"."""

    name: str
    state: str
    detail: str = ""

    @property
    def mend(self) -> str:
        """The line that brings it."""
        return f"samestep data fetch {self.name}"


@dataclass(frozen=True)
class Cache:
    """Where fetched data lives."""

    folder: str
    free_gib: float | None
    writable: bool


@dataclass(frozen=True)
class Facts:
    """All that was found."""

    machine: Machine
    contention: Contention
    frameworks: tuple[Inspected, ...]
    kernels: tuple[Kernel, ...]
    kernel_note: str
    datasets: tuple[Dataset, ...]
    cache: Cache
    ignored_variables: tuple[str, ...]

    @property
    def none_installed(self) -> bool:
        """Whether there is nothing to compute with."""
        return all(framework.state == "missing" for framework in self.frameworks)


def shares(frameworks: Sequence[Inspected]) -> dict[str, float]:
    """Framework to its product's speed over the best one on the same kind of device."""
    found = {}
    for framework in frameworks:
        alike = [f.gflops for f in frameworks if f.gflops and f.on_cpu == framework.on_cpu]
        if framework.gflops:
            found[framework.name] = framework.gflops / max(alike)
    return found


def ignored_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names that change how frameworks compute, set in the user's shell, kept from workers."""
    return tuple(sorted(n for n in environment if n.startswith(FOREIGN) and n not in INHERITED))
