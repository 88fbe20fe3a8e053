"""Reports from rows alone: golden files, aggregation, hostile names."""

import dataclasses
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from harness import planning
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.plan import Request
from harness.report import row_export, terminal
from harness.report.markdown import as_markdown
from harness.report.model import LineState
from harness.report.remarks import ranking_text, remarks
from harness.report.section_table import status_text
from harness.report.sections import make_report, make_sections
from harness.report.text import ratio_digits, seconds, two_digits
from harness.results import COLUMNS, RunFolder, from_json, to_json, write_arrays
from harness.run import Run
from harness.running.progress import Announcer
from harness.trial.outcome import blank_row

SAME = Judgement(Verdict.SAME, "", (Rung("start", 0.0, 0.0), Rung("100 steps", 3e-15, 1e-11)))
WRONG = Judgement(
    Verdict.DIFFERENT,
    "1 update: weights of layer 1 differ by 1.0e-03",
    (Rung("start", 0.0, 0.0), Rung("1 update", 1e-3, 1e-12, "1 update: weights of layer 1 differ")),
)
VERDICTS = {
    ("mnist-softmax", "numpy", "stepwise"): SAME,
    ("mnist-mlp", "numpy", "stepwise"): SAME,
    ("mnist-mlp", "keras", "fused"): WRONG,
    ("mnist-mlp", "keras", "idiomatic"): SAME,
}
TIMES = {"numpy": 157.0, "sklearn": 931.0, "keras": 172.0, "torch": 347.0, "jax": 163.0}


def row_of(plan, trial, **columns):
    blank = blank_row(trial, plan.digest, "1.2.3", plan.experiments[trial.experiment], "ok", None)
    fixed = {"machine": "a machine", "started_at": "2026-01-02T03:04:05+00:00", "device": "cpu"}
    return dataclasses.replace(blank, **(fixed | columns))


@pytest.fixture
def run(tmp_path):
    """A run with one failure, one missing framework, one native solver."""
    request = Request(
        experiments=("mnist-softmax", "mnist-mlp", "fixed-forward", "diabetes-linear"),
        frameworks=tuple(TIMES),
        seeds=2,
    )
    plan = planning.make_plan(request)
    folder = RunFolder(tmp_path)
    for trial in plan.trials:
        step_us = TIMES[trial.framework] * (3 if trial.loop == "idiomatic" else 1)
        columns = {
            "test_accuracy": 0.9171 + 0.001 * trial.seed,
            "test_loss": 0.3,
            "train_s": step_us * 3e-3,
            "step_us": step_us,
        }
        if trial.track == "native":
            columns |= {"step_us": None, "status_detail": "stopped before it converged"}
        if trial.experiment == "fixed-forward":
            columns = {}
            outputs = np.array([[0.3168270764, 0.6962790898]])
            write_arrays(folder.trials / f"{trial.id}.npz", {"test_outputs": outputs})
        if trial.experiment == "diabetes-linear":
            columns |= {"test_accuracy": None, "test_loss": 2928.2301}
        if trial.framework == "torch":
            columns = {"status": "missing", "status_detail": "torch not installed; pip install x"}
        if (trial.framework, trial.experiment, trial.seed) == ("jax", "mnist-mlp", 1):
            columns = {"status": "timeout", "status_detail": "killed after 600 s"}
        folder.write_row(row_of(plan, trial, **columns))
    rows = folder.rows(trial.id for trial in plan.trials)
    return Run(plan, rows, VERDICTS, (), folder.arrays, folder.path)


def rendered(sections, width=140):
    stream = io.StringIO()
    terminal.print_sections(sections, Console(file=stream, width=width))
    return stream.getvalue()


def exported(run):
    """The rows as a table, read from their CSV."""
    return pd.read_csv(io.StringIO(row_export.as_csv(run)))


def test_the_terminal_ends_with_the_answer(run):
    stream = io.StringIO()
    terminal.print_answer(make_report(run), Console(file=stream, width=400))
    first, large, boundary, _, _ = stream.getvalue().split("\n")
    assert first.startswith("6 of 35 trials are proven")
    assert large.startswith(
        "Large networks (“One hidden layer of 50 sigmoid units on MNIST”): fastest"
    )
    assert "less than 1 million" in boundary
    alone = dataclasses.replace(make_report(run), sections=make_sections(run)[:1])
    terminal.print_answer(alone, Console(file=(silent := io.StringIO())))
    assert silent.getvalue() == ""


