"""A protocol: everything that decides what is computed. Frozen, closed and framework-free.

A field that a framework would fill with a hidden default (epsilon, a leaky slope, how a loss
is averaged) has no default here: the protocol states it. The parts are in the modules beside
this one: `data`, `network`, `initializers`, `generator`, `training`; what has to hold between
them in `consistency`.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from harness.experiment.consistency import (
    check_batches,
    check_ends,
    check_generator,
    check_initializers,
    check_loss,
    check_native,
    check_stopping,
)
from harness.experiment.data import Data
from harness.experiment.fields import Frozen, Name
from harness.experiment.initializers import Initializers
from harness.experiment.network import Network
from harness.experiment.random_generator import RandomStateGenerator
from harness.experiment.training import (
    BinaryCrossEntropy,
    DrawnBatches,
    Evaluation,
    FullBatches,
    Length,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    Training,
)


def _parameter(value: Any) -> Any:
    """A TOML value that an estimator may take: text, truth, a number, or a list of numbers."""
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        return tuple(value)
    if type(value) in (str, bool, int) or (type(value) is float and math.isfinite(value)):
        return value
    raise ValueError(f"must be text, true, false, a number or a list of numbers. Got {value!r}")


Parameter = Annotated[Any, AfterValidator(_parameter)]

WORTH_MEASURING_FLOP = 1e6
"""Smaller steps are all overhead: their products take microseconds."""


class Native(Frozen):
    """A library's own solver on the same data: shown beside, never ranked with, the others.

    Args:
        framework: a name of the registry's native track.
        estimator: the library's name for it.
        parameters: its stated parameters.
    """

    framework: Name
    estimator: Literal[
        "LinearRegression", "LogisticRegression", "MLPClassifier", "Perceptron", "SGDClassifier"
    ]
    parameters: dict[str, Parameter] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """Such as `LogisticRegression(lbfgs)`; the row's `loop`."""
        solver = self.parameters.get("solver")
        return f"{self.estimator}({solver})" if solver else self.estimator


class Quick(Frozen):
    """What the quick preset does with this experiment.

    Args:
        length: instead of the full length.
        loops: loops to run besides each framework's best.
        part: whether `samestep report` without names runs it.
    """

    length: Length | None = None
    loops: tuple[Literal["idiomatic", "stepwise", "fused"], ...] = ()
    part: bool = True


ADDED_LATER = (
    ("", "generator", None),
    ("", "constants", "float32"),
    ("training", "stopping", None),
)
"""(part, field, default) of fields that protocols did not have at first."""


class Experiment(Frozen):
    """A complete protocol.

    `dtype` is stated only where the protocol's numbers need one; otherwise the command decides.
    `target` is the test accuracy whose time is taken, as in DAWNBench and MLPerf.
    `constants` says how adapters get the protocol's numbers: rounded to float32, because some
    frameworks round them so, or exactly as they are written, where a source's digits need it.
    """

    name: Name
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Annotated[str, StringConstraints(max_length=500)] = ""
    dtype: Literal["float32", "float64"] | None = None
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    data: Data
    network: Network
    initializers: Initializers
    generator: RandomStateGenerator | None = None
    constants: Literal["float32", "exact"] = "float32"
    training: Training | None = None
    native: tuple[Native, ...] = ()
    quick: Quick | None = None

    @property
    def decay(self) -> tuple[int, float] | None:
        """(steps, factor) of the schedule, or None for a constant rate."""
        schedule = self.training.schedule if self.training else None
        if schedule is None:
            return None
        return schedule.in_steps(self.steps_per_epoch), schedule.factor

    @property
    def loss(self) -> MeanSquaredError | BinaryCrossEntropy | SoftmaxCrossEntropy | None:
        """The loss, or None for a network that only predicts."""
        return self.training.loss if self.training else None

    @property
    def batch_size(self) -> int:
        """Rows of a whole batch."""
        rows = self.data.rows[0]
        if self.training and isinstance(self.training.batches, DrawnBatches):
            return self.training.batches.size
        return rows

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the training rows."""
        if self.training is None or isinstance(self.training.batches, FullBatches):
            return 1
        rows, batches = self.data.rows[0], self.training.batches
        whole, left = divmod(rows, batches.size)
        return whole + (1 if left and batches.last == "keep" else 0)

    @property
    def has_short_batch(self) -> bool:
        """Whether an epoch ends with a batch of fewer rows; none drawn with replacement is."""
        if not self.training or self.training.batches.order in ("full", "with_replacement"):
            return False
        return self.steps_per_epoch * self.batch_size > self.data.rows[0]

    @property
    def steps(self) -> int:
        """Updates in all."""
        if self.training is None:
            return 0
        length = self.training.length
        return length.steps or (length.epochs or 0) * self.steps_per_epoch

    @property
    def step_flop(self) -> int:
        """Floating-point operations of a step's matrix products: x W, x^T d, and d W^T.

        2 * rows * inputs * units each; the first layer needs no d W^T.
        """
        rows, inputs, total = self.batch_size, self.network.inputs, 0
        for index, layer in enumerate(self.network.layers):
            total += 2 * rows * inputs * layer.units * (3 if index else 2)
            inputs = layer.units
        return total

    @property
    def has_measurable_products(self) -> bool:
        """Whether a step has enough matrix products that timing them alone says something."""
        return self.steps > 0 and self.step_flop >= WORTH_MEASURING_FLOP

    @property
    def evaluation_points(self) -> tuple[int, ...]:
        """Steps after which loss and accuracy are taken: 1, the multiples, the last."""
        if self.training is None:
            return ()
        evaluation = self.training.evaluation
        every = evaluation.in_steps(self.steps_per_epoch)
        return tuple(sorted({1, self.steps, *range(every, self.steps + 1, every)}))

    @property
    def evaluation_count(self) -> int:
        """How many points that are at most besides the first step, without listing them."""
        evaluation = self.training.evaluation if self.training else Evaluation(every_steps=1)
        every = evaluation.in_steps(self.steps_per_epoch)
        return self.steps // every + (1 if self.steps % every else 0)

    def of_length(self, length: Length | None) -> "Experiment":
        """The same protocol, run for another length; None leaves it as it is."""
        if length is None or self.training is None:
            return self
        return self.model_copy(
            update={"training": self.training.model_copy(update={"length": length})}
        )

    def protocol(self) -> dict[str, Any]:
        """All that changes what is computed: no name, title or source, no presets, no target.

        A field that came later is left out where it has its default, so that the digest of a
        protocol without it is what it was.
        """
        told = {"name", "title", "source", "quick", "native", "target"}
        values = self.model_dump(mode="json", exclude=told)
        parts = {"": values, "training": values["training"] or {}}
        for part, field, default in ADDED_LATER:
            if parts[part].get(field) == default:
                parts[part].pop(field, None)
        return values

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for check in (
            check_ends, check_loss, check_batches, check_initializers, check_generator,
            check_stopping, check_native,
        ):  # fmt: skip
            check(self)
        if self.quick is not None and self.quick.length is not None:
            try:
                shorter = self.of_length(self.quick.length)
                check_batches(shorter)
                check_stopping(shorter)
            except ValueError as error:
                raise ValueError(f"quick.length: with it, {error}") from error
        return self
