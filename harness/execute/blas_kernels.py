"""Measures NumPy's matrix product with each choice of OpenBLAS kernels that a CPU can run."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clock.environment import KERNEL_CHOICE
from harness.doctor.facts import KERNELS, TOO_FEW_CPUS, Kernel
from harness.execute.inspection_worker import JUST_NUMPY, ask, one_line, start
from harness.execute.worker_process import WorkerProcess

AUTOMATIC = "automatic"
ROUNDS, ROUNDS_IF_STARVED = 2, 3
QUESTION = {"inspect": "numpy"}

Answers = Mapping[str, Sequence[Mapping[str, Any]]]
"""Choice to the answers of its worker, one per round."""


def try_kernels(flags: frozenset[str], log: Path) -> tuple[tuple[Kernel, ...], str]:
    """Measure NumPy's product with each choice of kernels that this CPU can run, in turns.

    Returns:
        The choices, and a note: why there are none, or which names mean the same kernels.
    """
    chosen = os.environ.get(KERNEL_CHOICE) or AUTOMATIC
    possible = [name for name, needs in KERNELS.items() if needs <= flags]
    answers = _ask_in_rounds(list(dict.fromkeys([AUTOMATIC, chosen, *possible])), chosen, log)
    if not any(_openblas(rounds[0]) or "problem" in rounds[0] for rounds in answers.values()):
        return (), "NumPy's BLAS is not OpenBLAS: there is nothing to choose"
    repeated = _repeated_kernels(answers, chosen)
    kernels = tuple(
        _kernel(choice, rounds, in_use=choice == chosen)
        for choice, rounds in answers.items()
        if choice not in repeated
    )
    meanings = [f"{name} means {kernel}" for name, kernel in repeated.items() if name != kernel]
    return kernels, f"in NumPy's OpenBLAS, {', '.join(meanings)}" if meanings else ""


def _ask_in_rounds(choices: Sequence[str], chosen: str, log: Path) -> Answers:
    """Ask one worker per choice, round by round; each kernel is measured under one name only."""
    parent = {name: value for name, value in os.environ.items() if name != KERNEL_CHOICE}
    answers: dict[str, list[dict[str, Any]]] = {}
    workers: dict[str, WorkerProcess] = {}
    try:
        for choice in choices:
            variable = {} if choice == AUTOMATIC else {KERNEL_CHOICE: choice}
            workers[choice] = start(JUST_NUMPY, parent | variable, log)
            answers[choice] = [ask(workers[choice], QUESTION)]
        repeated = _repeated_kernels(answers, chosen)
        for turn in range(1, ROUNDS_IF_STARVED):
            if turn >= ROUNDS and not any(map(_starved, answers.values())):
                break
            for choice in [name for name in answers if name not in repeated]:
                if "problem" not in answers[choice][-1]:
                    answers[choice].append(ask(workers[choice], QUESTION))
    finally:
        for worker in workers.values():
            worker.close()
    return answers


def _kernel(choice: str, rounds: Sequence[Mapping[str, Any]], in_use: bool) -> Kernel:
    return Kernel(
        choice=choice,
        kernel=_openblas(rounds[0]),
        gflops=max((answer["gflops"] for answer in rounds if "gflops" in answer), default=None),
        in_use=in_use,
        detail=one_line(rounds[-1].get("problem", "")),
    )


def _repeated_kernels(answers: Answers, chosen: str) -> dict[str, str]:
    """Return choices that gave the kernels of an earlier choice, and which kernels these are."""
    seen: set[str] = set()
    repeated = {}
    for choice, rounds in answers.items():
        kernel = _openblas(rounds[0])
        if kernel in seen and choice not in (AUTOMATIC, chosen):
            repeated[choice] = kernel
        if kernel:
            seen.add(kernel)
    return repeated


def _starved(rounds: Sequence[Mapping[str, Any]]) -> bool:
    return any(answer.get("cpus_used", 1.0) < TOO_FEW_CPUS for answer in rounds)


def _openblas(answer: Mapping[str, Any]) -> str:
    """Return the kernels that the OpenBLAS of a worker uses; "" where it has no OpenBLAS."""
    kernels = [p["kernel"] for p in answer.get("pools", ()) if p["library"] == "openblas"]
    return str(kernels[0]) if kernels else ""
