"""The page of two runs: counts, dots, refusals; and the command's files."""

import dataclasses
import io
import json
import re

import pytest
from pages import HOSTILE, WRONG, compared, verdicts_of
from parsed import Page
from rich.console import Console

from harness.analysis.gates import Gate
from harness.report import change_table
from harness.report.files import write_comparison
from harness.report.page import compare_page
from harness.report.page.time_ratios import time_ratios
from harness.report.run_comparison import (
    WORDS,
    ChangeVerdict,
    compare_runs,
    find_changes,
    why_unproven,
)
from harness.run import Run
from tests.analysis.rows import run_of


@pytest.fixture(autouse=True)
def _cache(page_cache, monkeypatch):
    monkeypatch.setenv("SAMESTEP_CACHE", str(page_cache))


def test_the_answer_counts():
    assert compare_page.answer(compared()) == (
        "B against A, training time of 4 cells: 1 slower in B, 1 faster in B, 1 measured on a "
        "disturbed machine, 1 not compared."
    )


def test_dots_and_their_shapes():
    figure = time_ratios(compared().changes)
    assert list(figure.specs) == ["time", "time-to-baseline"]
    records = {record["c"].split()[0]: record for record in figure.records}
    assert set(records) == {"numpy", "torch", "jax"}
    assert records["torch"]["r"] == pytest.approx(4 / 3, rel=1e-4)
    assert records["torch"]["rlo"] <= records["torch"]["r"] <= records["torch"]["rhi"]
    assert [records[name]["rv"] for name in ("numpy", "torch", "jax")] == [
        "noisy",
        "slower",
        "faster",
    ]
    assert records["numpy"]["q"] is None
    encoding = figure.specs["time"]["layer"][-1]["encoding"]
    low, high = encoding["x"]["scale"]["domain"]
    assert low * high == pytest.approx(1, rel=1e-3)  # as far to the left of 1 as to the right
    assert len(set(encoding["shape"]["scale"]["range"])) == 3
    assert len(set(encoding["color"]["scale"]["range"])) == 3


def test_what_is_not_proven_is_neither_faster_nor_slower():
    plan, rows = run_of({"numpy": 1.0, "torch": 4.0, "jax": 0.05})
    verdicts = verdicts_of(plan, torch=WRONG)
    verdicts = {cell: judgement for cell, judgement in verdicts.items() if cell[1] != "jax"}
    comparison = compared(b=(plan, rows), verdicts=verdicts)
    changes = {one.numbers.cell[1]: one for one in comparison.changes}
    assert (changes["torch"].verdict, changes["torch"].why_unproven) == ("unproven", "B: different")
    assert changes["jax"].text_with_remarks == "not proven (B: no proof was made)"
    assert compare_page.answer(comparison) == (
        "B against A, training time of 4 cells: 1 measured on a disturbed machine, 2 not proven "
        "in A or B, 1 not compared."
    )
    figure = time_ratios(comparison.changes)
    record = next(r for r in figure.records if r["c"].startswith("torch"))
    assert (record["rv"], record["qv"]) == ("not proven", "not proven")
    assert record["r"] == pytest.approx(4 / 3, rel=1e-4)  # its ratio stays in the chart
    states = [
        (row.state, row.cells[-1].state) for row in compare_page.table(comparison.changes).rows
    ]
    assert states == [("", "noisy"), ("", "refused"), ("unproven", ""), ("unproven", "")]
    values = {c["cell"][1]: c for c in json.loads(change_table.as_json(comparison))["comparisons"]}
    assert (values["torch"]["verdict"], values["torch"]["unproven"]) == (
        "not proven",
        "B: different",
    )
    assert values["numpy"]["unproven"] is None
    assert values["torch"]["ratio"]["value"] == pytest.approx(4 / 3)
    document = change_table.as_markdown(comparison)
    assert "| not proven (B: different) |" in document
    assert "not proven in A or B: 2 of 4 cells" in document
    assert not re.search("faster *\\||slower *\\|", document)
    printed = io.StringIO()
    change_table.print_comparison(comparison, Console(file=printed, width=140))
    assert "not proven (B: different)" in printed.getvalue()


def test_a_ratio_to_a_baseline_that_is_not_proven():
    plan, _ = run_of({"numpy": 1.0, "keras": 2.0, "torch": 4.0, "jax": 0.05})
    comparison = compared(verdicts=verdicts_of(plan, numpy=WRONG))
    torch = next(one for one in comparison.changes if one.numbers.cell[1] == "torch")
    assert (torch.verdict, torch.relative_verdict) == ("slower", "unproven")


def test_gates_look_at_what_is_not_proven_and_say_so():
    plan, rows_a = run_of({"numpy": 1.0, "torch": 3.0})
    _, rows_b = run_of({"numpy": 1.2, "torch": 4.0})
    runs = (
        Run(plan, rows_a, verdicts_of(plan)),
        Run(plan, rows_b, verdicts_of(plan, torch=WRONG)),
    )
    numpy, torch = compare_runs(runs, [Gate.parse("time>5%")]).failures
    assert numpy == "time>5%: digits-mlp numpy stepwise: time +20.0 %"
    assert torch.endswith("time +33.3 % (not proven; B: different)")


