"""NumPy archives: `.npz` files of arrays that have a row per example. Never a pickle."""

import io
import math
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from harness.tables.errors import TableError, listed, quoted
from harness.tables.table import Column, Table

MOST_DIMENSIONS = 8
KINDS = "buifUS"
"""Booleans, whole numbers, numbers and text, by NumPy's letters."""


def read(name: str, sha256: str, content: bytes, largest: int) -> Table:
    """Return the arrays of an archive as a table. A row is what the first index counts.

    Args:
        name: of the file, for messages.
        sha256: of its bytes.
        content: its bytes.
        largest: how many bytes its arrays may have together.

    Raises:
        TableError: it is no archive, is damaged, too large, has objects, or arrays that do not
            have the same number of rows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            arrays = _arrays(name, archive, largest)
    # zipfile raises NotImplementedError for an unknown compression, RuntimeError for a password
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TableError(f"{name}: not a whole .npz archive ({error})") from error
    if not arrays:
        raise TableError(f"{name}: has no arrays")
    rows = {len(array) for array in arrays.values()}
    if len(rows) > 1:
        shapes = ", ".join(f"{array} {values.shape}" for array, values in arrays.items())
        raise TableError(
            f"{name}: all arrays must have the same number of rows. Got {shapes}; join training "
            "and test arrays (numpy.concatenate), and let the protocol's split part them"
        )
    if rows == {0}:
        raise TableError(f"{name}: its arrays have no rows")
    columns = {array: Column(array, values) for array, values in arrays.items()}
    return Table(name, sha256, columns, "arrays of NumPy")


def _arrays(name: str, archive: zipfile.ZipFile, largest: int) -> dict[str, NDArray[Any]]:
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members and archive.namelist():
        inside = listed(archive.namelist())
        raise TableError(f"{name}: is a .zip without arrays ({inside}), not a file of numpy.savez")
    total = sum(member.file_size for member in members)
    if total > largest:
        raise TableError(f"{name}: its arrays have {total:,} bytes; at most {largest:,} are read")
    arrays = {}
    for member in members:
        array = member.filename.removesuffix(".npy")
        with archive.open(member) as opened:
            try:
                arrays[array] = _array(name, array, opened.read(), member.file_size)
            except (ValueError, SyntaxError) as error:
                if isinstance(error, TableError):
                    raise
                raise TableError(f"{name}: the array {quoted(array)} is damaged") from error
    return arrays


def _array(name: str, array: str, content: bytes, size: int) -> NDArray[Any]:
    """Check the header before anything is allocated by it, then read the array."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(stream)
    where = f"{name}: the array {quoted(array)}"
    if dtype.hasobject:
        raise TableError(
            f"{where} holds Python objects, which are never read; save numbers or text"
        )
    if dtype.kind not in KINDS:
        raise TableError(f"{where} must hold numbers, booleans or text. Got {dtype}")
    if not 1 <= len(shape) <= MOST_DIMENSIONS:
        raise TableError(f"{where} must have a row per example, and more. Got shape {shape}")
    if math.prod(shape) * dtype.itemsize > size:
        raise TableError(f"{where} is damaged: its header says {shape}, which it does not hold")
    stream.seek(0)
    values: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    if dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    if dtype.kind == "f" and dtype.itemsize > 8:
        return values.astype(np.float64)
    return values
