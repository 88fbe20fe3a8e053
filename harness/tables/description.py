"""What is in a table, column by column: for people, and to propose a protocol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.tables.errors import quoted
from harness.tables.table import Column, Kind, Labels, Table

MOST_SHARES, MOST_COUNTED = 8, 2_000
ROW_NUMBER_NAMES = ("id", "index", "idx", "no", "nr", "row", "번호", "순번", "")

TARGET_NAMES = (
    *("target", "label", "labels", "class", "species", "y", "y_train"),
    *("정답", "종류", "분류"),
)


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """What a column holds.

    Args:
        name: of the column.
        kind: of its values.
        shape: of the values of one row; () but for arrays of more than one dimension.
        missing: (rows,) whether a row has no value.
        wrong: how many rows have text among numbers.
        counts: distinct values in words and how often they occur, the most frequent first.
        distinct: how many distinct values there are; `counts` has no more than some thousand.
        low, high: smallest and largest number; None for text.
        one_hot: whether a row has a single 1 and 0 elsewhere: a class.
        counts_rows: whether it numbers the rows and says nothing else.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    missing: NDArray[np.bool_]
    wrong: int
    counts: dict[str, int]
    distinct: int
    low: float | None
    high: float | None
    counts_rows: bool
    one_hot: bool

    @property
    def missing_rows(self) -> int:
        return int(self.missing.sum())

    @property
    def values_text(self) -> str:
        """`0.1 to 7.9`, or the most frequent values with their shares."""
        if self.low is None or self.high is None:
            return self.shares_text
        return f"{self.low:g} to {self.high:g}"

    @property
    def shares_text(self) -> str:
        """`setosa 33.3 %, versicolor 33.3 %, ...`, of the rows that have a value."""
        total = len(self.missing) - self.missing_rows or 1
        shown = [
            f"{value} {count / total:.1%}".replace("%", " %")
            for value, count in list(self.counts.items())[:MOST_SHARES]
        ]
        more = self.distinct - len(shown)
        return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def describe(table: Table) -> tuple[ColumnSummary, ...]:
    """Return a summary of every column, in the order of the file."""
    return tuple(_summary(column.without_last_one) for column in table.columns.values())


def _summary(column: Column) -> ColumnSummary:
    rows = len(column.values)
    nothing = np.zeros(rows, bool)
    is_number = column.kind in ("numbers", "whole numbers")
    low = high = None
    missing, wrong = nothing, 0
    if column.kind != "text":
        read = column.numbers
        missing, wrong = read.missing, int(read.wrong.sum())
        given = read.values[~(read.missing | read.wrong)]
        if is_number and given.size:
            low, high = float(given.min()), float(given.max())
    elif not column.shape:
        missing = column.labels.missing
    return ColumnSummary(
        name=column.name,
        kind=column.kind,
        shape=column.shape,
        missing=missing,
        wrong=wrong,
        counts={} if column.shape else _counts(column.labels),
        distinct=0 if column.shape else len(column.labels.values),
        low=low,
        high=high,
        counts_rows=_counts_rows(column),
        one_hot=column.is_one_hot,
    )


def _counts(labels: Labels) -> dict[str, int]:
    counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.values))
    order = np.argsort(-counts, kind="stable")
    return {labels.texts[place]: int(counts[place]) for place in order[:MOST_COUNTED].tolist()}


def _counts_rows(column: Column) -> bool:
    """Whether the values are 0, 1, 2, ... or 1, 2, 3, ... in the order of the rows."""
    if column.kind != "whole numbers" or column.shape or column.numbers.missing.any():
        return False
    values = column.numbers.values
    is_named_so = column.name.lower().strip("_ ") in ROW_NUMBER_NAMES
    if values[0] not in (0, 1) or (len(values) < 3 and not is_named_so):
        return False
    return bool((values == np.arange(len(values)) + values[0]).all())


def column_text(summary: ColumnSummary) -> str:
    """Return the kind of a column in words: `numbers`, `whole numbers (28, 28)`."""
    shape = f" {summary.shape}" if summary.shape else ""
    wrong = f", {summary.wrong:,} cells are text" if summary.wrong else ""
    one_hot = ", one-hot" if summary.one_hot else ""
    return f"{summary.kind}{shape}{one_hot}{wrong}"


def target_guess(summaries: tuple[ColumnSummary, ...]) -> tuple[str, str]:
    """Return the column that is probably to be learnt, and why."""
    for summary in summaries:
        if summary.name.lower() in TARGET_NAMES:
            return summary.name, f"because of its name {quoted(summary.name)}"
    return summaries[-1].name, "because it is the last column"
