"""The classes of a protocol. Frozen, closed (an unknown field is an error) and framework-free.

A field that a framework would fill with a hidden default (epsilon, a leaky slope, how a loss
is averaged) has no default here: the protocol states it.
"""

import itertools
import math
import struct
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from harness.experiment.datasets import DATASETS, DatasetFacts
from harness.experiment.names import unknown

EVALUATION_POINTS_AT_MOST = 60

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=64)
]


def _in_float32(number: float) -> float:
    """Accept a number only if rounding to float32, as adapters get it, keeps its kind."""
    try:
        rounded = float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        rounded = math.inf
    if math.isinf(rounded) or (number != 0 and rounded == 0) or (number < 1 <= rounded):
        raise ValueError(f"is {rounded:g} in float32, which every framework gets. Got {number}")
    return number


Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_in_float32)]
PositiveNumber = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), AfterValidator(_in_float32)
]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1), AfterValidator(_in_float32)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]


class Frozen(BaseModel):
    """Immutable, and closed against misspelt fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---------------------------------------------------------------- data


class GivenSplit(Frozen):
    """The dataset's own training and test rows."""

    name: Literal["given"]


class AllSplit(Frozen):
    """Every row is a training row, and the test rows are the same rows (the gates)."""

    name: Literal["all"]


class EdgeSplit(Frozen):
    """The first (or last) `train` rows train; the rest tests.

    Where the dataset has a test part of its own, that tests instead.
    """

    name: Literal["first", "last"]
    train: Count


class DrawnSplit(Frozen):
    """A random share of all rows tests; `stratified` keeps the classes' shares.

    The dataset's own parts, where it has them, are put together first. The number of test
    rows is `ceil(test * rows)`.
    """

    name: Literal["random", "stratified"]
    test: Annotated[float, Field(strict=True, gt=0, lt=1)]
    seed: Seed


Split = Annotated[GivenSplit | AllSplit | EdgeSplit | DrawnSplit, Field(discriminator="name")]


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(unknown(name, DATASETS))
    return name


class Data(Frozen):
    """Which rows, in which shape, the network sees.

    Args:
        dataset: a name from `harness.experiment.datasets`.
        features: `polynomial` maps (x1, x2) to (x1, x2, x1^2, x1 x2, x2^2); `flipped_and` maps
            two bits to (AND(not x1, x2), AND(x1, not x2)).
        scale: division by a constant, or a map fitted on the training rows: `min_max` to
            [0, 1], `standardize` to mean 0 and standard deviation 1 (of the population;
            a constant column is only shifted).
        split: where training and test rows come from.
        validation: this last share of the training rows is held out, as Keras's
            `validation_split` does: the first `floor(rows * (1 - validation))` rows train.
    """

    dataset: Annotated[str, AfterValidator(_known_dataset)]
    features: Literal["none", "polynomial", "flipped_and"] = "none"
    scale: Literal[
        "none", "divide_by_255", "divide_by_256", "divide_by_16", "min_max", "standardize"
    ] = "none"
    split: Split
    validation: Fraction = 0.0

    @property
    def facts(self) -> DatasetFacts:
        """What is known of the dataset before it is read."""
        return DATASETS[self.dataset]

    @property
    def columns(self) -> int:
        """Columns of the inputs, after `features`."""
        columns = self.facts.features
        return columns * (columns + 3) // 2 if self.features == "polynomial" else columns

    @property
    def rows(self) -> tuple[int, int, int]:
        """Number of training, validation and test rows."""
        facts = self.facts
        train, test = facts.train_rows, facts.test_rows
        match self.split:
            case AllSplit():
                test = train
            case EdgeSplit(train=kept):
                test = test or train - kept
                train = kept
            case DrawnSplit(test=share):
                pool = train + test
                test = math.ceil(share * pool)
                train = pool - test
            case GivenSplit():
                pass
        kept = math.floor(train * (1 - self.validation))
        return kept, train - kept, test

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.features != "none" and self.facts.features != 2:
            raise ValueError(
                f"features: {self.features!r} needs a dataset of two columns; "
                f"{self.dataset!r} has {self.facts.features}"
            )
        if self.features == "flipped_and" and self.facts.kind != "binary":
            raise ValueError("features: 'flipped_and' needs bits (and, or, xor)")
        if self.split.name == "given" and not self.facts.test_rows:
            raise ValueError(f"split: {self.dataset!r} has no test rows of its own; use 'all'")
        if self.split.name == "stratified" and self.facts.kind not in ("classes", "binary"):
            raise ValueError(f"split: 'stratified' needs classes; {self.dataset!r} has none")
        if isinstance(self.split, EdgeSplit):
            most = self.facts.train_rows - (0 if self.facts.test_rows else 1)
            if self.split.train > most:
                raise ValueError(
                    f"split.train: must be at most {most}, so that rows of {self.dataset!r} are "
                    f"left to test on. Got {self.split.train}"
                )
        if self.rows[0] < 1 or self.rows[2] < 1:
            raise ValueError("split: it and validation must leave rows to train and to test on")
        return self


