"""Checks one adapter: the ladder on small protocols, then the rules of the contract.

Everything runs in worker processes, so an adapter that crashes or hangs breaks its own rule and
nothing else.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from harness.clock.environment import child_environment
from harness.execute.listener import Listener
from harness.execute.proving import judge_all
from harness.execute.worker_process import Death, WorkerProcess
from harness.execute.workers import Workers
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Device, Dtype, Status
from harness.parity.findings import Finding
from harness.parity.protocols import covering, every
from harness.parity.rules import RULES, TIMED_RULES
from harness.plan import Plan, Request
from harness.planning import framework_table, proof_trials
from harness.registry import Framework, find
from harness.results import RunFolder

TIMEOUT_S = 120.0


class _Silent(Listener):
    """A check reports its findings, and nothing on the way."""


def check(name: str, full: bool, device: Device, scratch: Path) -> Iterator[Finding]:
    """Check one adapter, finding by finding.

    Args:
        name: of a framework, a file or module:Class.
        full: all protocols, not the covering set.
        device: "cpu" or "cuda".
        scratch: a folder for traces and logs.
    """
    framework = find(name)
    experiments = every() if full else covering()
    request = Request(frameworks=(name,), device=device)
    plan = Plan("check", request, experiments, {}, (), frameworks=framework_table([framework]))
    workers = Workers(plan, RunFolder(scratch), TIMEOUT_S, _Silent())
    try:
        for loop in framework.loops:
            yield from _ladder(framework, loop, experiments.values(), device, workers)
    finally:
        workers.close_idle()
    yield from _rules(framework, device, scratch)


def _ladder(
    framework: Framework,
    loop: str,
    experiments: Iterable[Experiment],
    device: Device,
    workers: Workers,
) -> Iterator[Finding]:
    """Every protocol that the adapter supports; to judge none is a finding too."""
    judged, reason = 0, ""
    for experiment in experiments:
        proofs = proof_trials(framework, experiment, loop, device, Dtype.FLOAT32)
        judgement = judge_all(proofs, workers)
        if judgement.status == Status.UNSUPPORTED:
            reason = judgement.reason
            continue
        judged += 1
        yield Finding(
            framework.name,
            loop,
            "ladder",
            experiment.name,
            judgement.proven,
            judgement.reason,
            judgement,
        )
    if not judged:
        yield Finding(framework.name, loop, "ladder", "no protocol", False, reason)


def _rules(framework: Framework, device: Device, scratch: Path) -> Iterator[Finding]:
    """Every rule on every loop; a worker that dies is replaced."""
    setup = {"framework": asdict(framework), "threads": 1}
    environment = child_environment(os.environ, 1, device)
    dtype = "float64" if "float64" in framework.dtypes else "float32"
    worker: WorkerProcess | None = None
    try:
        for loop in framework.loops:
            for rule in (*RULES, *TIMED_RULES):
                if worker is None:
                    worker = WorkerProcess(setup, environment, scratch / "rules.log")
                message = {"rule": rule.__name__, "loop": loop, "dtype": dtype, "device": device}
                answer = worker.ask(message, TIMEOUT_S)
                if isinstance(answer, Death):
                    worker = None
                    answer = {"holds": False, "remark": f"{answer.status}: {answer.detail}"}
                yield Finding(
                    framework.name, loop, "rule", rule.__name__, answer["holds"], answer["remark"]
                )
    finally:
        if worker is not None:
            worker.close()
