"""Which rows train, validate and test, as index arrays into a dataset's rows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data import train_test_split
from harness.experiment.data import Data
from harness.experiment.splits import (
    AllSplit,
    DrawnSplit,
    EdgeSplit,
    Ranges,
    RowsSplit,
    SklearnSplit,
    drawn_rows,
)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SplitRows:
    """Row numbers of each part, ascending unless the split is drawn or lists its ranges."""

    train: Rows
    validation: Rows
    test: Rows


def split(data: Data, labels: NDArray[np.generic] | None, rows: int, train_rows: int) -> SplitRows:
    """Split `rows` rows, the first `train_rows` of them the dataset's own training part."""
    everything = np.arange(rows)
    own_train, own_test = everything[:train_rows], everything[train_rows:]
    validation = everything[:0]
    match data.split:
        case AllSplit():
            train, test = own_train, own_train
        case EdgeSplit(name="first", train=kept):
            train = own_train[:kept]
            test = own_test if len(own_test) else own_train[kept:]
        case EdgeSplit(train=kept):
            train = own_train[-kept:]
            test = own_test if len(own_test) else own_train[:-kept]
        case DrawnSplit() as drawn:
            test_rows = math.ceil(drawn.test * rows)
            generator = np.random.default_rng(drawn.seed)
            if drawn.name == "random" or labels is None:
                order = generator.permutation(rows)
                train, test = order[test_rows:], order[:test_rows]
            else:
                train, test = stratified(labels, test_rows, generator)
        case RowsSplit() as listed:
            train, test = _numbers(listed.train), _numbers(listed.test)
            validation = _numbers(listed.validation)
        case SklearnSplit() as drawn:
            train, validation, test = _as_sklearn(drawn, labels, rows)
        case _:
            train, test = own_train, own_test
    kept = math.floor(len(train) * (1 - data.validation))
    return SplitRows(train[:kept], np.concatenate([validation, train[kept:]]), test)


def _numbers(ranges: Ranges) -> Rows:
    return np.concatenate([np.arange(0), *(np.arange(first, end) for first, end in ranges)])


def _as_sklearn(
    split: SklearnSplit, labels: NDArray[np.generic] | None, rows: int
) -> tuple[Rows, Rows, Rows]:
    """One call of `train_test_split`, or a second one on what the first left to train."""
    classes = labels if split.stratified else None
    train, test = train_test_split.draw(rows, drawn_rows(split.test, rows), split.seed, classes)
    if split.validation is None:
        return train, train[:0], test
    held = drawn_rows(split.validation, len(train))
    left = None if classes is None else classes[train]
    kept, validation = train_test_split.draw(len(train), held, split.seed, left)
    return train[kept], train[validation], test


def stratified(
    labels: NDArray[np.generic], test_rows: int, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Draw `test_rows` rows so that every class keeps its share (largest remainders)."""
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * test_rows / len(labels)
    wanted = np.floor(exact).astype(int)
    by_remainder = np.argsort(-(exact - wanted), kind="stable")
    wanted[by_remainder[: test_rows - wanted.sum()]] += 1
    test = np.concatenate(
        [
            generator.permutation(np.flatnonzero(labels == label))[:count]
            for label, count in zip(classes, wanted, strict=True)
        ]
    )
    train = np.setdiff1d(np.arange(len(labels)), test)
    return generator.permutation(train), generator.permutation(test)