# ---------------------------------------------------------------- network and start


ActivationName = Literal[
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "swish",
    "softplus",
    "gelu",
    "gelu_tanh",
    "step",
]


class Layer(Frozen):
    """A dense layer: z = x W + b, output = activation(z).

    `slope` is leaky ReLU's, and stated because libraries differ (0.3, 0.2 and 0.01). `elu` has
    alpha 1; `swish` is z sigmoid(z); `gelu` is z Phi(z) with the exact normal distribution
    function (Hendrycks and Gimpel 2016), `gelu_tanh` its approximation by tanh: libraries call
    either of the two GELU.
    """

    units: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    activation: ActivationName
    bias: Annotated[bool, Field(strict=True)] = True
    slope: PositiveNumber | None = None

    @model_validator(mode="after")
    def _slope(self) -> Self:
        if (self.activation == "leaky_relu") != (self.slope is not None):
            raise ValueError("slope: state it for 'leaky_relu', and for nothing else")
        return self


class Network(Frozen):
    """A stack of dense layers. `inputs` is the number of columns the first one sees."""

    inputs: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=64)]

    @property
    def outputs(self) -> int:
        """Units of the last layer."""
        return self.layers[-1].units

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer's weights."""
        widths = (self.inputs, *(layer.units for layer in self.layers))
        return tuple(itertools.pairwise(widths))

    @property
    def parameter_count(self) -> int:
        """Numbers to learn, biases included."""
        return sum(
            inputs * outputs + (outputs if layer.bias else 0)
            for (inputs, outputs), layer in zip(self.shapes, self.layers, strict=True)
        )

    def __str__(self) -> str:
        """As in the literature: 784-50-10."""
        return "-".join(str(width) for width in (self.inputs, *(u.units for u in self.layers)))


class Zeros(Frozen):
    """All zero."""

    name: Literal["zeros"]


class Constants(Frozen):
    """The numbers themselves, layer by layer: for weights rows of (inputs, outputs)."""

    name: Literal["constants"]
    values: tuple[tuple[Number, ...] | tuple[tuple[Number, ...], ...], ...]


class Normal(Frozen):
    """Gaussian; `std` is a number, or "1/sqrt(inputs)" with the layer's inputs."""

    name: Literal["normal"]
    mean: Number = 0.0
    std: PositiveNumber | Literal["1/sqrt(inputs)"]


class Uniform(Frozen):
    """Uniform on [low, high)."""

    name: Literal["uniform"]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low: must be below high. Got {self.low} and {self.high}")
        return self


class TruncatedNormal(Frozen):
    """Gaussian with `mean` and `std`, redrawn where further than two `std` from the mean.

    `std` is that before truncation; what remains has 0.8796 times of it.
    """

    name: Literal["truncated_normal"]
    mean: Number = 0.0
    std: PositiveNumber | Literal["1/sqrt(inputs)"]


class Scaled(Frozen):
    """Variance scaled by the layer's width.

    Glorot and Bengio (2010): variance 2 / (inputs + outputs). He et al. (2015): 2 / inputs.
    LeCun et al. (1998): 1 / inputs. `normal` is not truncated; `truncated_normal` is redrawn
    beyond two standard deviations and widened by 1 / 0.8796 beforehand, so that the variance is
    the stated one; `uniform` has the limit sqrt(3 * variance).
    """

    name: Literal[
        "glorot_normal",
        "glorot_truncated_normal",
        "glorot_uniform",
        "he_normal",
        "he_truncated_normal",
        "he_uniform",
        "lecun_normal",
        "lecun_truncated_normal",
        "lecun_uniform",
    ]


Initializer = Annotated[
    Zeros | Constants | Normal | TruncatedNormal | Uniform | Scaled, Field(discriminator="name")
]


