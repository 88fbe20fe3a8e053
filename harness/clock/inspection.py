"""What `samestep doctor` judges: facts about machine, frameworks and data; which are problems.

The judgement is pure: `problems` and `notes` read a `Facts` and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.clock.environment import INHERITED, KERNEL_CHOICE

SIDE = 512
"""Rows and columns of the float32 matrices whose product is timed."""
THREADS = 1
"""A worker of the doctor is given so many, as one of `samestep report` is by default."""

TOO_MANY_CPUS, TOO_FEW_CPUS = 1.1, 0.85
FASTER_KERNEL = 1.15
CPUS_BUSY_AT_MOST = 0.2
FREE_GIB_AT_LEAST = 1.0
SLOW_PRODUCT = 0.6

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


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the line that mends it."""

    what: str
    mend: str


def problems(facts: Facts) -> list[Problem]:
    """All that is wrong, the gravest first."""
    return [
        *_of_frameworks(facts.frameworks),
        *_of_threads(facts.frameworks),
        *_of_kernels(facts.kernels),
        *_of_contention(facts),
        *_of_machine(facts.machine),
        *_of_data(facts.datasets, facts.cache),
    ]


def _of_frameworks(frameworks: Sequence[Inspected]) -> Iterator[Problem]:
    for framework in frameworks:
        if framework.state == "broken":
            yield Problem(f"{framework.name} is broken: {framework.detail}", framework.mend)
        if framework.state == "missing" and framework.named:
            yield Problem(f"{framework.name} is not installed", framework.mend)


def _of_threads(frameworks: Sequence[Inspected]) -> Iterator[Problem]:
    mend = "give its pools task.threads threads, in the constructor of its adapter"
    for framework in frameworks:
        used = framework.cpus_used
        if used is not None and used > TOO_MANY_CPUS * THREADS:
            yield Problem(f"{framework.name} uses {used:.1f} CPUs where {THREADS} is asked", mend)
            continue
        for pool in framework.pools:
            if pool.threads > THREADS:
                what = f"{framework.name}: {pool.library} has {pool.threads} threads"
                yield Problem(f"{what} where {THREADS} is asked", mend)


def _of_kernels(kernels: Sequence[Kernel]) -> Iterator[Problem]:
    measured = [kernel for kernel in kernels if kernel.gflops]
    used = next((kernel for kernel in measured if kernel.in_use), None)
    if used is None or not used.gflops:
        failed = next((kernel for kernel in kernels if kernel.in_use and kernel.detail), None)
        if failed and failed.choice != "automatic":
            what = f"NumPy does not run with {KERNEL_CHOICE}={failed.choice}: {failed.detail}"
            yield Problem(what, f"unset {KERNEL_CHOICE}")
        return
    automatic = next((kernel for kernel in measured if kernel.choice == "automatic"), used)
    if used.choice.lower() not in ("automatic", used.kernel.lower()) and (
        used.kernel == automatic.kernel
    ):
        what = (
            f"{KERNEL_CHOICE}={used.choice} changes nothing: OpenBLAS takes {used.kernel} kernels"
        )
        yield Problem(what, f"unset {KERNEL_CHOICE}")
    others = [kernel for kernel in measured if kernel.kernel != used.kernel]
    best = max(others, key=lambda kernel: kernel.gflops or 0.0, default=used)
    ratio = (best.gflops or 0.0) / used.gflops
    if ratio >= FASTER_KERNEL:
        yield Problem(
            f"NumPy multiplies at {used.gflops:.0f} GFLOP/s: its OpenBLAS "
            f"{'takes' if used.choice == 'automatic' else 'was told to take'} {used.kernel} "
            f"kernels on this CPU, and with {best.kernel} kernels it is {ratio:.1f} times as fast",
            f"unset {KERNEL_CHOICE}"
            if best.choice == "automatic"
            else f"export {KERNEL_CHOICE}={best.choice}",
        )