def test_markdown_and_terminal(run, snapshot):
    report = make_report(run)
    assert as_markdown(report) == snapshot
    assert rendered(report.sections) == snapshot


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_narrow_terminal_loses_columns_and_cuts_nothing(run, width):
    section = make_sections(run)[1]
    lines = rendered([section], width).splitlines()
    heading = next(line for line in lines if "framework" in line)
    assert ("first step" in heading) == (width == 140)
    assert len(heading.rstrip()) <= width
    pattern = re.compile(r"\s*(numpy|sklearn|keras|torch|jax)\s+(stepwise|fused|idiomatic)\s")
    rows = [line for line in lines if pattern.match(line)]
    for line, row in zip(section.lines, rows, strict=True):
        words = row.split()
        assert words[:2] == [line.framework, line.loop]
        assert line.accuracy is None or f"{line.accuracy:.4f}" in words
        assert line.train is None or seconds(line.train.value) in row
        assert "…" not in row


def test_one_line_per_framework_and_native_apart(run):
    softmax, mlp, *_ = make_sections(run)
    lines = [(line.framework, line.track, line.loop) for line in softmax.lines]
    assert lines[-1] == ("sklearn", "native", "LogisticRegression(lbfgs)")
    best = [line for line in mlp.lines if line.best]
    assert [line.framework for line in best] == ["numpy", "sklearn", "keras", "torch", "jax"]
    assert {line.framework: line.loop for line in best}["keras"] == "fused"
    jax = mlp.lines[-1]
    assert status_text(jax) == "1 ok, 1 timeout"
    assert jax.accuracy == pytest.approx(0.9171)  # the failed seed is not averaged in
    numpy = mlp.lines[0]
    assert numpy.accuracy == pytest.approx(0.9176)
    assert numpy.spread == pytest.approx(0.001 / np.sqrt(2))


def test_the_state_of_a_line(run):
    softmax, mlp, *_ = make_sections(run)
    states = {line.name: line.state for line in (*softmax.lines, *mlp.lines)}
    assert states["numpy stepwise"] == LineState.PROVEN
    assert states["keras fused"] == LineState.DIFFERENT
    assert states["jax fused"] == LineState.UNPROVEN  # although one of its trials failed
    assert states["torch stepwise"] == LineState.ABSENT
    assert states["sklearn LogisticRegression(lbfgs)"] == LineState.NATIVE
    failed = [dataclasses.replace(row, status="timeout") for row in run.rows]
    (line, *_) = make_sections(dataclasses.replace(run, rows=failed))[0].lines
    assert line.state == LineState.FAILED


def ranked(noisy=(), slower=1.0, seeds=4, jax_s=1.1):
    """The ranking of NumPy, which takes 1 s, and JAX.

    Args:
        noisy: (framework, seed) of disturbed trials, or a framework for all of its trials.
        slower: factor of JAX's time in every other seed.
        seeds: how many.
        jax_s: seconds of JAX.
    """
    request = Request(experiments=("xor-mlp",), frameworks=("numpy", "jax"), seeds=seeds)
    plan = planning.make_plan(request)
    rows = []
    for trial in plan.trials:
        factor = slower if trial.framework == "jax" and trial.seed % 2 else 1.0
        train_s = (1.0 if trial.framework == "numpy" else jax_s) * factor
        is_noisy = trial.framework in noisy or (trial.framework, trial.seed) in noisy
        rows.append(row_of(plan, trial, train_s=train_s, steal_fraction=0.5 if is_noisy else 0.0))
    verdicts = {(t.experiment, t.framework, t.loop): SAME for t in plan.proofs}
    (section,) = make_sections(Run(plan, rows, verdicts))
    return section.ranking


def test_who_is_fastest():
    ranking = ranked()
    assert (ranking.winner.name, ranking.tied) == ("numpy stepwise", ())
    assert ranking_text(ranking) == (
        "fastest: numpy stepwise (1.00 s), 1.10 (1.10 to 1.10) times as fast as jax fused (1.10 s)"
    )


def test_who_is_tied_for_fastest():
    ranking = ranked(slower=0.7)
    assert ranking.winner is None
    assert [line.framework for line in ranking.tied] == ["jax", "numpy"]
    assert ranking_text(ranking) == "tied for fastest: jax fused (920 ms), numpy stepwise (1.00 s)"


