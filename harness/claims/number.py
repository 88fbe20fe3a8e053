"""One published number as data, and how it is judged."""

import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from harness.experiment.fields import Frozen
from harness.experiment.model import Experiment

PRINTED = re.compile(r"-?\d+(\.\d+)?(\.\.\.)?")
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Step = Annotated[int, Field(strict=True, ge=0)]
Metric = Literal[
    "train_accuracy",
    "train_error",
    "train_loss",
    "validation_accuracy",
    "validation_error",
    "validation_loss",
    "test_accuracy",
    "test_error",
    "test_loss",
    "step_loss",
    "loss_ratio",
    "epochs",
    "outputs",
]


class Number(Frozen):
    """One published number and the rule that judges it.

    Args:
        name: what it is, in words.
        metric: accuracies, errors (1 - accuracy) and losses of the training, validation or test
            rows; `step_loss`, the loss of one training step; `loss_ratio`, the last step's over
            the first's; `epochs` begun when training ended; `outputs`, the raw outputs of the
            test rows.
        at: `last`; `highest` or `lowest` over the evaluation points; `best_validation`: where
            the validation accuracy was highest; or a step.
        on: the variant it was measured with; "" is the protocol itself.
        minus: the number is a difference: the same metric of this variant is subtracted, seed
            by seed.
        published: as printed, digits included; `0.939...` if it was cut off; "a, b, …" for
            `outputs`; for `range` the words, or "".
        unit: what was printed: a share of one, per cent, or a plain number.
        rule: how it is judged. `exact`: the printed digits, or the same count of rows. `level`:
            within the tolerance. `every`: the printed digits from every seed. `rate`: the share
            of seeds that give the number or a better one. `range`: between `low` and `high`.
        low: the lower bound of `range`, in `unit`; of `rate`, the least share of seeds.
        high: the upper bound of `range`, in `unit`.
        runs: how many runs the published number is a mean of.
        best_of: the number is the best of so many runs, so seeds are taken in groups of this
            size; rule `level` needs two groups, unless the claim states a spread.
        tolerance_at_most: a wider tolerance makes the verdict INCONCLUSIVE; in `unit`. Default:
            1 percentage point, 1.5 for Fashion-MNIST, three rows for a test set of fewer than 500.
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
        """The key of the value in `Sample.values`."""
        return f"{self.metric} at {self.at}"

    @property
    def value(self) -> float:
        """The printed number, in `unit`; the first of `outputs`."""
        return float(self.values[0])

    @property
    def values(self) -> tuple[Decimal, ...]:
        """All printed numbers, with their digits."""
        return tuple(Decimal(text.removesuffix("...")) for text in self._texts)

    @property
    def is_cut(self) -> bool:
        """Whether the number was printed cut off, as in `0.939...`, and not rounded."""
        return self.published.endswith("...")

    @property
    def _texts(self) -> list[str]:
        return re.split(r"[,\s]+", self.published.strip())

    @property
    def decimals(self) -> int:
        """How many digits are printed behind the point."""
        return -int(self.values[0].as_tuple().exponent)

    @property
    def factor(self) -> int:
        """What a share of one is multiplied with to be in `unit`."""
        return 100 if self.unit == "percent" else 1

    @property
    def is_share(self) -> bool:
        """Whether the number counts rows: an accuracy or an error, not a difference of two."""
        return self.metric.endswith(("_accuracy", "_error")) and self.minus is None

    @property
    def more_is_better(self) -> bool:
        """Whether a larger number is a better one: of accuracies only."""
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
        """Check that trials of this protocol measure the number, before anything is trained.

        Raises:
            ValueError: the number needs rows or a step that the protocol does not have.
        """
        validates = self.metric.startswith("validation") or self.at == "best_validation"
        if validates and not protocol.data.rows[1]:
            raise ValueError(f"numbers: {self.name!r} needs validation rows; there are none")
        if self.metric == "step_loss" and not isinstance(self.at, int) and self.at != "last":
            raise ValueError(f"numbers: {self.name!r}: step_loss is at a step or at 'last'")
        if isinstance(self.at, int):
            is_loss = self.metric == "step_loss"
            if self.at not in (range(protocol.steps) if is_loss else protocol.evaluation_points):
                raise ValueError(
                    f"numbers: {self.name!r}: at must be a step that is evaluated. Got {self.at}"
                )
