"""What a file holds: columns of numbers or of text, before anything is chosen of them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.tables.errors import TableError, quoted

Array = NDArray[Any]
Kind = Literal["numbers", "whole numbers", "true or false", "text"]

LARGEST = float(np.finfo(np.float32).max)
MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing"}
)
"""What people write where a number is missing, in lower case. In text only "" is missing."""


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written; what is None is found out from the file.

    Args:
        encoding: such as `utf-8`, `cp949` or `latin-1`.
        delimiter: between columns: `,`, `;`, a tab, `|`, or `space` for any white space.
        decimal: the sign before fractions, `.` or `,`.
        header: whether the first line has the names of the columns.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers.

    Args:
        values: (rows, ...) numbers; NaN where there is none.
        missing: (rows,) whether a row has no value.
        wrong: (rows,) whether a row has something that is no number, or not one of float32.
    """

    values: Array
    missing: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labels:
    """A column read as labels.

    Args:
        codes: (rows,) the place of each row's label in `values`; -1 where it is missing.
        values: the distinct labels: numbers and booleans by size, text by its characters.
    """

    codes: NDArray[np.int64]
    values: tuple[Any, ...]

    @property
    def missing(self) -> NDArray[np.bool_]:
        return np.asarray(self.codes < 0)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The labels as they are named: `setosa`, `false`, `7`."""
        return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in self.values)

    def of_rows(self, rows: NDArray[np.bool_]) -> "Labels":
        """Return the labels of some rows; those that are left over are forgotten."""
        codes = self.codes[rows]
        used, codes = np.unique(codes, return_inverse=True)
        return Labels(codes, tuple(self.values[place] for place in used.tolist()))


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a text file, or one array of an archive.

    Args:
        name: as in the file, without spaces around it.
        values: (rows, ...) numbers, booleans, or str.
    """

    name: str
    values: Array

    @property
    def is_text(self) -> bool:
        return self.values.dtype.kind in "OU"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values of one row: () but for arrays of more than one dimension."""
        return self.values.shape[1:]

    @property
    def without_last_one(self) -> "Column":
        """The column with one value a row where it has the shape (rows, 1), as targets often do."""
        return Column(self.name, self.values[:, 0]) if self.shape == (1,) else self

    @property
    def is_one_hot(self) -> bool:
        """Whether a row has a 1 in one place and 0 elsewhere, as Keras' `to_categorical` writes."""
        values = self.values
        if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "buif":
            return False
        ones = values == 1
        return bool((ones | (values == 0)).all() and (ones.sum(axis=1) == 1).all())

    @cached_property
    def numbers(self) -> Numbers:
        """The column as numbers. A marker such as `NA` or an empty cell is a missing value.

        Raises:
            TableError: it is text with several values a row.
        """
        if self.is_text:
            if self.shape:
                raise TableError(f"the array {quoted(self.name)} holds text of {self.shape} a row")
            codes, texts = self._factorized
            of_text = _numbers_of_texts(texts)
            return Numbers(of_text.values[codes], of_text.missing[codes], of_text.wrong[codes])
        if self.values.dtype.kind in "bui":
            nothing = np.zeros(len(self.values), bool)
            return Numbers(self.values, nothing, nothing)
        flat = self.values.reshape(len(self.values), -1)
        missing: NDArray[np.bool_] = np.asarray(np.isnan(flat).any(axis=1))
        with np.errstate(invalid="ignore"):
            fits = np.asarray((np.abs(flat) <= LARGEST).all(axis=1))
        return Numbers(self.values, missing, np.asarray(~missing & ~fits))

    @cached_property
    def kind(self) -> Kind:
        """What the column holds, its missing values aside.

        Text in which most values are numbers counts as numbers: single cells are wrong then.
        """
        if self.values.dtype.kind == "b":
            return "true or false"
        if self.is_text and self.shape:
            return "text"
        read = self.numbers
        given = ~read.missing
        if self.is_text and 2 * int(read.wrong.sum()) >= int(given.sum()):
            return "text"
        exact = read.values[given & ~read.wrong]
        is_whole = exact.dtype.kind in "ui" or bool((exact == np.floor(exact)).all())
        return "whole numbers" if is_whole else "numbers"

    @cached_property
    def labels(self) -> Labels:
        """The column as labels. In text only "" is missing; numbers such as 7.0 are whole.

        Raises:
            TableError: there are several values a row.
        """
        if self.shape:
            raise TableError(
                f"{quoted(self.name)}: classes need one value a row. Got the shape {self.shape}"
            )
        if self.is_text and (self.kind == "text" or self.numbers.wrong.any()):
            codes, texts = self._factorized
            return _ordered(codes, [text.strip() or None for text in texts])
        read = self.numbers
        values, codes = np.unique(read.values, return_inverse=True)
        return _ordered(codes, [_label(value) for value in values.tolist()])

    @cached_property
    def _factorized(self) -> tuple[NDArray[np.int64], list[str]]:
        """(rows,) places of the texts, and the distinct texts as they stand in the file."""
        import pandas

        codes, texts = pandas.factorize(self.values.astype(object))
        return codes, [str(text) for text in texts]

    @property
    def flat_names(self) -> list[str]:
        """A name per number of a row: `pixels[0,3]`, the last index changing fastest."""
        if not self.shape:
            return [self.name]
        return [f"{self.name}[{','.join(map(str, index))}]" for index in np.ndindex(self.shape)]


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file.

    Args:
        name: of the file, without its folder.
        sha256: of its bytes.
        columns: by name, in the order of the file.
        form: how it is written, in words: `UTF-8, comma`.
        unit: what a column is in this kind of file, `column` or `array`.
        line: the line of a row (counted from 0) in a text file; None in other files.
        other_files: the files of columns that come from files of their own.
        train_rows: how many rows are the training part, which comes first; None where the file
            has no test rows of their own.
        test: the table of these test rows.
    """

    name: str
    sha256: str
    columns: dict[str, Column]
    form: str
    unit: str = "column"
    line: Callable[[int], int] | None = field(default=None, repr=False)
    other_files: Mapping[str, "Table"] = field(default_factory=dict, repr=False)
    train_rows: int | None = None
    test: "Table | None" = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def place(self, row: int, column: str) -> str:
        """Return `flowers.csv, line 7, column 'age'`."""
        if self.test is not None and self.train_rows is not None and row >= self.train_rows:
            return self.test.place(row - self.train_rows, column)
        if column in self.other_files:
            other = self.other_files[column]
            return other.place(row, next(iter(other.columns)))
        where = f"row {row} (from 0)" if self.line is None else f"line {self.line(row)}"
        return f"{self.name}, {where}, column {quoted(column)}"

    def column(self, name: str, asked: str) -> Column:
        """Return a column by its name.

        Raises:
            TableError: there is none; `asked` names the field that asks for it.
        """
        if name in self.columns:
            return self.columns[name]
        import difflib

        by_lower = {known.lower(): known for known in self.columns}
        near = difflib.get_close_matches(name.strip().lower(), by_lower, 1, 0.5)
        hint = f" Did you mean {quoted(by_lower[near[0]])}?" if near else ""
        known = ", ".join(quoted(known) for known in list(self.columns)[:20])
        more = f" and {len(self.columns) - 20} more" if len(self.columns) > 20 else ""
        raise TableError(
            f"{asked}: {self.name} has no column {quoted(name)}.{hint} Columns: {known}{more}"
        )


def _numbers_of_texts(texts: list[str]) -> Numbers:
    import pandas

    missing = np.array([text.strip().lower() in MISSING for text in texts], bool)
    parsed = pandas.to_numeric(pandas.Series(texts, dtype=object), errors="coerce")
    values = np.array(parsed, np.float64)
    values[missing] = np.nan
    with np.errstate(invalid="ignore"):
        return Numbers(values, missing, ~missing & ~(np.abs(values) <= LARGEST))


def _label(number: Any) -> Any:
    """Return a number as a label: 7.0 as 7, and None for NaN."""
    if not isinstance(number, float):
        return number
    return None if math.isnan(number) else int(number) if number.is_integer() else number


def _ordered(codes: NDArray[np.int64], labels: list[Any]) -> Labels:
    """Order labels that may be the same or None, and number the rows by them."""
    order = sorted({label for label in labels if label is not None})
    places = {label: place for place, label in enumerate(order)}
    new_codes = np.array([places.get(label, -1) for label in labels], np.int64)
    return Labels(new_codes[codes], tuple(order))
