"""From a name of another library to what a protocol says in its place."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

from harness.experiment.foreign_fields import FIELDS
from harness.experiment.foreign_names import LIBRARIES, MODULES, VALUES, Row

SAME_BUT_FOR_TYPING = 0.85
"""From this similarity on (`difflib` ratio), a name counts as one of the table, misspelt."""
MEANINGS_AT_MOST = 4

Reading = tuple[Row, dict[str, list[str]]]
"""A row, and the spellings of a name in it with the libraries that have them."""


def translation(place: str, name: object, known: Sequence[str]) -> str:
    """Return what to write for a name of another library.

    Args:
        place: where the value stands in a protocol, such as `network.layers[0].activation`.
        name: what was written there.
        known: the names that are valid there.

    Returns:
        Sentences that begin with a space; empty if no library is known to have the name.
    """
    rows = VALUES.get(_table(place), ())
    means = _readings(rows, str(name))
    if means and not _says_only(means, str(name), known):
        return _in_words(means)
    own = [each for each in known if _key(each) == _key(str(name))]
    return f" Did you mean {own[0]!r}?" if own else _in_words(means)


def field_translation(place: str, rules: Sequence[str]) -> str:
    """Return what to write for a field of another library; else empty.

    Args:
        place: of the field, such as `training.optimizer.nesterov`.
        rules: what the `name` of its table may be; empty where the table has none.
    """
    table, _, field = _table(place).rpartition(".")
    rows = [row for row in FIELDS.get(table, ()) if not row.of or row.of in rules]
    return _in_words(_readings(rows, field))


def misspelt(place: str, name: object) -> str:
    """Return the translation of the name of another library that is nearest to a misspelt one."""
    names = {
        _key(each): each
        for row in VALUES.get(_table(place), ())
        for library in LIBRARIES
        for each in row.names(library)
    }
    meant = difflib.get_close_matches(_key(str(name)), names, 1, SAME_BUT_FOR_TYPING)
    return _in_words(_readings(VALUES[_table(place)], names[meant[0]])) if meant else ""


def plain(name: str) -> str:
    """Return the last part of a name as code has it: `nn.ReLU()` is `ReLU`.

    Keras' `mnist.load_data()` is `mnist`.
    """
    without_call = re.sub(r"\(.*", "", name).strip().removesuffix(".load_data")
    return without_call.rpartition(".")[2] or name


def _table(place: str) -> str:
    """A place without numbers of layers, and without the table that a claim has around it."""
    return re.sub(r"\[\d+\]", "", place).removeprefix("protocol.")


def _key(name: str) -> str:
    """A name without what libraries spell differently; a name of signs alone as it is."""
    last = plain(name).casefold()
    return re.sub(r"[\W_]", "", last) or last


def _readings(rows: Iterable[Row], name: str) -> list[Reading]:
    """The rows with a name: in its own spelling, or else in any; of its module's library only."""
    library = _library(name)
    found = [(row, spellings) for row in rows if (spellings := _spellings(row, name, library))]
    if library and not found:
        return _readings(rows, plain(name))
    exact = [
        (row, {plain(name): spellings[plain(name)]})
        for row, spellings in found
        if plain(name) in spellings
    ]
    return exact or found


def _spellings(row: Row, name: str, library: str) -> dict[str, list[str]]:
    spellings: dict[str, list[str]] = {}
    for column in (library,) if library else LIBRARIES:
        for each in row.names(column):
            if _key(each) == _key(name):
                spellings.setdefault(each, []).append(LIBRARIES[column])
    return spellings


def _library(name: str) -> str:
    """The library that a dotted name says; empty where it says none."""
    parts = re.sub(r"\(.*", "", name).split(".")[:-1]
    said = [key for part in parts for key, modules in MODULES.items() if part in modules.split()]
    return "keras" if "keras" in said else next(iter(said), "")


def _says_only(readings: Sequence[Reading], name: str, known: Sequence[str]) -> bool:
    """Whether all rows only say that this name is spelt otherwise here."""
    same = [each for each in known if _key(each) == _key(name)]
    return not _library(name) and all(
        not row.missing and any(f'"{each}"' in row.write for each in same) for row, _ in readings
    )


def _in_words(readings: Sequence[Reading]) -> str:
    said = list(dict.fromkeys(_sentence(*reading) for reading in readings))
    return "".join(f" {sentence}" for sentence in said[:MEANINGS_AT_MOST])


def _sentence(row: Row, spellings: dict[str, list[str]]) -> str:
    """Such as: For the SiLU of PyTorch write activation = "swish"."""
    owners = list(_owners(spellings))
    place = f" in {row.where}" if row.where else ""
    if row.missing:
        nearest = f"; the nearest is {row.write}{place}" if row.write else ""
        subject = f"The {_listed(owners)}" if owners else "It"
        return f"{subject} cannot be said: {row.why}{nearest}."
    if not row.write:
        return f"{row.why[:1].upper()}{row.why[1:]}."
    begin = f"For the {_listed(owners)} write" if owners else "Write"
    why = f" ({row.why})" if row.why else ""
    return f"{begin} {row.write}{place}{why}."


def _owners(spellings: dict[str, list[str]]) -> Iterator[str]:
    for name, libraries in spellings.items():
        named = [library for library in libraries if library]
        if named:
            yield f"{name} of {_listed(named)}"


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
