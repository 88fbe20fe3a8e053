"""Collects the facts that `samestep doctor` judges, from the system and a worker per framework.

Workers run one at a time. What the system does not report is None. A framework whose worker
crashes or hangs is broken.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.cache import cache_folder
from harness.doctor.data import read_cache, read_dataset
from harness.doctor.facts import (
    CPUS_BUSY_AT_MOST,
    Facts,
    FrameworkState,
    Inspected,
    Pool,
)
from harness.doctor.machine import read_machine, sample_contention
from harness.doctor.shell_variables import ignored_variables
from harness.execute.blas_kernels import try_kernels
from harness.execute.inspection_worker import ask_once, one_line
from harness.experiment.datasets import DATASETS
from harness.experiment.vocabulary import Track
from harness.registry import BROKEN, Framework, UnknownFrameworkError, find, installed


def inspect(names: Sequence[str], report_progress: Callable[[str], None]) -> Facts:
    """Collect all facts.

    Args:
        names: of frameworks, files or module:Class; none means all registered ones.
        report_progress: is given a line before each step.

    Raises:
        harness.registry.UnknownFrameworkError: a name that no adapter has.
    """
    described = _describe(names)
    with tempfile.TemporaryDirectory(prefix="samestep-doctor-") as scratch:
        log = Path(scratch) / "log"
        report_progress("watching the machine for a second")
        contention = sample_contention()
        inspected = []
        for framework in described:
            if isinstance(framework, Framework):
                report_progress(f"inspecting {framework.name}")
                framework = _inspect_framework(framework, bool(names), log)
            inspected.append(framework)
            if framework.starved and (contention.others_cpus or 0.0) <= CPUS_BUSY_AT_MOST:
                contention = sample_contention()  # while the other process may still be there
        report_progress("trying OpenBLAS kernels with NumPy")
        machine = read_machine()
        kernels, note = try_kernels(machine.flags, log)
    report_progress("reading the data")
    return Facts(
        machine=machine,
        contention=contention,
        frameworks=tuple(inspected),
        kernels=kernels,
        kernel_note=note,
        datasets=tuple(read_dataset(name) for name, facts in DATASETS.items() if facts.fetched),
        cache=read_cache(cache_folder()),
        ignored_variables=ignored_variables(os.environ),
    )


def _describe(names: Sequence[str]) -> list[Framework | Inspected]:
    """Return the frameworks to inspect; one that cannot be described is already broken."""
    registered = installed()
    if not names:
        broken = [
            _undescribed(name, reason, f"samestep check {name}", named=False)
            for name, reason in BROKEN.items()
        ]
        return [*registered.values(), *broken]
    described: list[Framework | Inspected] = []
    for name in names:
        try:
            described.append(find(name))
        except UnknownFrameworkError as error:
            if name not in BROKEN and not Path(name).is_file():
                raise
            fix = f"correct the file, then: samestep check {name}"
            described.append(_undescribed(name, str(error), fix, named=True))
    return described


def _undescribed(name: str, reason: str, fix: str, named: bool) -> Inspected:
    return Inspected(name, FrameworkState.BROKEN, detail=one_line(reason), fix=fix, named=named)


def _inspect_framework(framework: Framework, named: bool, log: Path) -> Inspected:
    """Return what a framework's own worker answers."""
    known: dict[str, Any] = {
        "name": framework.name,
        "version": framework.version,
        "named": named,
        "loops": framework.loops,
        "native": framework.name in installed(Track.NATIVE),
    }
    if framework.missing:
        detail = f"no {', '.join(framework.missing)}"
        return Inspected(
            state=FrameworkState.MISSING, detail=detail, fix=framework.install_line, **known
        )
    answer = ask_once(framework, {"inspect": "framework"}, os.environ, log)
    missing_module = answer.pop("missing_module", None)
    if problem := answer.pop("problem", None):
        fix = _fix_of(framework, missing_module, is_imported="import_s" in answer)
        detail = one_line(problem)
        return Inspected(state=FrameworkState.BROKEN, detail=detail, fix=fix, **known, **answer)
    affinity, lacks = answer.pop("affinity"), answer.pop("lacks")
    return Inspected(
        state=FrameworkState.OK,
        affinity=None if affinity is None else tuple(affinity),
        pools=tuple(Pool(**pool) for pool in answer.pop("pools")),
        lacks={loop: one_line(need) for loop, need in lacks.items()},
        **known,
        **answer,
    )


def _fix_of(framework: Framework, missing_module: str | None, is_imported: bool) -> str:
    if missing_module:
        return f"python -m pip install {missing_module}"
    is_file = framework.module.endswith(".py")  # its requirements are what it imports
    if framework.requirements and not is_imported and not is_file:
        packages = " ".join(framework.requirements)
        return f"python -m pip install --force-reinstall {packages}"
    place = framework.module if is_file else framework.name
    return f"correct the adapter; `samestep check {place}` says whether it is right"
