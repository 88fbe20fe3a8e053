"""The sweep as it is printed: chart, words, failures; and the command from end to end."""

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness import cli, planning
from harness.analysis import sweep_points
from harness.analysis.scaling import Timing
from harness.execute import runner as local
from harness.experiment.toml_text import to_toml
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Request
from harness.report import scale
from harness.report.files import write_sweep
from harness.report.page.laws import laws
from harness.report.sweep import _signs, fit_sweep
from harness.report.text_chart import step_time_chart
from harness.run import Run
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
        file.write_text(to_toml(point))
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


def printed(sweep, width=80):
    console = Console(file=io.StringIO(), width=width)
    scale.print_sweep(sweep, console)
    return console.file.getvalue()


def test_the_chart():
    fast = [Timing("x", work, us) for work, us in ((1e6, 100.0), (1e7, 200.0), (1e8, 2e3))]
    slow = [Timing("x", work, us) for work, us in ((1e6, 100.0), (1e7, 200.0), (1e8, 1e4))]
    lines = step_time_chart([("a", fast), ("b", slow)])
    assert "\n".join(lines) == GOLDEN.strip("\n")
    assert max(map(len, lines)) <= 80
    assert step_time_chart([]) == step_time_chart([("a", [])]) == []


@pytest.mark.parametrize("decades", range(2, 11))
def test_no_two_ticks_run_into_each_other(decades):
    ends = [Timing("x", 1e3, 1.0), Timing("x", 10.0 ** (3 + decades), 1.0)]
    *_, labels, _ = step_time_chart([("a", ends)])
    wanted = [f"{size} {prefix}" for prefix in "kMGT" for size in (1, 10, 100)]
    assert re.findall(r"\S+ \S+", labels) == wanted[: decades + 1]


def test_one_point_makes_a_chart():
    assert any("a" in line[11:] for line in step_time_chart([("a", [Timing("x", 1e6, 0.5)])])[1:-3])


def test_what_is_printed(plan):
    text = printed(fit_sweep(Run(plan, rows_of(plan), verdicts_of(plan), path=Path("run"))))
    assert max(len(line) for line in text.splitlines()) <= 80
    words = " ".join(text.split())
    assert "n numpy stepwise, t torch stepwise, j jax fused, * several in one place" in words
    assert "50 (50-50) 100 (100-100) 0%" in words
    assert "jax is faster than numpy up to about width 41, then numpy is" in words
    assert "numpy is faster than torch up to about width 147, then torch is" in words
    assert "rows in run/trials" in words


def test_numbers_of_threads_have_laws_of_their_own_and_are_never_compared(plan):
    request = dataclasses.replace(plan.request, threads=(1, 2))
    trials = [
        dataclasses.replace(trial, threads=threads, id=f"{trial.id}-{threads}")
        for trial in plan.trials
        for threads in (1, 2)
    ]
    both = dataclasses.replace(plan, request=request, trials=tuple(trials))
    rows = [
        dataclasses.replace(
            row, step_us=row.step_us / (row.threads if row.framework == "torch" else 1)
        )
        for row in rows_of(both)
    ]
    sweep = fit_sweep(Run(both, rows, verdicts_of(both), path=Path("run")))
    of_torch = {
        loop.label: loop.fit.gflop_per_s.value for loop in sweep.loops if "torch" in loop.label
    }
    assert of_torch == {
        "torch stepwise on 1 thread": pytest.approx(300),
        "torch stepwise on 2 threads": pytest.approx(600),
    }
    assert len({loop.sign for loop in sweep.loops}) == 6
    assert len(sweep.comparisons) == 2 * 3
    for comparison in sweep.comparisons:
        first, second = comparison.pair
        assert first.partition(" on ")[2] == second.partition(" on ")[2] != ""
    words = " ".join(printed(sweep).split())
    assert "plain SGD, float32, 1 or 2 threads" in words
    assert {record["c"] for record in laws(sweep).records} == {loop.label for loop in sweep.loops}


