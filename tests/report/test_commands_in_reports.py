"""Commands in a report: proven and scored beside adapters, their times in a column of their own."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from harness import planning
from harness.analysis.cells import MeasuredCell, ratios_to_baseline, rows_by_cell
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.report import row_export, terminal
from harness.report.answer import answer
from harness.report.markdown import as_markdown
from harness.report.model import Report
from harness.report.page import commands, report_page, tables
from harness.report.page.learning_curves import curves_of
from harness.report.sections import make_sections
from harness.run import Run
from harness.trial.outcome import blank_row

SAME = Judgement(Verdict.SAME, "", ())
COMMAND = "cmd:julia 'a,b.jl' {folder}"
NAME = "cmd: julia a,b.jl"


def run_of(frameworks=("numpy", COMMAND), stated=(0.01, 0.03, 0.02), points=None, timed=True):
    """A run of three seeds in which the program says that it is a hundred times as fast."""
    request = Request(("xor-mlp",), frameworks, seeds=3, timed=timed)
    plan = planning.make_plan(request)
    rows, arrays = [], {}
    steps = plan.experiments["xor-mlp"].evaluation_points
    for trial in plan.trials:
        row = blank_row(trial, plan.digest, "1", plan.experiments["xor-mlp"], "ok", None)
        columns = {"test_accuracy": 1.0, "test_loss": 0.1, "device": "cpu", "machine": "m"}
        of_trial = np.array(steps if trial.framework == "numpy" or points is None else points)
        arrays[trial.id] = {"step": of_trial, "train_loss": 1.0 / of_trial}
        arrays[trial.id]["test_accuracy"] = np.ones(len(of_trial))
        if trial.loop == "own":
            columns |= {"command": COMMAND[4:], "stated_train_s": stated[trial.seed]}
        elif timed:
            columns |= {"train_s": 1.0 + 0.01 * trial.seed, "step_us": 100.0}
            arrays[trial.id]["train_s"] = np.linspace(0, 1, len(of_trial))
        rows.append(dataclasses.replace(row, **columns))
    verdicts = {(t.experiment, t.framework, t.loop): SAME for t in plan.trials}
    return Run(plan, rows, verdicts, arrays=arrays.get)


def report_of(run):
    return Report(run, make_sections(run))


def printed(run):
    stream = io.StringIO()
    report = report_of(run)
    terminal.print_sections(report.sections, Console(file=stream, width=200))
    return stream.getvalue() + answer(run, report.sections)


def test_its_time_is_its_own_word_in_a_column_that_says_so():
    (section,) = make_sections(run_of())
    adapter, command = section.lines
    assert (command.framework, command.loop, command.stated_s) == (NAME, "own", 0.02)
    assert command.train is command.ratio is command.step is None
    assert command.proven
    assert not command.ranked
    assert adapter.ranked
    text = printed(run_of())
    assert "stated time" in text
    assert "20.0 ms" in text
    assert f"{NAME} is a command: not timed here, and not ranked; its stated time" in text


def test_nobody_is_ranked_by_a_stated_time():
    run = run_of()
    (section,) = make_sections(run)
    assert section.ranking is None
    assert section.baseline.framework == "numpy"
    text = printed(run)
    assert "All 6 trials are proven to come from the same computation" in text
    assert "fastest" not in text
    page = report_page.as_html(report_of(run))
    overview = tables.overview([section])
    _, adapter, command = (cell.text for cell in overview.rows[0].cells)
    assert (adapter, command) == ("1.0000 ± 0.0000, 1.01 s", "1.0000 ± 0.0000")
    assert "20.0 ms" in page


def test_without_a_stated_time_there_is_no_such_column():
    run = run_of(stated=(None, None, None))
    assert "stated time" not in printed(run)
    assert f"{NAME} is a command: not timed here, and not ranked\n" in printed(run)
    assert "stated time" not in as_markdown(report_of(run))
    assert "stated time" not in printed(run_of(("numpy",)))


def test_without_times_nothing_is_said_of_them():
    text = printed(run_of(timed=False, stated=(None, None, None)))
    assert "not ranked" not in text
    assert "stated time" not in text


@pytest.mark.parametrize("timed", [True, False])
def test_all_tables_have_a_cell_under_every_heading(timed):
    run = run_of(timed=timed)
    (section,) = make_sections(run)
    table = tables.lines_table(run.plan, section)
    assert {len(row.cells) for row in table.rows} == {len(table.headings)}
    facts = dict(table.rows[1].details.facts)
    assert facts["command"] == COMMAND[4:]
    assert report_page.as_html(report_of(run))


def test_a_run_of_commands_alone_has_a_report():
    run = run_of((COMMAND, "cmd:other {folder}"))
    assert "All 6 trials are proven" in printed(run)
    assert report_page.as_html(report_of(run))
    assert as_markdown(report_of(run))


def test_a_command_on_a_device_that_nobody_knows_stands_beside_the_others():
    run = run_of()
    rows = [
        dataclasses.replace(row, device="auto" if row.command else "cuda:0") for row in run.rows
    ]
    (section,) = make_sections(dataclasses.replace(run, rows=rows))
    assert section.device == "cuda:0"
    assert [line.device for line in section.lines] == ["cuda:0", "auto"]


def test_columns_have_the_command_and_what_it_states():
    table = pd.read_csv(io.StringIO(row_export.as_csv(run_of())))
    of_command = table[table.loop == "own"]
    assert set(of_command.command) == {COMMAND[4:]}
    assert sorted(of_command.stated_train_s) == [0.01, 0.02, 0.03]
    assert of_command.train_s.isna().all()
    assert table[table.loop != "own"].command.isna().all()


def test_a_command_is_no_baseline():
    run = run_of(("keras", "torch", COMMAND))
    cells = rows_by_cell(run.rows)
    torch = next(cell for cell in cells if cell.framework == "torch")
    assert ratios_to_baseline(torch, cells, lambda row: row.train_s) != {}
    command = MeasuredCell.of(run.rows[-1])
    assert ratios_to_baseline(command, cells, lambda row: row.train_s) == {}


def test_the_commands_that_make_it_again_keep_the_comma():
    run = run_of()
    (section,) = make_sections(run)
    quoted = "cmd:julia '\"'\"'a,b.jl'\"'\"' {folder}"
    assert f"--frameworks 'numpy,{quoted}'" in commands.of_run(run.plan)
    again = commands.of_line(run.plan, "xor-mlp", section.lines[1])
    assert f"--frameworks '{quoted}'" in again
    assert "--loops" not in again


def test_a_curve_needs_all_points():
    (section,) = make_sections(run_of())
    assert [curves.framework for curves in curves_of(section, run_of())] == ["numpy", NAME]
    assert curves_of(section, run_of())[1].seconds is None
    few = run_of(points=(1, 2, 4001))
    assert [curves.framework for curves in curves_of(section, few)] == ["numpy"]
    assert "Not timed, and so not by time: cmd: julia" in report_page.as_html(report_of(run_of()))
