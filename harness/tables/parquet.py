"""Parquet files, read by pyarrow, which is not installed with samestep."""

import io
from typing import Any

import numpy as np

from harness.tables.errors import TableError, quoted
from harness.tables.table import Array, Column, Table

INSTALL = "python -m pip install pyarrow"
BYTES_OF_A_VALUE = 8
"""What a value takes at most in a column of numbers; of text, the reference to it."""


def read(name: str, sha256: str, content: bytes, largest: int) -> Table:
    """Return the columns of a Parquet file. Text stays text, dates become text.

    Args:
        name: of the file, for messages.
        sha256: of its bytes.
        content: its bytes.
        largest: how many bytes its values may take together.

    Raises:
        TableError: pyarrow is not installed, or the file is damaged, too large, or has columns
            that hold neither numbers nor text.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise TableError(
            f"{name}: Parquet needs pyarrow, which is not installed: {INSTALL}; or write the "
            "table as .csv.gz (pandas: frame.to_csv(name, index=False))"
        ) from error
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        _check_size(name, file.metadata, largest)
        columns = file.read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, TableError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{name}: not a whole Parquet file ({reason})") from error
    names = columns.column_names
    for column in names:
        if names.count(column) > 1:
            raise TableError(f"{name}: two columns are called {quoted(column)}; rename one")
    if not names or not columns.num_rows:
        raise TableError(f"{name}: has no {'rows' if names else 'columns'}")
    read_columns = {
        column: Column(column, _values(name, column, columns.column(column))) for column in names
    }
    return Table(name, sha256, read_columns, "Parquet")


def _check_size(name: str, metadata: Any, largest: int) -> None:
    """Refuse a file by what it says of itself, before its values are unpacked."""
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    stored = sum(group.total_byte_size for group in groups)
    values = metadata.num_rows * metadata.num_columns * BYTES_OF_A_VALUE
    if max(stored, values) > largest:
        raise TableError(
            f"{name}: its {metadata.num_rows:,} rows of {metadata.num_columns:,} columns take "
            f"{max(stored, values):,} bytes; at most {largest:,} are read"
        )


def _values(name: str, column: str, chunks: Any) -> Array:
    """Return a column of pyarrow as numbers, booleans or str; "" where a text is missing."""
    import pyarrow
    from pyarrow import types

    kind = chunks.type
    if types.is_dictionary(kind):
        chunks, kind = chunks.cast(kind.value_type), kind.value_type
    if types.is_boolean(kind) and not chunks.null_count:
        return np.asarray(chunks.to_numpy(), bool)
    if types.is_integer(kind) or types.is_floating(kind):
        values: Array = chunks.to_numpy()  # with missing values, float64 and NaN
        return values
    if types.is_decimal(kind):
        numbers: Array = chunks.cast(pyarrow.float64()).to_numpy()
        return numbers
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind)
    if is_text or types.is_temporal(kind) or types.is_null(kind):
        texts = ["" if value is None else str(value) for value in chunks.to_pylist()]
        return np.array(texts, dtype=object)
    raise TableError(
        f"{name}: the column {quoted(column)} holds {kind}, which is neither number nor text; "
        "write the file without it, or arrays as .npz"
    )
