"""Charts as files: their names, what refuses them, and the commands that write them."""

import dataclasses
import struct

import pytest
from pages import charts_or_skip, compared, ledger, report_of, request
from typer.testing import CliRunner

from harness import cli, planning
from harness.experiment.training import Length
from harness.report.chart_names import NoChartError
from harness.report.files import write_report
from harness.report.page import drawing
from harness.report.page.learning_curves import ENOUGH_POINTS
from harness.results import RunFolder
from tests.analysis.rows import run_of

CHARTS = (
    "training-loss-by-step",
    "training-loss-by-time",
    "test-accuracy-by-step",
    "test-accuracy-by-time",
    "phases",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two small experiments."""
    path = tmp_path_factory.mktemp("run")
    report = report_of(path, request(("xor-mlp", "diabetes-linear"), frameworks=("numpy", "jax")))
    RunFolder(path).plan_file.write_text(report.run.plan.to_json(), encoding="utf-8")
    return path, report


@pytest.fixture
def vl_convert(charts):
    charts_or_skip()


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_names(folder):
    drawings = drawing.of_report(folder[1])
    regression = [name.replace("accuracy", "loss") for name in CHARTS]
    assert list(drawings) == [
        "overview",
        *(f"xor-mlp/{name}" for name in CHARTS),
        *(f"diabetes-linear/{name}" for name in regression),
    ]
    assert list(drawing.of_claims(ledger())) == ["differences"]
    assert list(drawing.of_comparison(compared())) == ["time", "time-to-baseline"]


def test_names_that_are_known_before_anything_is_trained(folder):
    names = drawing.names(folder[1].run.plan)
    assert set(drawing.of_report(folder[1])) <= set(names)
    assert len(set(names)) == len(names) == 1 + 2 * (len(CHARTS) + 1)  # and the limits
    plan = folder[1].run.plan
    short = plan.experiments["xor-mlp"].of_length(Length(steps=20))
    few = dataclasses.replace(plan, experiments={"xor-mlp": short})
    evaluated = len(short.evaluation_points) < ENOUGH_POINTS
    assert ("xor-mlp/batch-loss-by-step" in drawing.names(few)) == evaluated
    alone = planning.make_plan(request(("fixed-forward",)))
    assert drawing.names(alone) == ["overview", "fixed-forward/phases", "fixed-forward/limits"]


def test_what_was_not_measured_cannot_be_drawn(folder):
    drawings = drawing.of_report(folder[1])
    with pytest.raises(NoChartError, match="nothing was measured that it could show") as error:
        drawing.image(drawings, "xor-mlp/limits", ".svg")
    assert "There are: xor-mlp/training-loss-by-step, " in str(error.value)
    assert "diabetes-linear/phases" not in str(error.value)  # of the same experiment only
    with pytest.raises(NoChartError, match="nothing to draw"):
        drawing.image({}, "", ".png")


def test_images_are_pure_functions(folder, vl_convert):
    drawings = drawing.of_report(folder[1])
    svg = drawing.image(drawings, "xor-mlp/test-accuracy-by-step", ".svg")
    assert svg.startswith(b"<svg")
    assert b"training accuracy by step" in svg
    assert svg == drawing.image(drawings, "xor-mlp/test-accuracy-by-step", ".svg")
    png = drawing.image(drawings, "xor-mlp/phases", ".png")
    width, _ = struct.unpack(">II", png[16:24])
    assert width > drawing.SCALE * drawing.WIDTH
    for drawings_of_one in (drawing.of_claims(ledger()), drawing.of_comparison(compared())):
        assert drawing.image(drawings_of_one, "", ".svg").count(b"<path") > 3


def test_without_vl_convert(folder, cache, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    files = f"xor-mlp/phases={tmp_path / 'p.svg'}", tmp_path / "r.md"
    done = run("report", "--from", folder[0], "--chart", files[0], "-o", files[1])
    assert done.exit_code == 3
    assert 'pip install "samestep[report]"' in done.stderr
    assert "xor-mlp: " in done.stdout  # the tables
    assert files[1].exists()
    for command, chart in (
        (("report", "xor-mlp"), "xor-mlp/phases=p.svg"),
        (("scale",), "step-time=s.svg"),
        (("reproduce", "C08"), "differences=d.svg"),
    ):
        # nothing is trained for nothing
        done = run(*command, "--chart", chart, "--out", tmp_path / "run")
        assert done.exit_code == 3
        assert 'pip install "samestep[report]"' in done.stderr
        assert not (tmp_path / "run").exists()


def test_a_chart_that_fails_hides_no_failed_trial(tmp_path, cache):
    report = report_of(tmp_path / "r", request(("xor-flip",), frameworks=("numpy", "jax")))
    folder = RunFolder(tmp_path / "r")
    folder.plan_file.write_text(report.run.plan.to_json(), encoding="utf-8")
    (row, *_) = report.run.rows
    folder.write_row(dataclasses.replace(row, status="crashed"))
    done = run("report", "--from", folder.path, "--chart", f"xor-flip/limits={tmp_path / 'x.svg'}")
    assert done.exit_code == 1
    assert "chart 'xor-flip/limits': nothing was measured" in done.stderr


def test_report_writes_charts(folder, tmp_path, vl_convert):
    svg, png = tmp_path / "a.svg", tmp_path / "b=c.png"
    charts = f"xor-mlp/test-accuracy-by-time={svg}", f"diabetes-linear/phases={png}"
    options = "--chart", charts[0], "--chart", charts[1], "-o", tmp_path / "r.md"
    done = run("report", "--from", folder[0], *options)
    assert done.exit_code == 0, done.output
    assert svg.read_bytes().startswith(b"<svg")
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert f"wrote {svg}" in " ".join(done.stdout.split())
    assert b"not proven" in svg.read_bytes()  # the folder holds no proofs
    write_report(svg, folder[1], "xor-mlp/test-accuracy-by-time")
    assert b"not proven" not in svg.read_bytes()
    for name in ("xor-mlp/limits", "xor/phases", ""):
        wrong = run("report", "--from", folder[0], "--chart", f"{name}={tmp_path / 'x.svg'}")
        assert wrong.exit_code == 2
        assert "chart" in wrong.stderr


def keep(path, plan, rows):
    """A folder of a run."""
    folder = RunFolder(path)
    folder.trials.mkdir(parents=True)
    folder.plan_file.write_text(plan.to_json(), encoding="utf-8")
    for row in rows:
        folder.write_row(row)


def test_compare_writes_all_its_files(cache, tmp_path, vl_convert):
    keep(tmp_path / "a", *run_of({"numpy": 1.0, "torch": 3.0}))
    keep(tmp_path / "b", *run_of({"numpy": 1.0, "torch": 4.0}))
    keep(tmp_path / "c", *run_of({"numpy": 1.0, "torch": 3.0}, machine="another"))
    files = [word for file in ("c.html", "c.md", "c.json") for word in ("-o", file)]
    charts = ["--chart", "time=c.svg", "--chart", "time-to-baseline=d.png"]
    done = run("compare", "a", "b", *files, *charts)
    assert done.exit_code == 0, done.output
    assert "1.33 (1.33 to 1.33)" in (tmp_path / "c.html").read_text()
    assert "| torch |" in (tmp_path / "c.md").read_text()
    assert (tmp_path / "c.svg").read_bytes() != (tmp_path / "d.png").read_bytes()
    refused = run("compare", "a", "c", "-o", "refused.html", "--chart", "time=refused.svg")
    assert refused.exit_code == 2
    assert "machine: m against another" in (tmp_path / "refused.html").read_text()
    assert not (tmp_path / "refused.svg").exists()
    wrong = run("compare", "a", "b", "-o", "c.csv")
    assert wrong.exit_code == 2
    assert "suffix must be .md, .json or .html. Got '.csv'" in wrong.stderr


def test_a_gate_is_reported_whatever_happens_to_the_files(cache, tmp_path, monkeypatch):
    keep(tmp_path / "a", *run_of({"numpy": 1.0}))
    keep(tmp_path / "b", *run_of({"numpy": 1.2}))
    gate = ("compare", "a", "b", "--fail-on", "time>5%")
    # there is no baseline
    done = run(*gate, "--chart", "time-to-baseline=x.svg", "-o", "c.md")
    assert done.exit_code == 1
    assert "time>5%: digits-mlp numpy stepwise: time +20.0 %" in done.stderr
    assert "chart 'time-to-baseline': nothing was measured" in done.stderr
    assert "all lines: experiment digits-mlp" in done.stdout
    assert (tmp_path / "c.md").exists()
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    for arguments, code in ((gate, 1), (gate[:3], 3)):
        done = run(*arguments, "--chart", "time=x.svg")
        assert done.exit_code == code
        assert 'pip install "samestep[report]"' in done.stderr
        assert "all lines: experiment digits-mlp" in done.stdout
