"""The table `[data]`: dataset, features, scaling and split."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from harness.experiment.datasets import DATASETS, DatasetFacts
from harness.experiment.fields import Fraction, Frozen
from harness.experiment.names import unknown
from harness.experiment.splits import RowsSplit, SklearnSplit, Split, check_split, split_rows

FEATURE_COLUMNS = {"polynomial": 5, "interaction": 4, "flipped_and": 2}


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(unknown(name, DATASETS, "data.dataset"))
    return name


class Data(Frozen):
    """Which rows the network sees, and in which form.

    Args:
        dataset: a name that `samestep list datasets` shows.
        features: `none` (the default) leaves the columns as they are. The others take two
            columns. `polynomial` maps (x1, x2) to (x1, x2, x1^2, x1 x2, x2^2). `interaction` maps
            them to (1, x1, x2, x1 x2), as scikit-learn's
            `PolynomialFeatures(interaction_only=True)` does. `flipped_and` maps two bits to
            (AND(not x1, x2), AND(x1, not x2)).
        scale: `none` (the default). `divide_by_16`, `divide_by_255` and `divide_by_256` divide
            by that constant. `minus_one_to_one` is (byte / 255 - 0.5) * 2. Two maps are fitted
            on the training rows: `min_max` to [0, 1], and `standardize` to mean 0 and standard
            deviation 1 (of the population; a constant column is only shifted).
        split: where training and test rows come from; see `harness.experiment.splits`.
        validation: the share of the training rows that is held out, at least 0 (the default)
            and below 1. The last rows are taken, as by Keras's `validation_split`: the first
            `floor(rows * (1 - validation))` rows train. The splits `rows` and `sklearn` may
            state their own validation rows instead.
    """

    dataset: Annotated[str, AfterValidator(_known_dataset)]
    features: Literal["none", "polynomial", "interaction", "flipped_and"] = "none"
    scale: Literal[
        "none",
        "divide_by_255",
        "divide_by_256",
        "divide_by_16",
        "minus_one_to_one",
        "min_max",
        "standardize",
    ] = "none"
    split: Split
    validation: Fraction = 0.0

    @property
    def facts(self) -> DatasetFacts:
        """The facts that are known about the dataset before it is read."""
        return DATASETS[self.dataset]

    @property
    def columns(self) -> int:
        """Number of columns of the inputs, after `features`."""
        return FEATURE_COLUMNS.get(self.features, self.facts.features)

    @property
    def rows(self) -> tuple[int, int, int]:
        """Number of training, validation and test rows."""
        train, validation, test = split_rows(self.split, self.facts)
        trained = math.floor(train * (1 - self.validation))
        return trained, validation + train - trained, test

    @model_validator(mode="after")
    def _fits_dataset(self) -> Self:
        if self.features != "none" and self.facts.features != 2:
            raise ValueError(
                f"features: {self.features!r} needs a dataset of two columns; "
                f"{self.dataset!r} has {self.facts.features}"
            )
        if self.features == "flipped_and" and self.facts.kind != "binary":
            raise ValueError("features: 'flipped_and' needs bits (and, or, xor)")
        if self.validation and (
            isinstance(self.split, RowsSplit | SklearnSplit) and self.split.validation
        ):
            raise ValueError("validation: state it here or in the split, not in both")
        check_split(self.split, self.facts, self.dataset)
        if self.rows[0] < 1 or self.rows[2] < 1:
            raise ValueError(
                "split: the split and its validation must leave rows to train and to test on"
            )
        return self
