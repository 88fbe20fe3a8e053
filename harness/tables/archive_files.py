"""A `.npz` file of the user's as arrays by name, whatever their shapes."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from harness.tables import archives
from harness.tables.errors import TableError
from harness.tables.files import LARGEST_BYTES


class ArchiveFile(NamedTuple):
    """What a file holds.

    Args:
        sha256: of its bytes.
        arrays: by name.
    """

    sha256: str
    arrays: dict[str, NDArray[Any]]


def read_archive(path: Path) -> ArchiveFile:
    """Return what a `.npz` file holds; another call for the same unchanged file is quick.

    Raises:
        TableError: the file cannot be read, is too large, or is not a whole `.npz` of arrays.
    """
    if not path.name.lower().endswith(".npz"):
        raise TableError(f"{path.name}: must end in .npz, as numpy.savez writes it")
    try:
        state = path.stat()
        if state.st_size > LARGEST_BYTES:
            raise TableError(f"{path.name}: larger than {LARGEST_BYTES:,} bytes")
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise TableError(f"{path.name}: does not fit into memory") from error


@lru_cache(maxsize=2)
def _read(path: Path, mtime_ns: int, size: int) -> ArchiveFile:
    """Read the file as it was at that time."""
    with path.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    arrays = archives.arrays_of(path.name, content, LARGEST_BYTES)
    return ArchiveFile(hashlib.sha256(content).hexdigest(), arrays)
