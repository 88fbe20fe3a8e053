"""Sentences about names a user typed: what is known, and what is nearest."""

import difflib
from collections.abc import Iterable, Sequence

LIKE_ENOUGH = 0.5
"""Share of two names' letters that are alike, in order."""


def unknown(value: str, known: Iterable[str]) -> str:
    """`'value' is not known. Did you mean …? Known: …`."""
    names = list(known)
    return f"{value!r} is not known.{nearest(value, names)} Known: {', '.join(names)}"


def nearest(value: object, names: Sequence[str]) -> str:
    """` Did you mean 'adam'?`, or nothing where nothing is near."""
    typed = str(value).lower()

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), typed).ratio()

    best = max(names, key=likeness, default="")  # of several alike the first
    return f" Did you mean {best!r}?" if best and likeness(best) >= LIKE_ENOUGH else ""
