"""Prove what was measured: run a proof in its worker, and have the ladder judge its trace."""

import dataclasses
import threading
from collections.abc import Sequence

from harness.execute.lanes import in_lanes
from harness.execute.listener import Listener
from harness.execute.workers import FIRST_LANE, Workers
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Purpose, Status
from harness.parity import diagnosis, ladder, verdicts
from harness.parity.judgement import Judgement, Verdict, with_proof_as_timed
from harness.parity.product_bits import with_precision
from harness.parity.trace import Trace
from harness.plan import Trial
from harness.results import Row

_judging = threading.Lock()
"""Lanes share the oracle's traces: one lane computes them, the others wait and reuse them."""


def prove(workers: Workers, listener: Listener, lanes: int) -> None:
    """Judge every measured cell of a plan that no earlier proof has judged.

    Raises:
        KeyboardInterrupt: proofs in progress are not stored.
    """
    storing, todo = threading.Lock(), []

    def store(proof: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        with storing:
            verdicts.store(workers.folder, proof, judgement)
            listener.proved(proof, judgement, log_tail)

    for proof in workers.plan.proofs:
        if workers.missing(proof):
            continue
        judgement = verdicts.cached(proof)
        if judgement is None:
            workers.data_problem(workers.plan.experiments[proof.experiment])
            todo.append(proof)
        else:
            store(proof, judgement, [])

    def prove_one(proof: Trial, lane: int) -> None:
        judgement, log_tail = judge(proof, workers, lane)
        if not workers.ended.is_set():
            store(proof, judgement, log_tail)

    in_lanes(todo, prove_one, lanes, workers.kill)


def judge_all(proofs: Sequence[Trial], workers: Workers) -> tuple[Judgement, list[str]]:
    """Return what the proofs of one loop say together; the second is not made if the first fails.

    Args:
        proofs: as `harness.planning.proof_trials` returns them.
        workers: run them.

    Returns:
        The judgement, and the tail of the log of the last proof.
    """
    judgement, log_tail = judge(proofs[0], workers)
    for proof in proofs[1:]:
        if judgement.proven:
            as_timed, log_tail = judge(proof, workers)
            judgement = with_proof_as_timed(judgement, as_timed)
    return judgement, log_tail


def judge(proof: Trial, workers: Workers, lane: int = FIRST_LANE) -> tuple[Judgement, list[str]]:
    """Run a proof in its worker and judge its trace.

    Returns:
        The judgement, with the cause where the trace differs, and the tail of the log.
    """
    as_timed = proof.purpose == Purpose.PROOF_AS_TIMED
    experiment = proof_of(workers.plan.experiments[proof.experiment], as_timed)
    trace, row, log_tail = _trace(proof, experiment, workers, lane)
    if trace is None:
        reason = f"the proof gave no trace: {row.status}"
        detail = f" ({row.status_detail})" if row.status_detail else ""
        return Judgement(Verdict.NOT_COMPARABLE, reason + detail, (), row.status), log_tail
    try:
        with _judging:
            judgement = ladder.judge(trace, experiment, proof.seed, proof.dtype)
        if judgement.verdict == Verdict.DIFFERENT:
            if as_timed:
                with _judging:
                    judgement = with_precision(judgement, trace, experiment, proof.seed)
            else:
                judgement = _with_cause(judgement, trace, proof, experiment, workers, lane)
    except Exception as error:  # whatever a strange trace does to the judge, rows stay
        reason = f"the trace cannot be judged: {type(error).__name__}: {error}"
        return Judgement(Verdict.NOT_COMPARABLE, reason, (), Status.ERROR), log_tail
    return judgement, log_tail


def _with_cause(
    judgement: Judgement,
    trace: Trace,
    proof: Trial,
    experiment: Experiment,
    workers: Workers,
    lane: int,
) -> Judgement:
    """Take the trace once more, in detail, and find the mistake that explains it."""
    failed = judgement.first_failure
    if failed is not None and failed.name == ladder.FINAL_OUTPUTS:
        return judgement  # training is right
    again = dataclasses.replace(proof, purpose=Purpose.PROOF_IN_DETAIL)
    detailed, _, _ = _trace(again, experiment, workers, lane)
    first, other = (trace, None) if detailed is None else (detailed, trace)
    with _judging:
        suspects = workers.suspects.setdefault((proof.framework, proof.loop), [])
        return diagnosis.with_cause(judgement, first, experiment, proof.seed, other, suspects)


def _trace(
    proof: Trial, experiment: Experiment, workers: Workers, lane: int
) -> tuple[Trace | None, Row, list[str]]:
    """Run a proof; read its trace and delete the file."""
    row, log_tail = workers.run(proof, experiment, lane)
    arrays = workers.folder.arrays(proof.id)
    (workers.folder.trials / f"{proof.id}.npz").unlink(missing_ok=True)
    return (Trace.from_arrays(arrays) if row.status == Status.OK else None), row, log_tail
