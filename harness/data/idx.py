"""MNIST's own files: arrays of unsigned bytes in the IDX format (see `harness.tables.idx`)."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.tables import TableError, idx

UNSIGNED_BYTE = 0x08


def read(path: Path) -> NDArray[np.uint8]:
    """Return the array of one decoded (not gzipped) file.

    Raises:
        ValueError: it is not an IDX file of bytes, or the header does not describe the bytes that
            follow it.
    """
    array = idx.decoded(str(path), path.read_bytes())
    if array.dtype != np.uint8:
        raise TableError(f"{path}: not an IDX file of bytes. Got {array.dtype}")
    return array


def encode(array: NDArray[np.uint8]) -> bytes:
    """Return the bytes of an IDX file with `array` (1 to 3 dimensions)."""
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array).tobytes()