def test_a_sweep_is_proven_at_one_of_its_points():
    plan, rows = run_of({"numpy": 1.0}, experiment="iris-softmax")
    other, more = run_of({"numpy": 1.0})
    both = dataclasses.replace(plan, trials=plan.trials + other.trials)  # proofs of the first only
    run = Run(both, [*rows, *more], verdicts_of(plan))
    numpy, torch = (("digits-mlp", name, "stepwise", "identical") for name in ("numpy", "torch"))
    assert why_unproven(run, numpy) == ""
    wrong = dataclasses.replace(run, verdicts=verdicts_of(plan, numpy=WRONG))
    assert why_unproven(wrong, numpy) == "different"
    assert why_unproven(wrong, torch) == "no proof was made"
    assert why_unproven(wrong, ("digits-mlp", "numpy", "lbfgs", "native")) == ""


def test_with_limits_what_no_longer_ends_well_is_a_failure():
    plan, rows = run_of({"numpy": 1.0, "torch": 3.0})
    verdicts = verdicts_of(plan)
    left = [row for row in rows if row.framework == "numpy"]
    runs = Run(plan, rows, verdicts), Run(plan, left, verdicts)
    assert not compare_runs(runs, []).failures
    assert compare_runs(runs, [Gate.parse("time>500%")]).failures == [
        "digits-mlp torch stepwise: 4 of 4 trials that ended well in A did not in B: not run"
    ]


def test_every_verdict_has_its_words_on_the_page_too():
    assert all(re.fullmatch("[a-z]+", verdict) for verdict in ChangeVerdict)
    assert compare_page.SIGNS.keys() == WORDS.keys() == set(ChangeVerdict)


@pytest.mark.parametrize(
    ("times", "seeds", "words"),
    [
        ({"numpy": 1.0}, 4, "no other framework is in both runs beside the baseline"),
        ({"numpy": 1.0}, 2, "too few pairs for intervals: run both with --seeds 3 or more"),
        ({"numpy": 1.0, "jax": 0.1}, 2, "too few pairs for intervals"),
        ({"numpy": 1.0, "jax": 0.1}, 3, "agree within their 95 % intervals in 1 of 1 cells"),
    ],
)
def test_what_is_missing_for_intervals(times, seeds, words):
    plan, rows = run_of(times, seeds=seeds)
    run = Run(plan, rows, verdicts_of(plan))
    (sentence,) = change_table.sentences(find_changes((run, run), ()), {})
    assert words in sentence


def test_the_second_chart_is_told_only_where_it_is_drawn():
    both = time_ratios(compared().changes)
    title = both.specs["time-to-baseline"]["title"]
    assert f"In “{title}” every time is first divided" in both.caption
    alone = compared(run_of({"numpy": 1.0}), run_of({"numpy": 1.1}))
    figure = time_ratios(alone.changes)
    assert list(figure.specs) == ["time"]
    assert "divided" not in figure.caption


def test_a_run_that_report_did_not_make_shows_no_command():
    plan, rows = run_of({"numpy": 1.0})
    facts = dict(compare_page.side("A", Run(plan, rows, {})).facts)
    assert facts["command"] == "samestep report digits-mlp --frameworks numpy --seeds 4"
    for names, known in ((("scale-w16-b32-d2",), False), (("my/own.toml",), True)):
        request = dataclasses.replace(plan.request, experiments=names)
        other = dataclasses.replace(plan, request=request)
        facts = dict(compare_page.side("A", Run(other, rows, {})).facts)
        assert ("command" in facts) == known


def test_too_few_pairs_have_no_interval():
    times = {"numpy": 1.0, "jax": 0.1}
    few = compared(run_of(times, seeds=2), run_of(times, seeds=2))
    records = {r["c"].split()[0]: r for r in time_ratios(few.changes).records}
    assert (records["jax"]["rv"], records["jax"]["rlo"]) == ("too few pairs", None)


def test_the_page():
    text = compare_page.as_html(compared(failures=["time>5%: digits-mlp torch: time +33.3 %"]))
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    for words in (
        "only in A: digits-mlp keras",
        "time +33.3 %",
        "samestep report digits-mlp",
        "1.33 (1.33 to 1.33)",
    ):
        assert words in text


def test_a_refusal_is_a_page_too(tmp_path):
    comparison = compared(changes=(), refusal="machine: a against b\nthreads: 1 against 2")
    text = compare_page.as_html(comparison)
    page = Page(text)
    assert "The two runs cannot be compared." in text
    assert "<li>threads: 1 against 2</li>" in text
    assert "table" not in [tag for tag, _ in page.tags]
    for name in ("c.md", "c.json", "c.html"):
        write_comparison(tmp_path / name, comparison)
    assert (
        json.loads((tmp_path / "c.json").read_text())["refused"] == comparison.refusal.splitlines()
    )
    assert "- threads: 1 against 2" in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(hostile):
    run = run_of({"numpy": 1.0, "torch": 2.0}, machine=hostile, framework_version=hostile)
    comparison = compared(run, run, failures=[hostile])
    for each in (comparison, compared(changes=(), refusal=hostile)):
        text = compare_page.as_html(each)
        page = Page(text)
        assert len([1 for attributes, _ in page.scripts if "type" not in attributes]) == 1
        assert "\x1b" not in text


def test_markdown(snapshot):
    assert change_table.as_markdown(compared(failures=["time>5%: torch"])) == snapshot
