"""The page without a browser: what is in it, what cannot get into it, and how large it is."""

import base64
import dataclasses
import gzip
import json
import re

import pytest
from pages import HOSTILE, Arrays, charts_or_skip, made, request
from parsed import Page

from harness.cache import cache_folder
from harness.report import export, summary
from harness.report.page import bundle, document, rendering, tables
from harness.report.page.answer import answer, ranking
from harness.report.page.series import series_of


@pytest.fixture(scope="module", autouse=True)
def library(page_cache):
    """One bundle for all tests here, in a cache of our own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(page_cache))
        yield


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return made(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def text(report):
    return document.html(report)


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
    targets = [found["popovertarget"] for _, found in page.tags if "popovertarget" in found]
    assert targets
    assert set(targets) <= set(page.ids)


def test_every_chart_has_a_title_a_caption_and_a_table(page, report):
    learning = [found for name, found in page.json.items() if name.endswith("-learning")]
    assert len(learning) == 4  # all but fixed-forward
    for found in page.json.values():
        for spec in found.get("specs", ()):
            assert spec["title"]
            assert "data" not in spec
    names = [tag for tag, _ in page.tags]
    figures = sum(found.get("class") == "charts" for _, found in page.tags)
    assert names.count("summary") == figures
    assert names.count("figcaption") >= figures


def test_what_is_not_proven_is_another_kind_of_line(page, report):
    found = page.json["e0-xor-mlp-learning"]
    told = dict(zip(found["columns"]["f"], found["columns"]["l"], strict=True))
    assert told["keras"].endswith(", not proven")
    assert told["numpy"] == "stepwise"
    (spec, *_) = found["specs"]
    scale = spec["layer"][0]["encoding"]["strokeDash"]["scale"]
    dashes = dict(zip(scale["domain"], map(tuple, scale["range"]), strict=True))
    assert dashes["fused, not proven"] not in (dashes["fused"], dashes["stepwise"])
    assert spec["encoding"]["opacity"]["value"] < 1
    proven = dataclasses.replace(report.sections[0], lines=(report.sections[0].lines[0],))
    (learning, *_) = document.figures(report, proven)
    assert "not proven" not in learning.caption
    assert all("opacity" not in one["encoding"] for one in learning.specs.values())


def test_cells_say_what_they_show(page, report):
    cells = [found for tag, found in page.tags if tag == "td" and "data-fact" in found]
    glance = [found["data-told"] for found in cells if "data-told" in found]
    assert len(glance) == 5 * len(report.sections)
    assert set(glance) <= set(page.ids)
    facts = {found["data-fact"] for found in cells}
    assert {"training time", "time of a step", "test accuracy", "times that of numpy"} <= facts
    table = tables.lines_table(report.plan, report.sections[0])
    for row in table.rows:
        assert {cell.fact for cell in row.cells} - {""} <= dict(row.told.facts).keys()


def test_specifications_draw(page):
    vl_convert = pytest.importorskip("vl_convert")
    for found in page.json.values():
        columns = found.get("columns", {})
        names = list(columns)
        records = [dict(zip(names, values, strict=True)) for values in zip(*columns.values())]  # noqa: B905
        for spec in found.get("specs", ()):
            drawn = vl_convert.vegalite_to_svg(spec | {"data": {"values": records}, "width": 300})
            assert "<path" in drawn


def test_policy_names_every_script_and_nothing_else(page, text):
    policy = next(f["content"] for _, f in page.tags if "http-equiv" in f)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-eval" not in policy
    (own,) = (script for found, script in page.scripts if "type" not in found)
    packed = [script for found, script in page.scripts if found.get("id") == "library"]
    unpacked = [gzip.decompress(base64.b64decode(script)).decode() for script in packed]
    assert rendering.policy([own, *unpacked]) == policy
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_the_answer_and_what_differs(report, text):
    told = answer(report.plan, report.rows, report.sections)
    assert told.startswith("13 of 19 results are proven")
    assert "in each experiment all reach the same test accuracy" in told
    assert "by a factor of up to 950" in told
    assert f">{told}<" in text.replace("&#39;", "'")
    assert ranking(report.sections)
    for shown in ("0.9500 (different)", "timeout", "missing", "unsupported", "noisy", "✗ 1.0e-03"):
        assert shown in text


def test_a_run_before_its_proofs(report):
    """As `report --from` sees it while the run goes on."""
    sections = summary.sections(report.plan, Arrays(report), report.rows, {})
    text = document.html(dataclasses.replace(report, sections=sections, verdicts={}))
    Page(text)
    assert "None of the 19 results is proven, so they are hatched and not compared." in text
    assert "? not proven" in re.sub("<[^>]*>", "", text)


def test_a_quiet_run_of_three_seeds_has_intervals(tmp_path):
    asked = request(("xor-mlp",), frameworks=("numpy", "jax"), seeds=3)
    report = made(tmp_path, asked)
    text = document.html(report)
    assert "95 % interval" in text
    assert "medians of 3 trials" in text
    assert ranking(report.sections) == ["Fastest: jax fused; every paired interval excludes 1"]
    (line, _) = series_of(report.sections[0], report.rows, report.arrays)
    assert line.trials == 3


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(report, page, hostile):
    named = report.plan.experiments["xor-mlp"].model_copy(update={"title": hostile})
    plan = dataclasses.replace(
        report.plan,
        experiments=report.plan.experiments | {"xor-mlp": named},
        request=dataclasses.replace(report.plan.request, frameworks=(hostile,) * 5),
    )
    rows = [
        dataclasses.replace(
            row, machine=hostile, blas=hostile, framework_version=hostile, status_detail=hostile
        )
        for row in report.rows
    ]
    sections = [
        dataclasses.replace(
            section,
            experiment=plan.experiments[section.experiment.name],
            caption=hostile,
            lines=tuple(
                dataclasses.replace(line, detail=hostile, framework=hostile)
                for line in section.lines
            ),
        )
        for section in report.sections
    ]
    for found in (report.sections, sections):
        text = document.html(dataclasses.replace(report, plan=plan, rows=rows, sections=found))
        got = Page(text)
        assert len([1 for found, _ in got.scripts if "type" not in found]) == 1
        assert "\x1b" not in text
        assert "49" not in re.findall(r"<h2[^>]*>(.*?)</h2>", text)[1]


def test_json_in_a_page_cannot_end_its_element():
    made = str(rendering.embedded({"a": "</script><!--&", "b": float("nan"), "c": [float("inf")]}))
    assert not set("<>&") & set(made)
    assert json.loads(made) == {"a": "</script><!--&", "b": None, "c": [None]}


@pytest.mark.parametrize("kept", ["none", "failed", "one", "no arrays"])
def test_runs_of_nothing_of_failures_and_of_one_trial(tmp_path, report, kept):
    if kept == "no arrays":
        text = document.html(dataclasses.replace(report, arrays=export.Report.arrays))
        assert "no test outputs" in text
        assert "Decision boundary" not in text
    else:
        report = made(
            tmp_path,
            keep={
                "none": lambda trial: False,
                "failed": lambda trial: trial.framework == "torch",
                "one": lambda trial: (trial.framework, trial.experiment) == ("numpy", "xor-mlp"),
            }[kept],
        )
        text = document.html(report)
        told = {
            "none": "Nothing to compare yet",
            "failed": "No trial ended with a result: 6 missing.",
            "one": "numpy stepwise alone ran xor-mlp; it is proven",
        }[kept]
        assert told in text
    Page(text)


def test_without_the_chart_library(monkeypatch, report):
    monkeypatch.setattr(bundle, "PACKAGE", "not-installed-anywhere")
    text = document.html(report)
    page = Page(text)
    assert 'pip install "samestep[report]"' in text
    assert len(text) < 600_000
    assert not any("data-charts" in found for _, found in page.tags)
    assert "Learning curves as a table" in text


def test_the_chart_library_is_made_once(monkeypatch):
    first = charts_or_skip()
    import vl_convert

    monkeypatch.setattr(vl_convert, "javascript_bundle", None)
    assert bundle.chart_library() == first


@pytest.mark.parametrize(
    "broken", [b"", b"no gzip", gzip.compress(b"whole")[:-9]], ids=["empty", "other", "cut short"]
)
def test_a_broken_cache_of_the_chart_library_is_made_anew(broken):
    first = charts_or_skip()
    (file,) = (cache_folder() / "page").iterdir()
    file.write_bytes(broken)
    assert bundle.chart_library() == first
    assert gzip.decompress(file.read_bytes()).decode() == first.text


def test_no_script_of_ours_ends_its_element():
    script = (rendering.TEMPLATES / "page.js").read_text(encoding="utf-8").lower()
    assert "</script" not in script
    assert "<!--" not in script


def test_the_size_of_many_trials(tmp_path):
    """400 trials as they are, which are a fifth of 2,000 in one page of as many cells."""
    asked = request(("xor-mlp", "xor-single"), seeds=50)
    text = document.html(made(tmp_path, asked))
    assert len(text) < 2_000_000
    assert "medians of the first 20 trials" in text


def test_a_page_is_a_pure_function(report, text, tmp_path):
    assert document.html(report) == text
    file = tmp_path / "page.html"
    export.write(file, report)
    assert file.read_text(encoding="utf-8") == text
