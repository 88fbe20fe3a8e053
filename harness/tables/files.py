"""A path to a table: bytes of bounded size, then the reader that fits them."""

import gzip
import hashlib
import io
import zlib
from functools import lru_cache
from pathlib import Path

from harness.tables import SUFFIXES, archives, text
from harness.tables.errors import TableError
from harness.tables.table import Table, TextFormat

LARGEST_BYTES = 2**31
"""Of a file, before and after it is unpacked: 2 GiB."""
REFUSED = {
    b"PK\x03\x04": "is a .zip or an Excel workbook; unpack it, or save the sheet as 'CSV UTF-8'",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save the sheet as 'CSV UTF-8'",
    b"PAR1": "is a Parquet file; write it as .csv.gz (pandas: frame.to_csv(name, index=False))",
    b"\x89HDF": "is an HDF5 file; write its arrays with numpy.savez",
    b"\x80\x04": "is a pickle, which is never read; write the arrays with numpy.savez",
    b"\x80\x05": "is a pickle, which is never read; write the arrays with numpy.savez",
    b"\x93NUMPY": "is a single .npy array; write inputs and targets with numpy.savez into one .npz",
    b"%PDF": "is a PDF",
}
"""First bytes of files that are no tables, and what to do with each."""


def is_table(name: str) -> bool:
    """Whether a name ends like that of a file that can be read."""
    return name.lower().endswith(SUFFIXES)


def read(path: Path, form: TextFormat | None = None) -> Table:
    """Read a file. Another call for the same unchanged file returns the same table.

    Args:
        path: of the file, whose suffix is one of `SUFFIXES`.
        form: how a text file is written, as far as that is stated.

    Raises:
        TableError: the file cannot be read, is too large, or is not a table.
    """
    try:
        state = path.stat()
        if state.st_size > LARGEST_BYTES:
            raise TableError(f"{path.name}: larger than {LARGEST_BYTES:,} bytes")
        return _read(path, state.st_mtime_ns, state.st_size, form or TextFormat())
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise TableError(f"{path.name}: does not fit into memory") from error


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int, size: int, form: TextFormat) -> Table:
    """Read the file as it was at that time."""
    if not is_table(path.name):
        raise TableError(f"{path.name}: must end in {', '.join(SUFFIXES)}")
    with path.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    sha256 = hashlib.sha256(content).hexdigest()
    if path.name.lower().endswith(".npz"):
        return archives.read(path.name, sha256, content, LARGEST_BYTES)
    return text.read(path.name, sha256, unpacked(path.name, content), form)


def unpacked(name: str, content: bytes) -> bytes:
    """Return the bytes of a text file, which may be packed by gzip.

    Raises:
        TableError: they are too many, damaged, or those of another kind of file.
    """
    if content[:2] == b"\x1f\x8b":
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