def test_a_noisy_trial_is_left_out_and_not_its_line():
    ranking = ranked(noisy={("numpy", 0), ("jax", 3)}, seeds=5)
    assert ranking.winner.framework == "numpy"
    assert ranking.winner.train.count == 4
    assert ranking_text(ranking).startswith("fastest: numpy stepwise (1.00 s), 1.10 (")


def test_a_line_with_noisy_trials_alone_may_win():
    ranking = ranked(noisy={"numpy"}, jax_s=5.0)
    assert ranking_text(ranking) == (
        "fastest: numpy stepwise (at most 1.00 s), at least 5.0 times as fast as jax fused (5.00 s)"
    )


def test_a_line_with_noisy_trials_alone_may_not_lose():
    ranking = ranked(noisy={"jax"}, jax_s=5.0)
    assert (ranking.winner, ranking.tied) == (None, ())
    assert ranking_text(ranking) == (
        "numpy stepwise took 1.00 s; not placed, because too few trials were undisturbed: "
        "jax fused (at most 5.00 s)"
    )


@pytest.mark.parametrize(
    ("jax_s", "seeds", "text"),
    [
        (18.2, 1, "fastest: numpy stepwise (1.00 s), about 18 times as fast as jax fused (18.2 s)"),
        (3.0, 1, "fastest: numpy stepwise (1.00 s), about 3.0 times as fast as jax fused (3.00 s)"),
        (2.9, 1, "fastest: numpy stepwise (1.00 s) or jax fused (2.90 s), too close for one run"),
        (1.1, 2, "fastest: numpy stepwise (1.00 s) or jax fused (1.10 s), too close for two runs"),
    ],
)
def test_a_few_runs_answer_too(jax_s, seeds, text):
    assert ranking_text(ranked(seeds=seeds, jax_s=jax_s)) == text


@pytest.mark.parametrize(
    ("recompile_s", "said"),
    [
        ([None, None, None], None),
        ([0.4, None, None], None),  # one trial alone may be chance
        ([0.4, None], None),
        ([0.4, 0.6, None], "400 ms of its 1.10 s of training"),
        ([0.4, 0.6, 0.5], "500 ms of its 1.10 s of training"),
        ([0.4], "400 ms of its 1.10 s of training"),
    ],
    ids=str,
)
def test_times_that_contain_a_compiler_are_said(recompile_s, said):
    request = Request(("xor-mlp",), frameworks=("numpy", "jax"), seeds=len(recompile_s))
    plan = planning.make_plan(request)
    again = dict(enumerate(recompile_s))
    rows = [
        row_of(plan, t, train_s=1.1, recompile_s=again[t.seed] if t.framework == "jax" else None)
        for t in plan.trials
    ]
    (section,) = make_sections(Run(plan, rows, {}))
    sentences = [text for text in remarks(section) if "compile" in text]
    start = "jax fused seems to compile again for segments of a new length: "
    assert sentences == ([start + said] if said else [])


def test_csv_has_every_row_and_every_public_column(run):
    table = exported(run)
    assert len(table) == len(run.plan.trials)
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert set(table.columns[len(COLUMNS) :]) == {
        "parity",
        "parity_detail",
        "gemm_fraction",
        "own_gemm_fraction",
        "noise",
    }
    assert set(table.loop[table.framework == "keras"]) == {"idiomatic", "fused"}


def test_a_cell_that_is_not_proven_says_so(run):
    mlp = make_sections(run)[1]
    keras = next(line for line in mlp.lines if line.framework == "keras" and line.best)
    assert keras.judgement == WRONG
    assert not keras.proven
    assert any("different: 1 update" in remark for remark in remarks(mlp))
    table = exported(run)
    cells = table[(table.experiment == "mnist-mlp") & (table.framework == "keras")]
    assert dict(zip(cells.loop, cells.parity, strict=True)) == {
        "idiomatic": "same",
        "fused": "different",
    }
    assert table.steps.dtype != "float64" or table.steps.isna().all()


def test_json_is_json(run):
    broken = dataclasses.replace(run.rows[0], test_loss=float("nan"))
    rows = [broken, *run.rows]
    value = json.loads(row_export.as_json(dataclasses.replace(run, rows=rows)))
    assert value["schema"] == 1
    assert value["rows"][0]["test_loss"] is None
    assert len(value["rows"]) == len(run.rows) + 1


def test_a_row_reads_back_the_same(run):
    for row in run.rows:
        assert from_json(to_json(row)) == row


