"""The words of the lesson, in English and Korean, read from the TOML files in `texts/`.

Each sentence stands in both languages side by side. Numbers are placeholders such as
`{accuracy}`, filled when the page is made.
"""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import Field

from harness.experiment.fields import Frozen

FOLDER = Path(__file__).parent / "texts"
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Language(StrEnum):
    """A language that the lesson is written in."""

    ENGLISH = "en"
    KOREAN = "ko"


class Phrase(Frozen):
    """A sentence or a few, in both languages."""

    en: str = Field(min_length=1)
    ko: str = Field(min_length=1)

    def __getitem__(self, language: Language) -> str:
        return self.ko if language == Language.KOREAN else self.en


class ItemWords(Frozen):
    """What is said about an item in one language."""

    title: str = Field(min_length=1)
    shows: str = Field(min_length=1)
    measured: str = Field(min_length=1)
    why: str = Field(min_length=1)


class ItemText(Frozen):
    """One exercise, figure or number of a post.

    Args:
        number: 1 to 48, as the posts have them.
        command: what gives it in a terminal.
        en, ko: the sentences.
    """

    number: int
    command: str
    en: ItemWords
    ko: ItemWords

    def words(self, language: Language) -> ItemWords:
        return self.ko if language == Language.KOREAN else self.en


class ChapterText(Frozen):
    """A post: its title, a sentence about it, and its items in order."""

    title: Phrase
    lead: Phrase
    item: tuple[ItemText, ...]


class Term(Frozen):
    """A word of the field, and what it means."""

    term: Phrase
    meaning: Phrase


class ExerciseText(Frozen):
    """A question and its answer; `name` says which computation fills them."""

    name: str
    command: str = ""
    question: Phrase
    answer: Phrase


class HandoutPart(Frozen):
    """A part of the printed pages: a heading, short paragraphs, and the charts of some items."""

    title: Phrase
    figures: tuple[int, ...] = ()
    lines: tuple[Phrase, ...]


@cache
def _tables(name: str) -> Mapping[str, object]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def chapters() -> list[ChapterText]:
    """Return the chapters in the order of the posts."""
    files = sorted(FOLDER.glob("post_*.toml"))
    return [ChapterText.model_validate(_tables(file.stem)) for file in files]


def glossary() -> list[Term]:
    """Return the words of the field, in the order in which a reader meets them."""
    return [Term.model_validate(entry) for entry in _entries("glossary", "term")]


def exercises() -> list[ExerciseText]:
    return [ExerciseText.model_validate(entry) for entry in _entries("exercises", "exercise")]


def handout() -> list[list[HandoutPart]]:
    """Return the parts of both printed pages."""
    return [
        [HandoutPart.model_validate(part) for part in _entries("handout", page)]
        for page in ("first", "second")
    ]


def labels(language: Language) -> dict[str, str]:
    """Return the words of headings, axes and keys by name."""
    tables = _tables("labels")
    return {name: Phrase.model_validate(phrase)[language] for name, phrase in tables.items()}


def _entries(file: str, key: str) -> list[object]:
    entries = _tables(file)[key]
    assert isinstance(entries, list)
    return entries


def fill(text: str, numbers: Mapping[str, str]) -> str:
    """Return a text with its placeholders filled.

    Raises:
        KeyError: a placeholder has no number.
    """
    return PLACEHOLDER.sub(lambda found: numbers[found[1]], text)


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders of a text."""
    return set(PLACEHOLDER.findall(text))
