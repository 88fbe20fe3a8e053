"""The table `[initializers]`: how the harness draws the start of a network."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from harness.experiment.fields import Frozen, Number, PositiveNumber
from harness.experiment.start_file import FromFile


class Zeros(Frozen):
    """All parameters are 0."""

    name: Literal["zeros"]


class Constant(Frozen):
    """All parameters are `value`."""

    name: Literal["constant"]
    value: Number


class Constants(Frozen):
    """The numbers themselves, layer by layer: for weights rows of (inputs, outputs)."""

    name: Literal["constants"]
    values: tuple[tuple[Number, ...] | tuple[tuple[Number, ...], ...], ...]


class Normal(Frozen):
    """Gaussian; `std` is a number above 0, or "1/sqrt(inputs)" with the layer's inputs."""

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


class InverseRootUniform(Frozen):
    """Uniform in +-1/sqrt(inputs of the layer), for weights and biases alike.

    PyTorch's default for `Linear` (`reset_parameters`: He-uniform with a = sqrt(5), whose limit
    is sqrt(6 / ((1 + 5) inputs)), and this limit for the biases).
    """

    name: Literal["inverse_root_uniform"]


Initializer = Annotated[
    Zeros
    | Constant
    | Constants
    | FromFile
    | Normal
    | TruncatedNormal
    | Uniform
    | Scaled
    | InverseRootUniform,
    Field(discriminator="name"),
]


def _per_layer_or_not(value: Any) -> str:
    return "one (per layer)" if isinstance(value, list | tuple) else "one (for all)"


PerLayer = Annotated[
    Annotated[Initializer, Tag("one (for all)")]
    | Annotated[tuple[Initializer, ...], Field(min_length=1), Tag("one (per layer)")],
    Discriminator(_per_layer_or_not),
]
"""One initializer for all layers, or a list of one per layer."""


class Initializers(Frozen):
    """How the harness draws the start; no framework ever initialises anything.

    Args:
        weights: one initializer for all layers, or a list with one for each layer that has
            weights.
        biases: likewise.
    """

    weights: PerLayer
    biases: PerLayer

    def of(self, part: Literal["weights", "biases"], layer: int) -> Initializer:
        """Return the initializer of one of the layers with weights, counted from 0."""
        stated: Initializer | tuple[Initializer, ...] = getattr(self, part)
        return stated[layer] if isinstance(stated, tuple) else stated
