"""The table `[network]`: a stack of layers."""

import itertools
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.experiment.fields import Frozen, PositiveNumber

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
    "selu",
    "softsign",
    "log_sigmoid",
    "mish",
    "relu6",
    "hard_tanh",
    "hard_sigmoid",
    "hard_sigmoid_fifth",
    "hard_swish",
]


class Dense(Frozen):
    """A dense layer: z = x W + b, output = activation(z).

    Args:
        kind: `dense`; may be left out.
        units: number of outputs, 1 to 1,000,000.
        activation: `identity`, `sigmoid`, `tanh`, `relu`, `leaky_relu`, `elu`, `swish`
            (z sigmoid(z)), `softplus`, `gelu`, `gelu_tanh`, `selu`, `softsign` (z / (1 + |z|)),
            `log_sigmoid` (-softplus(-z)), `mish`, `relu6`, `hard_tanh`, `hard_sigmoid`,
            `hard_sigmoid_fifth`, `hard_swish`, or `step` (only without training).
            `elu` is z for positive z, else alpha (exp(z) - 1) (Clevert et al. 2016). `selu` is
            1.0507... times `elu` of alpha 1.6732..., the constants of Klambauer et al. 2017.
            `gelu` is z Phi(z) with the exact normal distribution function (Hendrycks and Gimpel
            2016), and `gelu_tanh` is its approximation by tanh: libraries call either GELU.
            `mish` is z tanh(softplus(z)) (Misra 2019).
            With clip(z, low, high) = min(max(z, low), high), `relu6` is clip(z, 0, 6)
            (Krizhevsky 2010), `hard_tanh` clip(z, -1, 1), and `hard_swish` z hard_sigmoid(z)
            (Howard et al. 2019). Libraries call two functions hard sigmoid: `hard_sigmoid` is
            clip(z + 3, 0, 6) / 6 (PyTorch, JAX, Keras 3), and `hard_sigmoid_fifth` is
            clip(0.2 z + 0.5, 0, 1) (Theano, Keras 1 and 2).
            Where a kink separates two lines or curves, the derivative at the kink is that of
            negative z if the kink is at 0: 0 for ReLU, `slope` for leaky ReLU, alpha for ELU.
            Where there are two kinks, it is that of the outer side: 0, and for `hard_swish`
            0 at -3 and 1 at 3.
        bias: whether b is added; true by default.
        slope: leaky ReLU's factor for negative z, above 0; required for `leaky_relu` and not
            allowed for others. Libraries have different defaults (0.3, 0.2 and 0.01).
        alpha: ELU's factor for negative z, above 0; 1 by default, and always 1 for others.
    """

    kind: Literal["dense"] = "dense"
    units: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    activation: ActivationName
    bias: Annotated[bool, Field(strict=True)] = True
    slope: PositiveNumber | None = None
    alpha: PositiveNumber = 1.0

    @model_validator(mode="after")
    def _slope(self) -> Self:
        if (self.activation == "leaky_relu") != (self.slope is not None):
            raise ValueError("slope: state it for 'leaky_relu', and for no other activation")
        if self.alpha != 1 and self.activation != "elu":
            raise ValueError(
                f"alpha: only for 'elu'; leave it out. Got {self.alpha:g} for {self.activation!r}"
            )
        return self

    def outputs_of(self, inputs: int) -> int:
        """Number of outputs of a layer with so many inputs."""
        return self.units

    def parameter_count(self, inputs: int) -> int:
        """Number of weights and biases of a layer with so many inputs."""
        return inputs * self.units + (self.units if self.bias else 0)


