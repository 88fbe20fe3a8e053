"""Reports from rows alone: golden files, aggregation, hostile names."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from harness import planning
from harness.cli.progress import Announcer
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.plan import Request
from harness.report import markdown as export
from harness.report import section_table as summary
from harness.report import terminal
from harness.report.markdown import Report
from harness.report.text import seconds
from harness.results import COLUMNS, RunFolder, from_json, to_json, write_arrays
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
    """A plan, and rows as if it had run: one failure, one missing framework, one native."""
    request = Request(
        experiments=("mnist-softmax", "mnist-mlp", "fixed-forward", "diabetes-linear"), seeds=2
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
    return plan, folder, rows


def rendered(sections, width=140):
    stream = io.StringIO()
    terminal.print_sections(sections, Console(file=stream, width=width))
    return stream.getvalue()


def test_markdown_and_terminal(run, snapshot):
    plan, folder, rows = run
    sections = summary.sections(plan, folder, rows, VERDICTS)
    assert export.markdown(Report(plan, rows, sections, VERDICTS)) == snapshot
    assert rendered(sections) == snapshot


def test_one_line_per_framework_and_native_apart(run):
    plan, folder, rows = run
    softmax, mlp, *_ = summary.sections(plan, folder, rows, VERDICTS)
    lines = [(line.framework, line.track, line.loop) for line in softmax.lines]
    assert lines[-1] == ("sklearn", "native", "LogisticRegression(lbfgs)")
    best = [line for line in mlp.lines if line.best]
    assert [line.framework for line in best] == ["numpy", "sklearn", "keras", "torch", "jax"]
    assert {line.framework: line.loop for line in best}["keras"] == "fused"
    jax = mlp.lines[-1]
    assert jax.status == "1 ok, 1 timeout"
    assert jax.accuracy == pytest.approx(0.9171)  # the failed seed is not averaged in
    numpy = mlp.lines[0]
    assert numpy.accuracy == pytest.approx(0.9176)
    assert numpy.spread == pytest.approx(0.001 / np.sqrt(2))


def test_csv_has_every_row_and_every_public_column(run):
    plan, _, rows = run
    table = pd.read_csv(io.StringIO(export.csv(Report(plan, rows, (), VERDICTS))))
    assert len(table) == len(plan.trials)
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert set(table.columns[len(COLUMNS) :]) == {
        "parity", "parity_detail", "gemm_fraction", "own_gemm_fraction", "noise",
    }  # fmt: skip
    assert set(table.loop[table.framework == "keras"]) == {"idiomatic", "fused"}


def test_a_cell_that_is_not_proven_says_so(run):
    plan, folder, rows = run
    mlp = summary.sections(plan, folder, rows, VERDICTS)[1]
    keras = next(line for line in mlp.lines if line.framework == "keras" and line.best)
    assert keras.judgement == WRONG
    assert not keras.proven
    assert any("different: 1 update" in remark for remark in summary.remarks(mlp))
    table = pd.read_csv(io.StringIO(export.csv(Report(plan, rows, (), VERDICTS))))
    found = table[(table.experiment == "mnist-mlp") & (table.framework == "keras")]
    assert dict(zip(found.loop, found.parity, strict=True)) == {
        "idiomatic": "same", "fused": "different",
    }  # fmt: skip
    assert table.steps.dtype != "float64" or table.steps.isna().all()


def test_json_is_json(run):
    plan, _, rows = run
    broken = dataclasses.replace(rows[0], test_loss=float("nan"))
    value = json.loads(export.as_json(Report(plan, [broken, *rows], (), VERDICTS)))
    assert value["schema"] == 1
    assert value["rows"][0]["test_loss"] is None
    assert len(value["rows"]) == len(rows) + 1


def test_a_row_reads_back_the_same(run):
    _, _, rows = run
    for row in rows:
        assert from_json(to_json(row)) == row


@pytest.mark.parametrize("kept", ["none", "failed", "one"])
def test_runs_of_nothing_of_failures_and_of_one_trial(run, kept):
    plan, folder, rows = run
    rows = {"none": [], "failed": [r for r in rows if r.status != "ok"], "one": rows[:1]}[kept]
    sections = summary.sections(plan, folder, rows, VERDICTS)
    assert "samestep report" in export.markdown(Report(plan, rows, sections, VERDICTS))
    assert "mnist-mlp" in rendered(sections)
    assert export.csv(Report(plan, rows, (), VERDICTS)).startswith("schema,protocol,run,trial")


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
    plan, folder, rows = run
    named = plan.experiments["mnist-mlp"].model_copy(update={"title": text})
    plan = dataclasses.replace(plan, experiments=plan.experiments | {"mnist-mlp": named})
    rows = [dataclasses.replace(r, status="error", status_detail=text) for r in rows]
    sections = summary.sections(plan, folder, rows, VERDICTS)
    shown = rendered(sections)
    assert "\x1b[31m" not in shown
    markdown = export.markdown(Report(plan, rows, sections, VERDICTS))
    tables = [line for line in markdown.splitlines() if line.startswith("| numpy")]
    assert tables
    assert "<script>" not in markdown.replace("\\<", "")
    for line in tables:
        assert line.replace("\\|", "").count("|") == 11
    details = pd.read_csv(io.StringIO(export.csv(Report(plan, rows, (), VERDICTS)))).status_detail
    assert not details.iloc[0].startswith("=")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"), (5.15e-7, "515 ns"), (9.999e-4, "1.00 ms"), (1.234e-5, "12.3 µs"),
        (0.157, "157 ms"), (0.9996, "1.00 s"), (12.345, "12.3 s"), (99.96, "100 s"),
        (119.6, "2 min 0 s"), (3725.0, "62 min 5 s"),
    ],
)  # fmt: skip
def test_seconds(value, shown):
    assert seconds(value) == shown


def test_progress_is_plain_lines_in_a_log(run):
    plan, _, rows = run
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
