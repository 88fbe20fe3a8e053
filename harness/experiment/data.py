"""The table `[data]`: dataset, features, scaling and split."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from harness.experiment import package_datasets
from harness.experiment.datasets import DATASETS, TRUTH_TABLES, DatasetFacts
from harness.experiment.fields import Fraction, Frozen, Number, Seed, with_absolute_paths
from harness.experiment.names import unknown
from harness.experiment.own_file import ColumnName, Contents, FileFormat, Sha256
from harness.experiment.splits import (
    AllSplit,
    RowsSplit,
    SklearnSplit,
    Split,
    check_split,
    split_rows,
)

if TYPE_CHECKING:
    from harness.tables.selection import Choices, Selection
    from harness.tables.sources import Source

ColumnNames = tuple[ColumnName, ...]
FILE_FIELDS = (
    "test_file",
    "test_target",
    "target",
    "kind",
    "classes",
    "inputs",
    "ignore",
    "one_hot",
    "missing",
    "format",
    "sha256",
    "contents",
)
"""Fields that say something about a file of the user's, and nothing about a dataset."""

NO_TARGET = "none"
FITTED_SCALES = ("min_max", "standardize")
FEATURE_COLUMNS = {"polynomial": 5, "interaction": 4, "flipped_and": 2}


def _known_dataset(name: str, info: ValidationInfo) -> str:
    """Check that there is such a dataset, here or in a package, unless its contents are known."""
    if name not in DATASETS and not info.data.get("contents"):
        others = package_datasets.entered()
        if name in others:
            return name
        own = ""
        if "." in name or "/" in name:
            own = f'. A file of your own is named by file = "{name}", with its target'
        raise ValueError(unknown(name, [*DATASETS, *others], "data.dataset") + own)
    return name


def _ordered(values: tuple[float, float]) -> tuple[float, float] | None:
    """Check the numbers for "no" and "yes"; None for those that are the default."""
    low, high = values
    if low >= high:
        raise ValueError(f"the number for 'no' must be below that for 'yes'. Got {low}, {high}")
    return None if values == (0.0, 1.0) else values


class Drawn(Frozen):
    """How the points of a drawn dataset are drawn, see `harness.data.drawn`.

    Args:
        rows: how many, 4 to 1,000,000.
        noise: standard deviation of the error of each coordinate, 0 to 10.
        seed: of the draw, 0 to 2^63 - 1.
    """

    rows: Annotated[int, Field(strict=True, ge=4, le=1_000_000)]
    noise: Annotated[Number, Field(ge=0, le=10)]
    seed: Seed


