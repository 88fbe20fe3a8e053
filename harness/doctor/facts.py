"""The facts that `samestep doctor` collects about the machine, the frameworks and the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SIDE = 512
"""Rows and columns of the float32 matrices whose product is timed."""
THREADS = 1
"""How many threads a worker of the doctor may use: the default of `samestep report`."""

TOO_FEW_CPUS = 0.85
"""A worker that gets less of its CPU than this shares it with another process."""
CPUS_BUSY_AT_MOST = 0.2
"""Other processes may use this many CPUs before times are in doubt."""

KERNELS: dict[str, frozenset[str]] = {
    "Haswell": frozenset({"avx2", "fma"}),
    "Zen": frozenset({"avx2", "fma"}),
    "SkylakeX": frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}),
    "Cooperlake": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512_bf16", "avx512_vnni"}),
    "Sapphirerapids": frozenset({"avx512f", "avx512_bf16", "avx512_fp16", "amx_tile"}),
}
"""Names that OPENBLAS_CORETYPE may have, and the CPU flags that each needs."""


class FrameworkState(StrEnum):
    """Whether a framework can be used."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"


class DatasetState(StrEnum):
    """Whether the files of a dataset are on this machine and are the published ones."""

    VERIFIED = "verified"
    ABSENT = "absent"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Machine:
    """The machine; a field is None where the system does not report it.

    Args:
        cpus_usable: how many CPUs this process may use.
        cpus: how many CPUs there are.
        flags: the CPU's instruction sets, as Linux names them.
        mhz: the CPU's present frequency.
        governor: what controls the frequency.
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
class BusyProcess:
    """Another process, and how many CPUs it uses."""

    name: str
    pid: int
    cpus: float


@dataclass(frozen=True)
class Contention:
    """How much of this process's CPUs others use; None where the system does not report it.

    Args:
        others_cpus: how many of them other processes use.
        steal_cpus: how many of them the host of a virtual machine gives to others.
        busy_processes: the processes that use most.
    """

    others_cpus: float | None
    steal_cpus: float | None
    busy_processes: tuple[BusyProcess, ...]


@dataclass(frozen=True)
class Pool:
    """A thread pool or BLAS, as threadpoolctl reports it."""

    library: str
    version: str
    kernel: str
    threads: int


@dataclass(frozen=True)
class Inspected:
    """A framework, as a worker of its own measured it.

    Args:
        state: whether it can be used.
        detail: why it cannot be used, in one line.
        fix: the command or advice that solves this.
        named: whether the user named it.
        loops: its loops in the identical track.
        lacks: loops that cannot run here, and what each of them needs.
        native: whether it has a trainer in the native track.
        import_s: seconds of importing NumPy and the framework.
        affinity: CPUs that its process may use; None where the system does not report them.
        os_threads: how many threads its process has.
        cpus_used: CPU time / wall time while it multiplies.
        gflops: 10^9 floating-point operations per second of `matrix_products`.
    """

    name: str
    state: FrameworkState
    version: str = ""
    detail: str = ""
    fix: str = ""
    named: bool = False
    loops: tuple[str, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)
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
        """Whether the framework multiplies on the CPU."""
        return (self.device or "cpu").startswith("cpu")

    @property
    def starved(self) -> bool:
        """Whether the framework got less than one CPU while it multiplied."""
        return self.on_cpu and self.cpus_used is not None and self.cpus_used < TOO_FEW_CPUS


@dataclass(frozen=True)
class Kernel:
    """NumPy's product with one choice of OpenBLAS kernels.

    Args:
        choice: "automatic", or a value of OPENBLAS_CORETYPE.
        kernel: the kernels that OpenBLAS then uses.
        gflops: the best of several turns; None where it was not measured.
        in_use: whether workers compute with this choice.
        detail: why the product was not measured.
    """

    choice: str
    kernel: str
    gflops: float | None
    in_use: bool
    detail: str = ""


@dataclass(frozen=True)
class Dataset:
    """A dataset that has to be fetched.

    Args:
        state: whether its files are here and correct.
        detail: what is wrong with them.
    """

    name: str
    state: DatasetState
    detail: str = ""

    @property
    def fix(self) -> str:
        """The command that fetches the dataset."""
        return f"samestep data fetch {self.name}"


@dataclass(frozen=True)
class Cache:
    """The folder that fetched data is stored in."""

    folder: str
    free_gib: float | None
    writable: bool


@dataclass(frozen=True)
class Facts:
    """All facts together."""

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
        """Whether no framework is installed."""
        return all(framework.state == FrameworkState.MISSING for framework in self.frameworks)


def shares_of_best(frameworks: Sequence[Inspected]) -> dict[str, float]:
    """Return each framework's speed over the best one on the same kind of device."""
    fractions = {}
    for framework in frameworks:
        speeds = [f.gflops for f in frameworks if f.gflops and f.on_cpu == framework.on_cpu]
        if framework.gflops:
            fractions[framework.name] = framework.gflops / max(speeds)
    return fractions
