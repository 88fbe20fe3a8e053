"""Which rows, in which shape, the network sees: dataset, features, scaling and split."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from harness.experiment.base import Count, Fraction, Frozen, Seed
from harness.experiment.datasets import DATASETS, DatasetFacts
from harness.experiment.names import unknown


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
    test: Annotated[float, Field(strict=True, gt=0, lt=1)]
    seed: Seed


Split = Annotated[GivenSplit | AllSplit | EdgeSplit | DrawnSplit, Field(discriminator="name")]


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(unknown(name, DATASETS))
    return name


class Data(Frozen):
    """Which rows, in which shape, the network sees.

    Args:
        dataset: a name from `harness.experiment.datasets`.
        features: `polynomial` maps (x1, x2) to (x1, x2, x1^2, x1 x2, x2^2); `flipped_and` maps
            two bits to (AND(not x1, x2), AND(x1, not x2)).
        scale: division by a constant, or a map fitted on the training rows: `min_max` to
            [0, 1], `standardize` to mean 0 and standard deviation 1 (of the population;
            a constant column is only shifted).
        split: where training and test rows come from.
        validation: this last share of the training rows is held out, as Keras's
            `validation_split` does: the first `floor(rows * (1 - validation))` rows train.
    """

    dataset: Annotated[str, AfterValidator(_known_dataset)]
    features: Literal["none", "polynomial", "flipped_and"] = "none"
    scale: Literal[
        "none", "divide_by_255", "divide_by_256", "divide_by_16", "min_max", "standardize"
    ] = "none"
    split: Split
    validation: Fraction = 0.0

    @property
    def facts(self) -> DatasetFacts:
        """What is known of the dataset before it is read."""
        return DATASETS[self.dataset]

    @property
    def columns(self) -> int:
        """Columns of the inputs, after `features`."""
        columns = self.facts.features
        return columns * (columns + 3) // 2 if self.features == "polynomial" else columns

    @property
    def rows(self) -> tuple[int, int, int]:
        """Number of training, validation and test rows."""
        facts = self.facts
        train, test = facts.train_rows, facts.test_rows
        match self.split:
            case AllSplit():
                test = train
            case EdgeSplit(train=kept):
                test = test or train - kept
                train = kept
            case DrawnSplit(test=share):
                pool = train + test
                test = math.ceil(share * pool)
                train = pool - test
            case GivenSplit():
                pass
        kept = math.floor(train * (1 - self.validation))
        return kept, train - kept, test

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.features != "none" and self.facts.features != 2:
            raise ValueError(
                f"features: {self.features!r} needs a dataset of two columns; "
                f"{self.dataset!r} has {self.facts.features}"
            )
        if self.features == "flipped_and" and self.facts.kind != "binary":
            raise ValueError("features: 'flipped_and' needs bits (and, or, xor)")
        if self.split.name == "given" and not self.facts.test_rows:
            raise ValueError(f"split: {self.dataset!r} has no test rows of its own; use 'all'")
        if self.split.name == "stratified" and self.facts.kind not in ("classes", "binary"):
            raise ValueError(f"split: 'stratified' needs classes; {self.dataset!r} has none")
        if isinstance(self.split, EdgeSplit):
            most = self.facts.train_rows - (0 if self.facts.test_rows else 1)
            if self.split.train > most:
                raise ValueError(
                    f"split.train: must be at most {most}, so that rows of {self.dataset!r} are "
                    f"left to test on. Got {self.split.train}"
                )
        if self.rows[0] < 1 or self.rows[2] < 1:
            raise ValueError("split: it and validation must leave rows to train and to test on")
        return self
