"""Which of the doctor's facts are problems, and how to fix each.

`problems` and `notes` are pure functions of `Facts`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.clock.environment import KERNEL_CHOICE
from harness.doctor.facts import (
    CPUS_BUSY_AT_MOST,
    THREADS,
    BusyProcess,
    Cache,
    Dataset,
    DatasetState,
    Facts,
    FrameworkState,
    Inspected,
    Kernel,
    Machine,
    shares_of_best,
)

TOO_MANY_CPUS = 1.1
FASTER_KERNEL = 1.15
FREE_GIB_AT_LEAST = 1.0
SLOW_PRODUCT = 0.6


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the command or advice that fixes it."""

    what: str
    fix: str


def problems(facts: Facts) -> list[Problem]:
    """Return all problems, the gravest first."""
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
        if framework.state == FrameworkState.BROKEN:
            yield Problem(f"{framework.name} is broken: {framework.detail}", framework.fix)
        if framework.state == FrameworkState.MISSING and framework.named:
            yield Problem(f"{framework.name} is not installed", framework.fix)
        for loop, need in framework.lacks.items():
            yield Problem(f"{framework.name}: its {loop} loop cannot run", need)


def _of_threads(frameworks: Sequence[Inspected]) -> Iterator[Problem]:
    fix = "give its pools task.threads threads, in the constructor of its adapter"
    for framework in frameworks:
        used = framework.cpus_used
        if used is not None and used > TOO_MANY_CPUS * THREADS:
            what = f"{framework.name} uses {used:.1f} CPUs instead of {THREADS}"
            yield Problem(what, fix)
            continue
        for pool in framework.pools:
            if pool.threads > THREADS:
                what = f"{framework.name}: {pool.library} has {pool.threads} threads"
                yield Problem(f"{what} instead of {THREADS}", fix)


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
    is_named = used.choice.lower() in ("automatic", used.kernel.lower())
    if not is_named and used.kernel == automatic.kernel:
        what = f"{KERNEL_CHOICE}={used.choice} changes nothing: OpenBLAS uses {used.kernel} kernels"
        yield Problem(what, f"unset {KERNEL_CHOICE}")
    others = [kernel for kernel in measured if kernel.kernel != used.kernel]
    best = max(others, key=lambda kernel: kernel.gflops or 0.0, default=used)
    ratio = (best.gflops or 0.0) / used.gflops
    if ratio >= FASTER_KERNEL:
        uses = "uses" if used.choice == "automatic" else f"uses, because of {KERNEL_CHOICE},"
        what = (
            f"NumPy multiplies at {used.gflops:.0f} GFLOP/s: its OpenBLAS {uses} {used.kernel} "
            f"kernels on this CPU; with {best.kernel} kernels it is {ratio:.1f} times as fast"
        )
        is_automatic = best.choice == "automatic"
        export = f"export {KERNEL_CHOICE}={best.choice}"
        yield Problem(what, f"unset {KERNEL_CHOICE}" if is_automatic else export)


def _of_contention(facts: Facts) -> Iterator[Problem]:
    others = facts.contention.others_cpus or 0.0
    steal = facts.contention.steal_cpus or 0.0
    starved = ", ".join(
        f"{framework.name} {framework.cpus_used:.2f}"
        for framework in facts.frameworks
        if framework.starved
    )
    if others > CPUS_BUSY_AT_MOST:
        names = ", ".join(
            f"{process.name} ({process.cpus:.1f}, pid {process.pid})"
            for process in facts.contention.busy_processes
        )
        yield Problem(
            f"other processes use {others:.1f} of {facts.machine.cpus_usable} CPUs"
            f"{': ' + names if names else ''}; times will be too long and will vary"
            f"{'. CPUs that a worker got instead of 1: ' + starved if starved else ''}",
            f"{_identify(facts.contention.busy_processes)}stop them, or wait until they are done",
        )
    if steal > CPUS_BUSY_AT_MOST:
        what = f"the host gives {steal:.1f} of this virtual machine's CPUs to others (steal)"
        yield Problem(what, "time at a quieter hour, or on a machine of your own")
    if starved and max(others, steal) <= CPUS_BUSY_AT_MOST:
        what = f"another process ran meanwhile; CPUs that a worker got instead of 1: {starved}"
        yield Problem(what, "find it with `top`, stop it, and run samestep doctor again")


