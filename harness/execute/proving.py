"""Proves what was measured: runs a proof in its worker, and has the ladder judge its trace."""

import dataclasses
import threading
from typing import Protocol

from harness.execute.lanes import in_lanes
from harness.execute.workers import FIRST_LANE, Workers
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Purpose
from harness.parity import diagnosis, ladder, verdicts
from harness.parity.ladder import Judgement
from harness.parity.trace import Trace
from harness.plan import Trial
from harness.results import Row

_judging = threading.Lock()
"""Lanes share the oracle's traces: one computes them, another waits and finds them. (Judging
takes a small part of a proof where it need not.)"""


class Listener(Protocol):
    """Told of verdicts."""

    def proved(self, trial: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        """A proof has its verdict."""


def prove(workers: Workers, listener: Listener, lanes: int) -> None:
    """Judge every measured cell of a plan that no earlier proof has judged.

    Raises:
        KeyboardInterrupt: proofs in progress are not kept.
    """
    telling, todo = threading.Lock(), []
    for proof in workers.plan.proofs:
        if workers.missing(proof):
            continue
        judgement = verdicts.cached(proof)
        if judgement is None:
            workers.data_problem(workers.plan.experiments[proof.experiment])
            todo.append(proof)
        else:
            _tell(proof, judgement, [], workers, listener)

    def one(proof: Trial, lane: int) -> None:
        judgement, tail = judge(proof, workers, lane)
        if not workers.ended.is_set():
            with telling:
                _tell(proof, judgement, tail, workers, listener)

    in_lanes(todo, one, lanes, workers.kill)


def _tell(
    proof: Trial, judgement: Judgement, tail: list[str], workers: Workers, listener: Listener
) -> None:
    verdicts.store(workers.folder, proof, judgement)
    listener.proved(proof, judgement, tail)


def judge(proof: Trial, workers: Workers, lane: int = FIRST_LANE) -> tuple[Judgement, list[str]]:
    """Run a proof in its worker and judge what it leaves; if it fails, say why."""
    experiment = proof_of(workers.plan.experiments[proof.experiment])
    trace, row, tail = _trace(proof, experiment, workers, lane)
    if trace is None:
        reason = f"the proof gave no trace: {row.status}"
        detail = f" ({row.status_detail})" if row.status_detail else ""
        return Judgement("not comparable", reason + detail, (), row.status), tail
    try:
        with _judging:
            judgement = ladder.judge(trace, experiment, proof.seed, proof.dtype)
        if judgement.verdict == "different":
            closely = dataclasses.replace(proof, purpose=Purpose.PROOF_IN_DETAIL)
            close, _, _ = _trace(closely, experiment, workers, lane)
            with _judging:
                judgement = diagnosis.explained(judgement, close or trace, experiment, proof.seed)
    except Exception as error:  # whatever a strange trace does to the judge, rows are kept
        reason = f"the trace cannot be judged: {type(error).__name__}: {error}"
        return Judgement("not comparable", reason, (), "error"), tail
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
