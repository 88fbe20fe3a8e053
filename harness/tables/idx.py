"""The IDX format of MNIST's files (LeCun, Cortes and Burges): magic, sizes, numbers.

Two zero bytes, the type of the numbers, how many dimensions there are, the size of each as a
32-bit number, then the numbers: the highest byte first, the last index changing fastest.
"""

import io
import math
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.tables.errors import TableError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte, and the NumPy type that it stands for."""
MOST_DIMENSIONS = 8


def decoded(name: str, content: bytes) -> NDArray[Any]:
    """Return the array of a file that is not packed.

    Raises:
        TableError: the header does not describe the bytes that follow it.
    """
    return read(name, io.BytesIO(content), len(content))


def read(name: str, stream: IO[bytes], largest: int) -> NDArray[Any]:
    """Return the array of a stream. No more than its header announces is read.

    Args:
        name: of the file, for messages.
        stream: of the file's bytes, unpacked.
        largest: how many bytes the numbers may take.

    Raises:
        TableError: the header does not describe the bytes that follow it, or they are too many.
    """
    magic = stream.read(4)
    dimensions = magic[3] if len(magic) == 4 else 0
    if magic[:2] != b"\0\0" or dimensions not in range(1, MOST_DIMENSIONS + 1):
        raise TableError(f"{name}: not an IDX file (its first bytes are {magic.hex() or 'none'})")
    if magic[2] not in TYPES:
        raise TableError(f"{name}: not an IDX file (no type of numbers has the code {magic[2]})")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise TableError(f"{name}: damaged; the file ends in its header")
    shape = struct.unpack(f">{dimensions}I", sizes)
    dtype = np.dtype(TYPES[magic[2]])
    announced = math.prod(shape) * dtype.itemsize
    if announced > largest:
        raise TableError(
            f"{name}: its header says {shape}, which is {announced:,} bytes; at most {largest:,} "
            "are read"
        )
    content = stream.read(announced + 1)
    if len(content) != announced:
        held = "more" if len(content) > announced else f"{len(content):,} bytes"
        raise TableError(f"{name}: damaged; its header says {shape}, and the file holds {held}")
    values: NDArray[Any] = np.frombuffer(content, dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)
