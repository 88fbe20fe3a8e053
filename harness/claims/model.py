"""A claim as data: published numbers, their source, the complete protocol, the expected verdict.

A claim is registered before its first trial runs: the protocol with every unstated detail decided,
the rule, the seeds and the expected verdict. A verdict that differs stays and is explained.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from harness.claims import claim_checks
from harness.claims.number import Number, Words
from harness.experiment.fields import Frozen
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Track

ID = r"^[^\W\d_]([^\W_]|-){0,40}$"
"""A letter, then letters, digits and hyphens, of any script."""


class Verdict(StrEnum):
    """The result of rerunning a claim.

    `RATE`: true for a share of the seeds. `BETTER` is no success: this protocol cannot give the
    published number. `INCONCLUSIVE`: the test would have passed almost any number.
    """

    EXACT = "EXACT"
    NEAR_EXACT = "NEAR-EXACT"
    CONSISTENT = "CONSISTENT"
    RATE = "RATE"
    BETTER = "BETTER"
    WORSE = "WORSE"
    INCONCLUSIVE = "INCONCLUSIVE"
    CODE_OUTPUT_MISMATCH = "CODE-OUTPUT MISMATCH"
    UNDER_SPECIFIED = "UNDER-SPECIFIED"
    NOT_RUN = "NOT RUN"


HOLDS = (Verdict.EXACT, Verdict.NEAR_EXACT, Verdict.CONSISTENT, Verdict.RATE)
"""Verdicts that confirm the published number."""


class Source(Frozen):
    """Where the number was published.

    `verified`: V1 read in the primary source; V2 read in a text copy; R recalled, not verified.
    """

    author: Words
    title: Words
    year: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{4})?$")] | None = None
    address: Words
    verified: Literal["V1", "V2", "R"]


class Variant(Frozen):
    """The protocol with some fields changed.

    Args:
        name: appended to the claim's id in the names of its rows.
        role: `part`: numbers of the claim refer to it, so it is always run. `reading`: another
            admissible reading of what the source leaves open. `other code`: another version of
            the source's code than the printed one. `mistake`: a common mistake.
        why: in words.
        changes: dotted field of the protocol to its new value.
        judged: whether `reproduce` runs it too. Then a `reading` that changes the verdict makes
            the claim UNDER-SPECIFIED. An `other code` that alone gives the number makes it
            CODE-OUTPUT MISMATCH.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    role: Literal["part", "reading", "other code", "mistake"]
    why: Words
    changes: dict[str, Any] = Field(min_length=1)
    judged: bool = False


class Claim(Frozen):
    """A published number, or a few of one experiment, and how they are rerun.

    Args:
        id: such as C01; names its rows.
        group: `posts` (the five study posts) or another word; `reproduce` without names runs
            `posts`.
        cost: of a run on two cores: `seconds`, `minutes`, or `heavy` (more than ten minutes).
        expected: the verdict registered before the first trial.
        track: `identical`, or `native`: the library's own solver, stated in `protocol.native`.
        seeds: how many runs give the spread; 1 only where nothing is drawn, or `spread` is stated.
        many_seeds: for rules `rate` and `every`: how many starts are trained at once.
        spread: standard deviation over seeds, in the first number's unit, for a claim that is
            too expensive to run more than once.
        spread_from: where `spread` is taken from.
        same_test: whether it is scored on the same test rows as in the source. Otherwise drawing
            other test rows adds to the tolerance.
        own_data: a dataset that replaces the protocol's where the user has it; then the test rows
            are those of the source.
        not_run: why it cannot be run; then it has no protocol and is not counted.
        note: what a reader should know.
    """

    id: Annotated[str, StringConstraints(pattern=ID)]
    title: Words
    group: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = "own"
    cost: Literal["seconds", "minutes", "heavy"] = "minutes"
    expected: Verdict | None = None
    track: Track = Track.IDENTICAL
    seeds: Annotated[int, Field(strict=True, ge=1, le=100)] = 5
    many_seeds: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    spread: Annotated[float, Field(gt=0)] | None = None
    spread_from: str = ""
    same_test: bool = True
    own_data: str | None = None
    not_run: str = ""
    note: str = ""
    source: Source
    numbers: tuple[Number, ...] = ()
    protocol: Experiment | None = None
    variants: tuple[Variant, ...] = ()

    @property
    def deterministic(self) -> bool:
        """Whether one run is enough, because nothing is drawn."""
        return self.seeds == 1 and self.spread is None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        claim_checks.check(self)
        return self
