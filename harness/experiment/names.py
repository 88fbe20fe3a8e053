"""Sentences about a name that a user typed: which names are known, and which is nearest."""

import difflib
from collections.abc import Iterable, Sequence

SMALLEST_SIMILARITY = 0.5
"""The smallest similarity (`difflib` ratio, 0 to 1) of a name that is suggested."""


def unknown(value: str, known: Iterable[str]) -> str:
    """Return `'value' is not known. Did you mean …? Known: …`."""
    names = [str(name) for name in known]
    return f"{value!r} is not known.{nearest(value, names)} Known: {', '.join(names)}"


def nearest(value: object, names: Sequence[str]) -> str:
    """Return ` Did you mean 'adam'?`, or "" where no name is similar enough."""
    typed = str(value).lower()

    def similarity(name: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), typed).ratio()

    best = max(names, key=similarity, default="")
    return f" Did you mean {best!r}?" if best and similarity(best) >= SMALLEST_SIMILARITY else ""
