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


class Layer(Frozen):
    """A dense layer: z = x W + b, output = activation(z).

    Args:
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


class Network(Frozen):
    """A stack of dense layers.

    Args:
        inputs: number of columns that the first layer takes, 1 to 1,000,000; must be that of
            the data.
        layers: 1 to 256 layers, the first one first.
    """

    inputs: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=256)]

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
