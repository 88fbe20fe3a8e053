"""What came from elsewhere: a worker, a file, a plug-in. It may hold anything.

JSON is read here, and text is made whole here, so that nothing later fails on it: a report is
written in UTF-8, and numbers are computed with.
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

LARGEST_INTEGER = 2**63
DEEPEST = 100
TEXT_BYTES_AT_MOST = 64 * 2**20
"""Of a file of JSON: a plan of ten thousand trials has 5 MB."""


class NotAPlainFileError(OSError):
    """What stands at a path is a symbolic link, a pipe, a device or a folder."""


@contextlib.contextmanager
def open_plain(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain file to read. A link is not followed, and a pipe or device not waited for.

    Raises:
        NotAPlainFileError: it is no plain file.
        OSError: it cannot be opened.
    """
    check_plain(path)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # it was replaced meanwhile
            raise NotAPlainFileError(0, "is no plain file", str(path))
        yield file


def check_plain(path: Path) -> None:
    """Refuse what is there and is no plain file; follow no link.

    Raises:
        NotAPlainFileError: it is no plain file.
        OSError: nothing is there, or it cannot be looked at.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise NotAPlainFileError(0, "is no plain file", str(path))


def read_plain(path: Path, at_most: int = TEXT_BYTES_AT_MOST) -> bytes:
    """Return what a plain file holds.

    Raises:
        NotAPlainFileError: it is no plain file.
        OSError: it cannot be read.
        ValueError: it is larger than `at_most` bytes.
    """
    with open_plain(path) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise ValueError(f"{path.name} is larger than {at_most:,} bytes")
    return content


def parse_json(text: str | bytes, keeps_infinite: bool = False) -> Any:
    r"""Return the value of a JSON text.

    Characters that no encoding has (lone surrogates) are written out as `\udcff`.

    Args:
        text: UTF-8, if it is bytes.
        keeps_infinite: whether a number that is not finite stays; otherwise it is None.

    Raises:
        ValueError: the text is not JSON, is not UTF-8, is nested deeper than `DEEPEST`, or has an
            integer that no column holds.
    """
    try:
        if keeps_infinite:
            value = json.loads(text)
        else:
            value = json.loads(text, parse_float=_finite, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return _whole(value, DEEPEST)


def whole_text(text: str) -> str:
    """Return text that can be encoded, with what cannot be written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return text for a terminal: no character but the end of a line controls anything."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): _whole(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, depth - 1) for item in value]
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        raise ValueError("an integer of more than 63 bits")
    return value