class Initializers(Frozen):
    """How the harness draws the start; no framework ever initialises anything."""

    weights: Initializer
    biases: Initializer


# ---------------------------------------------------------------- training


class MeanSquaredError(Frozen):
    """(a - y)^2 per output, halved if `half`."""

    name: Literal["mean_squared_error"]
    half: Annotated[bool, Field(strict=True)]
    batch: Literal["mean", "sum"]
    outputs: Literal["mean", "sum"]


class BinaryCrossEntropy(Frozen):
    """-y log p - (1 - y) log(1 - p) per output, p = sigmoid(logit)."""

    name: Literal["binary_cross_entropy"]
    batch: Literal["mean", "sum"]
    outputs: Literal["mean", "sum"]


class SoftmaxCrossEntropy(Frozen):
    """-log p[label] per row, p = softmax(logits)."""

    name: Literal["softmax_cross_entropy"]
    batch: Literal["mean", "sum"]


Loss = Annotated[
    MeanSquaredError | BinaryCrossEntropy | SoftmaxCrossEntropy, Field(discriminator="name")
]


class SGD(Frozen):
    """w <- w - learning_rate * g."""

    name: Literal["sgd"]
    learning_rate: PositiveNumber


class Momentum(Frozen):
    """Momentum (Polyak 1964); v starts at 0.

    Rate outside the velocity (torch): v <- momentum * v + g; w <- w - rate * v.
    Rate inside the velocity (Keras, scikit-learn): v <- momentum * v + rate * g; w <- w - v.
    While the rate is constant both are the same; a protocol whose rate decays must say which.
    """

    name: Literal["momentum"]
    learning_rate: PositiveNumber
    momentum: Annotated[float, Field(strict=True, gt=0, lt=1)]
    rate_inside_velocity: Annotated[bool, Field(strict=True)] | None = None


class Nesterov(Frozen):
    """Nesterov's momentum as the libraries have it (Sutskever et al. 2013, rearranged).

    Rate outside: v <- momentum * v + g; w <- w - rate * (g + momentum * v).
    Rate inside: v <- momentum * v + rate * g; w <- w - rate * g - momentum * v.
    """

    name: Literal["nesterov"]
    learning_rate: PositiveNumber
    momentum: Annotated[float, Field(strict=True, gt=0, lt=1)]
    rate_inside_velocity: Annotated[bool, Field(strict=True)] | None = None


class RMSprop(Frozen):
    """RMSprop (Hinton 2012), with the place of epsilon stated; v starts at 0.

    v <- rho v + (1 - rho) g^2, then `epsilon_outside_root` (torch):
    w <- w - rate * g / (sqrt(v) + epsilon), or `epsilon_inside_root` (Keras):
    w <- w - rate * g / sqrt(v + epsilon).
    """

    name: Literal["rmsprop"]
    learning_rate: PositiveNumber
    rho: Fraction
    epsilon: PositiveNumber
    form: Literal["epsilon_outside_root", "epsilon_inside_root"]


class Adagrad(Frozen):
    """Adagrad (Duchi et al. 2011), with the place of epsilon stated.

    a starts at `initial_accumulator`; a <- a + g^2, then as RMSprop with a for v.
    """

    name: Literal["adagrad"]
    learning_rate: PositiveNumber
    initial_accumulator: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
    epsilon: PositiveNumber
    form: Literal["epsilon_outside_root", "epsilon_inside_root"]


class Adam(Frozen):
    """Adam (Kingma and Ba 2015), with the place of epsilon stated.

    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; both start at 0; t counts
    from 1. With c1 = 1 - beta1^t, c2 = 1 - beta2^t:
    `algorithm_1`: w <- w - rate * (m / c1) / (sqrt(v / c2) + epsilon)   (torch, optax);
    `epsilon_hat`: w <- w - rate * sqrt(c2) / c1 * m / (sqrt(v) + epsilon)   (Keras,
    scikit-learn; the paper's remark before section 2.1).
    """

    name: Literal["adam"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["algorithm_1", "epsilon_hat"]


Optimizer = Annotated[
    SGD | Momentum | Nesterov | RMSprop | Adagrad | Adam, Field(discriminator="name")
]


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
        """c for a batch of so many rows."""
        return self.strength * (0.5 if self.half else 1.0) / (rows if self.per_row else 1)


class StepDecay(Frozen):
    """The learning rate is multiplied by `factor` after every so many steps or epochs."""

    name: Literal["step_decay"]
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)]
    every_steps: Count | None = None
    every_epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give either every_steps or every_epochs")
        return self


