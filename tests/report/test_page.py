"""The page without a browser: what is in it, what cannot get into it, and how large it is."""

import base64
import dataclasses
import gzip
import json
import re

import pytest
from pages import HOSTILE, charts_or_skip, report_of, request
from parsed import Page

from harness.cache import cache_folder
from harness.report.answer import answer, statements
from harness.report.files import write_report
from harness.report.model import Report
from harness.report.page import chart_library, rendering, report_page, tables
from harness.report.page.learning_curves import curves_of
from harness.report.protocol_parts import Part
from harness.report.sections import make_report
from harness.run import Run


@pytest.fixture(scope="module", autouse=True)
def library(page_cache):
    """One bundle for all tests here, in a cache of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(page_cache))
        yield


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return report_of(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def text(report):
    return report_page.as_html(report)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_structure(page, text):
    assert page.tags[0][0] == "html"
    assert len(set(page.ids)) == len(page.ids)
    assert page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    names = [tag for tag, _ in page.tags]
    assert {"main", "header", "table", "figure", "details", "figcaption"} <= set(names)
    assert names.count("main") == 1
    assert 'href="#main"' in text
    targets = [
        attributes["popovertarget"] for _, attributes in page.tags if "popovertarget" in attributes
    ]
    assert targets
    assert set(targets) <= set(page.ids)


def test_every_chart_has_a_title_a_caption_and_a_table(page, report):
    learning = [value for name, value in page.json.items() if name.endswith("-learning")]
    assert len(learning) == 4  # all but fixed-forward
    for value in page.json.values():
        for spec in value.get("specs", ()):
            assert spec["title"]
            assert "data" not in spec
    names = [tag for tag, _ in page.tags]
    figures = sum(attributes.get("class") == "charts" for _, attributes in page.tags)
    chapters = sum(attributes.get("class") == "fold" for _, attributes in page.tags)
    assert chapters == len(report.sections)
    assert names.count("summary") == figures + chapters
    assert names.count("figcaption") >= figures


def test_what_is_not_proven_is_another_kind_of_line(page, report):
    embedded = page.json["e0-xor-mlp-learning"]
    loops = dict(zip(embedded["columns"]["f"], embedded["columns"]["l"], strict=True))
    assert loops["keras"].endswith(", not proven")
    assert loops["numpy"] == "stepwise"
    (spec, *_) = embedded["specs"]
    scale = spec["layer"][0]["encoding"]["strokeDash"]["scale"]
    dashes = dict(zip(scale["domain"], map(tuple, scale["range"]), strict=True))
    assert dashes["fused, not proven"] != dashes["all loops"]  # one line for the proven ones
    assert spec["encoding"]["opacity"]["value"] < 1
    proven = dataclasses.replace(report.sections[0], lines=(report.sections[0].lines[0],))
    (learning, *_) = report_page.figures(report.run, proven)
    assert "not proven" not in learning.caption
    assert all("opacity" not in one["encoding"] for one in learning.specs.values())


def test_cells_say_what_they_show(page, report):
    cells = [
        attributes for tag, attributes in page.tags if tag == "td" and "data-fact" in attributes
    ]
    overview = [attributes["data-details"] for attributes in cells if "data-details" in attributes]
    assert len(overview) == 5 * len(report.sections)
    assert set(overview) <= set(page.ids)
    facts = {attributes["data-fact"] for attributes in cells}
    assert {"training time", "time of a step", "test accuracy", "times that of numpy"} <= facts
    table = tables.lines_table(report.run.plan, report.sections[0])
    for row in table.rows:
        assert {cell.fact for cell in row.cells} - {""} <= dict(row.details.facts).keys()


def test_specifications_draw(page):
    vl_convert = pytest.importorskip("vl_convert")
    for embedded in page.json.values():
        columns = embedded.get("columns", {})
        names = list(columns)
        records = [dict(zip(names, values, strict=True)) for values in zip(*columns.values())]  # noqa: B905
        for spec in embedded.get("specs", ()):
            drawn = vl_convert.vegalite_to_svg(spec | {"data": {"values": records}, "width": 300})
            assert "<path" in drawn


def test_policy_names_every_script_and_nothing_else(page, text):
    policy = next(f["content"] for _, f in page.tags if "http-equiv" in f)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-eval" not in policy
    (script_of_page,) = (script for attributes, script in page.scripts if "type" not in attributes)
    packed = [script for attributes, script in page.scripts if attributes.get("id") == "library"]
    unpacked = [gzip.decompress(base64.b64decode(script)).decode() for script in packed]
    assert rendering.policy([script_of_page, *unpacked]) == policy
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_the_answer_and_what_differs(report, text):
    sentence = answer(report.run, report.sections)
    assert sentence.startswith("13 of 18 trials are proven")
    assert "in each experiment the proven ones reach the same accuracy" in sentence
    (small,) = statements(report.sections)
    assert (
        "(5 experiments): fastest is jax in 4, numpy in 1; left out as disturbed: numpy in 1."
        in small
    )
    assert small.endswith("layer of two”, 20.0 ms in jax fused, 19.0 s in sklearn stepwise.")
    name, _, said = small.partition(": ")
    for words in (f">{sentence}<", f"<b>{name}:</b> {said}<"):
        assert words in text.replace("&#39;", "'")
    for words in ("0.9500 (different)", "timeout", "missing", "unsupported", "noisy", "✗ 1.0e-03"):
        assert words in text


def test_a_run_before_its_proofs(report):
    """As `report --from` sees it while the run goes on."""
    text = report_page.as_html(make_report(dataclasses.replace(report.run, verdicts={})))
    Page(text)
    assert "None of the 18 trials is proven, so they are marked and not compared." in text
    assert "? not proven" in re.sub("<[^>]*>", "", text)


def test_a_quiet_run_of_three_seeds_has_intervals(tmp_path):
    requested = request(("xor-mlp",), frameworks=("numpy", "jax"), seeds=3)
    report = report_of(tmp_path, requested)
    text = report_page.as_html(report)
    assert "95 % interval" in text
    assert "medians of 3 trials" in text
    (statement,) = statements(report.sections)
    assert statement.endswith(
        "fused (20.2 ms), 20.0 (20.0 to 20.0) times as fast as numpy stepwise (404 ms)."
    )
    (curves, _) = curves_of(report.sections[0], report.run)
    assert curves.trials == 3


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(report, page, hostile):
    run = report.run
    named = run.plan.experiments["xor-mlp"].model_copy(update={"title": hostile})
    plan = dataclasses.replace(
        run.plan,
        experiments=run.plan.experiments | {"xor-mlp": named},
        request=dataclasses.replace(run.plan.request, frameworks=(hostile,) * 5),
    )
    rows = [
        dataclasses.replace(
            row, machine=hostile, blas=hostile, framework_version=hostile, status_detail=hostile
        )
        for row in run.rows
    ]
    sections = [
        dataclasses.replace(
            section,
            experiment=plan.experiments[section.experiment.name],
            protocol=(Part("network", hostile),),
            lines=tuple(
                dataclasses.replace(line, detail=hostile, framework=hostile)
                for line in section.lines
            ),
        )
        for section in report.sections
    ]
    hostile_run = dataclasses.replace(run, plan=plan, rows=rows)
    for either in (report.sections, sections):
        text = report_page.as_html(Report(hostile_run, either))
        page_read = Page(text)
        assert len([1 for attributes, _ in page_read.scripts if "type" not in attributes]) == 1
        assert "\x1b" not in text
        assert "49" not in re.findall(r"<h2[^>]*>(.*?)</h2>", text)[1]


def test_json_in_a_page_cannot_end_its_element():
    text = str(rendering.embedded({"a": "</script><!--&", "b": float("nan"), "c": [float("inf")]}))
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!--&", "b": None, "c": [None]}


@pytest.mark.parametrize("rows", ["none", "failed", "one", "no arrays"])
def test_runs_of_nothing_of_failures_and_of_one_trial(tmp_path, report, rows):
    if rows == "no arrays":
        run = dataclasses.replace(report.run, arrays=Run.arrays)
        text = report_page.as_html(dataclasses.replace(report, run=run))
        assert "no test outputs" in text
        assert "Decision boundary" not in text
    else:
        report = report_of(
            tmp_path,
            keep={
                "none": lambda trial: False,
                "failed": lambda trial: trial.framework == "torch",
                "one": lambda trial: (trial.framework, trial.experiment) == ("numpy", "xor-mlp"),
            }[rows],
        )
        text = report_page.as_html(report)
        words = {
            "none": "Nothing to compare yet",
            "failed": "No trial ended with a result: 5 missing.",
            "one": "Only numpy stepwise ran “XOR with one hidden layer of two”; it is proven",
        }[rows]
        assert words in text
    Page(text)


def test_without_the_chart_library(monkeypatch, report):
    monkeypatch.setattr(chart_library, "PACKAGE", "not-installed-anywhere")
    text = report_page.as_html(report)
    page = Page(text)
    assert 'pip install "samestep[report]"' in text
    assert len(text) < 600_000
    assert not any("data-charts" in attributes for _, attributes in page.tags)
    assert "Learning curves as a table" in text


def test_the_chart_library_is_made_once(monkeypatch):
    first = charts_or_skip()
    import vl_convert

    monkeypatch.setattr(vl_convert, "javascript_bundle", None)
    assert chart_library.chart_library() == first


@pytest.mark.parametrize(
    "broken", [b"", b"no gzip", gzip.compress(b"whole")[:-9]], ids=["empty", "other", "cut short"]
)
def test_a_broken_cache_of_the_chart_library_is_replaced(broken):
    first = charts_or_skip()
    (file,) = (cache_folder() / "page").iterdir()
    file.write_bytes(broken)
    assert chart_library.chart_library() == first
    assert gzip.decompress(file.read_bytes()).decode() == first.text


def test_no_script_of_ours_ends_its_element():
    script = (rendering.TEMPLATES / "page.js").read_text(encoding="utf-8").lower()
    assert "</script" not in script
    assert "<!--" not in script


def test_the_size_of_many_trials(tmp_path):
    """400 trials as they are, which are a fifth of 2,000 in one page of as many cells."""
    requested = request(("xor-mlp", "xor-single"), seeds=50)
    text = report_page.as_html(report_of(tmp_path, requested))
    assert len(text) < 2_000_000
    assert "medians of the first 20 trials" in text


def test_a_page_is_a_pure_function(report, text, tmp_path):
    assert report_page.as_html(report) == text
    file = tmp_path / "page.html"
    write_report(file, report)
    assert file.read_text(encoding="utf-8") == text
