"""The arrays of a protocol's data: read, split, scaled and ready for a network."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data import raw, splits, transforms
from harness.experiment.data import Data
from harness.experiment.losses import Loss

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Subset:
    """The training, validation or test rows; arrays are read-only.

    Args:
        inputs: (rows, columns) in the trial's dtype.
        targets: what the loss takes: (rows,) int32 labels for softmax cross-entropy, else
            (rows, outputs) in the trial's dtype; None where the dataset has no targets.
        labels: (rows,) int32 classes, for accuracy; None where the dataset has no classes.
        middle: the value of a single output above which it stands for class 1, in a squared error.
    """

    inputs: Array
    targets: Array | None
    labels: Array | None
    middle: float = 0.5

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Prepared:
    """The data of a protocol.

    Args:
        train: the training rows.
        validation: the validation rows; there may be none.
        test: the test rows.
        digest: 16 hexadecimal digits of SHA-256 over the arrays.
    """

    train: Subset
    validation: Subset
    test: Subset
    digest: str

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays that adapters are given, by what they are."""
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        named = {
            f"{part} {kind}": array
            for part, subset in parts.items()
            for kind, array in (("inputs", subset.inputs), ("targets", subset.targets))
        }
        return {name: array for name, array in named.items() if array is not None}

    @cached_property
    def checksums(self) -> dict[str, int]:
        """Checksums of the arrays as they were when this was first asked for."""
        return checksums_of(self.arrays)

    def absent_classes(self, data: Data) -> dict[str, list[str]]:
        """Return the classes that no row of a part has, by the part; none for values."""
        if data.facts.kind not in ("classes", "binary"):
            return {}
        count = max(data.facts.outputs, 2)
        names = data.contents.classes if data.contents else [str(place) for place in range(count)]
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        absent = {
            part: np.setdiff1d(np.arange(count), subset.labels)
            for part, subset in parts.items()
            if len(subset) and subset.labels is not None
        }
        return {part: [names[i] for i in places] for part, places in absent.items() if len(places)}


def checksums_of(arrays: Mapping[str, Array]) -> dict[str, int]:
    """Return the CRC-32 of every array. It takes 0.1 s for 200 MB."""
    return {
        name: zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) if array.size else 0
        for name, array in arrays.items()
    }


@lru_cache(maxsize=1)
def load(data: Data, loss: Loss | None, dtype: str) -> Prepared:
    """Read, split and scale the data of a protocol.

    The last result is cached, because consecutive trials train on the same data.

    Args:
        data: the protocol's `[data]`.
        loss: the protocol's loss, which decides the form of the targets.
        dtype: of inputs and targets, `float32` or `float64`.

    Raises:
        harness.data.fetching.DataMissingError: the dataset has to be fetched first.
    """
    source = raw.rows_of(data)
    parts = splits.split(data, source.targets, len(source.inputs), source.train_rows)
    inputs = transforms.features(data.features, source.inputs)
    hasher = hashlib.sha256()
    together = (
        parts.train
        if data.scale_fitted_on == "training"
        else np.unique(np.concatenate([parts.train, parts.validation, parts.test]))
    )
    common = transforms.fit_scale(data, inputs[_index(together)], dtype)
    no, yes = data.numbers_for_no_and_yes

    def subset(numbers: NDArray[np.int64]) -> Subset:
        index = _index(numbers)
        labels = targets = None
        if source.targets is not None:
            labels, targets = _labels_and_targets(data, loss, source.targets[index], dtype)
        scale = common
        if data.scale_fitted_on == "each_part" and len(numbers):
            scale = transforms.fit_scale(data, inputs[index], dtype)
        rows = Subset(np.ascontiguousarray(scale(inputs[index])), targets, labels, (no + yes) / 2)
        for array in (rows.inputs, rows.targets):
            if array is not None:
                array.flags.writeable = False
                hasher.update(f"{array.dtype}{array.shape}".encode())
                hasher.update(array.data)
        return rows

    train, validation, test = map(subset, (parts.train, parts.validation, parts.test))
    return Prepared(train, validation, test, hasher.hexdigest()[:16])


def _index(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return an index of rows: a slice, which copies nothing, for consecutive numbers."""
    is_consecutive = len(numbers) > 0 and np.array_equal(
        numbers, np.arange(numbers[0], numbers[0] + len(numbers))
    )
    return slice(numbers[0], numbers[0] + len(numbers)) if is_consecutive else numbers


def _labels_and_targets(
    data: Data, loss: Loss | None, values: Array, dtype: str
) -> tuple[Array | None, Array]:
    """Return (labels, targets) of rows, whose published targets are `values`."""
    facts = data.facts
    if facts.kind == "values":
        return None, (values[:, np.newaxis] if values.ndim == 1 else values).astype(dtype)
    labels = values.astype(np.int32)
    no_and_yes = np.array(data.numbers_for_no_and_yes, dtype)
    if facts.kind == "binary":
        return labels, no_and_yes[labels][:, np.newaxis]
    if loss is None or loss.name == "softmax_cross_entropy":
        return labels, labels
    return labels, no_and_yes[np.eye(facts.outputs, dtype=np.int64)][labels]
