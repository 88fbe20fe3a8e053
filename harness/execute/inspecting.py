"""Finds the facts that `samestep doctor` judges: asks the system, and a worker per framework.

Workers run one at a time. What the system does not say is None; a worker that crashes or hangs
is a framework that is broken.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.cache import cache_folder
from harness.clock.environment import KERNEL_CHOICE, child_environment
from harness.data import fetching
from harness.data.sources import MEMBERS
from harness.doctor.facts import (
    CPUS_BUSY_AT_MOST,
    KERNELS,
    THREADS,
    TOO_FEW_CPUS,
    Cache,
    Dataset,
    Facts,
    Inspected,
    Kernel,
    Pool,
    ignored_variables,
)
from harness.doctor.machine import GIB, machine, watch
from harness.execute.worker_process import Death, WorkerProcess
from harness.experiment.datasets import DATASETS
from harness.experiment.vocabulary import Track
from harness.registry import BROKEN, Framework, UnknownFrameworkError, find, installed

TIMEOUT_S = 60.0
KERNEL_ROUNDS, KERNEL_ROUNDS_IF_STARVED = 2, 3
JUST_NUMPY = Framework("numpy", Track.IDENTICAL, "", "", ("numpy",), "", ())
"""For workers that import NumPy and no adapter."""


def inspect(names: Sequence[str], say: Callable[[str], None]) -> Facts:
    """All facts.

    Args:
        names: of frameworks, files or module:Class; none means all that are entered.
        say: told what is done next.

    Raises:
        harness.registry.UnknownFrameworkError: a name that no adapter has.
    """
    described = _described(names)
    with tempfile.TemporaryDirectory(prefix="samestep-doctor-") as scratch:
        log = Path(scratch) / "log"
        say("watching the machine for a second")
        contention = watch()
        inspected = []
        for framework in described:
            if isinstance(framework, Framework):
                say(f"asking {framework.name}")
                framework = _inspected(framework, bool(names), log)
            inspected.append(framework)
            if framework.starved and (contention.others_cpus or 0.0) <= CPUS_BUSY_AT_MOST:
                contention = watch()  # look at once who it is
        say("trying OpenBLAS kernels with NumPy")
        this = machine()
        kernels, note = try_kernels(this.flags, log)
    say("reading the data")
    return Facts(
        machine=this,
        contention=contention,
        frameworks=tuple(inspected),
        kernels=kernels,
        kernel_note=note,
        datasets=tuple(_dataset(name) for name, facts in DATASETS.items() if facts.fetched),
        cache=_cache(cache_folder()),
        ignored_variables=ignored_variables(os.environ),
    )


# ------------------------------------------------------------ frameworks


def _described(names: Sequence[str]) -> list[Framework | Inspected]:
    """The frameworks asked for; one that cannot be described is broken, not unknown."""
    entered = installed()
    if not names:
        broken = [
            Inspected(name, "broken", detail=_line(why), mend=f"samestep check {name}")
            for name, why in BROKEN.items()
        ]
        return [*entered.values(), *broken]
    found: list[Framework | Inspected] = []
    for name in names:
        try:
            found.append(find(name))
        except UnknownFrameworkError as error:
            if name not in BROKEN and not Path(name).is_file():
                raise
            mend = f"correct the file, then: samestep check {name}"
            found.append(Inspected(name, "broken", detail=_line(str(error)), mend=mend, named=True))
    return found


def _inspected(framework: Framework, named: bool, log: Path) -> Inspected:
    """One framework, asked in a worker of its own."""
    known: dict[str, Any] = {
        "name": framework.name,
        "version": framework.version,
        "named": named,
        "loops": framework.loops,
        "native": framework.name in installed("native"),
    }
    if framework.missing:
        detail = f"no {', '.join(framework.missing)}"
        return Inspected(state="missing", detail=detail, mend=framework.install_line, **known)
    answer = _ask_once(framework, {"inspect": "framework"}, os.environ, log)
    misses = answer.pop("misses", None)
    if problem := answer.pop("problem", None):
        mend = _mend(framework, misses, imported="import_s" in answer)
        return Inspected(state="broken", detail=_line(problem), mend=mend, **known, **answer)
    affinity = answer.pop("affinity")
    return Inspected(
        state="ok",
        affinity=None if affinity is None else tuple(affinity),
        pools=tuple(Pool(**pool) for pool in answer.pop("pools")),
        **known,
        **answer,
    )


def _mend(framework: Framework, misses: str | None, imported: bool) -> str:
    if misses:
        return f"python -m pip install {misses}"
    if framework.requirements and not imported:
        packages = " ".join(framework.requirements)
        return f"python -m pip install --force-reinstall {packages}"
    place = framework.module if framework.module.endswith(".py") else framework.name
    return f"correct the adapter; `samestep check {place}` says whether it is right"


def _ask_once(
    framework: Framework, message: Mapping[str, Any], parent: Mapping[str, str], log: Path
) -> dict[str, Any]:
    worker = _worker(framework, parent, log)
    try:
        return _ask(worker, message)
    finally:
        worker.close()


def _worker(framework: Framework, parent: Mapping[str, str], log: Path) -> WorkerProcess:
    setup = {"framework": asdict(framework), "threads": THREADS}
    return WorkerProcess(setup, child_environment(parent, THREADS, "auto"), log)


def _ask(worker: WorkerProcess, message: Mapping[str, Any]) -> dict[str, Any]:
    """Its answer; a death is a `problem`."""
    answer = worker.ask(message, TIMEOUT_S)
    if not isinstance(answer, Death):
        return answer
    said = [line.strip() for line in worker.log_tail if line.strip()]
    frames = [line for line in said if line.startswith('File "')]  # by faulthandler
    last = f"; {(frames or said[-1:])[0]}" if said else ""
    return {"problem": f"its process {_death(answer)}{last}"}


def _death(death: Death) -> str:
    return {
        "timeout": f"gave no answer and was {death.detail}",
        "crashed": f"crashed ({death.detail})",
    }.get(death.status, death.detail)


# ------------------------------------------------------------ OpenBLAS kernels


def try_kernels(flags: frozenset[str], log: Path) -> tuple[tuple[Kernel, ...], str]:
    """NumPy's product with each choice of kernels that this CPU can run, in turns.

    Returns:
        The choices; and why there are none, or what to know of them.
    """
    chosen = os.environ.get(KERNEL_CHOICE) or "automatic"
    possible = [name for name, needs in KERNELS.items() if needs <= flags]
    parent = {name: value for name, value in os.environ.items() if name != KERNEL_CHOICE}
    answers: dict[str, list[dict[str, Any]]] = {}
    workers: dict[str, WorkerProcess] = {}
    try:
        for choice in dict.fromkeys(["automatic", chosen, *possible]):
            own = {} if choice == "automatic" else {KERNEL_CHOICE: choice}
            workers[choice] = _worker(JUST_NUMPY, parent | own, log)
            answers[choice] = [_ask(workers[choice], {"inspect": "numpy"})]
        twins = _twins(answers, chosen)
        for turn in range(1, KERNEL_ROUNDS_IF_STARVED):
            if turn >= KERNEL_ROUNDS and not any(map(_starved, answers.values())):
                break
            for choice in [name for name in answers if name not in twins]:
                if "problem" not in answers[choice][-1]:
                    answers[choice].append(_ask(workers[choice], {"inspect": "numpy"}))
    finally:
        for worker in workers.values():
            worker.close()
    if not any(_openblas(given[0]) or "problem" in given[0] for given in answers.values()):
        return (), "NumPy's BLAS is not OpenBLAS: there is nothing to choose"
    kernels = [
        Kernel(
            choice,
            _openblas(given[0]),
            max((answer["gflops"] for answer in given if "gflops" in answer), default=None),
            choice == chosen,
            _line(given[-1].get("problem", "")),
        )
        for choice, given in answers.items()
        if choice not in twins
    ]
    meant = ", ".join(f"{name} means {kernel}" for name, kernel in twins.items() if name != kernel)
    return tuple(kernels), f"in NumPy's OpenBLAS, {meant}" if meant else ""


def _twins(answers: Mapping[str, list[dict[str, Any]]], chosen: str) -> dict[str, str]:
    """Choices that gave the kernels of a choice before them, with these kernels."""
    seen: set[str] = set()
    found = {}
    for choice, given in answers.items():
        kernel = _openblas(given[0])
        if kernel in seen and choice not in ("automatic", chosen):
            found[choice] = kernel
        if kernel:
            seen.add(kernel)
    return found


def _starved(given: Sequence[Mapping[str, Any]]) -> bool:
    return any(answer.get("cpus_used", 1.0) < TOO_FEW_CPUS for answer in given)


def _openblas(answer: Mapping[str, Any]) -> str:
    """The kernels that the OpenBLAS of a worker took; "" if it has none."""
    kernels = [p["kernel"] for p in answer.get("pools", ()) if p["library"] == "openblas"]
    return str(kernels[0]) if kernels else ""


# ------------------------------------------------------------ data


def _dataset(name: str) -> Dataset:
    folder = fetching.folder(name)
    try:
        fetching.files(name, folder)
    except (fetching.DataMissingError, OSError) as error:
        if not any((folder / file).exists() for file in MEMBERS.values()):
            return Dataset(name, "absent")
        what = str(error).removeprefix(f"{name}: ").partition(";")[0].partition(": SHA-256")[0]
        return Dataset(name, "damaged", _line(what))
    return Dataset(name, "verified")


def _cache(folder: Path) -> Cache:
    """Free disk and whether it can be written, at the nearest folder that exists."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    free_gib = None
    with contextlib.suppress(OSError):
        free_gib = shutil.disk_usage(there).free / GIB
    return Cache(str(folder), free_gib, there.is_dir() and os.access(there, os.W_OK))


def _line(text: str) -> str:
    return " ".join(text.split())
