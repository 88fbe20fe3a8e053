"""Sentences about a name that a user typed: which names are known, and what was meant."""

import difflib
from collections.abc import Iterable, Sequence

from harness.experiment.translating import misspelt, plain, translation

SMALLEST_SIMILARITY = 0.66
"""The smallest similarity (`difflib` ratio, 0 to 1) of a name that is suggested."""
SUGGESTIONS_AT_MOST = 5
MOST_LISTED = 40
"""Of more names, the nearest are listed, not all."""
NEAREST_LISTED = 3


def unknown(value: str, known: Iterable[str], place: str = "") -> str:
    """Return `'value' is not known. Did you mean …? Known: …`, or the nearest of many names.

    Args:
        value: what was typed.
        known: all names that may stand there.
        place: where it was typed, as `foreign_names` calls it; empty where only our own names do.
    """
    names = [str(name) for name in known]
    sentence = f"{value!r} is not known.{meant(value, names, place)}"
    if len(names) <= MOST_LISTED:
        return f"{sentence} Known: {', '.join(names)}"
    similar = sorted(names, key=lambda name: -_similarity(name, value))[:NEAREST_LISTED]
    return f"{sentence} The nearest of {len(names)} names: {', '.join(similar)}"


def meant(value: object, names: Sequence[str], place: str = "") -> str:
    """Return what to write for a name: a translation, or else the nearest of our names."""
    return translation(place, value, names) or nearest(value, names) or misspelt(place, value)


def nearest(value: object, names: Sequence[str]) -> str:
    """Return ` Did you mean 'adam'?`, or "" where no name is similar enough.

    Names of which a whole part was typed are all named: `xor-mlp` for `xor`, `xor-mlp/phases` for
    `phases`.
    """
    typed = plain(str(value)).lower()
    starts = (f"{typed}-", f"{typed}_")
    longer = [n for n in names if n.startswith(starts) or n.endswith(f"/{typed}")]
    if typed and longer:
        *others, last = map(repr, longer[:SUGGESTIONS_AT_MOST])
        return f" Did you mean {', '.join(others)}{' or ' * bool(others)}{last}?"

    best = max(names, key=lambda name: _similarity(name, value), default="")
    is_near = best and _similarity(best, value) >= SMALLEST_SIMILARITY
    return f" Did you mean {best!r}?" if is_near else ""


def _similarity(name: str, value: object) -> float:
    typed = plain(str(value)).lower()
    return difflib.SequenceMatcher(None, name.lower(), typed).ratio()
