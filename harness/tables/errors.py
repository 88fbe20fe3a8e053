"""The error of this room, and how values are quoted in it."""

import re
from collections.abc import Iterable

DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
DRESSED_NUMBER = re.compile(r"[€$₩£¥]?\s*[+-]?\d[\d.,' ]*\s*([€$₩£¥%‰]|원|달러|[A-Za-z]{1,3})?")
"""A number with what people write around it: a currency, a unit, per cent, thousands."""
MOST_NAMES, LONGEST_VALUE = 8, 60


class TableError(ValueError):
    """A file cannot be used as it is; the message says where, why, and what to write."""


def quoted(value: object) -> str:
    """Return a value of the file in quotes, shortened where it is long."""
    text = str(value)
    return repr(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}...")


def listed(names: Iterable[object]) -> str:
    """Return `'a', 'b', 'c'`; of many names the first, and how many others there are."""
    texts = [quoted(name) for name in names]
    more = len(texts) - MOST_NAMES
    return ", ".join(texts[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def what_it_looks_like(text: str) -> str:
    """Return a sentence for text that is a date or a number in a form of its own; else ""."""
    if DATE.match(text.strip()):
        return "; for a date make columns of numbers, such as year, month and day"
    if DRESSED_NUMBER.fullmatch(text.strip()):
        return "; write it as a plain number, 1234.5: no signs between thousands, no unit, no %"
    return ""


def toml_list(names: Iterable[str]) -> str:
    """Return a list of names as TOML has it: `["a", "b"]`."""
    return f"[{', '.join(toml_text(name) for name in names)}]"


def toml_text(text: str) -> str:
    """Return a TOML string: in quotes, with what TOML does not take as it is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    )