@pytest.mark.parametrize("rows_of", ["none", "failed", "one"])
def test_runs_of_nothing_of_failures_and_of_one_trial(run, rows_of):
    failed = [row for row in run.rows if row.status != "ok"]
    rows = {"none": [], "failed": failed, "one": run.rows[:1]}[rows_of]
    report = make_report(dataclasses.replace(run, rows=rows))
    assert "samestep report" in as_markdown(report)
    assert "mnist-mlp" in rendered(report.sections)
    assert row_export.as_csv(report.run).startswith("schema,protocol,run,trial")


HOSTILE = [
    "</script><script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "[/foo]",
    "[link=https://x]y[/link]",
    "a | b | c",
    "\x1b[31mred\x1b[0m",
    "line\nbreak",
    "`code` *bold* ![x](y)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(run, text):
    named = run.plan.experiments["mnist-mlp"].model_copy(update={"title": text})
    experiments = run.plan.experiments | {"mnist-mlp": named}
    plan = dataclasses.replace(run.plan, experiments=experiments)
    rows = [dataclasses.replace(row, status="error", status_detail=text) for row in run.rows]
    report = make_report(dataclasses.replace(run, plan=plan, rows=rows))
    assert "\x1b[31m" not in rendered(report.sections)
    markdown = as_markdown(report)
    tables = [line for line in markdown.splitlines() if line.startswith("| numpy")]
    assert tables
    assert "<script>" not in markdown.replace("\\<", "")
    for line in tables:
        # a network that only predicts has no columns on training time
        assert line.replace("\\|", "").count("|") in (10, 6)
    assert not exported(report.run).status_detail.iloc[0].startswith("=")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text_in_headings_too(run, name):
    def renamed(item):
        return dataclasses.replace(item, framework=name) if item.framework == "numpy" else item

    parts = {
        part: tuple(map(renamed, getattr(run.plan, part)))
        for part in ("trials", "proofs", "limits")
    }
    plan = dataclasses.replace(run.plan, **parts)
    report = make_report(dataclasses.replace(run, plan=plan, rows=list(map(renamed, run.rows))))
    assert "\x1b[31m" not in rendered(report.sections)
    markdown = as_markdown(report)
    headings = [line for line in markdown.splitlines() if line.startswith("| framework | loop |")]
    assert any(" / " in line for line in headings)
    assert "\x1b" not in markdown
    assert "<script>" not in markdown.replace("\\<", "")
    counts = [line.replace("\\|", "").count("|") for line in headings]
    assert set(counts) <= {11, 10, 9, 6}
    assert 10 in counts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (5.15e-7, "515 ns"),
        (9.999e-4, "1.00 ms"),
        (1.234e-5, "12.3 µs"),
        (0.157, "157 ms"),
        (0.9996, "1.00 s"),
        (12.345, "12.3 s"),
        (99.96, "100 s"),
        (119.6, "2 min 0 s"),
        (3725.0, "62 min 5 s"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "of_ratio", "rounded"),
    [
        (0.0, "0", "0"),
        (8.36e-6, "0.0000084", "0.0000084"),
        (0.0149, "0.015", "0.015"),
        (0.0949, "0.095", "0.095"),
        (0.0951, "0.10", "0.095"),
        (0.87, "0.87", "0.87"),
        (0.996, "1.00", "1.0"),
        (4.32, "4.32", "4.3"),
        (9.96, "9.96", "10"),
        (18.4, "18.4", "18"),
        (1849.0, "1,849", "1,800"),
    ],
)
def test_ratios(value, of_ratio, rounded):
    assert (ratio_digits(value), two_digits(value)) == (of_ratio, rounded)


def test_progress_is_plain_lines_in_a_log(run):
    plan, rows = run.plan, run.rows
    stream = io.StringIO()
    with Announcer(plan, Console(file=stream, width=140)) as announcer:
        announcer.resumed(plan.trials[:3])
        for trial, row in list(zip(plan.trials, rows, strict=True))[3:6]:
            announcer.started(trial)
            announcer.finished(trial, row, [])
        failed = dataclasses.replace(rows[6], status="crashed", status_detail="SIGSEGV")
        announcer.finished(plan.trials[6], failed, ["Fatal Python error: \x1b[31m"])
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"3 of {len(plan.trials)} done already, --fresh to run again"
    assert lines[1].startswith(f"[4/{len(plan.trials)}] mnist-softmax ")
    assert lines[-2].endswith("crashed (SIGSEGV)")
    assert lines[-1].startswith("    Fatal Python error:")
    assert "\x1b" not in stream.getvalue()
