"""A worker that answers the questions of `samestep doctor`; a death becomes an answer too."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.clock.environment import child_environment
from harness.doctor.facts import THREADS
from harness.execute.worker_process import Death, WorkerProcess
from harness.experiment.vocabulary import Status, Track
from harness.registry import Framework

TIMEOUT_S = 60.0
JUST_NUMPY = Framework("numpy", Track.IDENTICAL, "", "", ("numpy",), "", ())
"""For workers that import NumPy and no adapter."""


def start(framework: Framework, parent: Mapping[str, str], log: Path) -> WorkerProcess:
    """Start a worker whose environment is made from the `parent` process's environment."""
    setup = {"framework": asdict(framework), "threads": THREADS}
    return WorkerProcess(setup, child_environment(parent, THREADS, "auto"), log)


def ask(worker: WorkerProcess, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a worker's answer; where the worker died, the answer is a `problem`."""
    answer = worker.ask(message, TIMEOUT_S)
    if not isinstance(answer, Death):
        return answer
    lines = [line.strip() for line in worker.log_tail if line.strip()]
    frames = [line for line in lines if line.startswith('File "')]  # by faulthandler
    last = f"; {(frames or lines[-1:])[0]}" if lines else ""
    return {"problem": f"its process {_cause(answer)}{last}"}


def ask_once(
    framework: Framework, message: Mapping[str, Any], parent: Mapping[str, str], log: Path
) -> dict[str, Any]:
    """Return the answer of a worker that is started for this question only."""
    worker = start(framework, parent, log)
    try:
        return ask(worker, message)
    finally:
        worker.close()


def one_line(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())


def _cause(death: Death) -> str:
    if death.status == Status.TIMEOUT:
        return f"gave no answer and was {death.detail}"
    if death.status == Status.CRASHED:
        return f"crashed ({death.detail})"
    return death.detail
