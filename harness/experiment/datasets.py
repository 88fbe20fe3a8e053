"""Facts about the datasets a protocol may name: sizes and kinds, no arrays.

`harness.data` makes the arrays. The facts are apart from it, so that a protocol is validated and
a plan is made without reading any data.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

Kind = Literal["classes", "binary", "values", "none"]

TRUTH_TABLES = ("and", "or", "xor", "point")
"""Datasets that are whole: there are no other rows that could test."""


@dataclass(frozen=True)
class DatasetFacts:
    """The facts that are known about a dataset before it is read.

    Args:
        features: number of columns of the inputs.
        kind: `classes` (labels 0..outputs-1), `binary` (0 or 1), `values` (regression) or
            `none` (inputs only).
        outputs: number of classes, or of target columns; 0 where there are no targets.
        train_rows: number of rows of the dataset, or of its published training part.
        test_rows: number of rows of the published test part; 0 where there is none.
        description: one line for `samestep list datasets`.
        fetched: whether the dataset has to be downloaded (the others come with samestep).
        made_from: the fetched dataset whose rows these are; "" where the dataset has files.
        own_file: whether the dataset is a file of the user's, which cannot be downloaded. The
            form of the file is checked, but no SHA-256 of it is known.
        drawn: whether the rows are drawn by formula; the protocol says how many, with which noise
            and seed, and `train_rows` is the number by default.
    """

    features: int
    kind: Kind
    outputs: int
    train_rows: int
    test_rows: int
    description: str
    fetched: bool = False
    made_from: str = ""
    own_file: bool = False
    drawn: bool = False


_gate = partial(DatasetFacts, 2, "binary", 1, 4, 0)
_drawn = partial(DatasetFacts, 2, test_rows=0, drawn=True)
_pictures = partial(DatasetFacts, 784, "classes", 10)

DATASETS: dict[str, DatasetFacts] = {
    "and": _gate("logical AND of two bits, all four rows"),
    "or": _gate("logical OR of two bits, all four rows"),
    "xor": _gate("exclusive OR of two bits, all four rows"),
    "point": DatasetFacts(2, "none", 0, 1, 0, "the single input [1.0, 0.5], no target"),
    "iris": DatasetFacts(4, "classes", 3, 150, 0, "Fisher's iris flowers, three species"),
    "diabetes": DatasetFacts(10, "values", 1, 442, 0, "disease progression after one year"),
    "wine": DatasetFacts(13, "classes", 3, 178, 0, "chemistry of wines of three growers (UCI)"),
    "breast-cancer": DatasetFacts(
        30, "binary", 1, 569, 0, "cells of tumours: 0 malignant, 1 benign (Wisconsin, UCI)"
    ),
    "moons": _drawn("binary", 1, 200, description="drawn: two half circles that interlock"),
    "circles": _drawn("binary", 1, 200, description="drawn: a circle around another"),
    "spiral": _drawn("binary", 1, 200, description="drawn: two arms of a spiral"),
    "blobs": _drawn("classes", 3, 200, description="drawn: three clouds of points"),
    "digits": DatasetFacts(64, "classes", 10, 1797, 0, "8x8 digits, values 0 to 16 (UCI)"),
    "mnist": _pictures(60_000, 10_000, "28x28 handwritten digits", fetched=True),
    "fashion-mnist": _pictures(60_000, 10_000, "28x28 pictures of clothes", fetched=True),
    "mnist-42000": _pictures(
        42_000,
        0,
        "stand-in for kaggle-digits: 42,000 rows drawn from mnist's 70,000, stratified, seed 0",
        fetched=True,
        made_from="mnist",
    ),
    "kaggle-digits": _pictures(
        42_000,
        0,
        "your own train.csv of Kaggle's digit-recognizer; its form is checked, no SHA-256 known",
        fetched=True,
        own_file=True,
    ),
}
