"""What the ladder says of one (experiment, framework, loop): a verdict, its reason, its rungs."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from harness.experiment.vocabulary import Status


class Verdict(StrEnum):
    """Whether an adapter computes what the protocol says.

    `NOT_FLOAT32`: it does in float64, and what it computes in float32, which is what is timed, is
    further from that than rounding to float32 is.
    """

    SAME = "same"
    SAME_TO_FLOAT32 = "same to float32"
    SAME_WHILE_COMPARABLE = "same while comparable"
    NOT_FLOAT32 = "same, but its float32 is not float32"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"


PROVEN = (Verdict.SAME, Verdict.SAME_TO_FLOAT32, Verdict.SAME_WHILE_COMPARABLE)
"""Verdicts that prove an adapter. The last: it is right in the first updates, and afterwards as
close as rounding alone leaves two runs of this protocol, which is not close (see `rounding`)."""


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder.

    Args:
        name: "start", "outputs", "gradients", "1 update", "100 steps", "losses" and so on.
        difference: the worst of its tensors.
        tolerance: the largest difference that passes.
        where: the first tensor beyond the tolerance, in words; "" where all are within.
    """

    name: str
    difference: float
    tolerance: float
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance (NaN is not)."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Judgement:
    """What the ladder says of one (experiment, framework, loop).

    Args:
        verdict: one of `PROVEN`, or different; not comparable where there is no trace to judge.
        reason: what is wrong, or how far rounding goes; mostly "" for the same.
        rungs: in order.
        status: how the proof's trial ended.
    """

    verdict: Verdict
    reason: str
    rungs: tuple[Rung, ...]
    status: Status = Status.OK

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Judgement":
        """Read what `to_dict` returned.

        Raises:
            ValueError: they are not a judgement's.
        """
        return TypeAdapter(cls).validate_python(values)

    @property
    def proven(self) -> bool:
        """Whether the adapter computes what the protocol says."""
        return self.verdict in PROVEN

    @property
    def refuted(self) -> bool:
        """Whether the adapter, or the precision it is timed in, is shown to be another."""
        return self.verdict in (Verdict.DIFFERENT, Verdict.NOT_FLOAT32)

    @property
    def first_failure(self) -> Rung | None:
        """The lowest rung that does not hold."""
        return first_failure(self.rungs)


def first_failure(rungs: tuple[Rung, ...]) -> Rung | None:
    """Return the lowest rung that does not hold, None where all hold."""
    return next((rung for rung in rungs if not rung.passed), None)


IN_FLOAT32 = "float32"
"""The rung that sums up the proof in the precision that is timed."""


def with_proof_as_timed(judgement: Judgement, as_timed: Judgement) -> Judgement:
    """Return what two proofs of one loop say together.

    Args:
        judgement: of the proof in float64.
        as_timed: of the proof in float32, the precision that is timed.
    """
    if not judgement.proven:
        return judgement
    rungs = (*judgement.rungs, *_summed_up(as_timed))
    if as_timed.proven:
        return replace(judgement, rungs=rungs)
    verdict, reason = Verdict.NOT_FLOAT32, as_timed.reason
    if not as_timed.refuted:
        verdict, reason = Verdict.NOT_COMPARABLE, f"in float32: {as_timed.reason}"
    return Judgement(verdict, reason, rungs, as_timed.status)


def _summed_up(judgement: Judgement) -> tuple[Rung, ...]:
    """The rung that is furthest beyond its tolerance, or nearest to it."""
    tolerated = [rung for rung in judgement.rungs if rung.tolerance > 0]
    if not tolerated:
        return ()
    worst = max(tolerated, key=lambda rung: (not rung.passed, rung.difference / rung.tolerance))
    return (replace(worst, name=IN_FLOAT32),)
