"""Text files as people save them: UTF-8 with or without a byte-order mark, any line ends."""

import codecs
from pathlib import Path

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
GUESSES = (("CP932", "\u3040", "\u30ff"), ("CP949", "\uac00", "\ud7a3"))
"""Encodings that a file may have instead, each with the first and last letter that tell it.

Japanese text is mostly rare Korean syllables in CP949, and Korean text has no kana in CP932.
"""
MOST = 0.5


class EncodingError(ValueError):
    """A text is not UTF-8; the message says where and how to save it."""


def place_of(name: str) -> Path:
    """Return the path that a user names; `~` is the home, as in a shell.

    A run's files name what is in the home so.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError:  # there is no such home
        return Path(name)


def text_of(content: bytes) -> str:
    """Return the text of a file, without a byte-order mark, with line ends of one character.

    Raises:
        EncodingError: the bytes are not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EncodingError(how_to_save(content, error.start)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def how_to_save(content: bytes, position: int) -> str:
    """Return what is wrong with bytes that are not UTF-8, and what to do, without a subject.

    Args:
        content: all bytes of the file.
        position: index of the first byte that is not UTF-8.
    """
    encoding = _encoding(content)
    likely = f", but probably {encoding}" if encoding else ""
    line = content[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    place = "" if encoding == "UTF-16" else f" (line {line})"
    command = f", or: iconv -f {encoding} -t UTF-8 OLD > NEW" if encoding else ""
    return (
        f"is not UTF-8 text{place}{likely}: save it as UTF-8 (in an editor 'Save As', "
        f"'Encoding: UTF-8'{command})"
    )


def _encoding(content: bytes) -> str:
    """The encoding that bytes have by all appearances; empty where none suggests itself."""
    if content.startswith(UTF_16):
        return "UTF-16"
    for encoding, first, last in GUESSES:
        if _share(content, encoding, first, last) > MOST:
            return encoding
    return ""


def _share(content: bytes, encoding: str, first: str, last: str) -> float:
    """The share of characters beyond ASCII that are letters of a range; 0 where none decodes."""
    try:
        beyond = [letter for letter in content.decode(encoding) if not letter.isascii()]
    except UnicodeDecodeError:
        return 0.0
    return sum(first <= letter <= last for letter in beyond) / max(len(beyond), 1)
