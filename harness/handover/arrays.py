"""One array out of a `.npy`, `.csv` or `.txt` file: of bounded size, of numbers alone, no pickle.

What is expected is known, so a header is compared with it before anything is read.
"""

import io
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from harness.handover.folder import HandoverError
from harness.tables import TableError
from harness.tables.errors import quoted
from harness.tables.text import decoded

SUFFIXES = (".npy", ".csv", ".txt")
BYTES_OF_A_NUMBER = 64
"""Of the largest text or binary form of a number."""
SLACK = 2**16
"""Bytes of a header, on top."""
NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE
)
EXPONENT = re.compile(r"[eEdD]")
HEADER = re.compile(r"[^\W\d]\w*")
HOW_TO_WRITE = "write every number with 17 digits: repr(x) in Python, %.17g in C"


@dataclass(frozen=True)
class Found:
    """An array that was handed back.

    Args:
        values: as they are in a `.npy` file; float64 from a text, (lines, numbers).
        lines: of a text, the line of every row.
    """

    values: NDArray[Any]
    lines: tuple[int, ...] = ()


def largest_bytes(count: int) -> int:
    """Return how many bytes a file of so many numbers may have."""
    return BYTES_OF_A_NUMBER * count + SLACK


def parse(name: str, content: bytes, is_text: bool) -> Found:
    """Return the array that the bytes of a file hold.

    Args:
        name: of the file, for messages.
        content: its bytes, as many as are expected at most.
        is_text: whether it is a `.csv` or `.txt` file.

    Raises:
        HandoverError: it holds something else than numbers, or is damaged.
    """
    return _text(name, content) if is_text else _binary(name, content)


# ---------------------------------------------------------------- .npy


def _binary(name: str, content: bytes) -> Found:
    stream = io.BytesIO(content)
    try:
        version = npy.read_magic(stream)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise HandoverError(
            f"{name}: not a .npy file; write it with numpy.save, or write numbers as text "
            "into a .csv"
        ) from error
    _check_kind(name, dtype)
    size, following = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if size != following or min(shape, default=0) < 0:
        raise HandoverError(
            f"{name}: damaged. Its header says shape {shape} of {dtype}, {size:,} bytes, and "
            f"{following:,} follow; write it again"
        )
    stream.seek(0)
    values: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return Found(values.astype(dtype.newbyteorder("=")))


def _check_kind(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise HandoverError(
            f"{name}: holds Python objects (a pickle), which are never read. Write "
            "numpy.asarray(values, dtype=float)"
        )
    if dtype.kind not in "fiu":
        raise HandoverError(f"{name}: must hold numbers. Got {dtype}")
    if dtype.kind == "f" and dtype.itemsize < 4:
        raise HandoverError(
            f"{name}: must hold float64 or float32. Got {dtype}, whose digits are too few"
        )


# ---------------------------------------------------------------- text


def _text(name: str, content: bytes) -> Found:
    try:
        text, _ = decoded(name, content, None)
    except TableError as error:
        raise HandoverError(
            f"{name}: not a text file; write numbers as text, in UTF-8, or an array by numpy.save "
            "into a .npy"
        ) from error
    rows: list[list[float]] = []
    lines: list[int] = []
    has_header = False
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell for cell in re.split(r"[,;\s]+", line) if cell]
        if not cells or line.lstrip().startswith("#"):
            continue
        bad = next((cell for cell in cells if not NUMBER.fullmatch(cell)), None)
        if bad is not None:
            if not rows and not has_header and all(map(HEADER.fullmatch, cells)):
                has_header = True
                continue
            raise HandoverError(
                f"{name}, line {number}: must be numbers. Got {quoted(bad)}; {HOW_TO_WRITE}"
            )
        if rows and len(cells) != len(rows[0]):
            raise HandoverError(
                f"{name}, line {number}: must have {len(rows[0])} numbers, as the lines before. "
                f"Got {len(cells)}"
            )
        rows.append([_number(cell) for cell in cells])
        lines.append(number)
    if not rows:
        raise HandoverError(f"{name}: has no numbers; {HOW_TO_WRITE}")
    return Found(np.array(rows), tuple(lines))


def _number(cell: str) -> float:
    """The number; Fortran writes its exponent with a D."""
    return float(cell) if cell[-1].isalpha() else float(EXPONENT.sub("e", cell))
