"""How verdicts read: cells, notes, summary, document."""

import io

import numpy as np
import pytest
from rich.console import Console

from harness.claims.model import Verdict
from harness.report import claims as report
from harness.report.claim_numbers import difference, finding_cells, measured
from harness.report.verdict_counts import summarise
from tests.claims.builders import accuracies, judged, make_claim, make_sample

GOOD = (0.921, 0.919, 0.922, 0.918)


def printed(*judged_claims):
    console = Console(file=io.StringIO(), width=160)
    report.print_judged(judged_claims, console)
    return " ".join(console.file.getvalue().split())


def test_cells_of_a_level():
    claim = make_claim(number={"unit": "percent", "published": "92.1"})
    (finding,) = judged(claim, accuracies(claim, *GOOD)).findings
    name, published, measured, difference, verdict, why = finding_cells(finding)
    assert (name, published, verdict) == ("accuracy", "92.1 %", "CONSISTENT")
    assert measured == "92.00 ± 0.18 % (4 seeds)"
    assert difference == "-0.10 (± 0.65 allowed)"
    assert why == "-0.1, tolerance 0.65"


@pytest.mark.parametrize(
    ("number", "value", "cell"),
    [
        (
            {"metric": "test_error", "published": "7.489583", "unit": "percent"},
            719 / 9_600,
            "7.489583 %",
        ),
        ({"metric": "epochs", "published": "74", "unit": "number"}, 74.0, "74"),
        ({"metric": "test_accuracy", "published": "1.0"}, 1.0, "1.0000"),
    ],
)
def test_measured_as_precisely_as_printed(number, value, cell):
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", **number})
    (finding,) = judged(claim, accuracies(claim, value, tested=9_600)).findings
    assert measured(finding) == cell
    assert difference(finding) == "0"


def test_a_block_says_all():
    base = np.arange(10_000) % 10 > 0
    claim = make_claim(expected="WORSE", same_test=False, note="beware of the comma")
    samples = accuracies(claim, *GOOD, framework="jax", right=base)
    samples += accuracies(claim, 0.92, framework="numpy", right=base)
    samples += accuracies(claim, 0.5, framework="torch", proof="different")
    words = printed(judged(claim, samples))
    assert "T1 A made-up claim CONSISTENT (registered: WORSE)" in words
    assert "mnist, 60,000 rows, divide_by_255; 784-10; SGD 0.1, batches of 100; 20 epochs" in words
    assert "A, B (2020); read in the primary source" in words
    assert "jax and numpy: right on exactly the same rows; equivalent within 0.2 points" in words
    assert "torch: its proof says different; its rows do not count" in words
    assert "their draw counts too" in words
    assert "beware of the comma" in words


def test_why_a_trial_is_missing_is_readable():
    claim = make_claim()
    detail = "no route worked\n  a mirror: not found\n  another:\x1b[2J down"
    missing = make_sample(claim, {}, status="missing", status_detail=detail)
    words = printed(judged(claim, [missing]))
    assert "numpy: missing (no route worked a mirror: not found another:�[2J down)" in words


def test_the_summary_counts():
    claim = make_claim(expected="CONSISTENT")
    good = judged(claim, accuracies(claim, *GOOD))
    bad = judged(claim, accuracies(claim, 0.8, 0.8001, 0.8002))
    none = judged(make_claim(not_run="needs dropout", protocol=None, numbers=[]), [])
    assert summarise([good, bad, none]).sentences == [
        "2 claims judged: 1 consistent, 1 worse than published.",
        "1 claim not run.",
        "Other than registered: T1.",
        "2 numbers tested at 5 %: about 0.1 would be found off by chance alone.",
    ]
    assert summarise([]).sentences == []


def test_hostile_words_stay_inert():
    claim = make_claim(title="a | b [red] </script> \x1b[31m `x`")
    document = report.as_markdown([judged(claim, accuracies(claim, *GOOD))])
    assert "a \\| b \\[red\\] \\</script\\>" in document
    assert "\x1b" not in document
    assert "\x1b" not in printed(judged(claim, accuracies(claim, *GOOD)))
    rows = [line for line in document.splitlines() if line.startswith("| T1")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 8


def test_the_document_names_machine_versions_and_date():
    claim = make_claim()
    samples = accuracies(claim, *GOOD, machine="m", started_at="2026-11-21T10:00:00+00:00")
    document = report.as_markdown([judged(claim, samples)])
    assert "Measured 2026-11-21 on m; numpy 1.0." in document


def test_failures_are_listed():
    claim = make_claim()
    one = judged(claim, [make_sample(claim, {}, status="crashed", status_detail="signal 9")])
    assert one.verdict == Verdict.NOT_RUN
    assert "numpy crashed: signal 9" in printed(one)
