"""Sentences about names a user typed: what is known, and what is nearest."""

import difflib
from collections.abc import Iterable, Sequence


def unknown(value: str, known: Iterable[str]) -> str:
    """`'value' is not known. Did you mean …? Known: …`."""
    names = list(known)
    return f"{value!r} is not known.{nearest(value, names)} Known: {', '.join(names)}"


def nearest(value: object, names: Sequence[str]) -> str:
    """` Did you mean 'adam'?`, or nothing where nothing is near."""
    close = difflib.get_close_matches(str(value).lower(), names, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
