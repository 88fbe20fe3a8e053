"""The page of published numbers: what it tells, where the dots are, what cannot get into it."""

import json

import pytest
from pages import HOSTILE, ledger
from parsed import Page
from typer.testing import CliRunner

from harness import cli
from harness.claims.model import Verdict
from harness.report.page import claims_page, differences
from tests.claims.builders import accuracies, judged, make_claim


@pytest.fixture(autouse=True)
def _cache(page_cache, monkeypatch):
    monkeypatch.setenv("SAMESTEP_CACHE", str(page_cache))


@pytest.fixture(scope="module")
def judged_claims():
    return ledger()


def test_verdicts_and_their_sentence(judged_claims):
    page = claims_page.context(judged_claims, {})
    assert page["answer"] == (
        "5 claims judged: 1 exact, 2 consistent, 1 better than published, 1 worse than published. "
        "1 claim not run."
    )
    assert (page["others"], [one.id for one in page["others_in_files"]]) == ([], ["worse"])
    assert page["stated_as"] == "expected"
    assert not any("registered" in sentence for sentence in page["sentences"])
    assert [(one.id, one.why) for one in page["not_run"]] == [
        ("left-out", "The protocol has no random masks")
    ]
    assert page["measured"] == ["Measured 2026-01-02 on a machine; numpy 1.0."]
    assert page["trials"] == 12


def test_a_claim_in_words(judged_claims):
    row = claims_page.claim_row(judged_claims[1], {"worse": "my claims/worse.toml"})
    assert (row.verdict, row.registered, row.as_registered) == ("WORSE", "CONSISTENT", False)
    assert (row.published, row.measured, row.seeds) == ("0.990", "0.9207 ± 0.0015", "3")
    assert row.explanation == ""  # it is of a file
    assert row.difference == "-0.0693"
    assert row.allowed.startswith("± 0.00")
    assert row.keys[:3] == (0.99, pytest.approx(0.92067, abs=1e-4), 3.0)
    assert row.keys[3] < -1
    assert row.command == "samestep reproduce 'my claims/worse.toml'"
    assert claims_page.claim_row(judged_claims[1], {}).command == "samestep reproduce worse"


def test_only_the_ledger_that_comes_with_samestep_was_registered(judged_claims, monkeypatch):
    text = claims_page.as_html(judged_claims)
    assert "Other than the file expects" in text
    assert "<small>expected CONSISTENT</small>" in text
    assert "written down before the first run" not in text
    assert ">registered<" not in text
    monkeypatch.setattr(
        claims_page, "ledger", lambda: {one.claim.id: one.claim for one in judged_claims}
    )
    page = claims_page.context(judged_claims, {})
    assert ([one.id for one in page["others"]], page["others_in_files"]) == (["worse"], [])
    text = claims_page.as_html(judged_claims)
    assert "Every verdict was written down before the first run" in text
    assert "<small>registered CONSISTENT</small>" in text
    assert (
        claims_page.context(judged_claims, {"worse": "worse.toml"})["others"] == []
    )  # another of that name
    alike = claims_page.context(judged_claims[:1], {})
    assert alike["sentences"][0] == "Every verdict is the registered one."
    assert claims_page.context(judged_claims[:1], {"level": "my.toml"})["sentences"][0] == (
        "Every verdict is the expected one."
    )


def test_a_claim_without_a_stated_verdict_is_expected_to_hold():
    of = make_claim(number={"published": "0.990"})
    text = claims_page.as_html([judged(of, accuracies(of, 0.921, 0.919, 0.922))])
    assert "<small>expected to hold</small>" in text


def test_the_row_shows_the_number_that_decides():
    of = make_claim(
        numbers=[
            {"name": "loss", "metric": "test_loss", "published": "0.3", "rule": "range", "low": 0},
            {"name": "accuracy", "metric": "test_accuracy", "published": "0.990", "rule": "level"},
        ],
        number={},
    )
    samples = accuracies(of, 0.92, 0.921)  # of the first number
    both = [
        type(one)(**{**vars(one), "values": {**one.values, "test_accuracy at last": [0.92 + i]}})
        for i, one in zip((0.0, 0.001), samples, strict=True)
    ]
    row = claims_page.claim_row(judged(of, both), {})
    assert (row.verdict, row.number) == ("WORSE", "accuracy, of 2 numbers")
    assert len(row.numbers) == 2


