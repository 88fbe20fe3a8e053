"""Charts as files: their names, what refuses them, and the commands that write them."""

import struct

import pytest
from pages import compared, ledger, made, request
from typer.testing import CliRunner

from harness import cli
from harness.report import export
from harness.report.page import bundle, drawing
from harness.results import RunFolder
from tests.clock.rows import run_of

CHARTS = (
    "training-loss-by-step", "training-loss-by-time", "test-accuracy-by-step",
    "test-accuracy-by-time", "phases",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two small experiments."""
    path = tmp_path_factory.mktemp("run")
    report = made(path, request(("xor-mlp", "diabetes-linear"), frameworks=("numpy", "jax")))
    RunFolder(path).plan_file.write_text(report.plan.to_json(), encoding="utf-8")
    return path, report


@pytest.fixture
def vl_convert(cache):
    if bundle.chart_library() is None:
        pytest.skip("vl-convert is not installed")


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_names(folder):
    drawings = drawing.of_report(folder[1])
    regression = [name.replace("accuracy", "loss") for name in CHARTS]
    assert list(drawings) == [
        *(f"xor-mlp/{name}" for name in CHARTS), *(f"diabetes-linear/{name}" for name in regression)
    ]  # fmt: skip
    assert list(drawing.of_claims(ledger())) == ["differences"]
    assert list(drawing.of_comparison(compared())) == ["time", "time-to-baseline"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "chart must be named, such as xor-mlp/training-loss-by-step=FILE. Got ''"),
        ("xor-mlp", "chart must be named"),
        ("xor-mpl/phases", "experiment 'xor-mpl' is not known. Did you mean 'xor-mlp'?"),
        ("xor-mlp/fases", "Did you mean 'xor-mlp/phases'? Known: xor-mlp/training-loss-by-step, "),
    ],
)
def test_a_wrong_name_is_told_those_there_are(folder, name, words):
    drawings = drawing.of_report(folder[1])

    def draw():
        drawing.check(name, folder[1].plan)
        drawing.image(drawings, name, ".svg")

    with pytest.raises(ValueError, match="chart") as told:
        draw()
    assert words in str(told.value)
    assert "diabetes-linear/phases" not in str(told.value)  # of the same experiment only
    with pytest.raises(ValueError, match="nothing to draw"):
        drawing.image({}, "", ".png")


def test_images_are_pure_functions(folder, vl_convert):
    drawings = drawing.of_report(folder[1])
    svg = drawing.image(drawings, "xor-mlp/test-accuracy-by-step", ".svg")
    assert svg.startswith(b"<svg")
    assert b"test accuracy by step" in svg
    assert svg == drawing.image(drawings, "xor-mlp/test-accuracy-by-step", ".svg")
    png = drawing.image(drawings, "xor-mlp/phases", ".png")
    width, _ = struct.unpack(">II", png[16:24])
    assert width > drawing.SCALE * drawing.WIDTH
    for own in (drawing.of_claims(ledger()), drawing.of_comparison(compared())):
        assert drawing.image(own, "", ".svg").count(b"<path") > 3


def test_without_vl_convert(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    done = run("report", "--from", folder[0], "-o", f"xor-mlp/phases={tmp_path / 'p.svg'}")
    assert done.exit_code == 3
    assert 'pip install "samestep[report]"' in done.stderr


def test_report_writes_charts(folder, tmp_path, vl_convert):
    svg, png = tmp_path / "a.svg", tmp_path / "b=c.png"
    done = run(
        "report", "--from", folder[0], "-o", f"xor-mlp/test-accuracy-by-time={svg}",
        "-o", f"diabetes-linear/phases={png}", "-o", tmp_path / "r.md",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert svg.read_bytes().startswith(b"<svg")
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert f"wrote {svg}" in " ".join(done.stdout.split())
    assert b"not proven" in svg.read_bytes()  # the folder holds no proofs
    export.write(svg, folder[1], "xor-mlp/test-accuracy-by-time")
    assert b"not proven" not in svg.read_bytes()
    for name in ("xor-mlp/limits", "xor/phases", ""):
        wrong = run("report", "--from", folder[0], "-o", f"{name}={tmp_path / 'x.svg'}")
        assert wrong.exit_code == 2
        assert "chart" in wrong.stderr


def test_compare_writes_all_its_files(cache, tmp_path, vl_convert):
    for name, torch in (("a", 3.0), ("b", 4.0), ("c", 3.0)):
        other = {"machine": "another"} if name == "c" else {}
        plan, rows = run_of({"numpy": 1.0, "torch": torch}, **other)
        kept = RunFolder(tmp_path / name)
        kept.trials.mkdir(parents=True)
        kept.plan_file.write_text(plan.to_json(), encoding="utf-8")
        for row in rows:
            kept.write_row(row)
    files = ["c.html", "c.md", "c.json", "c.svg", "time-to-baseline=d.png"]
    outputs = [word for file in files for word in ("-o", file)]
    done = run("compare", "a", "b", *outputs)
    assert done.exit_code == 0, done.output
    assert "1.33 (1.33 to 1.33)" in (tmp_path / "c.html").read_text()
    assert "| torch |" in (tmp_path / "c.md").read_text()
    assert (tmp_path / "c.svg").read_bytes() != (tmp_path / "d.png").read_bytes()
    refused = run("compare", "a", "c", "-o", "refused.html", "-o", "refused.svg")
    assert refused.exit_code == 2
    assert "machine: m against another" in (tmp_path / "refused.html").read_text()
    assert not (tmp_path / "refused.svg").exists()
    wrong = run("compare", "a", "b", "-o", "c.csv")
    assert wrong.exit_code == 2
    assert "suffix must be .md, .json, .html, .svg or .png. Got '.csv'" in wrong.stderr
