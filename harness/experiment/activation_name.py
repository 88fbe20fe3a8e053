"""The names of activations, and the constants that go with some of them."""

from typing import Literal, Protocol

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


class Activated(Protocol):
    """A layer with an activation: `Dense` or `Conv`."""

    @property
    def activation(self) -> ActivationName:
        """Its name."""

    @property
    def slope(self) -> float | None:
        """Leaky ReLU's factor for negative numbers; None for others."""

    @property
    def alpha(self) -> float:
        """ELU's factor for negative numbers; 1 for others."""


def check_constants(layer: Activated) -> None:
    """Check that a layer states the constants of its activation, and no others.

    Raises:
        ValueError: `slope` is missing or superfluous, or `alpha` superfluous.
    """
    if (layer.activation == "leaky_relu") != (layer.slope is not None):
        raise ValueError("slope: state it for 'leaky_relu', and for no other activation")
    if layer.alpha != 1 and layer.activation != "elu":
        raise ValueError(
            f"alpha: only for 'elu'; leave it out. Got {layer.alpha:g} for {layer.activation!r}"
        )