def test_long_numbers_are_cut_off_and_others_not():
    assert claims_page._brief("0.8788889050483704") == "0.87888890…"
    assert claims_page._brief("97.54 %") == "97.54 %"
    assert claims_page._brief("0.31682708, 0.69627909") == "0.31682708, 0.69627909"


@pytest.mark.parametrize(
    ("address", "links"),
    [
        (
            "https://a.org/b (c.py, commit 1); text: https://d.org",
            ["https://a.org/b", "https://d.org"],
        ),
        ("a study post", []),
        ("javascript:alert(1)", []),
        ("data:text/html,x", []),
        ('https://a.org/"onclick="x', ["https://a.org/"]),
    ],
)
def test_only_addresses_of_the_web_are_links(address, links):
    pieces = claims_page.pieces(address)
    assert "".join(piece.text for piece in pieces) == address
    assert [piece.href for piece in pieces if piece.href] == links


def test_dots_are_where_the_differences_are(judged_claims):
    figure = differences.differences(judged_claims)
    (spec,) = figure.specs.values()
    records = {record["n"].partition(":")[0]: record for record in figure.records}
    assert list(records) == ["better", "level", "exact", "worse"]
    assert sorted((r["d"] for r in figure.records), reverse=True) == [
        r["d"] for r in figure.records
    ]
    assert records["exact"]["d"] == 0
    assert records["exact"]["lo"] is None
    assert -1 < records["level"]["d"] < 1
    for name in ("level", "worse", "better"):
        record = records[name]
        (one,) = [each for each in judged_claims if each.claim.id == name]
        (finding,) = one.findings
        assert record["d"] == pytest.approx(finding.difference / finding.tolerance, rel=1e-4)
        assert record["lo"] < record["d"] < record["hi"]
        assert (abs(record["d"]) > 1) == (finding.verdict != Verdict.CONSISTENT)
    assert "range" not in records
    assert [row[0] for row in figure.rows][-1] == "range: accuracy"
    assert "only in the table: 1 (" in figure.caption
    assert "consistent, or inconclusive (a cross) where the tolerance is too wide" in figure.caption
    shapes = spec["layer"][-1]["encoding"]["shape"]["scale"]
    assert len(set(shapes["range"])) == len(shapes["domain"]) == 4


def test_nothing_run_has_no_chart(judged_claims):
    assert differences.differences(judged_claims[-1:]) is None
    text = claims_page.as_html(judged_claims[-1:])
    Page(text)
    assert "1 claim not run." in text
    assert "data-charts" not in text.partition("<script>")[0]


def test_the_page(judged_claims):
    page = Page(claims_page.as_html(judged_claims))
    assert len(set(page.ids)) == len(page.ids)
    assert page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert {"claim-worse", "claim-left-out", "not-run"} <= set(page.ids)
    assert sum(attributes.get("class") == "other-verdict" for _, attributes in page.tags) == 1
    assert sum(tag == "summary" for tag, _ in page.tags) == 1 + 5


@pytest.mark.parametrize("hostile", [*HOSTILE, "javascript:alert(1)"])
def test_hostile_text_stays_text(hostile):
    source = {"author": hostile, "title": hostile, "address": hostile, "verified": "V1"}
    text = claims_page.as_html(ledger(title=hostile, note=hostile, source=source))
    page = Page(text)
    assert len([1 for attributes, _ in page.scripts if "type" not in attributes]) == 1
    assert "\x1b" not in text
    assert not any(attributes.get("href", "#")[:1] != "#" for _, attributes in page.tags)
    assert not any("onmouseover" in attributes for _, attributes in page.tags)


def test_the_committed_ledger_as_a_page_and_a_picture(cache, tmp_path, request):
    folder = request.config.rootpath / "results" / "ledger"
    arguments = ["reproduce", "--from", str(folder), "-o", "l.html", "--chart", "differences=l.svg"]
    done = CliRunner().invoke(cli.app, [*arguments, "-o", "l.json"])
    assert done.exit_code in (0, 1), done.output
    claims = json.loads((tmp_path / "l.json").read_text())["claims"]
    text = (tmp_path / "l.html").read_text()
    page = Page(text)
    assert {f"claim-{one['id']}" for one in claims} <= set(page.ids)
    assert len(text) < 1_500_000
    assert (tmp_path / "l.svg").read_text().startswith("<svg")
    wrong = CliRunner().invoke(cli.app, [*arguments[:3], "--chart", "difference=x.svg"])
    assert wrong.exit_code == 2
    assert "'difference' is not known. Did you mean 'differences'?" in wrong.stderr