class FullBatches(Frozen):
    """All training rows, in order, in every step."""

    order: Literal["full"]


class DrawnBatches(Frozen):
    """Batches of `size` rows; an epoch is ceil(rows / size) steps, floor if `last` is `drop`.

    `sequential`: the rows in order, every epoch. `shuffled`: a new permutation every epoch.
    `with_replacement`: every row of every batch is drawn afresh, so none is short.
    """

    order: Literal["sequential", "shuffled", "with_replacement"]
    size: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    last: Literal["keep", "drop"]


Batching = Annotated[FullBatches | DrawnBatches, Field(discriminator="order")]


class Length(Frozen):
    """How long training lasts: steps or epochs."""

    steps: Count | None = None
    epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    def __str__(self) -> str:
        """In words, for captions."""
        count, unit = (self.steps, "step") if self.steps else (self.epochs, "epoch")
        return f"{count:,} {unit}{'s' * (count != 1)}"


class Evaluation(Frozen):
    """When loss and accuracy are taken, outside the clock.

    The first and the last step always are; at most 60 points in all.
    """

    every_steps: Count | None = None
    every_epochs: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every_steps is None) == (self.every_epochs is None):
            raise ValueError("give either every_steps or every_epochs")
        return self


class Training(Frozen):
    """Everything about learning; absent for a network that only predicts."""

    loss: Loss
    l2: L2 | None = None
    optimizer: Optimizer
    schedule: StepDecay | None = None
    batches: Batching
    length: Length
    evaluation: Evaluation


def _parameter(value: Any) -> Any:
    """A TOML value that an estimator may take: text, truth, a number, or a list of numbers."""
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        return tuple(value)
    if type(value) in (str, bool, int) or (type(value) is float and math.isfinite(value)):
        return value
    raise ValueError(f"must be text, true, false, a number or a list of numbers. Got {value!r}")


Parameter = Annotated[Any, AfterValidator(_parameter)]


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


class Experiment(Frozen):
    """A complete protocol.

    `dtype` is stated only where the protocol's numbers need one; otherwise the command decides.
    """

    name: Name
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Annotated[str, StringConstraints(max_length=500)] = ""
    dtype: Literal["float32", "float64"] | None = None
    data: Data
    network: Network
    initializers: Initializers
    training: Training | None = None
    native: tuple[Native, ...] = ()
    quick: Quick | None = None

    @property
    def decay(self) -> tuple[int, float] | None:
        """(steps, factor) of the schedule, or None for a constant rate."""
        schedule = self.training.schedule if self.training else None
        if schedule is None:
            return None
        steps = schedule.every_steps or (schedule.every_epochs or 0) * self.steps_per_epoch
        return steps, schedule.factor

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
    def steps(self) -> int:
        """Updates in all."""
        if self.training is None:
            return 0
        length = self.training.length
        return length.steps or (length.epochs or 0) * self.steps_per_epoch

    @property
    def evaluation_points(self) -> tuple[int, ...]:
        """Steps after which loss and accuracy are taken: 1, the multiples, the last."""
        if self.training is None:
            return ()
        evaluation = self.training.evaluation
        every = evaluation.every_steps or (evaluation.every_epochs or 0) * self.steps_per_epoch
        return tuple(sorted({1, self.steps, *range(every, self.steps + 1, every)}))

    @property
    def evaluation_count(self) -> int:
        """How many points that are at most, without listing them."""
        evaluation = self.training.evaluation if self.training else Evaluation(every_steps=1)
        every = evaluation.every_steps or (evaluation.every_epochs or 0) * self.steps_per_epoch
        return self.steps // every + (1 if every > 1 else 0) + (1 if self.steps % every else 0)

    def of_length(self, length: Length | None) -> "Experiment":
        """The same protocol, run for another length; None leaves it as it is."""
        if length is None or self.training is None:
            return self
        return self.model_copy(
            update={"training": self.training.model_copy(update={"length": length})}
        )

    def protocol(self) -> dict[str, Any]:
        """All that changes what is computed: no name, title or source, no presets."""
        return self.model_dump(mode="json", exclude={"name", "title", "source", "quick", "native"})

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for check in (_check_ends, _check_loss, _check_batches, _check_constants, _check_native):
            check(self)
        if self.quick is not None and self.quick.length is not None:
            try:
                _check_batches(self.of_length(self.quick.length))
            except ValueError as error:
                raise ValueError(f"quick.length: with it, {error}") from error
        return self


