"""NumPy's `.npy` format: one array, its header checked before anything is allocated by it.

An archive (`.npz`) holds such files. Python objects are never read: they would be a pickle, which
can run any code when it is opened.
"""

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from harness.tables.errors import TableError

MOST_DIMENSIONS = 8
KINDS = "buifUS"
"""Booleans, whole numbers, numbers and text, by NumPy's letters."""


def decoded(where: str, content: bytes) -> NDArray[Any]:
    """Return the array of a `.npy` file; its first index counts the rows.

    Args:
        where: names the array in messages.
        content: the bytes of the file.

    Raises:
        TableError: it is damaged, or holds objects or anything else than numbers and text.
    """
    try:
        return _array(where, content)
    except TableError:
        raise
    except Exception as error:  # NumPy reads the header as Python, and raises nearly anything
        raise TableError(f"{where} is damaged") from error


def _array(where: str, content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(stream)
    if dtype.hasobject:
        raise TableError(
            f"{where} holds Python objects, which are never read: to open them is to run a "
            "pickle, which can run any code; save numbers or text (array.astype(float), or "
            "astype(str))"
        )
    if dtype.kind not in KINDS:
        raise TableError(f"{where} must hold numbers, booleans or text. Got {dtype}")
    if not 1 <= len(shape) <= MOST_DIMENSIONS:
        raise TableError(f"{where} must have a row per example, and more. Got shape {shape}")
    if math.prod(shape) * dtype.itemsize > len(content):
        raise TableError(f"{where} is damaged: its header says {shape}, which it does not hold")
    stream.seek(0)
    values: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    if dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    if dtype.kind == "f" and dtype.itemsize > 8:
        return values.astype(np.float64)
    return values