def test_the_chart_of_laws(plan, tmp_path):
    sweep = fit_sweep(Run(plan, rows_of(plan), verdicts_of(plan)))
    figure = laws(sweep)
    assert list(figure.specs) == ["step-time"]
    assert {record["c"] for record in figure.records} == {
        "numpy stepwise",
        "torch stepwise",
        "jax fused",
    }
    assert all(record["t"] == pytest.approx(record["law"], rel=1e-3) for record in figure.records)
    write_sweep(tmp_path / "s.json", sweep)
    assert json.loads((tmp_path / "s.json").read_text())["laws"]
    pytest.importorskip("vl_convert")
    write_sweep(tmp_path / "s.svg", sweep)
    assert "step time by work" in (tmp_path / "s.svg").read_text()
    assert laws(fit_sweep(Run(plan, [], {}))) is None


def test_unproven_loops_are_said_so_and_compared_with_nobody(plan):
    sweep = fit_sweep(Run(plan, rows_of(plan), verdicts_of(plan, "different")))
    assert not sweep.comparisons
    words = " ".join(printed(sweep).split())
    assert "torch stepwise: different at scale-w256-b128-d2, so it is compared with" in words
    assert "Who is faster where: needs laws of at least two proven frameworks." in words
    sweep = fit_sweep(Run(plan, rows_of(plan), {}))
    assert {loop.verdict for loop in sweep.loops} == {"not proven"}


def test_failed_rows_are_reasons_not_tracebacks(plan):
    rows = rows_of(plan, status="crashed", status_detail="signal 9 [bold]")
    words = " ".join(printed(fit_sweep(Run(plan, rows, {}))).split())
    assert "nothing was measured" in words
    assert "jax fused: no law; a fit needs points of at least 3 different sizes. Got 0" in words
    assert "jax fused: 16 points: crashed (signal 9 [bold])" in words
    assert "nothing was measured" in printed(fit_sweep(Run(plan, [], {})))


def disturb(rows, slower, which):
    """The same rows, those of NumPy that `which` picks slowed by another process."""
    of_numpy = [i for i, row in enumerate(rows) if row.framework == "numpy"]
    for place in of_numpy[which]:
        slowed = slower * rows[place].step_us
        rows[place] = dataclasses.replace(rows[place], step_us=slowed, wait_fraction=0.9)
    return rows


def test_a_disturbed_point_is_counted_and_left_out_of_the_law(plan):
    calm = fit_sweep(Run(plan, rows_of(plan), verdicts_of(plan)))
    rows = disturb(rows_of(plan), 20, slice(0, 1))
    sweep = fit_sweep(Run(plan, rows, verdicts_of(plan)))
    words = " ".join(printed(sweep).split())
    assert "1 of 48 measurements were disturbed by other processes" in words
    assert "does not hold everywhere" not in words
    before, after = (
        next(loop.fit for loop in each.loops if loop.framework == "numpy") for each in (calm, sweep)
    )
    assert after.gflop_per_s.value == pytest.approx(before.gflop_per_s.value, rel=0.2)


def test_where_most_points_are_disturbed_they_stay_and_are_named(plan):
    rows = disturb(rows_of(plan), 1.0, slice(1, None))
    rows = disturb(rows, 20, slice(0, 1))
    sweep = fit_sweep(Run(plan, rows, verdicts_of(plan)))
    words = " ".join(printed(sweep).split())
    assert "numpy stepwise: the law does not hold everywhere: at scale-w256-b128-d2" in words
    assert "(disturbed: waited 90% of the time for a CPU" in words


def test_signs_are_different_letters():
    signs = _signs(["torch", "tinygrad", "t", "numpy"])
    assert signs == {"torch": "t", "tinygrad": "i", "t": "a", "numpy": "n"}


# ---------------------------------------------------------------- the command


@pytest.mark.xdist_group("processes")
def test_the_command_from_end_to_end(small, cache, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.report.sweep.disturbances", lambda rows: {})  # however busy
    run = CliRunner().invoke
    done = run(cli.app, ["scale", "--quick", "--frameworks", "numpy", "--out", "r"])
    assert done.exit_code == 0, done.output
    assert "3 experiments, 1 framework (numpy), 3 trials, 2 proofs" in done.stderr
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
        "scale-w16-b32-d2",
        "scale-w24-b32-d2",
        "scale-w16-b8-d2",
    ]


@pytest.mark.xdist_group("processes")
def test_ctrl_c_keeps_rows_and_exits_130(small, cache, tmp_path, monkeypatch):
    store = local.Runner._store

    def interrupting(self, trial, row, tail):
        store(self, trial, row, tail)
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