def _check_ends(experiment: Experiment) -> None:
    data, network = experiment.data, experiment.network
    if network.inputs != data.columns:
        raise ValueError(
            f"network.inputs: must be the {data.columns} columns of {data.dataset!r} "
            f"(features {data.features!r}). Got {network.inputs}"
        )
    if network.parameter_count > 1_000_000_000:
        raise ValueError(
            f"network.layers: at most a billion parameters. Got {network.parameter_count:,}"
        )
    if experiment.training and any(layer.activation == "step" for layer in network.layers):
        raise ValueError(
            "network.layers: 'step' has no gradient; only a network without [training] has it"
        )


def _check_loss(experiment: Experiment) -> None:
    loss, facts, network = experiment.loss, experiment.data.facts, experiment.network
    if loss is None:
        return
    if facts.kind == "none":
        raise ValueError(f"training: {experiment.data.dataset!r} has no targets to train on")
    if loss.name == "softmax_cross_entropy" and facts.kind != "classes":
        raise ValueError(f"training.loss: {loss.name!r} needs classes (kind: {facts.kind})")
    if loss.name == "binary_cross_entropy" and facts.kind == "values":
        raise ValueError(f"training.loss: {loss.name!r} needs classes (kind: {facts.kind})")
    if network.outputs != facts.outputs:
        raise ValueError(
            f"network.layers: the last layer must have {facts.outputs} units for "
            f"{experiment.data.dataset!r}. Got {network.outputs}"
        )
    if "cross_entropy" in loss.name and network.layers[-1].activation != "identity":
        raise ValueError(
            "network.layers: the last activation must be 'identity': the loss takes logits "
            f"and applies its own. Got {network.layers[-1].activation!r}"
        )


def _check_batches(experiment: Experiment) -> None:
    training = experiment.training
    if training is None:
        return
    if experiment.batch_size > experiment.data.rows[0]:
        raise ValueError(
            f"training.batches.size: must be at most the {experiment.data.rows[0]} training "
            f"rows. Got {experiment.batch_size}"
        )
    inside = getattr(training.optimizer, "rate_inside_velocity", True)
    if training.schedule is not None and inside is None:
        raise ValueError(
            "training.optimizer.rate_inside_velocity: state it (true or false) where the "
            "rate decays; libraries differ"
        )
    points = experiment.evaluation_count
    if points > EVALUATION_POINTS_AT_MOST:
        raise ValueError(
            f"training.evaluation: at most {EVALUATION_POINTS_AT_MOST} points. Got {points}; "
            f"every_steps = {math.ceil(experiment.steps / (EVALUATION_POINTS_AT_MOST - 2))} fits"
        )


def _check_native(experiment: Experiment) -> None:
    labels = [native.label for native in experiment.native]
    kind = experiment.data.facts.kind
    for native in experiment.native:
        if labels.count(native.label) > 1:
            raise ValueError(
                f"native: two are called {native.label!r}; put one into an experiment of its own"
            )
        regression = native.estimator == "LinearRegression"
        if (
            kind == "none"
            or regression == (kind == "classes")
            or (kind == "values" and not regression)
        ):
            raise ValueError(
                f"native.estimator: {native.estimator} does not fit targets of kind {kind!r}"
            )


def _check_constants(experiment: Experiment) -> None:
    network = experiment.network
    for part in ("weights", "biases"):
        initializer = getattr(experiment.initializers, part)
        if not isinstance(initializer, Constants):
            continue
        if len(initializer.values) != len(network.layers):
            raise ValueError(
                f"initializers.{part}.values: one entry per layer, {len(network.layers)}. "
                f"Got {len(initializer.values)}"
            )
        for index, (values, shape) in enumerate(
            zip(initializer.values, network.shapes, strict=True)
        ):
            wanted = shape if part == "weights" else shape[1:]
            if not _has_shape(values, wanted):
                raise ValueError(f"initializers.{part}.values[{index}]: must have shape {wanted}")


def _has_shape(values: Any, shape: tuple[int, ...]) -> bool:
    if not shape:
        return not isinstance(values, tuple)
    return (
        isinstance(values, tuple)
        and len(values) == shape[0]
        and all(_has_shape(value, shape[1:]) for value in values)
    )
