"""Parameters, whatever kinds of layers they are of: every array, by name or by function.

Entries are those of `harness.trainer.Parameters`: a named tuple for every layer, or a plain tuple
of the same arrays in the same order, as a trainer may return it. None stands for an array that
the layer does not have.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.trainer import Array, DenseParameters, LayerParameters, Parameters

NAMES = DenseParameters._fields
"""The names of the arrays of an entry that has none: weights and biases."""
SHORT_NAMES = {"weights": "W", "biases": "b"}
"""What an array is called in a file of a trial, without its layer."""


class NamedArray(NamedTuple):
    """One array of parameters.

    Args:
        layer: its place in the network, from 0.
        name: such as `weights` or `biases`.
        values: the array.
    """

    layer: int
    name: str
    values: Array

    def __str__(self) -> str:
        """Return `weights of layer 1`; layers are counted from 1."""
        return f"{self.name} of layer {self.layer + 1}"


def named_arrays(parameters: Parameters) -> Iterator[NamedArray]:
    """Yield every array, layer by layer, in the order of the entries."""
    for layer, entry in enumerate(parameters):
        for name, values in zip(names_of(entry), entry, strict=False):
            if values is not None:
                yield NamedArray(layer, name, values)


def names_of(entry: LayerParameters) -> tuple[str, ...]:
    """Return the names of the arrays of a layer."""
    return getattr(entry, "_fields", NAMES)


def map_arrays(function: Callable[..., Any], *all_parameters: Sequence[Any]) -> list[Any]:
    """Return a function of the corresponding arrays of one or more parameters.

    Args:
        function: is called with one array of each. Where the first has none, the result has none.
        all_parameters: of the same network. The entries of the result are as those of the first.
    """
    return [
        like(
            entries[0],
            [
                None if arrays[0] is None else function(*arrays)
                for arrays in zip(*entries, strict=True)
            ],
        )
        for entries in zip(*all_parameters, strict=True)
    ]


def map_weights(function: Callable[..., Any], *all_parameters: Sequence[Any]) -> list[Any]:
    """Return parameters whose weights are a function of those of all; the rest is the first's."""
    return _map_one(0, function, all_parameters)


def map_biases(function: Callable[..., Any], *all_parameters: Sequence[Any]) -> list[Any]:
    """Return parameters whose biases are a function of those of all; the rest is the first's."""
    return _map_one(1, function, all_parameters)


def _map_one(
    place: int, function: Callable[..., Any], all_parameters: Sequence[Sequence[Any]]
) -> list[Any]:
    changed = []
    for first, *others in zip(*all_parameters, strict=True):
        if len(first) <= place or first[place] is None:
            changed.append(first)
            continue
        value = function(first[place], *(other[place] for other in others))
        changed.append(like(first, [*first[:place], value, *first[place + 1 :]]))
    return changed


def like(entry: LayerParameters, values: Sequence[Any]) -> LayerParameters:
    """Return the values as an entry of the same kind."""
    make = getattr(entry, "_make", tuple)
    made: LayerParameters = make(values)
    return made


def outputs_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return PyTorch's shape of weights: (units, inputs), or (out, in, height, width)."""
    return (shape[-1], shape[-2], *shape[:-2])


def as_inputs_first(weights: Array) -> Array:
    """Return weights of such a shape in that of the contract, as a view."""
    return np.moveaxis(weights, (0, 1), (-1, -2))


def first_weights(parameters: Parameters) -> Array:
    """Return the weights of the first layer with some; kernels as (height * width * in, out)."""
    weights: Array = np.asarray(next(entry[0] for entry in parameters if entry))
    return weights.reshape(-1, weights.shape[-1])
