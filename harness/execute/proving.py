"""Proves what was measured: runs a proof in its worker, and has the ladder judge its trace."""

import dataclasses
import threading
from collections import Counter
from typing import Protocol

from harness.execute.lanes import in_lanes
from harness.execute.workers import FIRST_LANE, Workers
from harness.experiment.model import Experiment
from harness.experiment.proof import proof_of
from harness.parity import diagnosis, ladder, verdicts
from harness.parity.ladder import Judgement
from harness.parity.trace import Trace
from harness.plan import CLOSELY, Trial
from harness.results import Row

_judging = threading.Lock()
"""Lanes share the oracle's traces: one computes them, the others wait and find them."""


class Listener(Protocol):
    """Told of verdicts."""

    def proved(self, trial: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        """A proof has its verdict."""


def prove(workers: Workers, listener: Listener, lanes: int) -> None:
    """Judge every measured cell of a plan that no earlier proof has judged.

    Raises:
        KeyboardInterrupt: proofs in progress are not kept.
    """
    plan, telling = workers.plan, threading.Lock()
    left = Counter(proof.framework for proof in plan.proofs)

    def one(proof: Trial, lane: int) -> None:
        if workers.missing(proof):
            return
        judgement, tail = verdicts.cached(proof), list[str]()
        if judgement is None:
            judgement, tail = judge(proof, workers, lane)
        if workers.killed:
            return
        with telling:
            verdicts.store(workers.folder, proof, judgement)
            listener.proved(proof, judgement, tail)
            left[proof.framework] -= 1
            if not left[proof.framework]:
                workers.let_go(proof.framework)

    in_lanes(plan.proofs, one, lanes, workers.kill)


def judge(proof: Trial, workers: Workers, lane: int = FIRST_LANE) -> tuple[Judgement, list[str]]:
    """Run a proof in its worker and judge what it leaves; if it fails, say why."""
    experiment = proof_of(workers.plan.experiments[proof.experiment])
    trace, row, tail = _trace(proof, experiment, workers, lane)
    if trace is None:
        reason = f"the proof gave no trace: {row.status}"
        detail = f" ({row.status_detail})" if row.status_detail else ""
        return Judgement("not comparable", reason + detail, ()), tail
    try:
        with _judging:
            judgement = ladder.judge(trace, experiment, proof.seed, proof.dtype)
        if judgement.verdict == "different":
            closely = dataclasses.replace(proof, purpose=CLOSELY)
            close, _, _ = _trace(closely, experiment, workers, lane)
            with _judging:
                judgement = diagnosis.explained(judgement, close or trace, experiment, proof.seed)
    except Exception as error:  # whatever a strange trace does to the judge, rows are kept
        reason = f"the trace cannot be judged: {type(error).__name__}: {error}"
        return Judgement("not comparable", reason, ()), tail
    return judgement, tail


def _trace(
    proof: Trial, experiment: Experiment, workers: Workers, lane: int
) -> tuple[Trace | None, Row, list[str]]:
    """Run a proof; its trace is read and deleted."""
    row, tail = workers.run(proof, experiment, lane)
    file = workers.folder.trials / f"{proof.id}.npz"
    arrays = workers.folder.arrays(proof.id)
    file.unlink(missing_ok=True)
    return (Trace.from_arrays(arrays) if row.status == "ok" else None), row, tail