class Data(Frozen):
    """Which rows the network sees, and in which form.

    Args:
        dataset: a name that `samestep list datasets` shows, of samestep's or of a package that is
            installed (see `harness.experiment.package_datasets`). Give either this or `file`.
        file: a table or an archive of the user's (see `harness.tables`), absolute or beside the
            TOML file.
        target: of a file: the column to learn, a list of columns of values, or `none`. A name
            that ends like a file (`y.npy`, `train-labels-idx1-ubyte.gz`, `y.csv`) is a file of one
            column beside `file`.
        test_file: a file of test rows with the same columns, absolute or beside the TOML file. Its
            rows are the split `given`.
        test_target: the file of its targets, beside `test_file`; where `target` is a file too.
        kind: of the target: `classes` (an output for each), `binary` (two classes, one output)
            or `values` (regression). By default `classes` for text and booleans, and `values` for
            numbers with fractions; for whole numbers it must be stated.
        classes: the classes in their order, as text; by default numbers and booleans by size,
            and text by its characters.
        inputs: the input columns in their order; by default all but targets and `ignore`.
        ignore: columns that are left out.
        one_hot: input columns of which every value becomes a column of 0 and 1.
        missing: `refuse` (the default) a missing value, or `drop_rows`: rows that have one in a
            column that is used are left out.
        format: how a text file is written; by default found out.
        sha256: the file's; another file is refused.
        contents: what was found in the file, or in a package's dataset. It is never written by
            hand.
        drawn: of `moons`, `circles`, `spiral` and `blobs`: how many rows, with which noise and
            seed. It must be stated.
        features: `none` (the default) leaves the columns as they are. The others take two
            columns. `polynomial` maps (x1, x2) to (x1, x2, x1^2, x1 x2, x2^2). `interaction` maps
            them to (1, x1, x2, x1 x2), as scikit-learn's
            `PolynomialFeatures(interaction_only=True)` does. `flipped_and` maps two bits to
            (AND(not x1, x2), AND(x1, not x2)).
        scale: `none` (the default). `divide_by_16`, `divide_by_255` and `divide_by_256` divide
            by that constant. `minus_one_to_one` is (byte / 255 - 0.5) * 2, `hundredth_to_one`
            byte / 255 * 0.99 + 0.01. Two maps are fitted to rows: `min_max` to [0, 1], and
            `standardize` to mean 0 and standard deviation 1 (of the population; a constant column
            is only shifted).
        scale_fitted_on: the rows that `min_max` and `standardize` are fitted to: `training` (the
            default), or what is a mistake or a leak and common: `all` rows, test rows among them,
            or `each_part`, where training, validation and test rows are scaled by their own.
        target_values: numbers that stand for "no" and "yes" in the targets of a loss of
            values, such as [-1, 1] or [0.01, 0.99]; by default 0 and 1. A single output is taken
            for "yes" above their middle.
        split: where training and test rows come from; see `harness.experiment.splits`.
        validation: the share of the training rows that is held out, at least 0 (the default)
            and below 1. The last rows are taken, as by Keras's `validation_split`: the first
            `floor(rows * (1 - validation))` rows train. The splits `rows` and `sklearn` may
            state their own validation rows instead.
    """

    contents: Contents | None = None
    dataset: Annotated[str, AfterValidator(_known_dataset)] | None = None
    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    test_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    test_target: ColumnName | None = None
    target: ColumnName | Annotated[ColumnNames, Field(min_length=1)] | None = None
    kind: Literal["classes", "binary", "values"] | None = None
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    inputs: Annotated[ColumnNames, Field(min_length=1)] | None = None
    ignore: ColumnNames = ()
    one_hot: ColumnNames = ()
    missing: Literal["refuse", "drop_rows"] = "refuse"
    format: FileFormat | None = None
    sha256: Sha256 | None = None
    drawn: Drawn | None = None
    features: Literal["none", "polynomial", "interaction", "flipped_and"] = "none"
    scale: Literal[
        "none",
        "divide_by_255",
        "divide_by_256",
        "divide_by_16",
        "minus_one_to_one",
        "hundredth_to_one",
        "min_max",
        "standardize",
    ] = "none"
    scale_fitted_on: Literal["training", "all", "each_part"] = "training"
    target_values: Annotated[tuple[Number, Number], AfterValidator(_ordered)] | None = None
    split: Split
    validation: Fraction = 0.0

    @property
    def name(self) -> str:
        """The dataset, or the file without its folder."""
        return self.dataset or Path(self.file or "").name

    @property
    def targets(self) -> ColumnNames:
        """Names of a file's target columns; none where there are no targets."""
        if self.target is None or self.target == NO_TARGET:
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def facts(self) -> DatasetFacts:
        """The facts that are known about the rows before they are made."""
        if self.contents is None and self.dataset is not None:
            facts = DATASETS[self.dataset]
            return replace(facts, train_rows=self.drawn.rows) if self.drawn else facts
        found = self.found
        return DatasetFacts(
            features=len(found.inputs),
            kind=found.kind,
            outputs=found.outputs,
            train_rows=found.rows - found.test_rows,
            test_rows=found.test_rows,
            description=f"your {'file' if self.file else 'dataset'} {self.name}",
        )

    @property
    def found(self) -> Contents:
        """What was found in the file, or in the dataset of another package.

        Raises:
            TypeError: the data is a dataset of samestep's.
        """
        if self.contents is None:
            raise TypeError(f"{self.dataset!r} is a dataset of samestep's")
        return self.contents

    def selection(self) -> "Selection":
        """Read the file or another package's dataset; return the inputs and targets asked of it.

        Raises:
            harness.tables.TableError: the file cannot be read, has changed since the protocol was
                read, or does not hold what is asked of it.
        """
        from harness.tables import TableError, sources
        from harness.tables.selection import select

        if self.dataset is not None:
            return self._of_package()
        table = sources.read(self._source())
        expected = self.contents.sha256 if self.contents else self.sha256
        if expected not in (None, table.sha256):
            since = "the run was planned" if self.contents else "sha256 was written down"
            raise TableError(
                f"{self.name}: has changed since {since} (SHA-256 {table.sha256}, expected "
                f"{expected}); a changed file is another experiment: run the command again"
                + ("" if self.contents else ", without sha256 or with the new one")
            )
        return select(table, self._choices())

    def _of_package(self) -> "Selection":
        from harness.tables import TableError

        if self.name not in package_datasets.entered():
            raise TableError(f"{self.name}: the package that had this dataset is not installed")
        selected, sha256, _ = package_datasets.read(self.name)
        if self.contents is not None and self.contents.sha256 != sha256:
            raise TableError(
                f"{self.name}: its package gives other arrays than when the run was planned; run "
                "the command again, which makes another run"
            )
        return selected

    def _source(self) -> "Source":
        from harness.tables import sources

        target = self.target if isinstance(self.target, str) else ""
        return sources.Source(
            file=Path(self.file or ""),
            target=target if sources.is_target_file(target) else "",
            test_file=Path(self.test_file) if self.test_file else None,
            test_target=self.test_target or "",
            form=(self.format or FileFormat()).as_stated(),
        )

    def _choices(self) -> "Choices":
        from harness.tables.selection import Choices

        return Choices(
            target=self.targets,
            kind=self.kind,
            classes=self.classes,
            inputs=self.inputs,
            ignore=self.ignore,
            one_hot=self.one_hot,
            drop_rows=self.missing == "drop_rows",
        )

    @property
    def keeps_test_rows(self) -> bool:
        """Whether rows are kept for a test. By the split `all` the training rows test."""
        return not isinstance(self.split, AllSplit)

    @property
    def lacks_a_test(self) -> bool:
        """Whether there could be a test and is none: a truth table has no other rows."""
        return not self.keeps_test_rows and self.dataset not in TRUTH_TABLES

    @property
    def numbers_for_no_and_yes(self) -> tuple[float, float]:
        """What targets of a loss of values are where a row is not of the class, and where it is."""
        return self.target_values or (0.0, 1.0)

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

    @model_validator(mode="before")
    @classmethod
    def _finds_the_files(cls, values: Any, info: ValidationInfo) -> Any:
        """Make the files' paths absolute: a relative one is beside the TOML file."""
        return with_absolute_paths(values, ("file", "test_file"), info)

    @model_validator(mode="after")
    def _has_contents(self) -> Self:
        """Read the file, unless what it holds is known: then the protocol was read before."""
        if (self.dataset is None) == (self.file is None):
            raise ValueError(
                "dataset: name a dataset (`samestep list datasets`), or a file of your own: "
                'file = "flowers.csv" and its target; one of the two'
            )
        is_drawn = self.dataset in DATASETS and DATASETS[self.dataset].drawn
        if is_drawn != (self.drawn is not None):
            raise ValueError(
                f"drawn: state how {self.dataset!r} is drawn: "
                "drawn = { rows = 200, noise = 0.1, seed = 0 }"
                if is_drawn
                else f"drawn: only for datasets that are drawn; {self.name!r} is none"
            )
        if self.file is None:
            stated = [name for name in FILE_FIELDS if name in self.model_fields_set]
            given = [name for name in stated if getattr(self, name) not in (None, (), "refuse")]
            given = [name for name in given if name != "contents" or self.dataset in DATASETS]
            if given:
                raise ValueError(f"{given[0]}: only for a file; {self.dataset!r} is a dataset")
            if self.contents is None and self.dataset not in DATASETS:
                object.__setattr__(self, "contents", self._read_contents())
            return self
        if self.target is None:
            raise ValueError(
                'target: missing; the column of the file to learn, or "none" to only predict'
            )
        if self.contents is None:
            object.__setattr__(self, "contents", self._read_contents())
        return self

    def _read_contents(self) -> Contents:
        from harness.tables import sources

        selected = self.selection()
        if self.dataset is not None:
            _, sha256, form = package_datasets.read(self.dataset)
        else:
            table = sources.read(self._source())
            sha256, form = table.sha256, table.form
        return Contents(
            sha256=sha256,
            rows=len(selected.inputs),
            dropped=selected.dropped,
            inputs=selected.names,
            kind=selected.kind,
            outputs=selected.outputs,
            classes=selected.classes,
            form=form,
            test_rows=selected.test_rows,
        )

    @model_validator(mode="after")
    def _fits_dataset(self) -> Self:
        if self.scale_fitted_on != "training" and self.scale not in FITTED_SCALES:
            raise ValueError(
                f"scale_fitted_on: only for {' and '.join(map(repr, FITTED_SCALES))}; scale "
                f"{self.scale!r} is not fitted to rows"
            )
        if self.target_values is not None and self.facts.kind not in ("classes", "binary"):
            raise ValueError(
                f"target_values: only for classes; {self.name!r} has targets of kind "
                f"{self.facts.kind!r}"
            )
        if self.features != "none" and self.facts.features != 2:
            raise ValueError(
                f"features: {self.features!r} needs a dataset of two columns; "
                f"{self.name!r} has {self.facts.features}"
            )
        bits = self.facts.kind == "binary" and self.contents is None
        if self.features == "flipped_and" and not bits:
            raise ValueError("features: 'flipped_and' needs bits (and, or, xor)")
        if self.validation and (
            isinstance(self.split, RowsSplit | SklearnSplit) and self.split.validation
        ):
            raise ValueError("validation: state it here or in the split, not in both")
        check_split(self.split, self.facts, self.name)
        if self.rows[0] < 1 or self.rows[2] < 1:
            raise ValueError(
                "split: the split and its validation must leave rows to train and to test on"
            )
        return self