def _identify(processes: Sequence[BusyProcess]) -> str:
    pids = ",".join(str(process.pid) for process in processes)
    return f"see what they are with `ps -fp {pids}`; " if pids else ""


def _of_machine(machine: Machine) -> Iterator[Problem]:
    if machine.cpu_limit is not None and machine.cpu_limit < THREADS:
        what = f"this container may use only {machine.cpu_limit:g} CPU, so it is often paused"
        yield Problem(what, "start it with at least one whole CPU (docker run --cpus 1)")
    if machine.memory_free_gib < FREE_GIB_AT_LEAST:
        what = f"{machine.memory_free_gib:.1f} GiB of memory are free; a trial uses up to 1 GiB"
        yield Problem(what, "end programs that you do not need")


def _of_data(datasets: Sequence[Dataset], cache: Cache) -> Iterator[Problem]:
    for dataset in datasets:
        if dataset.state == DatasetState.DAMAGED:
            yield Problem(f"{dataset.name} is damaged: {dataset.detail}", dataset.fix)
    if not cache.writable:
        what = f"the folder for data, {cache.folder}, cannot be written"
        yield Problem(what, "export SAMESTEP_CACHE=FOLDER, with a folder that can be written")
    elif cache.free_gib is not None and cache.free_gib < FREE_GIB_AT_LEAST:
        what = f"{cache.free_gib:.1f} GiB are free in {cache.folder}"
        yield Problem(what, "free some, or export SAMESTEP_CACHE=FOLDER on another disk")


# ------------------------------------------------------------ notes


def notes(facts: Facts) -> list[str]:
    """Return what a user should know although it is no problem."""
    return [
        *_notes_on_installing(facts),
        *_notes_on_speed(facts),
        *_notes_on_limits(facts),
    ]


def _notes_on_installing(facts: Facts) -> Iterator[str]:
    for framework in facts.frameworks:
        if framework.state == FrameworkState.MISSING and not framework.named:
            yield f"{framework.name} is not installed; to install it: {framework.fix}"
    for dataset in facts.datasets:
        if dataset.state == DatasetState.ABSENT:
            yield (
                f"{dataset.name} is not here yet; `samestep report` fetches it when a trial needs "
                f"it; to fetch it now: {dataset.fix}"
            )


def _notes_on_speed(facts: Facts) -> Iterator[str]:
    shares = shares_of_best(facts.frameworks)
    for framework in facts.frameworks:
        share = shares.get(framework.name, 1.0)
        if share < SLOW_PRODUCT and not framework.starved:
            library = f" ({framework.blas})" if framework.blas else ""
            yield (
                f"{framework.name} reaches {share:.0%} of the best product here; this is the "
                f"speed of its own library{library} on this machine, not an effect of your settings"
            )
    if facts.machine.gpus or facts.machine.gpu_driver:
        on_cpu = [f.name for f in facts.frameworks if f.state == FrameworkState.OK and f.on_cpu]
        if on_cpu:
            yield f"a GPU is here, and these compute on the CPU: {', '.join(on_cpu)}"


def _notes_on_limits(facts: Facts) -> Iterator[str]:
    limit = facts.machine.cpu_limit
    if limit is not None and THREADS <= limit < facts.machine.cpus_usable:
        yield (
            f"this container may use {limit:g} CPUs at a time, although it sees "
            f"{facts.machine.cpus_usable}: keep --threads at most {int(limit)}"
        )
    if any(f.affinity is not None and len(f.affinity) > THREADS for f in facts.frameworks):
        yield "workers could not be bound to one CPU, so their times vary more"
    if facts.ignored_variables:
        names = ", ".join(facts.ignored_variables)
        yield (
            "workers ignore these variables of your shell, so that all machines compute "
            f"alike: {names}"
        )
