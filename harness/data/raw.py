"""The rows of a dataset as published, before features, split and scaling."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data import drawn, fetching, idx, kaggle, own_rows, splits
from harness.experiment.data import Data
from harness.experiment.datasets import DATASETS

EMBEDDED = Path(__file__).parent / "embedded"
BITS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.uint8)
GATES = {
    "and": BITS[:, 0] & BITS[:, 1],
    "or": BITS[:, 0] | BITS[:, 1],
    "xor": BITS[:, 0] ^ BITS[:, 1],
}


@dataclass(frozen=True)
class Raw:
    """A dataset as published.

    Args:
        inputs: (rows, features), of any real type.
        targets: (rows,) labels, bits or values; (rows, outputs) values of a file; None where
            there are no targets.
        train_rows: number of rows of the published training part, which comes first. The other
            rows are the published test part.
    """

    inputs: NDArray[np.generic]
    targets: NDArray[np.generic] | None
    train_rows: int


def rows_of(data: Data) -> Raw:
    """Return the rows of a protocol: of its dataset, drawn or read, or of a file of the user's.

    Raises:
        fetching.DataMissingError: they are not on this machine, or the file has changed.
    """
    if data.dataset is not None and data.drawn is not None:
        how = data.drawn
        points, labels = drawn.draw(data.dataset, how.rows, how.noise, how.seed)
        return Raw(points, labels, how.rows)
    if data.dataset is not None and data.contents is None:
        return read(data.dataset)
    inputs, targets = own_rows.read(data)
    return Raw(inputs, targets, data.facts.train_rows)


def read(dataset: str) -> Raw:
    """Read a dataset from this machine.

    Raises:
        fetching.DataMissingError: the dataset has not been fetched, or its files are damaged.
    """
    facts = DATASETS[dataset]
    if facts.fetched:
        paths = fetching.files(dataset, fetching.folder(dataset))
        if facts.own_file:
            inputs, targets = kaggle.read(paths["train"])
            return Raw(inputs, targets, len(targets))
        published = _published(paths)
        return _stand_in(published, facts.train_rows) if facts.made_from else published
    if dataset in GATES:
        return Raw(BITS, GATES[dataset], len(BITS))
    if dataset == "point":
        return Raw(np.array([[1.0, 0.5]]), None, 1)
    with np.load(EMBEDDED / f"{dataset}.npz", allow_pickle=False) as file:
        return Raw(file["inputs"], file["targets"], len(file["targets"]))


def _published(paths: Mapping[str, Path]) -> Raw:
    """Read the four IDX files, the training part first."""
    arrays = {part: idx.read(path) for part, path in paths.items()}
    inputs = np.concatenate([arrays["train images"], arrays["test images"]])
    targets = np.concatenate([arrays["train labels"], arrays["test labels"]])
    return Raw(inputs.reshape(len(inputs), -1), targets, len(arrays["train labels"]))


def _stand_in(published: Raw, rows: int) -> Raw:
    """Draw `rows` of the published rows by seed 0, the same share of every class."""
    labels = published.targets
    if labels is None:
        raise TypeError("a stand-in needs labels, by which it is drawn")
    _, drawn = splits.stratified(labels, rows, np.random.default_rng(0))
    return Raw(published.inputs[drawn], labels[drawn], rows)
