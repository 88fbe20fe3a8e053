"""The network: a stack of dense layers."""

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
