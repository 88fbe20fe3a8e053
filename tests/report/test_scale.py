"""The sweep as it is printed: chart, words, failures; and the command from end to end."""

import dataclasses
import io
import json
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness import cli, planning
from harness.analysis import sweep_points
from harness.analysis.scaling import Timing
from harness.execute import runner as local
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.report import scale, sweep
from harness.report import text_chart as chart
from harness.report.page.laws import laws
from harness.trial.outcome import blank_row

CENTRE = (16, 32, 2)
LAWS = {"numpy": (50, 100), "torch": (200, 300), "jax": (20, 50)}

GOLDEN = r"""
step time
    10 ms +                                                                   b
          |
          |
          |
          |
          |
          |                                                                   a
          |
          |
     1 ms +
          |
          |
          |
          |
          |
          |                                  *
          |
          |
   100 µs +*
          ++---------------------------------+--------------------------------+
           1 M                             10 M                           100 M
                        work of a step: floating-point operations
"""


@pytest.fixture
def small(monkeypatch):
    """Three small points, so that the whole command takes seconds."""
    monkeypatch.setattr(sweep_points, "CENTRE", CENTRE)
    monkeypatch.setattr(sweep_points, "WIDTHS", (16, 24))
    monkeypatch.setattr(sweep_points, "BATCHES", (8,))
    monkeypatch.setattr(sweep_points, "DEPTHS", (2,))
    monkeypatch.setattr(sweep_points, "POINT_S", {True: 0.02, False: 0.02})


@pytest.fixture
def plan(tmp_path):
    """The quick sweep in three frameworks, nothing run."""
    files = []
    for point in sweep_points.points(quick=True):
        file = tmp_path / f"{point.name}.toml"
        file.write_text(sweep_points.to_toml(point))
        files.append(str(file))
    return planning.make_plan(Request(experiments=tuple(files), frameworks=tuple(LAWS)))


def rows_of(plan, **changes):
    """Rows that follow LAWS exactly."""
    rows = []
    for trial in plan.trials:
        experiment = plan.experiments[trial.experiment]
        overhead_us, gflop_per_s = LAWS[trial.framework]
        row = blank_row(trial, plan.digest, "1", experiment, "ok", None)
        step_us = overhead_us + experiment.step_flop * 1e-3 / gflop_per_s
        rows.append(dataclasses.replace(row, device="cpu", step_us=step_us, **changes))
    return rows


def verdicts_of(plan, verdict="same"):
    centre = next(iter(plan.experiments))
    cells = {(centre, trial.framework, trial.loop) for trial in plan.trials}
    return {cell: Judgement(Verdict(verdict), "", ()) for cell in cells}


def printed(made, tmp_path, width=80):
    console = Console(file=io.StringIO(), width=width)
    scale.print_sweep(made, tmp_path, console)
    return console.file.getvalue()


def test_the_chart():
    fast = [Timing("x", work, us) for work, us in ((1e6, 100.0), (1e7, 200.0), (1e8, 2e3))]
    slow = [Timing("x", work, us) for work, us in ((1e6, 100.0), (1e7, 200.0), (1e8, 1e4))]
    lines = chart.chart([("a", fast), ("b", slow)])
    assert "\n".join(lines) == GOLDEN.strip("\n")
    assert max(map(len, lines)) <= 80
    assert chart.chart([]) == chart.chart([("a", [])]) == []


@pytest.mark.parametrize("decades", range(2, 11))
def test_no_two_ticks_run_into_each_other(decades):
    ends = [Timing("x", 1e3, 1.0), Timing("x", 10.0 ** (3 + decades), 1.0)]
    *_, labels, _ = chart.chart([("a", ends)])
    wanted = [f"{size} {prefix}" for prefix in "kMGT" for size in (1, 10, 100)]
    assert re.findall(r"\S+ \S+", labels) == wanted[: decades + 1]


def test_one_point_makes_a_chart():
    assert any("a" in line[11:] for line in chart.chart([("a", [Timing("x", 1e6, 0.5)])])[1:-3])


def test_what_is_printed(plan, tmp_path):
    text = printed(sweep.sweep(plan, rows_of(plan), verdicts_of(plan)), tmp_path)
    assert max(len(line) for line in text.splitlines()) <= 80
    words = " ".join(text.split())
    assert "n numpy stepwise, t torch stepwise, j jax fused, * several in one place" in words
    assert "50 (50-50) 100 (100-100) 0%" in words
    assert "jax is faster than numpy up to about width 41, then numpy is" in words
    assert "numpy is faster than torch up to about width 147, then torch is" in words
    assert f"rows in {tmp_path}" in words


def test_the_chart_of_laws(plan, tmp_path):
    made = sweep.sweep(plan, rows_of(plan), verdicts_of(plan))
    figure = laws(made)
    assert list(figure.specs) == ["step-time"]
    assert {record["c"] for record in figure.records} == {
        "numpy stepwise", "torch stepwise", "jax fused",
    }  # fmt: skip
    assert all(record["t"] == pytest.approx(record["law"], rel=1e-3) for record in figure.records)
    scale.write(tmp_path / "s.json", made, rows_of(plan), tmp_path)
    assert json.loads((tmp_path / "s.json").read_text())["laws"]
    pytest.importorskip("vl_convert")
    scale.write(tmp_path / "s.svg", made, rows_of(plan), tmp_path)
    assert "step time by work" in (tmp_path / "s.svg").read_text()
    assert laws(sweep.sweep(plan, [], {})) is None


