"""The words of the lesson: complete, in both languages, and without numbers of their own."""

import re
from collections.abc import Iterator

from harness.cli import app
from harness.lesson import exercises, texts
from harness.lesson.chapters import ITEMS
from harness.lesson.texts import Language, placeholders

ITEM_TEXTS = [item for chapter in texts.chapters() for item in chapter.item]
SENTENCES = ("shows", "measured", "why")


def phrases() -> Iterator[tuple[str, str, str]]:
    """(where, English, Korean) of every text."""
    for item in ITEM_TEXTS:
        for part in ("title", *SENTENCES):
            yield f"item {item.number} {part}", getattr(item.en, part), getattr(item.ko, part)
    for chapter in texts.chapters():
        yield "title", chapter.title.en, chapter.title.ko
        yield chapter.title.en, chapter.lead.en, chapter.lead.ko
    for term in texts.glossary():
        yield term.term.en, term.term.en, term.term.ko
        yield f"{term.term.en}: meaning", term.meaning.en, term.meaning.ko
    for exercise in texts.exercises():
        yield f"exercise {exercise.name}", exercise.question.en, exercise.question.ko
        yield f"answer {exercise.name}", exercise.answer.en, exercise.answer.ko
    for page in texts.handout():
        for part in page:
            yield "handout", part.title.en, part.title.ko
            for line in part.lines:
                yield f"handout: {part.title.en}", line.en, line.ko
    english, korean = (texts.labels(language) for language in Language)
    for name in english:
        yield f"label {name}", english[name], korean[name]


PHRASES = list(phrases())


def test_the_items_are_those_of_the_posts():
    assert [item.number for item in ITEM_TEXTS] == list(range(1, 49))
    assert sorted(ITEMS) == list(range(1, 49))
    assert {exercise.name for exercise in texts.exercises()} == set(exercises.COMPUTED)


def test_both_languages_quote_the_same():
    for where, english, korean in PHRASES:
        assert placeholders(english) == placeholders(korean), where
        for text in (english, korean):
            assert text.count("`") % 2 == 0, where
            assert not re.search(r"\s{2}|\s[.,]|^\s|\s$", text), where


def test_every_number_is_a_placeholder():
    """Bare 0, 1, 2 and 1/2 are words of mathematics; all else is computed or a piece of code."""
    for where, *both in PHRASES:
        for text in both:
            prose = re.sub(r"`[^`]*`|\{[a-z0-9_]+\}", "", text)
            numbers = re.findall(r"(?<![A-Za-z])\d[\d.,/]*\d|(?<![A-Za-z\d])\d+", prose)
            assert set(numbers) <= {"0", "1", "2", "1/2"}, where


def test_titles_need_no_number():
    for item in ITEM_TEXTS:
        assert not placeholders(item.en.title), item.number


def test_korean_is_korean():
    for where, english, korean in PHRASES:
        is_name = english == korean
        assert is_name or re.search("[가-힣]", korean), where
        assert not re.search("[가-힣]", english), where


def test_commands_exist():
    import typer

    commands = typer.main.get_command(app).commands
    for item in ITEM_TEXTS:
        program, first, *rest = item.command.split()
        if program != "samestep":
            assert program in ("python", "tensorboard"), item.command
            continue
        options = {option for p in commands[first].params for option in p.opts}
        assert {part for part in rest if part.startswith("-")} <= options, item.command
