"""A protocol: everything that decides what is computed. Frozen, closed and framework-free.

Settings that frameworks fill with hidden defaults (epsilon, a leaky slope, how a loss is
averaged) must be written out. The parts of a protocol are in the modules beside this one:
`data`, `network`, `initializers`, `random_generator`, `training` and `native`. The rules that
connect the parts are in `consistency`.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from harness.experiment.consistency import (
    CHECKS,
    check_batches,
    check_plateau,
    check_stopping,
)
from harness.experiment.data import Data
from harness.experiment.digests import canonical_form, digest_of
from harness.experiment.fields import Frozen, Name
from harness.experiment.initializers import Initializers
from harness.experiment.losses import Loss
from harness.experiment.native import Native
from harness.experiment.network import Network
from harness.experiment.random_generator import RandomStateGenerator
from harness.experiment.rate_checks import check_schedule
from harness.experiment.training import DrawnBatches, FullBatches, Length, Training
from harness.experiment.vocabulary import Dtype, Loop

WORTH_MEASURING_FLOP = 1e6
"""The matrix products of a smaller step take microseconds, and timing them says nothing."""


class Quick(Frozen):
    """What the quick preset does with this experiment.

    Args:
        length: instead of the full length; by default the full length.
        loops: loops to run besides each framework's best; none by default.
        part: whether `samestep report` without names runs the experiment; true by default.
    """

    length: Length | None = None
    loops: tuple[Loop, ...] = ()
    part: bool = True


class Experiment(Frozen):
    """A complete protocol.

    Args:
        name: lower-case letters, digits and single hyphens, at most 64 characters.
        title: one line for lists and captions, 1 to 200 characters.
        source: where the protocol comes from, at most 500 characters; empty by default.
        dtype: `float32` or `float64`, only where the protocol's numbers need one of them; by
            default the command decides.
        target: a test accuracy above 0 and at most 1. The row's `target_s` is the training time
            until it is reached, as in DAWNBench and MLPerf. By default there is no target.
        data: the table `[data]`.
        network: the table `[network]`.
        initializers: the table `[initializers]`.
        generator: the table `[generator]`; without it everything is drawn with PCG64.
        constants: how adapters receive the protocol's numbers. `float32` (the default) rounds
            them to float32, because some frameworks round them so. `exact` leaves them as they
            are written, where a source's printed digits need it.
        training: the table `[training]`; without it the network only predicts.
        native: the tables `[[native]]`, none by default.
        quick: the table `[quick]`; without it the quick preset runs the full length.
    """

    name: Name
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Annotated[str, StringConstraints(max_length=500)] = ""
    dtype: Dtype | None = None
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    data: Data
    network: Network
    initializers: Initializers
    generator: RandomStateGenerator | None = None
    constants: Literal["float32", "exact"] = "float32"
    training: Training | None = None
    native: tuple[Native, ...] = ()
    quick: Quick | None = None

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over everything that changes what is computed."""
        return digest_of(canonical_form(self))

    @property
    def rate_changes(self) -> bool:
        """Whether the learning rate is not the same in every step."""
        training = self.training
        return training is not None and (
            training.schedule is not None or training.plateau is not None
        )

    @property
    def depends_on_validation(self) -> bool:
        """Whether validations decide, while it trains, on its length or its learning rate."""
        training = self.training
        return training is not None and (
            training.stopping is not None or training.plateau is not None
        )

    @property
    def loss(self) -> Loss | None:
        """The loss, or None for a network that only predicts."""
        return self.training.loss if self.training else None

    @property
    def batch_size(self) -> int:
        """Rows of a full batch."""
        if self.training and isinstance(self.training.batches, DrawnBatches):
            return self.training.batches.size
        return self.data.rows[0]

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the training rows."""
        if self.training is None or isinstance(self.training.batches, FullBatches):
            return 1
        batches = self.training.batches
        full_batches, rows_left = divmod(self.data.rows[0], batches.size)
        return full_batches + (1 if rows_left and batches.last == "keep" else 0)

    @property
    def has_short_batch(self) -> bool:
        """Whether an epoch ends with a batch of fewer rows; batches with replacement never do."""
        if not self.training or self.training.batches.order in ("full", "with_replacement"):
            return False
        return self.steps_per_epoch * self.batch_size > self.data.rows[0]

    @property
    def steps(self) -> int:
        """Updates in the whole training; 0 without training."""
        if self.training is None:
            return 0
        length = self.training.length
        return length.steps or (length.epochs or 0) * self.steps_per_epoch

    @property
    def step_flop(self) -> int:
        """Floating-point operations of a step's matrix products: x W, x^T d, and d W^T.

        2 * rows * inputs * units each; the first layer needs no d W^T. A row of a convolution's x
        is what a kernel sees in one place.
        """
        return sum(
            2 * self.batch_size * rows * inputs * outputs * (3 if index else 2)
            for index, (rows, inputs, outputs) in enumerate(self.network.products)
        )

    @property
    def has_measurable_products(self) -> bool:
        """Whether the matrix products of a step are large enough to be timed alone."""
        return self.steps > 0 and self.step_flop >= WORTH_MEASURING_FLOP

    @property
    def evaluation_points(self) -> tuple[int, ...]:
        """Steps after which loss and accuracy are taken: the first, the multiples, the last."""
        if self.training is None:
            return ()
        every = self.training.evaluation.in_steps(self.steps_per_epoch)
        return tuple(sorted({1, self.steps, *range(every, self.steps + 1, every)}))

    @property
    def evaluation_count(self) -> int:
        """How many evaluation points there are at most besides the first step."""
        if self.training is None:
            return 0
        every = self.training.evaluation.in_steps(self.steps_per_epoch)
        return self.steps // every + (1 if self.steps % every else 0)

    def of_length(self, length: Length | None) -> "Experiment":
        """Return the same protocol with another length; None leaves the length as it is."""
        if length is None or self.training is None:
            return self
        training = self.training.model_copy(update={"length": length})
        return self.model_copy(update={"training": training})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changed fields, as pydantic does, but without the cached digest."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("digest", None)
        return copied

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for check in CHECKS:
            check(self)
        if self.quick is not None and self.quick.length is not None:
            try:
                shorter = self.of_length(self.quick.length)
                check_batches(shorter)
                check_schedule(shorter)
                check_stopping(shorter)
                check_plateau(shorter)
            except ValueError as error:
                raise ValueError(f"quick.length: with it, {error}") from error
        return self
