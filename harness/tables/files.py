"""A path to a table: bytes of bounded size, then the reader that fits them."""

import gzip
import hashlib
import io
import zlib
from pathlib import Path

from harness.tables import IDX_SUFFIXES, SUFFIXES, archives, arrays, idx, parquet, text
from harness.tables.errors import TableError
from harness.tables.table import Array, Column, Table, TextFormat

LARGEST_BYTES = 2**31
"""Of a file, before and after it is unpacked: 2 GiB."""
ARRAY = "array"
GZIP = b"\x1f\x8b"
REFUSED = {
    b"PK\x03\x04": "is a .zip or an Excel workbook; unpack it, or save the sheet as 'CSV UTF-8'",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save the sheet as 'CSV UTF-8'",
    b"PAR1": "is a Parquet file; let its name end in .parquet",
    b"\x89HDF": "is an HDF5 file; write its arrays with numpy.savez",
    b"\x80\x04": "is a pickle, which is never read; write the arrays with numpy.savez",
    b"\x80\x05": "is a pickle, which is never read; write the arrays with numpy.savez",
    b"\x93NUMPY": "is a NumPy array; let its name end in .npy",
    b"%PDF": "is a PDF",
}
"""First bytes of files that are no text, and what to do with each."""


def is_table(name: str) -> bool:
    """Whether a name ends like that of a file that can be read."""
    return name.lower().endswith(SUFFIXES)


def read(path: Path, form: TextFormat | None = None) -> Table:
    """Read one file.

    Args:
        path: of the file, whose suffix is one of `SUFFIXES`.
        form: how a text file is written, as far as that is stated.

    Raises:
        TableError: the file cannot be read, is too large, or is not a table.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise TableError(f"{path.name}: larger than {LARGEST_BYTES:,} bytes")
        return _read(path, form or TextFormat())
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise TableError(f"{path.name}: does not fit into memory") from error


def _read(path: Path, form: TextFormat) -> Table:
    if not is_table(path.name):
        raise TableError(f"{path.name}: must end in {', '.join(SUFFIXES)}")
    with path.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    sha256 = hashlib.sha256(content).hexdigest()
    name = path.name.lower()
    if name.endswith(".npz"):
        return archives.read(path.name, sha256, content, LARGEST_BYTES)
    if name.endswith(".parquet"):
        return parquet.read(path.name, sha256, content, LARGEST_BYTES)
    if name.endswith(".npy"):
        array = arrays.decoded(f"{path.name}: the array", content)
        return _of_one_array(path.name, sha256, array, "NumPy array")
    if name.endswith(IDX_SUFFIXES):
        array = _idx(path.name, content)
        return _of_one_array(path.name, sha256, array, "IDX")
    return text.read(path.name, sha256, unpacked(path.name, content), form)


def _of_one_array(name: str, sha256: str, array: Array, form: str) -> Table:
    """Return a table of one column, which is called `array` whatever the file is called."""
    if not array.size:
        raise TableError(f"{name}: has no numbers. Its shape is {array.shape}")
    return Table(name, sha256, {ARRAY: Column(ARRAY, array)}, f"{form} {array.shape}", "array")


def _idx(name: str, content: bytes) -> Array:
    try:
        if content.startswith(GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                return idx.read(name, packed, LARGEST_BYTES)  # type: ignore[arg-type]
        return idx.read(name, io.BytesIO(content), LARGEST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{name}: damaged; gzip says: {error}") from error


def unpacked(name: str, content: bytes) -> bytes:
    """Return the bytes of a text file, which may be packed by gzip.

    Raises:
        TableError: they are too many, damaged, or those of another kind of file.
    """
    if content.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(LARGEST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{name}: damaged; gzip says: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise TableError(f"{name}: larger than {LARGEST_BYTES:,} bytes when unpacked")
    for first, problem in REFUSED.items():
        if content.startswith(first):
            raise TableError(f"{name}: {problem}")
    return content
