"""Whether what an adapter was given is still what it was.

The arrays are read-only, but NumPy lets anybody lift that. Data is shared by all trials of a
process, so a change would reach trials that did not make it.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from harness.data.prepared import Prepared
from harness.trainer import Array, Parameters
from harness.trial.outcome import GivenChanged, Outcome


def arrays_of_data(prepared: Prepared) -> dict[str, Array]:
    """Return the arrays that all trials of the data share, by what they are."""
    arrays = {}
    parts = {"training": prepared.train, "validation": prepared.validation, "test": prepared.test}
    for name, part in parts.items():
        arrays[f"{name} inputs"] = part.inputs
        if part.targets is not None:
            arrays[f"{name} targets"] = part.targets
    return arrays


def arrays_of_start(parameters: Parameters) -> dict[str, Array]:
    """Return the parameters that a trial starts from, by what they are."""
    arrays = {}
    for layer, (weights, biases) in enumerate(parameters, 1):
        arrays[f"initial weights of layer {layer}"] = weights
        if biases is not None:
            arrays[f"initial biases of layer {layer}"] = biases
    return arrays


@contextmanager
def left_alone(arrays: Mapping[str, Array], outcome: Outcome) -> Iterator[None]:
    """Make sure that code leaves arrays as they are. It costs 0.1 s for 200 MB, not counted.

    Args:
        arrays: by what they are.
        outcome: of the trial, whose `not_counted_s` grows.

    Raises:
        GivenChanged: an array has other numbers now.
    """
    before = _checksums(arrays, outcome)
    yield
    after = _checksums(arrays, outcome)
    changed = [name for name in arrays if before[name] != after[name]]
    if changed:
        raise GivenChanged(
            f"wrote into the {', '.join(changed)}. What a trainer is given is read-only: copy "
            "what you want to change"
        )


def _checksums(arrays: Mapping[str, Array], outcome: Outcome) -> dict[str, int]:
    began = perf_counter()
    checksums = {
        name: zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) if array.size else 0
        for name, array in arrays.items()
    }
    outcome.not_counted_s += perf_counter() - began
    return checksums
