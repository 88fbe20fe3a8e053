"""Which of the doctor's facts are problems, and the line that mends each.

Pure: `problems` and `notes` read a `Facts` and nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.clock.environment import KERNEL_CHOICE
from harness.doctor.facts import (
    CPUS_BUSY_AT_MOST,
    THREADS,
    Cache,
    Dataset,
    Facts,
    Inspected,
    Kernel,
    Machine,
    Taker,
    shares,
)

TOO_MANY_CPUS = 1.1
FASTER_KERNEL = 1.15
FREE_GIB_AT_LEAST = 1.0
SLOW_PRODUCT = 0.6


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
