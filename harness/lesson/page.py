"""The lesson as one HTML file: words and numbers put together, in the order of the posts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from harness.__version__ import __version__
from harness.data.fetching import DataMissingError
from harness.lesson import exercises, texts
from harness.lesson.chapters import ITEMS
from harness.lesson.drawing import Chart
from harness.lesson.earlier_runs import EarlierRuns
from harness.lesson.elements import Board, Element, Pictures, Shown, Table
from harness.lesson.material import Material
from harness.lesson.texts import Language, fill, placeholders
from harness.report.page.figures import COLOURS
from harness.report.page.rendering import TEMPLATES, environment, policy

OWN_TEMPLATES = Path(__file__).parent / "templates"
CODE = re.compile(r"`([^`]+)`")
LONG_BOARD = 14
"""A board of more lines can be folded."""


@dataclass(frozen=True)
class ItemView:
    """An item as the template shows it.

    Args:
        shows, measured, why: sentences; "" where a number of theirs could not be computed.
        missing: why nothing was computed; "" where it was.
    """

    number: int
    title: str
    shows: str
    measured: str
    why: str
    command: str
    elements: Sequence[Element]
    missing: str


@dataclass(frozen=True)
class ChapterView:
    """A post as the template shows it."""

    title: str
    lead: str
    items: Sequence[ItemView]


@dataclass(frozen=True)
class ExerciseView:
    """An exercise as the template shows it; its answer is folded."""

    question: str
    answer: str
    command: str
    elements: Sequence[Element]


@dataclass(frozen=True)
class HandoutView:
    """A part of the printed pages."""

    title: str
    lines: Sequence[str]
    figures: Sequence[Element]


@dataclass(frozen=True)
class Lesson:
    """The page.

    Args:
        html: the file.
        missing: why items were not computed, to their numbers.
    """

    html: str
    missing: Mapping[str, Sequence[int]]


def make_lesson(language: Language, earlier: EarlierRuns, sources: Sequence[str] = ()) -> Lesson:
    """Compute every item, and write the page.

    Args:
        language: of the page.
        earlier: runs whose numbers stand beside those computed here.
        sources: names of their folders.
    """
    labels = texts.labels(language)
    material = Material(labels, earlier)
    missing = _compute(material)
    shown = material.shown
    by_reason: dict[str, list[int]] = {}
    for number in sorted(missing):
        by_reason.setdefault(missing[number], []).append(number)
    chapters = [
        ChapterView(
            chapter.title[language],
            chapter.lead[language],
            [
                _item(item, language, shown.get(item.number), missing.get(item.number, ""))
                for item in chapter.item
            ],
        )
        for chapter in texts.chapters()
    ]
    jinja = environment(TEMPLATES, OWN_TEMPLATES)
    jinja.filters["prose"] = prose
    jinja.tests["table"] = lambda element: isinstance(element, Table)
    jinja.tests["board"] = lambda element: isinstance(element, Board)
    jinja.tests["pictures"] = lambda element: isinstance(element, Pictures)
    jinja.tests["chart"] = lambda element: isinstance(element, Chart)
    html = jinja.get_template("lesson.html.j2").render(
        language=language,
        policy=policy([]),
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        own_style=(OWN_TEMPLATES / "lesson.css").read_text(encoding="utf-8"),
        colours=COLOURS,
        labels=labels,
        chapters=chapters,
        missing=by_reason,
        glossary=[(term.term[language], term.meaning[language]) for term in texts.glossary()],
        program=exercises.program(),
        exercises=_exercises(material, language),
        handout=_handout(language, shown),
        sources=sources,
        samestep_version=__version__,
        long_board=LONG_BOARD,
    )
    return Lesson(html, by_reason)


def prose(text: str) -> Markup:
    """Return a sentence as HTML: what stands in backticks is code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))


def _compute(material: Material) -> dict[int, str]:
    """Compute every item into `material.shown`, and return why some show nothing."""
    missing = {}
    for number, compute in ITEMS.items():
        try:
            material.shown[number] = compute(material)
        except DataMissingError as error:
            missing[number] = str(error)
    return missing


def _item(item: texts.ItemText, language: Language, shown: Shown | None, missing: str) -> ItemView:
    words = item.words(language)
    numbers = shown.numbers if shown else {}
    return ItemView(
        number=item.number,
        title=words.title,
        shows=_filled(words.shows, numbers, shown is None),
        measured=_filled(words.measured, numbers, shown is None),
        why=_filled(words.why, numbers, shown is None),
        command=item.command,
        elements=shown.elements if shown else (),
        missing=missing,
    )


def _filled(text: str, numbers: Mapping[str, str], may_lack: bool = False) -> str:
    """Return the text with its numbers; "" where they are missing, and that is known."""
    if may_lack and not placeholders(text) <= numbers.keys():
        return ""
    return fill(text, numbers)


def _exercises(material: Material, language: Language) -> list[ExerciseView]:
    views = []
    for exercise in texts.exercises():
        try:
            shown = exercises.COMPUTED[exercise.name](material)
        except DataMissingError:
            continue
        views.append(
            ExerciseView(
                fill(exercise.question[language], shown.numbers),
                fill(exercise.answer[language], shown.numbers),
                exercise.command,
                shown.elements,
            )
        )
    return views


def _handout(language: Language, shown: Mapping[int, Shown]) -> list[list[HandoutView]]:
    """Return the parts of the printed pages; a line whose numbers are missing is left out."""
    numbers = {
        f"i{item}_{name}": text
        for item, of_item in shown.items()
        for name, text in of_item.numbers.items()
    }
    pages = []
    for page in texts.handout():
        parts = []
        for part in page:
            lines = [_filled(line[language], numbers, may_lack=True) for line in part.lines]
            figures = [
                element
                for item in part.figures
                if item in shown
                for element in shown[item].elements
                if isinstance(element, Chart)
            ]
            parts.append(HandoutView(part.title[language], list(filter(None, lines)), figures))
        pages.append(parts)
    return pages
