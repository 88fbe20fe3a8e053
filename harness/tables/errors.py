"""The error of this room, and how values are quoted in it."""

from collections.abc import Iterable

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


def toml_list(names: Iterable[str]) -> str:
    """Return a list of names as TOML has it: `["a", "b"]`."""
    return f"[{', '.join(toml_text(name) for name in names)}]"


def toml_text(text: str) -> str:
    """Return a TOML string: in quotes, with what TOML does not take as it is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    )
