"""The numbers of a protocol as adapters receive them: rounded to float32, unless `exact`."""

from typing import TypeVar

import numpy as np

from harness.experiment.fields import Frozen
from harness.experiment.losses import CrossEntropy, Loss
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


def given_loss(experiment: Experiment) -> Loss | None:
    """Return a protocol's loss with its numbers as adapters receive them; None without one."""
    loss = given(experiment.loss, experiment)
    if loss is None or not isinstance(loss, CrossEntropy):
        return loss
    weights = loss.class_weights
    if weights is not None:
        values = tuple(given_number(value, experiment) for value in weights.values)
        weights = weights.model_copy(update={"values": values})
    smoothing = given(loss.label_smoothing, experiment)
    return loss.model_copy(update={"label_smoothing": smoothing, "class_weights": weights})


def given_network(experiment: Experiment) -> Network:
    """Return a protocol's network with the slopes of its layers as adapters receive them."""
    network = experiment.network
    layers = tuple(given(layer, experiment) for layer in network.layers)
    return network.model_copy(update={"layers": layers})