def test_unproven_loops_are_said_so_and_compared_with_nobody(plan, tmp_path):
    made = sweep.sweep(plan, rows_of(plan), verdicts_of(plan, "different"))
    assert not made.comparisons
    words = " ".join(printed(made, tmp_path).split())
    assert "torch stepwise: different at scale-w256-b128-d2, so it is compared with" in words
    assert "Who is faster where: needs laws of at least two proven frameworks." in words
    made = sweep.sweep(plan, rows_of(plan), {})
    assert {cell.verdict for cell in made.cells} == {"not proven"}


def test_failed_rows_are_reasons_not_tracebacks(plan, tmp_path):
    rows = rows_of(plan, status="crashed", status_detail="signal 9 [bold]")
    words = " ".join(printed(sweep.sweep(plan, rows, {}), tmp_path).split())
    assert "nothing was measured" in words
    assert "jax fused: no law; a fit needs points of at least 3 different sizes. Got 0" in words
    assert "jax fused: 16 points: crashed (signal 9 [bold])" in words
    assert "nothing was measured" in printed(sweep.sweep(plan, [], {}), tmp_path)


def disturb(rows, slower, which):
    """The same rows, those of NumPy that `which` picks slowed by a neighbour."""
    own = [i for i, row in enumerate(rows) if row.framework == "numpy"]
    for place in own[which]:
        slowed = slower * rows[place].step_us
        rows[place] = dataclasses.replace(rows[place], step_us=slowed, wait_fraction=0.9)
    return rows


def test_a_disturbed_point_is_counted_and_left_out_of_the_law(plan, tmp_path):
    calm = sweep.sweep(plan, rows_of(plan), verdicts_of(plan))
    rows = disturb(rows_of(plan), 20, slice(0, 1))
    made = sweep.sweep(plan, rows, verdicts_of(plan))
    words = " ".join(printed(made, tmp_path).split())
    assert "something else slowed 1 of 48 measurements" in words
    assert "does not hold everywhere" not in words
    before, after = (next(c.fit for c in s.cells if c.framework == "numpy") for s in (calm, made))
    assert after.gflop_per_s.value == pytest.approx(before.gflop_per_s.value, rel=0.2)


def test_where_most_points_are_disturbed_they_stay_and_are_named(plan, tmp_path):
    rows = disturb(rows_of(plan), 1.0, slice(1, None))
    rows = disturb(rows, 20, slice(0, 1))
    made = sweep.sweep(plan, rows, verdicts_of(plan))
    words = " ".join(printed(made, tmp_path).split())
    assert "numpy stepwise: the law does not hold everywhere: at scale-w256-b128-d2" in words
    assert "(disturbed: waited 90% of the time for a CPU" in words


def test_signs_are_different_letters():
    signs = sweep._signs(["torch", "tinygrad", "t", "numpy"])
    assert signs == {"torch": "t", "tinygrad": "i", "t": "a", "numpy": "n"}


# ---------------------------------------------------------------- the command


@pytest.mark.xdist_group("processes")
def test_the_command_from_end_to_end(small, cache, tmp_path):
    run = CliRunner().invoke
    done = run(cli.app, ["scale", "--quick", "--frameworks", "numpy", "--out", "r"])
    assert done.exit_code == 0, done.output
    assert "3 experiments, 1 framework (numpy), 3 trials, 1 proof" in done.stderr
    assert "n numpy stepwise" in done.stdout
    assert "needs laws of at least two proven frameworks" in done.stdout
    again = run(cli.app, ["scale", "--quick", "--frameworks", "numpy", "--out", "r", "--json"])
    assert again.exit_code == 0
    assert "3 of 3 done already" in again.stderr
    values = json.loads(again.stdout)
    assert values["schema"] == scale.SCHEMA
    (law,) = values["laws"]
    assert law["verdict"] == "same"
    assert law["fit"]["points"] == len(values["rows"]) == 3
    assert [point["name"] for point in values["points"]] == [
        "scale-w16-b32-d2", "scale-w24-b32-d2", "scale-w16-b8-d2",
    ]  # fmt: skip


@pytest.mark.xdist_group("processes")
def test_ctrl_c_keeps_rows_and_exits_130(small, cache, tmp_path, monkeypatch):
    told = local.Runner._store

    def interrupting(self, trial, row, tail):
        told(self, trial, row, tail)
        raise KeyboardInterrupt

    monkeypatch.setattr(local.Runner, "_store", interrupting)
    done = CliRunner().invoke(cli.app, ["scale", "--quick", "--frameworks", "numpy", "--out", "r"])
    assert done.exit_code == 130
    assert "numpy stepwise: no law; a fit needs points of" in done.stdout
    assert len(list((tmp_path / "r" / "trials").glob("*.json"))) == 1


def test_a_wrong_framework_is_a_usage_error(small, cache):
    done = CliRunner().invoke(cli.app, ["scale", "--frameworks", "nunpy"])
    assert done.exit_code == 2
    assert "Did you mean 'numpy'?" in done.stderr
