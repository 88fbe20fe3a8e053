"""What a network that only predicts computes on its first row: every z and a, by the oracle."""

from dataclasses import dataclass

import numpy as np

from harness import data
from harness.data.fetching import DataMissingError
from harness.experiment.loading import catalogue_names
from harness.experiment.model import Experiment
from harness.parity.functions import Floats, activate
from harness.start import initial_parameters

MOST_UNITS = 64
"""A network with more units has too many numbers to read."""


@dataclass(frozen=True)
class LayerValues:
    """One layer: its activation, and each unit's z = a W + b and a = f(z), as text."""

    number: int
    activation: str
    z: tuple[str, ...]
    a: tuple[str, ...]


@dataclass(frozen=True)
class ForwardPass:
    """The inputs of the first row, and what the layers make of them.

    Args:
        command: what says the same step by step; "" where the experiment has no public name.
    """

    inputs: tuple[str, ...]
    layers: tuple[LayerValues, ...]
    command: str


def forward_pass_of(experiment: Experiment) -> ForwardPass | None:
    """Return the numbers of a network without training; None for others, and for large ones."""
    units = sum(layer.units for layer in experiment.network.dense_layers)
    is_dense = experiment.network.kinds == ("dense",)
    if experiment.training is not None or units > MOST_UNITS or not is_dense:
        return None
    try:
        prepared = data.load(experiment.data, experiment.loss, "float64")
    except DataMissingError:  # the user's file has changed or is gone
        return None
    a: Floats = np.asarray(prepared.test.inputs[:1], np.float64)
    inputs, layers = _texts(a), []
    parameters = initial_parameters(experiment, 0, "float64")
    for number, (layer, (W, b)) in enumerate(
        zip(experiment.network.dense_layers, parameters, strict=True), 1
    ):
        z = a @ W + (0.0 if b is None else b)
        a = activate(layer, z)
        layers.append(LayerValues(number, layer.activation, _texts(z), _texts(a)))
    command = f"samestep step {experiment.name}" if experiment.name in catalogue_names() else ""
    return ForwardPass(inputs, tuple(layers), command)


def _texts(row: Floats) -> tuple[str, ...]:
    return tuple(f"{value:.8f}" for value in row[0].tolist())
