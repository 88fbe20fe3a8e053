"""The IDX format of MNIST's files (LeCun, Cortes and Burges): magic, sizes, unsigned bytes."""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def read(path: Path) -> NDArray[np.uint8]:
    """Return the array of one decoded (not gzipped) file.

    Raises:
        ValueError: the header does not describe the bytes that follow it.
    """
    content = path.read_bytes()
    zeros, kind, dimensions = struct.unpack_from(">HBB", content)
    if zeros != 0 or kind != UNSIGNED_BYTE or not 1 <= dimensions <= 3:
        raise ValueError(f"{path}: not an IDX file of bytes (magic {content[:4].hex()})")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    start = 4 + 4 * dimensions
    if math.prod(shape) != len(content) - start:
        raise ValueError(f"{path}: header says {shape}, file holds {len(content) - start} bytes")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def encode(array: NDArray[np.uint8]) -> bytes:
    """Return the bytes of an IDX file with `array` (1 to 3 dimensions)."""
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array).tobytes()
