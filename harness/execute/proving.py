"""Prove what was measured: run a proof in its worker, and have the ladder judge its trace."""

import dataclasses
import threading
from collections import defaultdict, deque
from collections.abc import Sequence

from harness.execute.lanes import serve
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

_diagnosing = threading.Lock()
"""A mistake that one lane has named is tried first in the others."""
TRACE_BYTES_AT_MOST = 2**34
"""Of a network of a hundred million weights."""
WORTH_A_PROCESS = 8
"""A lane without work starts a second process of a framework if so many of its proofs wait."""


def prove(workers: Workers, listener: Listener, lanes: int) -> None:
    """Judge every measured cell of a plan that no earlier proof has judged.

    Raises:
        KeyboardInterrupt: proofs in progress are not stored.
    """
    storing, todo = threading.Lock(), []

    def store(proof: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        with storing:
            is_adapter = workers.command_of(proof) is None
            verdicts.store(workers.folder, proof, judgement, in_cache=is_adapter)
            listener.proved(proof, judgement, log_tail)

    for proof in workers.plan.proofs:
        if workers.missing(proof):
            continue
        judgement = _known(proof, workers)
        if judgement is None:
            workers.data_problem(workers.plan.experiments[proof.experiment])
            todo.append(proof)
        else:
            store(proof, judgement, [])

    def prove_one(proof: Trial, lane: int) -> None:
        judgement, log_tail = judge(proof, workers, lane)
        if not workers.ended.is_set():
            store(proof, judgement, log_tail)

    rows = workers.folder.rows(trial.id for trial in workers.plan.trials)
    serve(_Queue(todo, rows).take, prove_one, lanes, workers.kill)


def _known(proof: Trial, workers: Workers) -> Judgement | None:
    """The verdict of an earlier proof of the same computation; None where there is none.

    What a command computes depends on more than the files that it names, so its verdict holds for
    its own run alone, as its rows do.
    """
    if workers.command_of(proof) is None:
        return verdicts.cached(proof)
    judgement = verdicts.read_one(workers.folder, proof)
    is_tried_again = judgement is None or judgement.verdict == Verdict.NOT_COMPARABLE
    return None if is_tried_again else judgement


class _Queue:
    """The proofs that wait. A lane stays with one framework, whose process it has.

    A framework's proofs come in the order of the plan, those in float32 first: the process has
    trained in float32 before. The framework that compiles longest is begun first.

    Args:
        proofs: what waits.
        rows: of the trials that are proven; they say how long a framework compiles.
    """

    def __init__(self, proofs: Sequence[Trial], rows: Sequence[Row]) -> None:
        compiling_s: dict[str, float] = defaultdict(float)
        for row in rows:
            compiling_s[row.framework] += row.first_step_s or 0.0
        waiting: dict[str, deque[Trial]] = {}
        for proof in sorted(proofs, key=lambda proof: proof.dtype):
            waiting.setdefault(proof.framework, deque()).append(proof)
        self._waiting = dict(sorted(waiting.items(), key=lambda item: -compiling_s[item[0]]))
        self._framework_of: dict[int, str] = {}

    def take(self, lane: int) -> Trial | None:
        """Return the next proof of a lane; None where no more are worth a process."""
        framework = self._framework_of.get(lane)
        if framework is None or not self._waiting[framework]:
            framework = self._next_framework()
        if framework is None:
            return None
        self._framework_of[lane] = framework
        return self._waiting[framework].popleft()

    def _next_framework(self) -> str | None:
        taken = self._framework_of.values()
        free = [name for name, proofs in self._waiting.items() if proofs and name not in taken]
        if free:
            return free[0]
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=None)
        is_worth_it = longest and len(self._waiting[longest]) >= WORTH_A_PROCESS
        return longest if is_worth_it else None


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
    command = workers.command_of(proof)
    if command is not None:
        return workers.judge_command(proof, command, lane)
    as_timed = proof.purpose == Purpose.PROOF_AS_TIMED
    experiment = proof_of(workers.plan.experiments[proof.experiment], as_timed)
    trace, row, log_tail = _trace(proof, experiment, workers, lane)
    if trace is None:
        reason = f"the proof gave no trace: {row.status}"
        detail = f" ({row.status_detail})" if row.status_detail else ""
        return Judgement(Verdict.NOT_COMPARABLE, reason + detail, (), row.status), log_tail
    try:
        judgement = ladder.judge(trace, experiment, proof.seed, proof.dtype)
        if judgement.verdict == Verdict.DIFFERENT and trace.gradient_step:
            # its gradients are of another place, and only as good as its rates
            again, _, _ = _trace(_in_detail(proof), experiment, workers, lane)
            if again is not None:
                trace, judgement = again, ladder.judge(again, experiment, proof.seed, proof.dtype)
        if judgement.verdict == Verdict.DIFFERENT:
            if as_timed:
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
    detailed, _, _ = _trace(_in_detail(proof), experiment, workers, lane)
    first, other = (trace, None) if detailed is None else (detailed, trace)
    with _diagnosing:
        suspects = workers.suspects.setdefault((proof.framework, proof.loop), [])
        return diagnosis.with_cause(judgement, first, experiment, proof.seed, other, suspects)


def _in_detail(proof: Trial) -> Trial:
    return dataclasses.replace(proof, purpose=Purpose.PROOF_IN_DETAIL)


def _trace(
    proof: Trial, experiment: Experiment, workers: Workers, lane: int
) -> tuple[Trace | None, Row, list[str]]:
    """Run a proof; read its trace and delete the file."""
    row, log_tail = workers.run(proof, experiment, lane)
    arrays = workers.folder.arrays(proof.id, TRACE_BYTES_AT_MOST)
    (workers.folder.trials / f"{proof.id}.npz").unlink(missing_ok=True)
    if row.status != Status.OK:
        return None, row, log_tail
    try:
        return Trace.from_arrays(arrays), row, log_tail
    except (KeyError, TypeError, ValueError, AttributeError):  # what it left is no trace
        detail = "what it left is no trace, or is too large"
        return None, dataclasses.replace(row, status=Status.ERROR, status_detail=detail), log_tail
