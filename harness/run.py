"""A run as its folder holds it: what every table, page and comparison is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.experiment.vocabulary import Status, Track
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey, read
from harness.plan import Plan
from harness.results import Row, RunFolder
from harness.trainer import Array
from harness.untrusted import read_plain

NATIVE_SOLVER = Judgement(Verdict.NOT_COMPARABLE, "a library's own solver", ())
NO_PROOF = Judgement(Verdict.NOT_COMPARABLE, "no proof was made", ())

Verdicts = Mapping[CellKey, Judgement]
"""(experiment, framework, loop) to what its proof says, as far as there is one."""


def _no_arrays(trial: str) -> Mapping[str, Array]:
    return {}


@dataclass(frozen=True)
class Run:
    """A plan with everything that its trials left.

    Args:
        plan: which trials were planned.
        rows: of the trials that have one, in the plan's order.
        verdicts: of the proofs that have one.
        limits: rows of installed frameworks that only timed their matrix products.
        arrays: trial to its stored curves and outputs, read when called.
        path: of the folder; the run's name where two are compared.
    """

    plan: Plan
    rows: Sequence[Row]
    verdicts: Verdicts
    limits: Sequence[Row] = ()
    arrays: Callable[[str], Mapping[str, Array]] = _no_arrays
    path: Path = Path()

    def judgement_of(self, row: Row) -> Judgement:
        """Return what the proof of a row's framework and loop says, or why there is no proof."""
        if row.track == Track.NATIVE:
            return NATIVE_SOLVER
        if row.status in (Status.MISSING, Status.UNSUPPORTED):
            return Judgement(Verdict.NOT_COMPARABLE, row.status, ())
        return self.verdicts.get(CellKey(row.experiment, row.framework, row.loop), NO_PROOF)


def load_run(path: Path, plan: Plan | None = None) -> Run:
    """Read a run's folder.

    Args:
        path: the folder that `samestep report` said it writes to.
        plan: whose trials to read; by default the one that the folder holds.

    Raises:
        FileNotFoundError: the folder holds no plan.
        ValueError: its plan cannot be read by this version.
    """
    folder = RunFolder(path)
    plan = plan or Plan.from_json(read_plain(folder.plan_file))
    rows = folder.rows(trial.id for trial in plan.trials)
    return Run(
        plan=plan,
        rows=rows,
        verdicts=_contradicted(read(folder, plan.proofs), rows),
        limits=folder.limit_rows(trial.id for trial in plan.limits),
        arrays=folder.arrays,
        path=path,
    )


def _contradicted(verdicts: Verdicts, rows: Sequence[Row]) -> Verdicts:
    """A proof does not hold for a cell with a trial that contradicts it."""
    judgements = dict(verdicts)
    for row in rows:
        key = CellKey(row.experiment, row.framework, row.loop)
        proof = judgements.get(key)
        if row.contradiction and proof is not None and proof.proven:
            reason = f"in the timed run itself (seed {row.seed}), {row.contradiction}"
            judgements[key] = Judgement(Verdict.DIFFERENT, reason, proof.rungs)
    return judgements
