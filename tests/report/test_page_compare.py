"""The page of two runs: counts, dots, refusals; and the command's files."""

import json

import pytest
from pages import HOSTILE, compared
from parsed import Page

from harness.report import comparison as files
from harness.report.page import comparison
from tests.clock.rows import run_of


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("SAMESTEP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_the_answer_counts():
    assert comparison.answer(compared()) == (
        "B against A, training time of 4 cells: 1 slower in B, 1 faster in B, 1 measured on a "
        "disturbed machine, 1 not compared."
    )


def test_dots_and_their_shapes():
    figure = comparison.ratios(compared().comparisons)
    assert list(figure.specs) == ["time", "time-to-baseline"]
    told = {record["c"].split()[0]: record for record in figure.records}
    assert set(told) == {"numpy", "torch", "jax"}
    assert told["torch"]["r"] == pytest.approx(4 / 3, rel=1e-4)
    assert told["torch"]["rlo"] <= told["torch"]["r"] <= told["torch"]["rhi"]
    assert [told[name]["rv"] for name in ("numpy", "torch", "jax")] == ["noisy", "slower", "faster"]
    assert told["numpy"]["q"] is None
    encoding = figure.specs["time"]["layer"][-1]["encoding"]
    low, high = encoding["x"]["scale"]["domain"]
    assert low * high == pytest.approx(1, rel=1e-3)  # as far to the left of 1 as to the right
    assert len(set(encoding["shape"]["scale"]["range"])) == 3
    assert len(set(encoding["color"]["scale"]["range"])) == 3


def test_too_few_pairs_have_no_interval():
    times = {"numpy": 1.0, "jax": 0.1}
    few = compared(run_of(times, seeds=2), run_of(times, seeds=2))
    told = {r["c"].split()[0]: r for r in comparison.ratios(few.comparisons).records}
    assert (told["jax"]["rv"], told["jax"]["rlo"]) == ("too few pairs", None)


def test_the_page():
    text = comparison.html(compared(failures=["time>5%: digits-mlp torch: time +33.3 %"]))
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    for shown in ("only in A: digits-mlp keras", "time +33.3 %", "samestep report digits-mlp",
                  "1.33 (1.33 to 1.33)"):  # fmt: skip
        assert shown in text


def test_a_refusal_is_a_page_too(tmp_path):
    made = compared(comparisons=(), refusal="machine: a against b\nthreads: 1 against 2")
    text = comparison.html(made)
    page = Page(text)
    assert "The two runs cannot be compared." in text
    assert "<li>threads: 1 against 2</li>" in text
    assert "table" not in [tag for tag, _ in page.tags]
    for name in ("c.md", "c.json", "c.html"):
        files.write(tmp_path / name, made)
    assert json.loads((tmp_path / "c.json").read_text())["refused"] == made.refusal.splitlines()
    assert "- threads: 1 against 2" in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(hostile):
    run = run_of({"numpy": 1.0, "torch": 2.0}, machine=hostile, framework_version=hostile)
    made = compared(run, run, failures=[hostile])
    for each in (made, compared(comparisons=(), refusal=hostile)):
        text = comparison.html(each)
        page = Page(text)
        assert len([1 for found, _ in page.scripts if "type" not in found]) == 2
        assert "\x1b" not in text


def test_markdown(snapshot):
    assert files.markdown(compared(failures=["time>5%: torch"])) == snapshot
