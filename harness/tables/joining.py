"""Tables of several files to one: targets in a file of their own, test rows in another."""

import hashlib
from dataclasses import replace

import numpy as np

from harness.tables.errors import TableError, listed, quoted
from harness.tables.table import Array, Column, Table


def with_target(table: Table, target: Table, name: str) -> Table:
    """Return a table with the only column of another one, which holds its targets.

    Args:
        table: the inputs.
        target: a table of one column, with a row for each row of `table`.
        name: what that column is called from now on.

    Raises:
        TableError: it has more columns, or another number of rows.
    """
    if len(target.columns) != 1:
        raise TableError(
            f"target: {target.name} must have one column, the targets. It has "
            f"{len(target.columns)} ({listed(target.columns)}); put inputs and targets into one "
            "table, and name a column of it"
        )
    if target.rows != table.rows:
        raise TableError(
            f"target: {target.name} must have a row for each of the {table.rows:,} rows of "
            f"{table.name}. It has {target.rows:,}"
        )
    if name in table.columns:
        raise TableError(f"target: {table.name} has a column {quoted(name)} itself; rename it")
    (values,) = (column.values for column in target.columns.values())
    return replace(
        table,
        columns=table.columns | {name: Column(name, values)},
        sha256=_digest(table, target),
        form=_forms(table, target),
        other_files={name: target},
    )


def with_test_rows(train: Table, test: Table) -> Table:
    """Return the rows of both tables, those of `train` first.

    Raises:
        TableError: they do not have the same columns, or one of them has test rows already.
    """
    for table in (train, test):
        if table.test is not None:
            raise TableError(
                f"test_file: leave it out; {table.name} has rows of its own for the test"
            )
    _check_columns(train, test)
    columns = {
        name: Column(name, _joined(train, test, column, test.columns[name]))
        for name, column in train.columns.items()
    }
    return replace(
        train,
        columns=columns,
        sha256=_digest(train, test),
        form=_forms(train, test),
        test=test,
        train_rows=train.rows,
    )


def _check_columns(train: Table, test: Table) -> None:
    absent = [name for name in train.columns if name not in test.columns]
    added = [name for name in test.columns if name not in train.columns]
    if not absent and not added:
        return
    lacks = f"{test.name} has no column {listed(absent)}" if absent else ""
    has = f"{train.name} has no column {listed(added)}" if added else ""
    raise TableError(
        f"test_file: must have the columns of {train.name}. {'; '.join(filter(None, (lacks, has)))}"
        ". Rows without a known target cannot test: leave test_file out then, and let a split such "
        "as 'stratified' keep some of the other rows"
    )


def _joined(train: Table, test: Table, column: Column, other: Column) -> Array:
    """Return the values of both columns, one after the other."""
    first, second = column.values, other.values
    place = f"column {quoted(column.name)}" if column.name == other.name else quoted(column.name)
    if column.shape != other.shape:
        raise TableError(
            f"{place}: a row must have the same shape in both parts. It has {column.shape} in "
            f"{train.name}, {other.shape} in {test.name}"
        )
    if (first.dtype.kind == "b") != (second.dtype.kind == "b"):
        raise TableError(
            f"{place}: must hold the same in both parts. It holds {column.kind} in {train.name}, "
            f"{other.kind} in {test.name}"
        )
    if column.is_text != other.is_text:  # numbers, with a word for missing ones in one of the files
        first, second = _texts(first), _texts(second)
    return np.concatenate([first, second])


def _texts(values: Array) -> Array:
    if values.dtype.kind == "O":
        return values
    return np.array([str(value) for value in values.ravel().tolist()], object).reshape(values.shape)


def _digest(*tables: Table) -> str:
    """Return the SHA-256 of the tables' own, written one after the other."""
    return hashlib.sha256("".join(table.sha256 for table in tables).encode()).hexdigest()


def _forms(*tables: Table) -> str:
    """Return how the files are written; what is said of several is said once."""
    return ", ".join(dict.fromkeys(table.form for table in tables))
