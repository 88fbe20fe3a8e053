"""The protocol's numbers, as adapters get them: rounded to float32 unless it says `exact`."""

from typing import Any

import numpy as np

from harness.experiment.network import Network


def float32(number: float) -> float:
    """The nearest number that float32 can hold: some frameworks round every constant to it."""
    return float(np.float32(number))


def rounded(part: Any) -> Any:
    """A part of a protocol with every number rounded to float32, as adapters get it."""
    if part is None:
        return None
    numbers = {
        name: float32(value) for name, value in part.model_dump().items() if type(value) is float
    }
    return part.model_copy(update=numbers)


def rounded_network(network: Network) -> Network:
    """The network with its slopes rounded to float32, as adapters get it."""
    return network.model_copy(update={"layers": tuple(rounded(layer) for layer in network.layers)})
