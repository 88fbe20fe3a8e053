"""One published number as data, and how it is judged."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, FiniteFloat, StringConstraints, model_validator

from harness.claims import number_checks
from harness.experiment.fields import Frozen
from harness.experiment.model import Experiment

Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
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
    "epoch_loss",
    "epoch_accuracy",
    "solver_loss",
    "loss_ratio",
    "epochs",
    "outputs",
]
Place = Literal["last", "highest", "lowest", "best_validation"]


def _place(value: Any) -> Any:
    """Accept a place by name or a step; one sentence for both."""
    names = get_args(Place)
    if value in names or (type(value) is int and value >= 0):
        return value
    meant = [name for name in names if name.startswith(str(value))]
    hint = f" Did you mean {meant[0]!r}?" if meant else ""
    raise ValueError(f"must be one of {', '.join(names)}, or a step from 0 on.{hint} Got {value!r}")


def _printed(value: Any) -> Any:
    """Refuse a bare number: it has lost the digits that were printed."""
    if isinstance(value, int | float):
        raise ValueError(f'must be in quotes, so that its digits count: "{value}"')
    return value


Printed = Annotated[str, BeforeValidator(_printed)]


class Number(Frozen):
    """One published number and the rule that judges it.

    Args:
        name: what it is, in words.
        metric: accuracies, errors (1 - accuracy) and losses of the training, validation or test
            rows; `step_loss`, the loss of one training step; `epoch_loss` and `epoch_accuracy`,
            the mean over an epoch's batches, each before its update, as many scripts print it;
            `solver_loss`, what a library's own solver prints (native track); `loss_ratio`, the
            last step's loss over the first's; `epochs` begun when training ended; `outputs`, the
            raw outputs of the test rows.
        at: `last`; `highest` or `lowest` over the evaluation points; `best_validation`: where
            the validation accuracy was highest; or a step, 0 before training. Of `step_loss` 0 is
            the first step; of an epoch's mean it is an epoch and of `solver_loss` an
            iteration, 1 the first.
        on: the variant it was measured with; "" is the protocol itself.
        minus: the number is a difference: the same metric of this variant is subtracted, seed
            by seed.
        published: as printed, digits included; `0.939...` if it was cut off; "a, b, …" for
            `outputs`; for `range` the words, or "".
        also_printed: what other runs of the same code printed, such as another version of its
            page. With `published` they are several values of one number.
        unit: what was printed: a share of one, per cent, or a plain number.
        rule: how it is judged. `exact`: the printed digits, or the same count of rows. `level`:
            within the tolerance. `every`: the printed digits from every seed. `rate`: the share
            of seeds that give the number or a better one, an accuracy or a loss. `range`: between
            `low` and `high`.
        low: the lower bound of `range`, in `unit`; of `rate`, the least share of seeds.
        high: the upper bound of `range`, in `unit`.
        share: of `rate`, the published share of runs, such as "2 of 9".
        runs: how many runs the published number is a mean of.
        best_of: the number is the best of so many runs, so seeds are taken in groups of this
            size; rule `level` needs two groups, unless the claim states a spread.
        tolerance_at_most: a wider tolerance makes the verdict INCONCLUSIVE; in `unit`. Default:
            1 percentage point, 1.5 for Fashion-MNIST, three rows for a test set of fewer than
            500, a fifth of other numbers. Never more than 5 percentage points, half of other
            numbers, or a published difference itself.
    """

    name: Words
    metric: Metric
    at: Annotated[Place | int, BeforeValidator(_place)] = "last"
    on: str = ""
    minus: str | None = None
    published: Printed = ""
    also_printed: tuple[Printed, ...] = ()
    unit: Literal["fraction", "percent", "number"] = "fraction"
    rule: Literal["exact", "level", "every", "rate", "range"]
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    share: Annotated[str, StringConstraints(pattern=r"^\d+ of \d+$")] | None = None
    runs: Annotated[int, Field(strict=True, ge=1)] = 1
    best_of: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    tolerance_at_most: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @property
    def key(self) -> str:
        """The key of the value in `Sample.values`.

        An error at an extreme has a key of its own: samples of earlier versions hold one minus
        the extreme of the accuracy under the plain key, which is the other extreme.
        """
        own = self.metric.endswith("_error") and self.at in ("highest", "lowest")
        return f"{self.metric} at its {self.at}" if own else f"{self.metric} at {self.at}"

    @property
    def value(self) -> float:
        """The printed number, in `unit`: the mean of all printings; the first of `outputs`."""
        if self.metric == "outputs":
            return float(self.values[0])
        values = self.printed_values
        return sum(values) / len(values)

    @property
    def values(self) -> tuple[Decimal, ...]:
        """All numbers of `published`, with their digits."""
        return tuple(Decimal(text.removesuffix("...")) for text in self._texts)

    @property
    def centre(self) -> float:
        """The middle of what is printed as the number: of `0.939...` half a unit above it."""
        halves = [
            math.copysign(
                0.5 * 10.0 ** int(Decimal(text.removesuffix("...")).as_tuple().exponent), value
            )
            for text, value in zip(self.printings, self.printed_values, strict=True)
            if text.endswith("...")
        ]
        return self.value + sum(halves) / len(self.printings)

    @property
    def printings(self) -> tuple[str, ...]:
        """`published` and `also_printed`."""
        return (self.published, *self.also_printed)

    @property
    def printed_values(self) -> tuple[float, ...]:
        """Every printing as a number."""
        return tuple(float(text.removesuffix("...")) for text in self.printings)

    @property
    def is_cut(self) -> bool:
        """Whether the number was printed cut off, as in `0.939...`, and not rounded."""
        return self.published.endswith("...")

    @property
    def _texts(self) -> list[str]:
        return re.split(r"[,\s]+", self.published.strip())

    @property
    def decimals(self) -> int:
        """How many digits are printed behind the point; the fewest of several printings."""
        if self.metric == "outputs":
            return -int(self.values[0].as_tuple().exponent)
        exact = (Decimal(text.removesuffix("...")) for text in self.printings)
        return min(-int(value.as_tuple().exponent) for value in exact)

    @property
    def successes(self) -> tuple[int, int] | None:
        """(successes, runs) of the published `share`."""
        if self.share is None:
            return None
        hits, _, total = self.share.partition(" of ")
        return int(hits), int(total)

    @property
    def factor(self) -> int:
        """What a share of one is multiplied with to be in `unit`."""
        return 100 if self.unit == "percent" else 1

    @property
    def counts_rows(self) -> bool:
        """Whether the metric is an accuracy or an error."""
        return self.metric.endswith(("_accuracy", "_error"))

    @property
    def is_of_epochs(self) -> bool:
        """Whether the metric is a mean over an epoch's batches."""
        return self.metric in ("epoch_loss", "epoch_accuracy")

    @property
    def is_share(self) -> bool:
        """Whether the number counts rows: an accuracy or an error, not a difference of two."""
        return self.counts_rows and self.minus is None

    @property
    def more_is_better(self) -> bool:
        """Whether a larger number is a better one: of accuracies only."""
        return self.metric.endswith("_accuracy")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        number_checks.check_form(self)
        number_checks.check_values(self)
        return self

    def check_against(self, protocol: Experiment) -> None:
        """Check that trials of this protocol measure the number, before anything is trained.

        Raises:
            ValueError: the number needs rows or a step that the protocol does not have.
        """
        number_checks.check_against(self, protocol)
