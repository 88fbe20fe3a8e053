"""The numbers of a protocol as adapters receive them: rounded to float32, unless `exact`."""

from typing import TypeVar

import numpy as np

from harness.experiment.fields import Frozen
from harness.experiment.model import Experiment
from harness.experiment.network import Network

Part = TypeVar("Part", bound=Frozen | None)


def float32(number: float) -> float:
    """Return the float32 nearest to `number`. Some frameworks round every constant to float32."""
    return float(np.float32(number))


def rounded(part: Part) -> Part:
    """Return a part of a protocol with its own floats rounded to float32.

    Whole numbers, and the numbers of tables inside the part, stay as they are. None stays None.
    """
    if part is None:
        return part
    numbers = {name: float32(value) for name, value in part if type(value) is float}
    return part.model_copy(update=numbers)


def given_number(number: float, experiment: Experiment) -> float:
    """Return a number of a protocol as adapters receive it."""
    return number if experiment.constants == "exact" else float32(number)


def given(part: Part, experiment: Experiment) -> Part:
    """Return a part of a protocol with its own floats as adapters receive them."""
    return part if experiment.constants == "exact" else rounded(part)


def given_network(experiment: Experiment) -> Network:
    """Return a protocol's network with the slopes of its layers as adapters receive them."""
    network = experiment.network
    layers = tuple(given(layer, experiment) for layer in network.layers)
    return network.model_copy(update={"layers": layers})
