"""The initial parameters of a trial, drawn from (experiment, seed)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment.image_layers import Conv
from harness.experiment.initializers import (
    Constant,
    Constants,
    Initializers,
    InverseRootUniform,
    Normal,
    TruncatedNormal,
    Uniform,
    Zeros,
)
from harness.experiment.model import Experiment
from harness.experiment.network import Network, WeightedLayer
from harness.experiment.start_file import FromFile
from harness.parameters import as_inputs_first, map_arrays
from harness.parameters import outputs_first as shape_outputs_first
from harness.trainer import (
    ConvParameters,
    DenseParameters,
    LayerParameters,
    NoParameters,
    Parameters,
)

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal distribution truncated at -2 and 2."""
PARAMETER_STREAM = 0x57A27
"""Spawn key that separates the stream of the parameters from the streams of the epochs."""

Random = np.random.Generator | np.random.RandomState


def initial_parameters(experiment: Experiment, seed: int, dtype: str) -> Parameters:
    """Draw the start in float64, layer by layer, weights before biases, and round it to `dtype`.

    Returns:
        An entry for every layer, see `harness.trainer.Parameters`; arrays are read-only.
    """
    random: Random
    if experiment.generator is None:
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARAMETER_STREAM,)))
        outputs_first = False
    else:
        random = random_state_of(experiment.generator.seed, seed)
        outputs_first = experiment.generator.weights == "outputs_first"
    parameters = draw(experiment.network, experiment.initializers, random, outputs_first)
    return map_arrays(lambda values: _cast(values, dtype), parameters)


def random_state_of(seed: int, trial_seed: int) -> np.random.RandomState:
    """Return a `RandomState` of the sum of both seeds; trial seed 0 is the source's run.

    Raises:
        ValueError: the sum is larger than `RandomState` accepts.
    """
    if seed + trial_seed >= 2**32:
        raise ValueError(
            "generator.seed: with the trial's seed added it must be below 2**32. "
            f"Got {seed} + {trial_seed}"
        )
    return np.random.RandomState(seed + trial_seed)


def draw(
    network: Network, initializers: Initializers, random: Random, outputs_first: bool
) -> list[LayerParameters]:
    """Draw all parameters in float64, layer by layer, weights before biases.

    Args:
        network: has the shapes.
        initializers: have the distributions.
        random: the stream to draw from.
        outputs_first: whether weights are drawn in PyTorch's shape, (units, inputs) or (out, in,
            height, width), and then turned round; those returned have the contract's shape.
    """
    parameters: list[LayerParameters] = []
    index = 0  # of the layers with weights
    stack = zip(network.layers, network.row_shapes, strict=False)
    for place, (layer, rows) in enumerate(stack):
        if not isinstance(layer, WeightedLayer):
            parameters.append(NoParameters())
            continue
        shape = layer.weights_shape(rows)
        of_weights = initializers.of("weights", index)
        if isinstance(of_weights, FromFile):
            weights = of_weights.values("weights", place)
        elif outputs_first and not isinstance(of_weights, Constants):
            drawn = _draw(of_weights, index, shape, shape_outputs_first(shape), random)
            weights = np.ascontiguousarray(as_inputs_first(drawn))
        else:
            weights = _draw(of_weights, index, shape, shape, random)
        biases = None
        if layer.bias:
            of_biases = initializers.of("biases", index)
            if isinstance(of_biases, FromFile):
                biases = of_biases.values("biases", place)
            else:
                biases = _draw(of_biases, index, shape, shape[-1:], random)
        kind = ConvParameters if isinstance(layer, Conv) else DenseParameters
        parameters.append(kind(weights, biases))
        index += 1
    return parameters


def _cast(values: NDArray[np.float64], dtype: str) -> NDArray[np.generic]:
    array = values.astype(dtype)
    array.flags.writeable = False
    return array


def _draw(
    initializer: Any,
    index: int,
    weights_shape: tuple[int, ...],
    shape: tuple[int, ...],
    random: Random,
) -> NDArray[np.float64]:
    """Draw one array of a layer; the formulas are in `harness.experiment.initializers`.

    A kernel has height * width * in inputs and height * width * out outputs, as in all libraries.
    """
    *window, inputs, outputs = weights_shape
    inputs, outputs = inputs * math.prod(window), outputs * math.prod(window)
    match initializer:
        case Constants(values=values):
            return np.array(values[index], dtype=np.float64)
        case Normal(mean=mean, std=std):
            return random.normal(
                mean, 1 / math.sqrt(inputs) if isinstance(std, str) else std, shape
            )
        case TruncatedNormal(mean=mean, std=std):
            exact_std = 1 / math.sqrt(inputs) if isinstance(std, str) else std
            return _truncated(mean, exact_std, shape, random)
        case Uniform(low=low, high=high):
            return random.uniform(low, high, shape)
        case Constant(value=value):
            return np.full(shape, value)
        case Zeros():
            return np.zeros(shape)
        case InverseRootUniform():
            limit = 1 / math.sqrt(inputs)
            return random.uniform(-limit, limit, shape)
    kind, distribution = initializer.name.split("_", 1)
    variance = {"glorot": 2 / (inputs + outputs), "he": 2 / inputs, "lecun": 1 / inputs}[kind]
    if distribution == "normal":
        return random.normal(0, math.sqrt(variance), shape)
    if distribution == "truncated_normal":
        return _truncated(0, math.sqrt(variance) / TRUNCATED_STD, shape, random)
    limit = math.sqrt(3 * variance)
    return random.uniform(-limit, limit, shape)


def _truncated(
    mean: float, std: float, shape: tuple[int, ...], random: Random
) -> NDArray[np.float64]:
    """Draw normal numbers; redraw each until it is within two standard deviations of the mean."""
    drawn = random.normal(size=shape)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = random.normal(size=int(outside.sum()))
    return mean + std * drawn
