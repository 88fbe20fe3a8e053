"""NumPy archives: `.npz` files of arrays that have a row per example. Never a pickle."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from harness.tables import arrays
from harness.tables.errors import TableError, listed, quoted
from harness.tables.joining import with_test_rows
from harness.tables.table import Column, Table

PART = re.compile("train|Train|TRAIN")
"""What stands in the name of an array of training rows, and `test` in that of its test rows."""


def read(name: str, sha256: str, content: bytes, largest: int) -> Table:
    """Return the arrays of an archive as a table. A row is what the first index counts.

    Where every array is one of a pair such as `x_train` and `x_test`, each pair is a column with
    the name of the training array, and its test rows are a part of their own.

    Args:
        name: of the file, for messages.
        sha256: of its bytes.
        content: its bytes.
        largest: how many bytes its arrays may have together.

    Raises:
        TableError: it is no archive, is damaged, too large, has objects, or arrays that do not
            have the same number of rows.
    """
    found = arrays_of(name, content, largest)
    pairs = _paired(found)
    if not pairs:
        return _table(name, sha256, found)
    train = _table(name, sha256, {array: found[array] for array in pairs})
    of_test = {array: found[other] for array, other in pairs.items()}
    test = _table(f"{name} (test rows)", sha256, of_test)
    together = ", ".join(f"{array} and {other}" for array, other in pairs.items())
    table = with_test_rows(train, test)
    return replace(table, sha256=sha256, form=f"arrays of NumPy; {together} joined")


def arrays_of(name: str, content: bytes, largest: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name, whatever their shapes.

    Args:
        name: of the file, for messages.
        content: its bytes.
        largest: how many bytes its arrays may have together.

    Raises:
        TableError: it is no archive, is damaged, too large, has objects, or no arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = _arrays(name, archive, largest)
    # zipfile raises NotImplementedError for an unknown compression, RuntimeError for a password
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TableError(f"{name}: not a whole .npz archive ({error})") from error
    if not found:
        raise TableError(f"{name}: has no arrays")
    return found


def _table(name: str, sha256: str, found: dict[str, NDArray[Any]]) -> Table:
    rows = {len(array) for array in found.values()}
    if len(rows) > 1:
        shapes = ", ".join(f"{array} {values.shape}" for array, values in found.items())
        raise TableError(
            f"{name}: all arrays must have the same number of rows. Got {shapes}; arrays of "
            "training and of test rows are told apart by their names, such as x_train, y_train, "
            "x_test, y_test"
        )
    if rows == {0}:
        raise TableError(f"{name}: its arrays have no rows")
    columns = {array: Column(array, values) for array, values in found.items()}
    return Table(name, sha256, columns, "arrays of NumPy", "array")


def _arrays(name: str, archive: zipfile.ZipFile, largest: int) -> dict[str, NDArray[Any]]:
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members and archive.namelist():
        inside = listed(archive.namelist())
        raise TableError(f"{name}: is a .zip without arrays ({inside}), not a file of numpy.savez")
    total = sum(member.file_size for member in members)
    if total > largest:
        raise TableError(f"{name}: its arrays have {total:,} bytes; at most {largest:,} are read")
    read_arrays = {}
    for member in members:
        array = member.filename.removesuffix(".npy")
        with archive.open(member) as opened:
            content = opened.read()
        read_arrays[array] = arrays.decoded(f"{name}: the array {quoted(array)}", content)
    return read_arrays


def _paired(names: Iterable[str]) -> dict[str, str]:
    """Return which array has the training rows, and which the test rows of the same thing.

    Keras' `mnist.npz` has x_train, y_train, x_test and y_test. Nothing is paired unless every
    array is one of a pair.
    """
    names = list(names)
    pairs = {}
    for name in names:
        partner = PART.sub(_test_part, name, count=1)
        if partner != name and partner in names:
            pairs[name] = partner
    is_whole = len(pairs) * 2 == len(names)
    return pairs if is_whole else {}


def _test_part(part: re.Match[str]) -> str:
    return {"train": "test", "Train": "Test", "TRAIN": "TEST"}[part.group()]
