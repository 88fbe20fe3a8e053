"""The page of the lesson: whole without network and JavaScript, honest about what is missing."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.data.fetching import DataMissingError
from harness.lesson import exercises, page, texts
from harness.lesson.chapters import ITEMS
from harness.lesson.earlier_runs import EarlierRuns
from harness.lesson.elements import Shown
from harness.lesson.material import Material
from harness.lesson.page import make_lesson
from harness.lesson.texts import Language, placeholders

pytestmark = pytest.mark.xdist_group("lesson")

CHEAP = (8, 9, 18, 19, 20, 26, 27, 28, 31, 32, 33, 34)
"""Items that take milliseconds."""
TEXTS = {item.number: item for chapter in texts.chapters() for item in chapter.item}
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def material():
    return Material(texts.labels(Language.ENGLISH))


def missing(material: Material) -> Shown:
    raise DataMissingError("mnist: not here")


@pytest.fixture(scope="module", params=list(Language))
def lesson(request):
    """A page of the cheap items; the data of all others is missing."""
    with pytest.MonkeyPatch.context() as patch:
        few = {number: ITEMS[number] if number in CHEAP else missing for number in ITEMS}
        patch.setattr(page, "ITEMS", few)
        return request.param, make_lesson(request.param, EarlierRuns())


@pytest.mark.parametrize("number", CHEAP)
def test_an_item_gives_the_numbers_that_its_sentences_quote(number, material):
    shown, words = ITEMS[number](material), TEXTS[number].en
    quoted = set.union(*(placeholders(text) for text in (words.shows, words.measured, words.why)))
    assert quoted == shown.numbers.keys()


def test_the_page_is_one_file_without_scripts(lesson):
    language, made = lesson
    assert f'<html lang="{language}">' in made.html
    assert "<script" not in made.html
    assert "script-src &#39;none&#39;" in made.html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', made.html)
    assert len(made.html.encode()) < MEGABYTE


def test_all_items_are_there_and_the_missing_ones_are_listed(lesson):
    _, made = lesson
    assert re.findall(r'<article id="item-(\d+)"', made.html) == [str(n) for n in range(1, 49)]
    assert made.missing == {"mnist: not here": sorted(set(ITEMS) - set(CHEAP))}
    _, _, after = made.html.partition('class="missing"')
    before, _, _ = after.partition('class="chapter"')
    listed = re.findall(r'<a href="#item-(\d+)">', before)
    assert list(map(int, listed)) == made.missing["mnist: not here"]
    prose = re.sub(r"<(style|pre)\b.*?</\1>", "", made.html, flags=re.DOTALL)
    assert "{" not in prose


def test_links_lead_somewhere(lesson):
    _, made = lesson
    ids = re.findall(r'\bid="([^"]+)"', made.html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', made.html)) <= set(ids)


def test_numbers_of_the_posts_come_out(material):
    assert ITEMS[20](material).numbers == {"by_w": "5", "by_x": "-2", "by_b": "1"}
    numbers = ITEMS[33](material).numbers
    assert numbers["outputs"] == numbers["published"]
    assert ITEMS[18](material).numbers["right"] == "4"
    assert float(ITEMS[8](material).numbers["difference"]) < 1e-6
    assert float(ITEMS[28](material).numbers["difference"]) < 1e-8
    assert float(ITEMS[34](material).numbers["difference"]) < 1e-12


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("slope", "derivative of the hidden activations is missing"),
        ("sum", "summed over the batch"),
        ("order", "updated before the error is sent back"),
    ],
)
def test_a_planted_mistake_is_diagnosed(name, cause, material):
    numbers = exercises.COMPUTED[name](material).numbers
    assert cause in numbers["diagnosis"]
    right, wrong = numbers["right"].split(", "), numbers["wrong"].split(", ")
    assert right[0] == wrong[0]
    assert right[1] != wrong[1]


def test_prose_is_escaped():
    assert page.prose("`a < b` <i>") == "<code>a &lt; b</code> &lt;i&gt;"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "page.txt"], "suffix must be .html"),
        (["--language", "fr"], "--language must be en or ko"),
        (["--from", "nowhere"], "nowhere holds no run"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_computed(arguments, said):
    done = CliRunner().invoke(app, ["lesson", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.full_product
@pytest.mark.parametrize("language", list(Language))
def test_the_whole_page(language, monkeypatch):
    numbers = {}

    def recorded(number):
        def compute(material):
            numbers[number] = ITEMS[number](material)
            return numbers[number]

        return compute

    monkeypatch.setattr(page, "ITEMS", {number: recorded(number) for number in ITEMS})
    made = make_lesson(language, EarlierRuns())
    assert all("mnist" in reason for reason in made.missing)
    assert len(made.html.encode()) < MEGABYTE
    for number, shown in numbers.items():
        words = TEXTS[number].words(language)
        said = (words.shows, words.measured, words.why)
        assert set.union(*map(placeholders, said)) <= shown.numbers.keys()
        assert np.all([isinstance(text, str) for text in shown.numbers.values()])