def _of_contention(facts: Facts) -> Iterator[Problem]:
    others = facts.contention.others_cpus or 0.0
    steal = facts.contention.steal_cpus or 0.0
    starved = ", ".join(
        f"{framework.name} {framework.cpus_used:.2f}"
        for framework in facts.frameworks
        if framework.starved
    )
    if others > CPUS_BUSY_AT_MOST:
        takers = ", ".join(
            f"{taker.name} ({taker.cpus:.1f}, pid {taker.pid})" for taker in facts.contention.takers
        )
        yield Problem(
            f"others keep {others:.1f} of {facts.machine.cpus_usable} CPUs busy"
            f"{': ' + takers if takers else ''}; times will be too long and scatter"
            f"{'. CPUs they left where 1 was asked: ' + starved if starved else ''}",
            f"{_see(facts.contention.takers)}stop them, or wait until they are done",
        )
    if steal > CPUS_BUSY_AT_MOST:
        what = f"the host gives {steal:.1f} of this virtual machine's CPUs to others (steal)"
        yield Problem(what, "time at a quieter hour, or on a machine of your own")
    if starved and max(others, steal) <= CPUS_BUSY_AT_MOST:
        what = f"something else ran: CPUs it left where 1 was asked: {starved}"
        yield Problem(what, "see with `top` what it is, stop it, and run samestep doctor again")


def _see(takers: Sequence[Taker]) -> str:
    pids = ",".join(str(taker.pid) for taker in takers)
    return f"see what they are with `ps -fp {pids}`; " if pids else ""


def _of_machine(machine: Machine) -> Iterator[Problem]:
    if machine.cpu_limit is not None and machine.cpu_limit < THREADS:
        what = f"this container may use {machine.cpu_limit:g} CPU, so it is stopped time and again"
        yield Problem(what, "start it with at least one whole CPU (docker run --cpus 1)")
    if machine.memory_free_gib < FREE_GIB_AT_LEAST:
        what = f"{machine.memory_free_gib:.1f} GiB of memory are free; a trial takes up to 1 GiB"
        yield Problem(what, "end programs that you do not need")


def _of_data(datasets: Sequence[Dataset], cache: Cache) -> Iterator[Problem]:
    for dataset in datasets:
        if dataset.state == "damaged":
            yield Problem(f"{dataset.name} is damaged: {dataset.detail}", dataset.mend)
    if not cache.writable:
        what = f"the folder for data, {cache.folder}, cannot be written"
        yield Problem(what, "export SAMESTEP_CACHE=FOLDER, one that can be")
    elif cache.free_gib is not None and cache.free_gib < FREE_GIB_AT_LEAST:
        what = f"{cache.free_gib:.1f} GiB are free in {cache.folder}"
        yield Problem(what, "free some, or export SAMESTEP_CACHE=FOLDER on another disk")


def notes(facts: Facts) -> list[str]:
    """What is worth knowing and no problem."""
    found = [
        f"{framework.name} is not installed; if you want it: {framework.mend}"
        for framework in facts.frameworks
        if framework.state == "missing" and not framework.named
    ]
    found += [
        f"{dataset.name} is not here yet; `samestep report` fetches it when a trial needs it, or "
        f"you do: {dataset.mend}"
        for dataset in facts.datasets
        if dataset.state == "absent"
    ]
    by_name = shares(facts.frameworks)
    found += [
        f"{framework.name} reaches {by_name[framework.name]:.0%} of the best product here; that "
        f"is the speed of its own library{' (' + framework.blas + ')' if framework.blas else ''} "
        "on this machine, no setting of yours"
        for framework in facts.frameworks
        if by_name.get(framework.name, 1.0) < SLOW_PRODUCT and not framework.starved
    ]
    if facts.machine.gpus or facts.machine.gpu_driver:
        on_cpu = [f.name for f in facts.frameworks if f.state == "ok" and f.on_cpu]
        if on_cpu:
            found.append(f"a GPU is here, and these compute on the CPU: {', '.join(on_cpu)}")
    limit = facts.machine.cpu_limit
    if limit is not None and THREADS <= limit < facts.machine.cpus_usable:
        found.append(
            f"this container may use {limit:g} CPUs at a time, though it sees "
            f"{facts.machine.cpus_usable}: keep --threads at most {int(limit)}"
        )
    if any(f.affinity is not None and len(f.affinity) > THREADS for f in facts.frameworks):
        found.append("workers could not be bound to one CPU, so their times scatter more")
    if facts.ignored_variables:
        found.append(
            "your shell sets these, and workers ignore them, so that all machines compute alike: "
            + ", ".join(facts.ignored_variables)
        )
    return found


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
