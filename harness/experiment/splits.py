"""Which rows train, validate and test: the splits a protocol may name, and how many rows each has.

`harness.data.splits` turns them into row numbers.
"""

import itertools
import math
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.experiment.datasets import DatasetFacts
from harness.experiment.fields import Count, Frozen, RandomStateSeed, Seed

RowNumber = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Range = tuple[RowNumber, RowNumber]
Ranges = tuple[Range, ...]


class GivenSplit(Frozen):
    """The dataset's own training and test rows."""

    name: Literal["given"]


class AllSplit(Frozen):
    """Every row is a training row, and the test rows are the same rows (the gates)."""

    name: Literal["all"]


class EdgeSplit(Frozen):
    """The first (or last) `train` rows train; the rest tests.

    Where the dataset has a test part of its own, that tests instead.
    """

    name: Literal["first", "last"]
    train: Count


class DrawnSplit(Frozen):
    """A random share of all rows tests; `stratified` keeps the classes' shares.

    The dataset's own parts, where it has them, are put together first. The number of test
    rows is `ceil(test * rows)`.
    """

    name: Literal["random", "stratified"]
    test: Share
    seed: Seed


class RowsSplit(Frozen):
    """Rows by number: half-open ranges [first, end), each part's in the order they are given.

    Rows count from 0, in the dataset as published: its training part, then its own test part.
    No row stands twice in a part, and no training row validates or tests; validation and test
    may share rows, as where a source stopped by its test rows.
    """

    name: Literal["rows"]
    train: Annotated[Ranges, Field(min_length=1)]
    validation: Ranges = ()
    test: Annotated[Ranges, Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for part in ("train", "validation", "test"):
            for first, end in getattr(self, part):
                if first >= end:
                    raise ValueError(
                        f"{part}: a range [first, end) must have rows. Got [{first}, {end}]"
                    )
            _refuse_overlap(part, part, itertools.combinations(getattr(self, part), 2))
        for part in ("validation", "test"):
            pairs = itertools.product(self.train, getattr(self, part))
            _refuse_overlap("train", part, pairs)
        return self

    @property
    def end(self) -> int:
        """One more than the largest row number."""
        return max(end for _, end in (*self.train, *self.validation, *self.test))


def _refuse_overlap(one: str, other: str, pairs: Iterable[tuple[Range, Range]]) -> None:
    for (first, end), (other_first, other_end) in pairs:
        if max(first, other_first) < min(end, other_end):
            raise ValueError(
                f"{one} and {other}: no row may stand in both, or twice. Got "
                f"[{first}, {end}] and [{other_first}, {other_end}]"
            )


class SklearnSplit(Frozen):
    """The rows and the order of scikit-learn's `train_test_split`, on all rows.

    The dataset's own parts, where it has them, are put together first. `test` is a share, of
    which `ceil(test * rows)` rows are drawn, or a number of rows. `validation`, likewise, is a
    second call with the same seed on the rows that the first one left to train.
    """

    name: Literal["sklearn"]
    test: Share | Count
    validation: Share | Count | None = None
    seed: RandomStateSeed
    stratified: Annotated[bool, Field(strict=True)]


Split = Annotated[
    GivenSplit | AllSplit | EdgeSplit | DrawnSplit | RowsSplit | SklearnSplit,
    Field(discriminator="name"),
]


def drawn_rows(part: float | int, rows: int) -> int:
    """How many of `rows` rows a share, or a number of rows, is."""
    return part if isinstance(part, int) else math.ceil(part * rows)


def split_rows(split: Split, facts: DatasetFacts) -> tuple[int, int, int]:
    """Number of training, validation and test rows; zero or less where too many are asked."""
    train, validation, test = facts.train_rows, 0, facts.test_rows
    match split:
        case AllSplit():
            test = train
        case EdgeSplit(train=kept):
            test = test or train - kept
            train = kept
        case DrawnSplit(test=share):
            pool = train + test
            test = math.ceil(share * pool)
            train = pool - test
        case RowsSplit():
            train, validation, test = (
                sum(end - first for first, end in part)
                for part in (split.train, split.validation, split.test)
            )
        case SklearnSplit():
            pool = train + test
            test = drawn_rows(split.test, pool)
            if split.validation is not None:
                validation = drawn_rows(split.validation, pool - test)
            train = pool - test - validation
        case GivenSplit():
            pass
    return train, validation, test


def check_split(split: Split, facts: DatasetFacts, dataset: str) -> None:
    """The split fits the dataset.

    Raises:
        ValueError: it does not; the message names the rule and the value.
    """
    drawn = split.name == "stratified" or (isinstance(split, SklearnSplit) and split.stratified)
    if split.name == "given" and not facts.test_rows:
        raise ValueError(f"split: {dataset!r} has no test rows of its own; use 'all'")
    if drawn and facts.kind not in ("classes", "binary"):
        raise ValueError(f"split: 'stratified' needs classes; {dataset!r} has none")
    if isinstance(split, EdgeSplit):
        most = facts.train_rows - (0 if facts.test_rows else 1)
        if split.train > most:
            raise ValueError(
                f"split.train: must be at most {most}, so that rows of {dataset!r} are "
                f"left to test on. Got {split.train}"
            )
    rows = facts.train_rows + facts.test_rows
    if isinstance(split, RowsSplit) and split.end > rows:
        raise ValueError(
            f"split: ranges must end at row {rows} of {dataset!r} at the latest. Got {split.end}"
        )
    if isinstance(split, SklearnSplit) and split.stratified:
        _check_classes(split, facts)


def _check_classes(split: SklearnSplit, facts: DatasetFacts) -> None:
    """scikit-learn draws every part of a stratified split with a row of every class at least."""
    classes = max(facts.outputs, 2)
    train, validation, test = split_rows(split, facts)
    parts = {"train": train, "test": test}
    if split.validation is not None:
        parts["validation"] = validation
    for part, rows in parts.items():
        if rows < classes:
            raise ValueError(
                f"split: a stratified part must have a row for each of {classes} classes. "
                f"Got {rows} to {part}"
            )