class Dropout(Frozen):
    """A layer that drops numbers in training: each of its inputs is 0 with the probability `rate`.

    Every row of every step has a mask of its own, which the harness draws (`harness.start.masks`).
    On inputs it may be the first layer; it is never the last, and never follows another.

    Args:
        kind: `dropout`.
        rate: the probability that a number is dropped, above 0 and below 1.
        form: where the expectation is kept. `inverted`: in training numbers that are kept are
            divided by 1 - rate, and prediction changes nothing, as in Keras, PyTorch and Flax.
            `classic`: in training kept numbers stay as they are, and prediction multiplies all
            by 1 - rate (Srivastava et al. 2014, section 4, with their p = 1 - rate; Saito,
            Deep Learning from Scratch, 6.4.3).
    """

    kind: Literal["dropout"]
    rate: Annotated[PositiveNumber, Field(lt=1)]
    form: Literal["inverted", "classic"]

    def outputs_of(self, inputs: int) -> int:
        """Number of outputs of a layer with so many inputs."""
        return inputs

    def parameter_count(self, inputs: int) -> int:
        """Number of parameters: none."""
        return 0

    @property
    def training_scale(self) -> float:
        """What kept numbers are multiplied by in training."""
        return 1 / (1 - self.rate) if self.form == "inverted" else 1.0

    @property
    def prediction_scale(self) -> float:
        """What all numbers are multiplied by in prediction."""
        return 1.0 if self.form == "inverted" else 1 - self.rate


Layer = Dense | Dropout
"""A layer of any kind."""


class Network(Frozen):
    """A stack of layers.

    Args:
        inputs: number of columns that the first layer takes, 1 to 1,000,000; must be that of
            the data.
        layers: 1 to 256 layers, the first one first. Each states its `kind`, which may be left
            out for `dense`. The last one is dense.
    """

    inputs: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    layers: Annotated[
        tuple[Annotated[Layer, Field(discriminator="kind")], ...],
        Field(min_length=1, max_length=256),
    ]

    @field_validator("layers", mode="before")
    @classmethod
    def _dense_by_default(cls, layers: Any) -> Any:
        if not isinstance(layers, list | tuple):
            return layers
        return [{"kind": "dense", **each} if isinstance(each, dict) else each for each in layers]

    @model_validator(mode="after")
    def _dropout_has_its_place(self) -> Self:
        if self.layers[-1].kind == "dropout":
            raise ValueError("the last layer must be dense. Got dropout")
        for index, (layer, below) in enumerate(itertools.pairwise(self.layers)):
            if layer.kind == below.kind == "dropout":
                raise ValueError(
                    f"dropout must not follow dropout; state one rate. Got it as "
                    f"layers {index + 1} and {index + 2}"
                )
        return self

    @property
    def output_layer(self) -> Dense:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, Dense)
        return last

    @property
    def dense_layers(self) -> tuple[Dense, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def dense_shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of the weights of each of these."""
        layers = zip(self.layers, self.shapes, strict=True)
        return tuple(shape for layer, shape in layers if isinstance(layer, Dense))

    @property
    def dropout_layers(self) -> tuple[Dropout, ...]:
        """The layers that drop numbers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dropout))

    @property
    def dropout_widths(self) -> tuple[int, ...]:
        """How many numbers of a row each of these takes."""
        layers = zip(self.layers, self.shapes, strict=True)
        return tuple(width for layer, (width, _) in layers if isinstance(layer, Dropout))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its layers, each once, in the order of their first layer."""
        return tuple(dict.fromkeys(layer.kind for layer in self.layers))

    @property
    def outputs(self) -> int:
        """Number of units of the last layer."""
        return self.output_layer.units

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer; of a dense layer that is the shape of its weights."""
        widths = [self.inputs]
        for layer in self.layers:
            widths.append(layer.outputs_of(widths[-1]))
        return tuple(itertools.pairwise(widths))

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return sum(
            layer.parameter_count(inputs)
            for (inputs, _), layer in zip(self.shapes, self.layers, strict=True)
        )

    def __str__(self) -> str:
        """Return the widths as papers write them: 784-50-10."""
        widths = (self.inputs, *(layer.units for layer in self.dense_layers))
        return "-".join(str(width) for width in widths)
