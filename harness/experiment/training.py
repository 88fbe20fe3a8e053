"""The table `[training]`: loss, optimizer, schedule, batches, length, evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Frozen, Interval, PositiveNumber
from harness.experiment.fields import Length as Length
from harness.experiment.gradients import L1, Clipping, MaxNorm
from harness.experiment.losses import Loss
from harness.experiment.optimizers import Optimizer
from harness.experiment.plateau import Plateau
from harness.experiment.schedules import Schedule
from harness.experiment.stopping import Stopping


class L2(Frozen):
    """A penalty in the loss: c * sum of squares, whose gradient is 2 c w.

    c = strength, halved if `half`, divided by the batch's rows if `per_row` (as scikit-learn's
    alpha is). It is part of the loss, so it passes through the optimizer like any gradient:
    decoupled weight decay is another thing. Scores do not contain it.

    Args:
        on: the weights, or the biases too.
    """

    strength: PositiveNumber
    half: Annotated[bool, Field(strict=True)]
    per_row: Annotated[bool, Field(strict=True)]
    on: Literal["weights", "all"]

    def coefficient(self, rows: int) -> float:
        """Return c for a batch of `rows` rows."""
        return self.strength * (0.5 if self.half else 1.0) / (rows if self.per_row else 1)


class FullBatches(Frozen):
    """All training rows, in order, in every step."""

    order: Literal["full"]


class DrawnBatches(Frozen):
    """Batches of `size` rows; an epoch is ceil(rows / size) steps, floor if `last` is `drop`.

    `sequential`: the rows in order, every epoch. `shuffled`: a new permutation every epoch.
    `with_replacement`: every row of every batch is drawn from all rows, so no batch is short.

    Args:
        order: `sequential`, `shuffled` or `with_replacement`.
        size: rows of a batch, 1 to the number of training rows.
        last: `keep` or `drop` a last batch of fewer rows.
    """

    order: Literal["sequential", "shuffled", "with_replacement"]
    size: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    last: Literal["keep", "drop"]


Batching = Annotated[FullBatches | DrawnBatches, Field(discriminator="order")]


class Evaluation(Interval):
    """The interval at which loss and accuracy are taken, outside the timed regions.

    They are also taken after the first and the last step. At most 60 points are allowed besides
    the first step.
    """


class Training(Frozen):
    """Everything about learning; absent for a network that only predicts.

    Args:
        loss: one of `losses`.
        l2: an L2 penalty; none by default.
        l1: an L1 penalty; none by default.
        clipping: how gradients are clipped; not at all by default.
        max_norm: a bound of the weights' norms after every update; none by default.
        optimizer: `sgd`, `momentum`, `nesterov`, `rmsprop`, `adagrad`, `adam`, `adamw`, `amsgrad`,
            `nadam`, `adamax` or `adadelta`.
        schedule: how the learning rate changes (`schedules`); constant by default.
        plateau: how the rate falls when validation gets no better; not at all by default.
        batches: the rows of each step.
        length: how long training lasts.
        evaluation: when loss and accuracy are taken.
        stopping: early stopping; none by default.
    """

    loss: Loss
    l2: L2 | None = None
    l1: L1 | None = None
    clipping: Clipping | None = None
    max_norm: MaxNorm | None = None
    optimizer: Optimizer
    schedule: Schedule | None = None
    plateau: Plateau | None = None
    batches: Batching
    length: Length
    evaluation: Evaluation
    stopping: Stopping | None = None
