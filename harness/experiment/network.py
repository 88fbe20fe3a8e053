"""The network, and how the harness draws its start."""

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.experiment.base import Frozen, Number, PositiveNumber

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
