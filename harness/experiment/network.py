"""The table `[network]`: a stack of dense layers."""

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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
]


class Layer(Frozen):
    """A dense layer: z = x W + b, output = activation(z).

    Args:
        units: number of outputs, 1 to 1,000,000.
        activation: `identity`, `sigmoid`, `tanh`, `relu`, `leaky_relu`, `elu` (alpha 1), `swish`
            (z sigmoid(z)), `softplus`, `gelu`, `gelu_tanh` or `step` (only without training).
            `gelu` is z Phi(z) with the exact normal distribution function (Hendrycks and Gimpel
            2016), and `gelu_tanh` is its approximation by tanh: libraries call either GELU.
            At a kink the derivative is that of negative z: relu'(0) = 0 and leaky_relu'(0) = slope.
        bias: whether b is added; true by default.
        slope: leaky ReLU's factor for negative z, above 0; required for `leaky_relu` and not
            allowed for others. Libraries have different defaults (0.3, 0.2 and 0.01).
    """

    units: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    activation: ActivationName
    bias: Annotated[bool, Field(strict=True)] = True
    slope: PositiveNumber | None = None

    @model_validator(mode="after")
    def _slope(self) -> Self:
        if (self.activation == "leaky_relu") != (self.slope is not None):
            raise ValueError("slope: state it for 'leaky_relu', and for no other activation")
        return self


class Network(Frozen):
    """A stack of dense layers.

    Args:
        inputs: number of columns that the first layer takes, 1 to 1,000,000; must be that of
            the data.
        layers: 1 to 64 layers, the first one first.
    """

    inputs: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=64)]

    @property
    def outputs(self) -> int:
        """Number of units of the last layer."""
        return self.layers[-1].units

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer's weights."""
        widths = (self.inputs, *(layer.units for layer in self.layers))
        return tuple(itertools.pairwise(widths))

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return sum(
            inputs * outputs + (outputs if layer.bias else 0)
            for (inputs, outputs), layer in zip(self.shapes, self.layers, strict=True)
        )

    def __str__(self) -> str:
        """Return the widths as papers write them: 784-50-10."""
        return "-".join(str(width) for width in (self.inputs, *(u.units for u in self.layers)))
