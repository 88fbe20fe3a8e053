"""Arrays on disk: `.npz` files, read as what anybody may have written.

Sizes are known before anything is unpacked, pickles are never opened, and whatever is wrong with
a file is one exception.
"""

import math
import re
import zipfile
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
ALIGNED = {
    "step": re.compile(r"train_s|(train|validation|test)_(loss|accuracy)|[Wb]\d+(_\w+)?"),
    "watch_step": re.compile(r"watch_\w+"),
    "seeds": re.compile(r"seed_\w+"),
}
"""Evaluation points, validations and starts, each with what has a value for every one of them."""
ONE_NUMBER = re.compile(r"best_(step|validation_accuracy|test_accuracy)|gradient_(rate|step)")
ONE_AXIS = re.compile(
    r"step|train_s|\w+_loss|\w+_accuracy|loss|losses|watch_\w+|seeds|seed_\w+|\w*test_right"
)
TWO_AXES = re.compile(r"test_outputs|first_weights|outputs|final_outputs|[Wb]\d+_(counts|edges)")
WHOLE = re.compile(r"step|\w+_step|seeds")


class DamagedArraysError(ValueError):
    """A file is no `.npz` of a trial; the message says why."""


def read_arrays(file: Path, at_most: int = BYTES_AT_MOST) -> dict[str, Array]:
    """Return the arrays of a `.npz` by name.

    One that has another form than a trial leaves under its name is left out: a curve of another
    length than `step`, say.

    Args:
        file: the path; no link is followed.
        at_most: how many bytes all arrays may have, unpacked.

    Raises:
        OSError: there is no such plain file, or it cannot be read.
        DamagedArraysError: it is damaged, too large, or holds anything else than numbers.
    """
    with open_plain(file) as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                arrays = _arrays(archive, at_most)
        except DamagedArraysError:
            raise
        except Exception as error:  # zipfile, zlib and numpy.lib.format raise nearly anything
            raise DamagedArraysError(f"not a whole .npz archive ({error})") from error
    return _that_fit(arrays)


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


def _that_fit(arrays: dict[str, Array]) -> dict[str, Array]:
    """Leave out arrays of other forms than a trial leaves under these names."""
    fitting = {name: array for name, array in arrays.items() if _has_its_axes(name, array)}
    for leader, followers in ALIGNED.items():
        points = fitting[leader].shape[:1] if leader in fitting else None
        fitting = {
            name: array
            for name, array in fitting.items()
            if name == leader or not followers.fullmatch(name) or array.shape[:1] == points
        }
    return fitting


def _has_its_axes(name: str, array: Array) -> bool:
    if WHOLE.fullmatch(name) and array.dtype.kind not in "iu":
        return False
    for names, axes in ((ONE_NUMBER, 0), (ONE_AXIS, 1), (TWO_AXES, 2)):
        if names.fullmatch(name):
            return array.ndim == axes
    return True
