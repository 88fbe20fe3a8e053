"""A claim as data: a published number, its source, its complete protocol, how it is judged.

A claim is registered before its first row: the protocol with every ambiguous field decided, the
rule, the seeds and the verdict that is expected. A verdict that differs stays and is explained.
"""

import math
import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from harness.experiment.datasets import DATASETS
from harness.experiment.fields import Frozen
from harness.experiment.model import Experiment
from harness.experiment.names import unknown

PRINTED = re.compile(r"-?\d+(\.\d+)?(\.\.\.)?")
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Step = Annotated[int, Field(strict=True, ge=0)]
Metric = Literal[
    "train_accuracy", "train_error", "train_loss",
    "validation_accuracy", "validation_error", "validation_loss",
    "test_accuracy", "test_error", "test_loss",
    "step_loss", "loss_ratio", "epochs", "outputs",
]  # fmt: skip


class Verdict(StrEnum):
    """What rerunning a claim says.

    `RATE`: true for a share of the seeds. `BETTER` is no success: it says that the number cannot
    be what this protocol gives. `INCONCLUSIVE`: the test would have passed almost anything.
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
"""Verdicts by which the published number stands."""


class Source(Frozen):
    """Where the number was published.

    `verified`: V1 read in the primary source; V2 in a text copy of it; R recalled, not verified.
    """

    author: Words
    title: Words
    year: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{4})?$")] | None = None
    address: Words
    verified: Literal["V1", "V2", "R"]


class Number(Frozen):
    """One published number and the rule that judges it.

    Args:
        name: what it is, in words.
        metric: accuracies, errors (1 - accuracy) and losses of a part; `step_loss`, the loss of
            one training step; `loss_ratio`, the last step's over the first's; `epochs` begun
            when training ended; `outputs`, the raw outputs of the test rows.
        at: `last`; `highest` or `lowest` over the evaluation points; `best_validation`: where
            the validation accuracy was highest; or a step.
        on: the variant it was measured with; "" is the protocol itself.
        minus: the number is a difference: the same metric of this variant is subtracted, seed
            by seed.
        published: as printed, digits included; `0.939...` if it was cut off; "a, b, …" for
            `outputs`; for `range` the words, or "".
        unit: what was printed: a share of one, per cent, or a plain number.
        rule: `exact`: the printed digits, or the same count of rows; `level`: within the
            tolerance that `judge` states; `every`: the printed digits from every seed; `rate`:
            the share of seeds that reach it, so give it or more; `range`: between `low` and `high`.
        low, high: of `range`, in `unit`; `low` of `rate` is the least share of seeds.
        runs: how many runs the published number is a mean of.
        best_of: it is the best of so many runs, so seeds are taken in groups of so many; rule
            `level` needs two groups, unless the claim states a spread.
        tolerance_at_most: a wider tolerance says nothing; in `unit`. Default: 1 percentage
            point, 1.5 for Fashion-MNIST, three rows for a test set of fewer than 500.
    """

    name: Words
    metric: Metric
    at: Literal["last", "highest", "lowest", "best_validation"] | Step = "last"
    on: str = ""
    minus: str | None = None
    published: str = ""
    unit: Literal["fraction", "percent", "number"] = "fraction"
    rule: Literal["exact", "level", "every", "rate", "range"]
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    runs: Annotated[int, Field(strict=True, ge=1)] = 1
    best_of: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    tolerance_at_most: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @property
    def key(self) -> str:
        """What a sample files the value under."""
        return f"{self.metric} at {self.at}"

    @property
    def value(self) -> float:
        """The printed number, in `unit`; of `outputs` the first."""
        return float(self.values[0])

    @property
    def values(self) -> tuple[Decimal, ...]:
        """All printed numbers, with their digits."""
        return tuple(Decimal(text.removesuffix("...")) for text in self._texts)

    @property
    def is_cut(self) -> bool:
        """Whether it was printed cut off, as in `0.939...`, and not rounded."""
        return self.published.endswith("...")

    @property
    def _texts(self) -> list[str]:
        return re.split(r"[,\s]+", self.published.strip())

    @property
    def decimals(self) -> int:
        """Printed digits behind the point."""
        return -int(self.values[0].as_tuple().exponent)

    @property
    def factor(self) -> int:
        """From a share of one to `unit`."""
        return 100 if self.unit == "percent" else 1

    @property
    def is_share(self) -> bool:
        """Whether it counts rows: an accuracy or an error, not a difference of two."""
        return self.metric.endswith(("_accuracy", "_error")) and self.minus is None

    @property
    def more_is_better(self) -> bool:
        """Accuracies, and nothing else."""
        return self.metric.endswith("_accuracy")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.rule == "range":
            if self.low is None and self.high is None:
                raise ValueError("rule 'range' needs low, high or both")
            return self
        if self.high is not None or (self.low is not None and self.rule != "rate"):
            raise ValueError(f"low and high belong to rule 'range'. Got rule {self.rule!r}")
        if not all(PRINTED.fullmatch(text) for text in self._texts):
            raise ValueError(
                f"published: must be the number as printed, without a unit. Got {self.published!r}"
            )
        if len(self.values) > 1 and self.metric != "outputs":
            raise ValueError("published: several numbers belong to the metric 'outputs'")
        if self.rule in ("rate", "every") and self.key != "test_accuracy at last":
            raise ValueError(
                f"rule {self.rule!r} is about test_accuracy at last: many starts at once leave "
                f"nothing else. Got {self.key}"
            )
        return self

    def check_against(self, protocol: Experiment) -> None:
        """Refuse what trials of this protocol cannot tell, before anything is trained.

        Raises:
            ValueError: the number asks for rows or a moment that the protocol has not.
        """
        validates = self.metric.startswith("validation") or self.at == "best_validation"
        if validates and not protocol.data.rows[1]:
            raise ValueError(f"numbers: {self.name!r} needs validation rows; there are none")
        if self.metric == "step_loss" and not isinstance(self.at, int) and self.at != "last":
            raise ValueError(f"numbers: {self.name!r}: step_loss is at a step or at 'last'")
        if isinstance(self.at, int):
            steps = range(protocol.steps) if self.metric == "step_loss" else (
                protocol.evaluation_points
            )  # fmt: skip
            if self.at not in steps:
                raise ValueError(
                    f"numbers: {self.name!r}: at must be a step that is evaluated. Got {self.at}"
                )


class Variant(Frozen):
    """The protocol with some fields changed.

    Args:
        name: appended to the claim's id in the names of its rows.
        role: `part`: numbers of the claim refer to it, so it is always run. `reading`: another
            admissible reading of what the source leaves open. `other code`: another version of
            the source's code than the printed one. `mistake`: what people get wrong here.
        why: in words.
        changes: dotted field of the protocol to its new value.
        judged: `reproduce` runs it too: a `reading` that changes the verdict makes the claim
            UNDER-SPECIFIED, an `other code` that alone gives the number CODE-OUTPUT MISMATCH.
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
        group: `posts` (the five study posts) or another word; `reproduce` alone runs `posts`.
        cost: of a run on two cores: `seconds`, `minutes`, or `heavy` (more than ten minutes).
        expected: the verdict registered before the first row.
        track: `identical`, or `native`: the library's own solver, stated in `protocol.native`.
        seeds: for the spread; 1 only where nothing is drawn, or `spread` is stated.
        many_seeds: for rules `rate` and `every`: starts to train at once.
        spread: standard deviation over seeds, in the first number's unit, for a claim that is
            too dear to run more than once; `spread_from` says where it is taken from.
        same_test: scored on the very test rows of the source. Otherwise the draw of the test
            set counts too.
        own_data: where the user has this dataset, it replaces the protocol's, and the test
            rows are those of the source.
        not_run: why it cannot be run; then it has no protocol and is not counted.
        note: what a reader should know.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,40}$")]
    title: Words
    group: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = "own"
    cost: Literal["seconds", "minutes", "heavy"] = "minutes"
    expected: Verdict | None = None
    track: Literal["identical", "native"] = "identical"
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
        """Whether one run says all."""
        return self.seeds == 1 and self.spread is None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.not_run:
            if self.variants or self.protocol is not None:
                raise ValueError("not_run: a claim that cannot be run has no protocol or variants")
            return self
        if self.protocol is None or not self.numbers:
            raise ValueError("a claim needs [protocol] and [[numbers]], or not_run with its reason")
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"variants: every name once. Got {', '.join(names)}")
        for number in self.numbers:
            for name in (number.on, number.minus or ""):
                if name and name not in names:
                    raise ValueError(f"numbers: {number.name!r} names no variant: {name!r}")
            if number.rule == "rate" and self.many_seeds < 200:
                raise ValueError(
                    f"many_seeds: a rate needs at least 200 seeds. Got {self.many_seeds}"
                )
            if number.rule == "level" and self.deterministic:
                raise ValueError(
                    f"seeds: {number.name!r} has rule 'level', which needs the spread of at least "
                    "2 seeds, or a stated spread. Got 1"
                )
            number.check_against(self.protocol)
            self._check_best_of(number)
        if self.own_data is not None and self.own_data not in DATASETS:
            raise ValueError(f"own_data: {unknown(self.own_data, DATASETS)}")
        if self.track == "native" and len(self.protocol.native) != 1:
            raise ValueError("protocol.native: a claim of the native track states one solver")
        if self.spread is not None and not (self.spread_from and math.isfinite(self.spread)):
            raise ValueError("spread_from: say where the stated spread is taken from")
        return self

    def _check_best_of(self, number: Number) -> None:
        """Refuse fewer seeds than give one best of so many runs, or two where they are spread."""
        if number.best_of > self.seeds:
            raise ValueError(
                f"seeds: {number.name!r} is the best of {number.best_of} runs. Got {self.seeds}"
            )
        spread = number.rule == "level" and self.spread is None
        if spread and self.seeds // number.best_of < 2:
            raise ValueError(
                f"seeds: {number.name!r} has rule 'level', which needs the spread of at least 2 "
                f"bests of {number.best_of} runs, so {2 * number.best_of} seeds, or a stated "
                f"spread. Got {self.seeds}"
            )
