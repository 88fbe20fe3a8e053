"""Row numbers of the training, validation and test rows of a split."""

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
    """Row numbers of each part; ascending, except where a split draws rows or lists ranges."""

    train: Rows
    validation: Rows
    test: Rows


def split(data: Data, labels: NDArray[np.generic] | None, rows: int, train_rows: int) -> SplitRows:
    """Return the rows of each part.

    Args:
        data: states the split and the share that validates.
        labels: (rows,) classes, for stratified splits.
        rows: number of rows of the dataset.
        train_rows: number of rows of the published training part, which comes first.
    """
    numbers = np.arange(rows)
    published_train, published_test = numbers[:train_rows], numbers[train_rows:]
    validation = numbers[:0]
    match data.split:
        case AllSplit():
            train, test = published_train, published_train
        case EdgeSplit(name="first", train=count):
            train = published_train[:count]
            test = published_test if len(published_test) else published_train[count:]
        case EdgeSplit(train=count):
            train = published_train[-count:]
            test = published_test if len(published_test) else published_train[:-count]
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
            train, test = published_train, published_test
    count = math.floor(len(train) * (1 - data.validation))
    return SplitRows(train[:count], np.concatenate([validation, train[count:]]), test)


def _numbers(ranges: Ranges) -> Rows:
    return np.concatenate([np.arange(0), *(np.arange(first, end) for first, end in ranges)])


def _as_sklearn(
    split: SklearnSplit, labels: NDArray[np.generic] | None, rows: int
) -> tuple[Rows, Rows, Rows]:
    """Return (train, validation, test); validation rows are drawn by a second call."""
    classes = labels if split.stratified else None
    train, test = train_test_split.draw(rows, drawn_rows(split.test, rows), split.seed, classes)
    if split.validation is None:
        return train, train[:0], test
    count = drawn_rows(split.validation, len(train))
    train_classes = None if classes is None else classes[train]
    remaining, validation = train_test_split.draw(len(train), count, split.seed, train_classes)
    return train[remaining], train[validation], test


def stratified(
    labels: NDArray[np.generic], test_rows: int, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Draw (train, test) so that every class has the same share in both (largest remainders)."""
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * test_rows / len(labels)
    test_counts = np.floor(exact).astype(int)
    by_remainder = np.argsort(-(exact - test_counts), kind="stable")
    test_counts[by_remainder[: test_rows - test_counts.sum()]] += 1
    test = np.concatenate(
        [
            generator.permutation(np.flatnonzero(labels == label))[:count]
            for label, count in zip(classes, test_counts, strict=True)
        ]
    )
    train = np.setdiff1d(np.arange(len(labels)), test)
    return generator.permutation(train), generator.permutation(test)
