"""The table `[data.split]`: which rows train, validate and test, and how many.

`harness.data.splits` turns a split into row numbers.
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
    """The published training and test rows of the dataset."""

    name: Literal["given"]


class AllSplit(Frozen):
    """All rows train, and the same rows test, as for the logic gates."""

    name: Literal["all"]


class EdgeSplit(Frozen):
    """The first (or last) rows train, and the other rows test.

    Where the dataset has a published test part, that part tests instead.

    Args:
        name: `first` or `last`.
        train: number of training rows.
    """

    name: Literal["first", "last"]
    train: Count


class DrawnSplit(Frozen):
    """A random share of all rows tests, and the other rows train.

    Where the dataset has published parts, they are joined first.

    Args:
        name: `random`, or `stratified` to give every class the same share in both parts.
        test: the share, above 0 and below 1; `ceil(test * rows)` rows test.
        seed: of the draw, 0 to 2^63 - 1.
    """

    name: Literal["random", "stratified"]
    test: Share
    seed: Seed


class RowsSplit(Frozen):
    """Rows by number: half-open ranges [first, end), in the order in which they are given.

    Rows count from 0, in the dataset as published: first the training part, then the test part.
    No row may stand twice in a part, and no training row may validate or test. Validation and
    test may share rows, as where a source stopped training by its test rows.

    Args:
        name: `rows`.
        train: at least one range.
        validation: any number of ranges; none by default.
        test: at least one range.
    """

    name: Literal["rows"]
    train: Annotated[Ranges, Field(min_length=1)]
    validation: Ranges = ()
    test: Annotated[Ranges, Field(min_length=1)]

    @model_validator(mode="after")
    def _without_overlap(self) -> Self:
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
        """The largest row number plus one."""
        return max(end for _, end in (*self.train, *self.validation, *self.test))


def _refuse_overlap(part: str, other_part: str, pairs: Iterable[tuple[Range, Range]]) -> None:
    for (first, end), (other_first, other_end) in pairs:
        if max(first, other_first) < min(end, other_end):
            raise ValueError(
                f"{part} and {other_part}: no row may stand in both, or twice. Got "
                f"[{first}, {end}] and [{other_first}, {other_end}]"
            )


class SklearnSplit(Frozen):
    """The rows and the order that scikit-learn's `train_test_split` gives, on all rows.

    Where the dataset has published parts, they are joined first.

    Args:
        name: `sklearn`.
        test: a share above 0 and below 1, of which `ceil(test * rows)` rows are drawn, or a
            number of rows.
        validation: likewise, drawn from the remaining rows by a second call with the same seed;
            no validation rows by default.
        seed: the function's `random_state`, 0 to 2^32 - 1.
        stratified: whether every class has the same share in all parts.
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


def drawn_rows(size: float | int, rows: int) -> int:
    """Return how many of `rows` rows are drawn: `size` is a share, or the number itself."""
    return size if isinstance(size, int) else math.ceil(size * rows)


def split_rows(split: Split, facts: DatasetFacts) -> tuple[int, int, int]:
    """Return the number of training, validation and test rows; 0 or less if rows are too few."""
    train, validation, test = facts.train_rows, 0, facts.test_rows
    match split:
        case AllSplit():
            test = train
        case EdgeSplit(train=count):
            test = test or train - count
            train = count
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
    """Check that the split fits the dataset.

    Raises:
        ValueError: the split does not fit; the message names the rule and the value.
    """
    needs_classes = split.name == "stratified" or getattr(split, "stratified", False)
    if split.name == "given" and not facts.test_rows:
        is_file = facts.description.startswith("your file")
        raise ValueError(
            f"split: {dataset!r} has no test rows of its own; use 'stratified' or 'random' to keep "
            "some of its rows for a test, or 'all', where the training rows test"
            f"{'; or name a file of test rows, test_file' if is_file else ''}"
        )
    if needs_classes and facts.kind not in ("classes", "binary"):
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
    """Check that each part of a stratified split has as many rows as there are classes."""
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
