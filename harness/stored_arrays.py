"""Arrays on disk: `.npz` files, read as what anybody may have written.

Sizes are known before anything is unpacked, pickles are never opened, and whatever is wrong with
a file is one exception.
"""

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from harness.trainer import Array
from harness.untrusted import open_plain

BYTES_AT_MOST = 2**30
"""Of all arrays of a file together, unpacked."""
ARRAYS_AT_MOST = 10_000
KINDS = "biuf"
"""Booleans, whole numbers and numbers, by NumPy's letters."""
PER_POINT = re.compile(r"step|train_s|(train|validation|test)_(loss|accuracy)|[Wb]\d+(_\w+)?")
PER_VALIDATION = re.compile(r"watch_\w+")
PER_START = re.compile(r"seeds|seed_\w+")
ALIGNED = (PER_POINT, PER_VALIDATION, PER_START)
"""Names of arrays whose first axis is the same: evaluation points, validations, starts."""
ONE_AXIS = re.compile(
    r"step|train_s|\w+_loss|\w+_accuracy|loss|losses|watch_\w+|seeds|seed_\w+|test_right"
)
ONE_NUMBER = re.compile(r"best_(step|validation_accuracy|test_accuracy)|gradient_rate")
TWO_AXES = re.compile(r"test_outputs|first_weights|outputs|final_outputs|[Wb]\d+_(counts|edges)")


class DamagedArraysError(ValueError):
    """A file is no `.npz` of a trial; the message says why."""


def read_arrays(file: Path, at_most: int = BYTES_AT_MOST) -> dict[str, Array]:
    """Return the arrays of a `.npz` by name.

    Args:
        file: the path; no link is followed.
        at_most: how many bytes all arrays may have, unpacked.

    Raises:
        OSError: there is no such plain file, or it cannot be read.
        DamagedArraysError: it is damaged, too large, holds anything else than numbers, or arrays
            that a trial leaves have shapes that do not belong together.
    """
    with open_plain(file) as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                arrays = _arrays(archive, at_most)
        except DamagedArraysError:
            raise
        except Exception as error:  # zipfile, zlib and numpy.lib.format raise nearly anything
            raise DamagedArraysError(f"not a whole .npz archive ({error})") from error
    _check_shapes(arrays)
    return arrays


def _arrays(archive: zipfile.ZipFile, at_most: int) -> dict[str, Array]:
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > at_most or len(members) > ARRAYS_AT_MOST:
        raise DamagedArraysError(
            f"{len(members):,} arrays of {total:,} bytes; at most {ARRAYS_AT_MOST:,} arrays of "
            f"{at_most:,} bytes are read"
        )
    arrays = {}
    for member in members:
        with archive.open(member) as opened:
            arrays[member.filename.removesuffix(".npy")] = _array(opened, member)
    return arrays


def _array(opened: IO[bytes], member: zipfile.ZipInfo) -> Array:
    """One array, whose header is held against the size that the archive states."""
    version = npy.read_magic(opened)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_column, dtype = header(opened)
    if dtype.kind not in KINDS:
        raise DamagedArraysError(f"{member.filename} must hold numbers. Got {dtype}")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize > member.file_size:
        raise DamagedArraysError(f"{member.filename} does not hold the {shape} of its header")
    content = opened.read(count * dtype.itemsize)
    if opened.read(1):
        raise DamagedArraysError(f"{member.filename} holds more than the {shape} of its header")
    values = np.frombuffer(content, dtype, count)
    return values.reshape(shape, order="F" if by_column else "C").copy()


def _check_shapes(arrays: Mapping[str, Array]) -> None:
    """Refuse arrays that no trial leaves: curves of other lengths, other numbers of axes."""
    for names, axes in ((ONE_NUMBER, 0), (ONE_AXIS, 1), (TWO_AXES, 2)):
        for name, array in arrays.items():
            if names.fullmatch(name) and array.ndim != axes:
                raise DamagedArraysError(f"{name} must have {axes} axes. Got shape {array.shape}")
    for names in ALIGNED:
        shapes = {name: array.shape for name, array in arrays.items() if names.fullmatch(name)}
        if len({shape[:1] for shape in shapes.values()}) > 1:
            raise DamagedArraysError(f"{', '.join(shapes)} must have the same length")
    for name in ("step", "watch_step", "seeds", "best_step"):
        if name in arrays and arrays[name].dtype.kind not in "iu":
            raise DamagedArraysError(f"{name} must be whole. Got {arrays[name].dtype}")
