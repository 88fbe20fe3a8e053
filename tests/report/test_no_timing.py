"""A report without times: accuracy and proof alone."""

import dataclasses
import json

import pytest

from harness import load_results
from harness.cli.exits import OK, USAGE
from harness.plan import Request
from harness.planning import make_plan
from harness.report.answer import NO_TIMES, answer, statements
from harness.report.markdown import as_markdown
from harness.report.page import drawing, report_page
from harness.report.remarks import remarks
from harness.report.section_table import cells, headings
from harness.results import COLUMNS, TIMES, MeasuredColumns
from tests.report.pages import report_of, request

TIME_WORDS = ("train time", "first step", "step time", "limits", "/ numpy")


@pytest.fixture
def report(tmp_path):
    """Rows and curves as workers leave them where nothing is timed."""
    report = report_of(tmp_path, request(timed=False))
    rows = [dataclasses.replace(row, **dict.fromkeys(TIMES)) for row in report.run.rows]

    def arrays(trial):
        return {k: v for k, v in report.run.arrays(trial).items() if k != "train_s"}

    from harness.report.sections import make_report

    return make_report(dataclasses.replace(report.run, rows=rows, arrays=arrays))


def test_all_columns_on_time_are_blanked():
    not_on_time = {"peak_rss_mb", "gpu_peak_mb", "gemm", "steps"}
    assert set(TIMES) <= set(COLUMNS)
    assert not set(TIMES) & not_on_time
    assert {name for name in COLUMNS if name.endswith("_s") or "_us" in name} <= set(TIMES)
    columns = MeasuredColumns(train_s=1.0, step_us=2.0, wait_fraction=0.5, test_accuracy=0.9)
    columns.forget_times()
    assert columns.measured() == {"test_accuracy": 0.9}


def test_tables_have_no_columns_on_time(report):
    for section in report.sections:
        assert not set(headings(section)) & set(TIME_WORDS)
        for line in section.lines:
            assert len(cells(section, line)) == len(headings(section)) == 5
            assert line.train is None
        assert section.ranking is None
        said = " ".join(remarks(section))
        assert "fastest" not in said
        assert "noisy" not in said


def test_no_output_ranks_or_shows_a_time(report):
    assert statements(report.sections) == []
    assert answer(report.run, report.sections).endswith(NO_TIMES)
    text = as_markdown(report)
    assert "Phases" not in text
    assert "fastest" not in text
    context = report_page.context(report)
    assert context["picture"] is None
    assert context["command"].endswith("--no-timing")
    page = report_page.as_html(report)
    assert "training time" not in page.partition("<script")[0]
    for chapter in context["chapters"]:
        assert {len(row.cells) for row in chapter.table.rows} == {len(chapter.table.headings)}


def test_learning_curves_are_by_step_alone(report):
    drawn = drawing.of_report(report)
    assert "xor-mlp/test-accuracy-by-step" in drawn
    assert not [name for name in drawn if name.endswith("-by-time")]
    known = drawing.names(report.run.plan)
    assert set(drawn) <= set(known)
    assert not [name for name in known if name.endswith(("-by-time", "phases", "limits"))]


def test_a_seed_is_counted_without_its_time(tmp_path, report):
    details = [row.details for c in report_page.context(report)["chapters"] for row in c.table.rows]
    results = [dict(each.facts).get("test accuracy") for each in details if each]
    assert any(text and text.endswith("one seed") for text in results)


def test_it_is_another_plan_than_the_timed_one():
    timed = make_plan(Request(("and",), ("numpy", "jax")))
    untimed = make_plan(Request(("and",), ("numpy", "jax"), timed=False))
    assert untimed.digest != timed.digest
    assert untimed.limits == ()
    assert [t.id for t in untimed.trials] == [t.id for t in timed.trials]
    assert [t.id for t in untimed.proofs] == [t.id for t in timed.proofs]


@pytest.mark.xdist_group("processes")
def test_the_command(tmp_path, cache, invoke):
    command = ("report", "and", "--frameworks", "numpy,sklearn", "--no-timing", "--out", "run")
    first = invoke(*command)
    assert first.exit_code == OK
    assert NO_TIMES not in first.stdout  # one experiment has no sentence over all
    assert "train time" not in first.stdout
    again = invoke(*command)
    assert "2 of 2 done already" in again.stderr
    read = invoke("report", "--from", "run")
    assert read.exit_code == OK
    assert "train time" not in read.stdout
    table = load_results("run")
    assert table.train_s.isna().all()
    assert (table.test_accuracy == 1).all()
    assert (table.parity == "same").all()
    assert json.loads((tmp_path / "run/plan.json").read_text())["request"]["timed"] is False
    mixed = invoke("report", "and", "--frameworks", "numpy,sklearn", "--out", "run")
    assert mixed.exit_code == USAGE
    assert "holds another plan" in mixed.stderr
