"""The arrays of a protocol's data, ready for a network."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, splits, transforms
from harness.experiment.data import Data
from harness.experiment.training import Loss

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Subset:
    """Rows of one part; arrays are read-only.

    Args:
        inputs: (rows, columns) in the trial's dtype.
        targets: what the loss takes: (rows,) int32 labels for softmax cross-entropy, else
            (rows, outputs) in the trial's dtype; None where the dataset has none.
        labels: (rows,) int32 classes that accuracy is counted on; None for regression.
    """

    inputs: Array
    targets: Array | None
    labels: Array | None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Prepared:
    """All parts of a protocol's data and a digest over their bytes."""

    train: Subset
    validation: Subset
    test: Subset
    digest: str


@lru_cache(maxsize=1)
def load(data: Data, loss: Loss | None, dtype: str) -> Prepared:
    """Read, split and scale. The last result is kept: trials come in groups on the same data.

    Raises:
        harness.data.fetching.DataMissingError: the dataset has to be fetched first.
    """
    source = raw.read(data.dataset)
    rows = splits.split(data, source.targets, len(source.inputs), source.train_rows)
    inputs = transforms.features(data.features, source.inputs)
    scale = transforms.fit_scale(data, inputs[_picked(rows.train)], dtype)
    hasher = hashlib.sha256()

    def part(numbers: NDArray[np.int64]) -> Subset:
        picked = _picked(numbers)
        labels = targets = None
        if source.targets is not None:
            labels, targets = _targets(data, loss, source.targets[picked], dtype)
        made = Subset(np.ascontiguousarray(scale(inputs[picked])), targets, labels)
        for array in (made.inputs, made.targets):
            if array is not None:
                array.flags.writeable = False
                hasher.update(f"{array.dtype}{array.shape}".encode())
                hasher.update(array.data)
        return made

    train, validation, test = part(rows.train), part(rows.validation), part(rows.test)
    return Prepared(train, validation, test, hasher.hexdigest()[:16])


def _picked(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Row numbers as an index: a slice, which copies nothing, where they follow each other."""
    in_order = len(numbers) > 0 and np.array_equal(
        numbers, np.arange(numbers[0], numbers[0] + len(numbers))
    )
    return slice(numbers[0], numbers[0] + len(numbers)) if in_order else numbers


def _targets(
    data: Data, loss: Loss | None, values: Array, dtype: str
) -> tuple[Array | None, Array]:
    """Labels, and targets as the loss takes them."""
    facts = data.facts
    if facts.kind == "values":
        return None, values.astype(dtype)[:, np.newaxis]
    labels = values.astype(np.int32)
    if facts.kind == "binary":
        return labels, values.astype(dtype)[:, np.newaxis]
    if loss is None or loss.name == "softmax_cross_entropy":
        return labels, labels
    return labels, np.eye(facts.outputs, dtype=dtype)[labels]
