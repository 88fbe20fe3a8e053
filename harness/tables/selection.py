"""The columns of a table to the inputs and targets that a protocol asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.tables.errors import (
    TableError,
    listed,
    quoted,
    toml_list,
    toml_text,
    what_it_looks_like,
)
from harness.tables.table import (
    Array,
    Column,
    Labels,
    Numbers,
    Table,
)

TargetKind = Literal["classes", "binary", "values", "none"]

MOST_CLASSES = 1_000
MOST_INPUTS = 100_000
DROP = 'missing = "drop_rows"'


@dataclass(frozen=True)
class Choices:
    """What a protocol says about a table.

    Args:
        target: names of the target columns; none where there are no targets.
        kind: of the targets; None where the column leaves no choice.
        classes: the classes in their order; None for the order of their values.
        inputs: names of the input columns in their order; None for all that are left.
        ignore: names of columns that are left out.
        one_hot: names of columns of which each value becomes a column of 0 and 1.
        drop_rows: whether rows with a missing value are left out; otherwise they are refused.
    """

    target: tuple[str, ...]
    kind: Literal["classes", "binary", "values"] | None = None
    classes: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    one_hot: tuple[str, ...] = ()
    drop_rows: bool = False


@dataclass(frozen=True, eq=False)
class Selection:
    """What a protocol gets of a table.

    Args:
        inputs: (rows, columns) finite numbers.
        targets: (rows,) numbers of classes; (rows, outputs) values; None without targets.
        names: of the columns of the inputs.
        kind: of the targets.
        outputs: number of classes, 1 for two classes of kind `binary`, or of target columns.
        classes: the names of the classes in their order.
        dropped: how many rows were left out because a value is missing.
        test_rows: how many rows, the last ones, are the table's own test rows.
    """

    inputs: Array
    targets: Array | None
    names: tuple[str, ...]
    kind: TargetKind
    outputs: int
    classes: tuple[str, ...]
    dropped: int
    test_rows: int


@lru_cache(maxsize=2)
def select(table: Table, choices: Choices) -> Selection:
    """Return inputs and targets. Another call with the same table and choices costs nothing.

    Raises:
        TableError: a column is missing or does not hold what is asked of it; the message names
            the place in the file, the value, and what to write.
    """
    targets = [table.column(name, "target").without_last_one for name in choices.target]
    if choices.kind == "classes" and len(targets) == 1 and targets[0].is_one_hot:
        targets = [Column(targets[0].name, targets[0].values.argmax(axis=1))]
    inputs = _input_columns(table, choices)
    _refuse_text(table, [c for c in inputs if c.name not in choices.one_hot])
    kind = _target_kind(table, targets, choices)
    read = {c.name: c.numbers for c in inputs if c.name not in choices.one_hot}
    if kind == "values":
        read |= {column.name: _value_target(table, column) for column in targets}
    labels = {c.name: c.labels for c in inputs if c.name in choices.one_hot}
    if kind in ("classes", "binary"):
        labels[targets[0].name] = targets[0].labels
    for name, numbers in read.items():
        _refuse_wrong(table, name, numbers)
    whole = _whole_rows(table, read, labels, choices)
    dropped = int((~whole).sum())
    test_rows = 0 if table.train_rows is None else int(whole[table.train_rows :].sum())
    if table.train_rows is not None and test_rows in (0, len(whole) - dropped):
        raise TableError(
            f"{table.name}: every {'training' if test_rows else 'test'} row has a missing value"
        )

    def of(column: Column) -> tuple[Array, list[str]]:
        if column.name in choices.one_hot:
            return _one_hot(column.name, labels[column.name].of_rows(whole))
        values = read[column.name].values
        values = values if not dropped else values[whole]
        return values.reshape(len(values), -1), column.flat_names

    parts = [of(column) for column in inputs]
    names = tuple(name for _, part in parts for name in part)
    if len(names) > MOST_INPUTS:
        raise TableError(f"{table.name}: at most {MOST_INPUTS:,} inputs. Got {len(names):,}")
    arrays = [_plain(values) for values, _ in parts]
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1, dtype=np.float64)
    if not targets:
        return Selection(joined, None, names, "none", 0, (), dropped, test_rows)
    if kind == "values":
        values = [read[column.name].values[whole] for column in targets]
        table_of_values = np.column_stack([v.reshape(len(v), -1) for v in values])
        exact = table_of_values.astype(np.float64)
        return Selection(joined, exact, names, kind, exact.shape[1], (), dropped, test_rows)
    numbered, classes = _classes(table, targets[0], labels[targets[0].name].of_rows(whole), choices)
    outputs = 1 if kind == "binary" else len(classes)
    return Selection(joined, numbered, names, kind, outputs, classes, dropped, test_rows)


def _plain(values: Array) -> Array:
    """Return numbers of a type that arithmetic does not overflow: bits as bytes, else float64.

    Bytes stay bytes: pictures of them would take eight times the memory.
    """
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    return values if values.dtype == np.uint8 else values.astype(np.float64)


# ---------------------------------------------------------------- which columns


def _input_columns(table: Table, choices: Choices) -> list[Column]:
    """Return the input columns in their order; every name must be known and stand once."""
    for field in ("target", "inputs", "ignore", "one_hot"):
        names: Sequence[str] = getattr(choices, field) or ()
        for name in names:
            table.column(name, field)
            if list(names).count(name) > 1:
                raise TableError(f"{field}: {quoted(name)} stands twice")
    if choices.inputs is not None and choices.ignore:
        raise TableError("ignore: leave it out where inputs are listed; all others are ignored")
    for field in ("inputs", "ignore", "one_hot"):
        both = [name for name in getattr(choices, field) or () if name in choices.target]
        if both:
            raise TableError(f"{field}: {listed(both)} cannot be a target and stand here too")
    ignored = [name for name in choices.one_hot if name in choices.ignore]
    if ignored:
        raise TableError(f"one_hot: {listed(ignored)} cannot be in ignore too")
    left = [n for n in table.columns if n not in choices.target and n not in choices.ignore]
    names = left if choices.inputs is None else choices.inputs
    absent = [name for name in choices.one_hot if name not in names]
    if absent:
        raise TableError(f"one_hot: {listed(absent)} must be in inputs too")
    if not names:
        raise TableError(f"{table.name}: no column is left as an input")
    return [table.columns[name] for name in names]


def _refuse_text(table: Table, columns: Sequence[Column]) -> None:
    """Refuse inputs of text, all in one message."""
    texts = [column for column in columns if column.kind == "text"]
    if not texts:
        return
    first = texts[0]
    row = next((i for i, value in enumerate(first.values) if str(value).strip()), 0)
    names = [column.name for column in texts]
    what = "column" if len(names) == 1 else "columns"
    raise TableError(
        f"{table.place(row, first.name)}: {quoted(first.values[row])} is text, and inputs are "
        f"numbers. For the {what} {listed(names)} write ignore = {toml_list(names)} to leave "
        f"{'it' if len(names) == 1 else 'them'} out, or one_hot = {toml_list(names)} for a column "
        f"of 0 and 1 for each value{what_it_looks_like(str(first.values[row]))}"
    )


def _target_kind(table: Table, targets: Sequence[Column], choices: Choices) -> TargetKind:
    """Return the kind of the targets, as stated or because there is no choice."""
    if not targets:
        if choices.kind or choices.classes:
            raise TableError('kind, classes: leave them out with target = "none"')
        return "none"
    held = targets[0].kind
    if len(targets) > 1 or targets[0].shape:
        if choices.kind not in (None, "values"):
            raise TableError(
                f"kind: several target columns are 'values'. Got {choices.kind!r}; for classes one "
                "column, or one array with a single 1 in every row and 0 elsewhere"
            )
        if choices.classes:
            raise TableError("classes: only for one target column that holds classes")
        return "values"
    if choices.classes is not None and choices.kind is None:
        return "classes"
    if choices.kind is None and held == "whole numbers":
        raise TableError(
            f"kind: the target {quoted(targets[0].name)} holds whole numbers; state what they "
            'are: kind = "classes", kind = "binary" (0 and 1, one output), or kind = "values" '
            "for regression"
        )
    if choices.kind == "values" and choices.classes:
        raise TableError('classes: leave them out with kind = "values"')
    return choices.kind or ("values" if held == "numbers" else "classes")


def _value_target(table: Table, column: Column) -> Numbers:
    if column.kind == "text":
        raise TableError(
            f"{table.place(0, column.name)}: {quoted(column.values[0])} is text, and kind = "
            '"values" needs numbers; for classes write kind = "classes" with one target column'
        )
    return column.numbers


# ---------------------------------------------------------------- wrong and missing values


def _refuse_wrong(table: Table, name: str, numbers: Numbers) -> None:
    """Refuse a column in which something is not a number."""
    rows = np.flatnonzero(numbers.wrong)
    if not len(rows):
        return
    row, more = int(rows[0]), len(rows) - 1
    value = np.ravel(table.columns[name].values[row])
    shown = value[0] if len(value) == 1 else "infinity, or more than float32 holds"
    raise TableError(
        f"{table.place(row, name)}: {quoted(shown)} is not a number that float32 can hold"
        f"{_others(more)}; write a number (such as 1.5), nothing where it is missing, or leave "
        f"the column out with ignore = {toml_list([name])}{_decimal_hint(shown)}"
    )


def _decimal_hint(value: object) -> str:
    text = str(value).strip()
    if text.count(",") == 1 and text.replace(",", "").lstrip("+-").isdigit():
        return '. Where a comma is the decimal sign, write format = { decimal = "," }'
    return ""


def _others(more: int) -> str:
    return f" (and {more:,} more in this column)" if more > 0 else ""


def _whole_rows(
    table: Table, read: dict[str, Numbers], labels: dict[str, Labels], choices: Choices
) -> NDArray[np.bool_]:
    """Return (rows,) whether nothing is missing that is used.

    Raises:
        TableError: something is, and the protocol does not say that such rows are left out.
    """
    missing = {name: numbers.missing for name, numbers in read.items()}
    missing |= {name: of_column.missing for name, of_column in labels.items()}
    whole = ~np.any(list(missing.values()), axis=0)
    if whole.all():
        return np.asarray(whole, bool)
    if choices.drop_rows:
        if not whole.any():
            raise TableError(f"{table.name}: every row has a missing value; no row is left")
        return np.asarray(whole, bool)
    row = int(np.flatnonzero(~whole)[0])
    name = next(name for name, absent in missing.items() if absent[row])
    more = int(missing[name].sum()) - 1
    value = table.columns[name].values[row]
    column = f"ignore = {toml_list([name])} for the column"
    leave = f"{DROP} for all such rows" + ("" if name in choices.target else f", or {column}")
    others = [other for other, absent in missing.items() if absent.any() and other != name]
    also = f"; also missing in {listed(others)}" if others else ""
    raise TableError(
        f"{table.place(row, name)}: the value is missing ({quoted(value)})"
        f"{_others(more)}{also}; fill it in, or leave out: {leave}"
    )


# ---------------------------------------------------------------- classes


def _one_hot(name: str, labels: Labels) -> tuple[Array, list[str]]:
    """Return (rows, values) of 0 and 1, and `name=value` for each column."""
    if len(labels.values) > MOST_CLASSES:
        raise TableError(
            f"one_hot: {quoted(name)} has {len(labels.values):,} values; at most {MOST_CLASSES:,}"
        )
    columns = np.zeros((len(labels.codes), len(labels.values)), np.uint8)
    columns[np.arange(len(labels.codes)), labels.codes] = 1
    return columns, [f"{name}={text}" for text in labels.texts]


def _classes(
    table: Table, column: Column, labels: Labels, choices: Choices
) -> tuple[Array, tuple[str, ...]]:
    """Return (rows,) numbers of classes, and the classes in their order."""
    name = column.name
    fraction = next((value for value in labels.values if isinstance(value, float)), None)
    if fraction is not None:
        raise TableError(
            f"{table.name}, column {quoted(name)}: classes are text, booleans or whole numbers. "
            f'Got {fraction}; for regression write kind = "values"'
        )
    order, texts = labels.values, labels.texts
    if len(order) < 2:
        raise TableError(
            f"{table.name}, column {quoted(name)}: all {len(labels.codes):,} rows are of one class "
            f"({quoted(texts[0])}); a network learns nothing from it. Add rows of another class"
        )
    if len(order) > MOST_CLASSES:
        raise TableError(
            f"{table.name}, column {quoted(name)}: {len(order):,} classes; at most "
            f'{MOST_CLASSES:,}. For regression write kind = "values"'
        )
    if choices.kind == "binary" and len(order) != 2:
        raise TableError(
            f'kind: "binary" needs two classes; {quoted(name)} has {len(order)} ({listed(texts)}); '
            'write kind = "classes"'
        )
    if choices.classes is None:
        return labels.codes, texts
    _check_order(texts, choices.classes, name)
    places = np.array([choices.classes.index(text) for text in texts])
    return places[labels.codes], choices.classes


def _check_order(texts: Sequence[str], stated: Sequence[str], name: str) -> None:
    if sorted(stated) != sorted(texts):
        example = toml_list(texts[:20]) if len(texts) <= 20 else f"[{toml_text(texts[0])}, ...]"
        raise TableError(
            f"classes: must be the values of {quoted(name)}, each once: {example}. "
            f"Got {toml_list(list(stated)[:20])}"
        )
