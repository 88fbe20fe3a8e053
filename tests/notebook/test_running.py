"""`harness.run` and what it returns: the plan, folder and rows of the command."""

import json

import numpy as np
import pytest

import harness
from harness.notebook.loaded_run import table_html
from harness.report.chart_names import NoChartError
from harness.results import COLUMNS

pytestmark = pytest.mark.xdist_group("more processes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("a run of 한글") / "run"


@pytest.fixture(scope="module")
def run(folder):
    slow = harness.experiment("or", name="or-slow", training={"optimizer": {"learning_rate": 0.01}})
    return harness.run(["and", slow], "numpy", timed=False, seeds=2, folder=folder, progress=False)


def test_the_table(run):
    assert set(COLUMNS) <= set(run.table)
    assert len(run.table) == 4
    assert run.table.parity.unique().tolist() == ["same"]
    assert run.finished
    assert run.frameworks == ("numpy",)
    assert list(run.experiments) == ["and", "or-slow"]


def test_the_verdicts(run):
    assert run.verdicts.verdict.tolist() == ["same", "same"]
    assert run.verdicts.proven.all()
    assert (run.verdicts.difference < 1e-12).all()


def test_it_is_not_run_again(run, folder):
    before = {file: file.stat().st_mtime_ns for file in (folder / "trials").iterdir()}
    again = harness.run(
        ["and", next(folder.parent.joinpath("protocols").iterdir())],
        ["numpy"],
        timed=False,
        seeds=2,
        folder=folder,
        progress=False,
    )
    assert again.table.equals(run.table)
    assert before == {file: file.stat().st_mtime_ns for file in (folder / "trials").iterdir()}


def test_the_command_reads_it(run, folder, invoke):
    result = invoke("report", "--from", folder)
    assert result.exit_code == 0
    assert "or-slow" in result.stdout


def test_it_is_loaded_again(run, folder):
    assert harness.load_run(folder).table.equals(run.table)
    assert harness.load_run(str(folder)).answer == run.answer
    plan = json.loads((folder / "plan.json").read_text())["request"]["experiments"]
    assert plan[1].endswith(".toml")


def test_the_curves(run):
    curves = run.curves("and", seed=1)
    assert curves.step.is_monotonic_increasing
    assert curves.test_accuracy.iloc[-1] == 1.0
    assert set(run.curves().experiment) == {"and", "or-slow"}
    assert len(run.curves()) > 2 * len(curves)


def test_predictions_are_those_of_the_parameters(run):
    ((W, b),) = run.parameters("and")[2001]
    inputs = harness.task("and", dtype="float32").test_inputs
    assert np.allclose(run.predictions("and"), inputs @ W + b, rtol=1e-5)
    assert not np.allclose(run.predictions("and"), run.predictions("and", seed=1))


def test_the_charts(run, tmp_path):
    assert "and/training-loss-by-step" in run.charts
    chart = run.chart("and/training-loss-by-step")
    assert chart._repr_svg_().startswith("<svg")
    chart.save(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"suffix must be .svg or .png. Got '.pdf'"):
        chart.save(tmp_path / "chart.pdf")
    with pytest.raises(NoChartError, match="There are: and/training-loss-by-step"):
        run.chart("time")


def test_it_shows_the_report(run):
    shown = run._repr_html_()
    assert "All 4 trials are proven" in shown
    assert shown.count("<table>") == 2
    assert "All 4 trials" in repr(run)


def test_html_is_escaped():
    shown = table_html("<b>", ["<i>"], [["<script>", 1]])
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_compare_with_itself(run):
    answer = harness.compare(run, run.folder)
    assert answer.ok
    assert answer.data["failed"] == []
    with pytest.raises(ValueError, match="METRIC"):
        harness.compare(run, run, fail_on="tim>5%")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"experiment": "adn"}, "experiment: 'adn' is not known. Did you mean 'and'"),
        ({}, "experiment: must be named, one of and, or-slow"),
        ({"experiment": "and", "framework": "jax"}, "framework: 'jax' is not known. Known: numpy"),
        ({"experiment": "and", "seed": 9}, "seed: '9' is not known. Known: 0, 1"),
    ],
)
def test_a_trial_that_is_not_there(run, arguments, message):
    with pytest.raises(ValueError, match=message):
        run.predictions(**arguments)


@pytest.mark.parametrize(
    ("experiments", "frameworks", "more", "message"),
    [
        ([], None, {}, "experiments: name one or more"),
        ("and", [], {}, "frameworks: name one or more"),
        ("adn", None, {}, "Did you mean 'and'"),
        ("and", "nunpy", {}, "Did you mean 'numpy'"),
        ("and", ["numpy", "numpy"], {}, "'numpy' is named twice"),
        ("and", "numpy", {"preset": "quik"}, "preset: 'quik' is not known. Did you mean 'quick'"),
        ("and", "numpy", {"loops": "stepwize"}, "loops: 'stepwize'"),
        ("and", "numpy", {"seeds": 0}, "seeds: must be 1 to 10,000. Got 0"),
        ("and", "numpy", {"seeds": [0, 1]}, "seeds: must be a whole number, how many"),
        ("and", "numpy", {"threads": 10_000}, "threads: must be 1 to"),
        ("and", "numpy", {"timeout_s": "10m"}, "timeout_s: must be seconds"),
        ("and", "numpy", {"timeout_s": 0}, "timeout_s: must be more than 0"),
        ("and", "numpy", {"folder": 3}, "folder: must be the path of a folder. Got int"),
    ],
)
def test_what_cannot_be_run(experiments, frameworks, more, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError), match=message):
        harness.run(experiments, frameworks, **more)
    assert not list(tmp_path.rglob("plan.json"))


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds plan.json"):
        harness.load_run(tmp_path)
    with pytest.raises(TypeError, match="folder: must be the path"):
        harness.load_run(None)


SCRIPT = """
import numpy as np

import harness
from harness.trainer import StepTrainer

print("the script runs")
HALF = 0.5


class Constant(StepTrainer):
    loops = ("stepwise",)

    @classmethod
    def supports(cls, experiment):
        return None if experiment.training is None else "it does not train"

    def __init__(self, task):
        self.task = task

    def advance(self, batches): ...

    def parameters(self):
        return [(W.copy(), b.copy()) for W, b in self.task.parameters]

    def predict(self, inputs):
        return np.full((len(inputs), self.task.network.outputs), HALF, inputs.dtype)


run = harness.run("fixed-forward", ["numpy", Constant], timed=False, progress=False)
print(run.verdicts.framework.tolist(), run.verdicts.proven.tolist())
"""


@pytest.mark.full_product
def test_a_script_without_a_guard_runs_once(tmp_path):
    import subprocess
    import sys

    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.stdout.splitlines() == ["the script runs", "['numpy', 'Constant'] [True, False]"]


def test_the_check_of_an_adapter():
    answer = harness.check("numpy", only="sigmoid-forward")
    assert answer.ok
    assert "numpy" in answer.text
    assert answer.data["findings"]
    with pytest.raises(ValueError, match="only: 'sigmoid' is not known"):
        harness.check("numpy", only="sigmoid")
    with pytest.raises(ValueError, match="loops of numpy: 'fused' is not known"):
        harness.check("numpy", loops="fused")
