"""TensorBoard runs, read back with TensorBoard's own reader."""

import dataclasses
import os

import numpy as np
import pytest

pytest.importorskip("tensorboardX")
pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from harness import data, planning
from harness.parity.reference import Reference
from harness.plan import Request
from harness.report import tensorboard
from harness.report.tensorboard.curves import layer_outputs
from harness.report.tensorboard.writing import HISTOGRAM_POINTS, SCALAR_POINTS
from harness.results import RunFolder, write_arrays
from harness.run import load_run
from harness.start import initial_parameters
from harness.trial.curves import Curves
from harness.trial.evaluation import Score
from tests import trials
from tests.execute.test_faults import PROTOCOL
from tests.report.test_report import row_of

BEGAN = 1767323045.0  # 2026-01-02T03:04:05 UTC
SMALL, LARGE = "xor-mlp", "mnist-softmax"


def stored(experiment, seed, points, random):
    """Curves as a trial leaves them, the parameters moving away from the start."""
    curves = Curves(experiment.network)
    start = initial_parameters(experiment, seed, "float32")
    for index, step in enumerate(points):
        moved = [(W + index, None if b is None else b + index) for W, b in start]
        scores = {"train": Score(1 / (1 + index), None), "test": Score(random.random(), 0.5)}
        curves.add_point(step, 0.25 * index, scores, moved)
    curves.add_losses(np.linspace(2, 1, points[-1]))
    return curves.arrays()


@pytest.fixture
def run(tmp_path, cache):
    """Two frameworks, one with whole parameters and one failure; a native solver without curves."""
    plan = planning.make_plan(Request(experiments=(SMALL, LARGE), frameworks=("numpy", "sklearn")))
    folder = RunFolder(tmp_path / "run")
    random = np.random.default_rng(0)
    for trial in plan.trials:
        columns = {"steps": 4000, "test_accuracy": 0.75, "test_loss": 0.5, "train_s": 0.5}
        if (trial.experiment, trial.framework) == (SMALL, "sklearn"):
            columns = {"status": "timeout"}
        elif trial.track == "identical":
            experiment = plan.experiments[trial.experiment]
            arrays = stored(experiment, trial.seed, [1, 2000, 4000], random)
            write_arrays(folder.trials / f"{trial.id}.npz", arrays)
        folder.write_row(row_of(plan, trial, **columns))
    return load_run(folder.path, plan)


def opened(place):
    reader = EventAccumulator(str(place), size_guidance={"scalars": 0, "histograms": 0})
    return reader.Reload()


def trial_of(plan, experiment, framework):
    key = (experiment, framework)
    return next(t for t in plan.trials if (t.experiment, t.framework) == key)


def test_one_run_per_trial_with_a_result(run, tmp_path):
    written = tensorboard.write(tmp_path / "tb", run)
    folders = sorted(
        str(f.parent.relative_to(tmp_path / "tb")) for f in tmp_path.rglob("*tfevents*")
    )
    assert folders == [
        "mnist-softmax/numpy-stepwise-s0",
        "mnist-softmax/sklearn-LogisticRegression-lbfgs-s0",
        "mnist-softmax/sklearn-stepwise-s0",
        "xor-mlp/numpy-stepwise-s0",
    ]
    assert {str(place.relative_to(tmp_path / "tb")) for place in written.runs} == set(folders)
    assert written.left_out == (
        "1 of 5 trials, which have no result",
        "layer outputs of mnist-softmax: they are computed from whole parameters, which are stored "
        "below 5,000 of them; 784-10 has 7,850",
    )
    again = tensorboard.write(tmp_path / "tb", run)
    assert again == written
    assert all(len(list(place.iterdir())) == 1 for place in written.runs)


def test_scalars_are_the_curves_and_wall_time_is_training_time(run, tmp_path):
    tensorboard.write(tmp_path, run)
    arrays = run.arrays(trial_of(run.plan, SMALL, "numpy").id)
    reader = opened(tmp_path / SMALL / "numpy-stepwise-s0")
    for tag, name in (
        ("loss/train", "train_loss"),
        ("loss/test", "test_loss"),
        ("accuracy/test", "test_accuracy"),
    ):
        points = reader.Scalars(tag)
        assert [point.step for point in points] == [1, 2000, 4000]
        assert [point.value for point in points] == arrays[name].astype(np.float32).tolist()
        assert [point.wall_time - BEGAN for point in points] == [0, 0.25, 0.5]
    losses = reader.Scalars("loss/batch")
    assert len(losses) == SCALAR_POINTS
    assert (losses[0].step, losses[-1].step) == (1, 4000)
    for point in losses:
        assert point.value == np.float32(arrays["loss"][point.step - 1])
    assert losses[-1].wall_time - losses[0].wall_time == 0.5
    (trained,) = reader.Scalars("time/train_s")
    assert (trained.step, trained.value) == (4000, 0.5)
    assert "accuracy/validation" not in reader.Tags()["scalars"]


def test_histograms_hold_every_parameter_and_every_output(run, tmp_path):
    tensorboard.write(tmp_path, run)
    experiment = run.plan.experiments[SMALL]
    arrays = run.arrays(trial_of(run.plan, SMALL, "numpy").id)
    reader = opened(tmp_path / SMALL / "numpy-stepwise-s0")
    layers = range(1, len(experiment.network.layers) + 1)
    assert set(reader.Tags()["histograms"]) == {
        f"{noun}/layer_{number}" for noun in ("weights", "biases", "outputs") for number in layers
    }
    inputs = data.load(experiment.data, experiment.loss, "float32").train.inputs
    for point in range(3):
        pairs = [(arrays[f"W{n}"][point], arrays[f"b{n}"][point]) for n in layers]
        outputs = layer_outputs(experiment, pairs, inputs)
        reference = Reference(experiment, pairs, inputs, None)
        np.testing.assert_array_equal(outputs[-1], reference.predict(inputs))
        for number, (W, b), out in zip(layers, pairs, outputs, strict=True):
            for noun, values in (("weights", W), ("biases", b), ("outputs", out)):
                event = reader.Histograms(f"{noun}/layer_{number}")[point]
                value = event.histogram_value
                assert event.step == [1, 2000, 4000][point]
                assert value.num == sum(value.bucket) == values.size
                assert value.min <= values.min() + 1e-12
                assert value.max >= values.max() - 1e-12


def test_stored_histograms_are_written_as_they_are(run, tmp_path):
    tensorboard.write(tmp_path, run)
    arrays = run.arrays(trial_of(run.plan, LARGE, "numpy").id)
    reader = opened(tmp_path / LARGE / "numpy-stepwise-s0")
    assert set(reader.Tags()["histograms"]) == {"weights/layer_1", "biases/layer_1"}
    for point, event in enumerate(reader.Histograms("weights/layer_1")):
        counts = arrays["W1_counts"][point]
        filled = slice(counts.nonzero()[0][0], counts.nonzero()[0][-1] + 1)
        assert event.histogram_value.bucket == counts[filled].tolist()
        edges = arrays["W1_edges"][point, 1:][filled].astype(np.float64)
        assert event.histogram_value.bucket_limit == edges.tolist()


def test_the_graph_has_every_layer_and_the_loss(run, tmp_path):
    tensorboard.write(tmp_path, run)
    reader = opened(tmp_path / LARGE / "numpy-stepwise-s0")
    assert reader.Tags()["graph"]
    graph = reader.Graph()
    assert isinstance(graph, GraphDef)
    nodes = {node.name: (node.op, list(node.input)) for node in graph.node}
    assert nodes == {
        "inputs": ("Placeholder", []),
        "layer_1/weights": ("VariableV2", []),
        "layer_1/MatMul": ("MatMul", ["inputs", "layer_1/weights"]),
        "layer_1/biases": ("VariableV2", []),
        "layer_1/Add": ("Add", ["layer_1/MatMul", "layer_1/biases"]),
        "layer_1/Identity": ("Identity", ["layer_1/Add"]),
        "targets": ("Placeholder", []),
        "loss/SparseSoftmaxCrossEntropyWithLogits": (
            "SparseSoftmaxCrossEntropyWithLogits",
            ["layer_1/Identity", "targets"],
        ),
    }


def test_hyperparameters(run, tmp_path):
    tensorboard.write(tmp_path, run)

    def hyperparameters(name):
        metadata = opened(tmp_path / LARGE / name).SummaryMetadata("_hparams_/session_start_info")
        content = HParamsPluginData.FromString(metadata.plugin_data.content)
        values = content.session_start_info.hparams
        return {key: v.string_value or v.number_value for key, v in values.items()}

    training = run.plan.experiments[LARGE].training
    adapter = hyperparameters("numpy-stepwise-s0")
    assert adapter["learning_rate"] == training.optimizer.learning_rate
    assert adapter["batch_size"] == training.batches.size
    assert (adapter["framework"], adapter["loop"], adapter["optimizer"]) == (
        "numpy",
        "stepwise",
        "sgd",
    )
    native = hyperparameters("sklearn-LogisticRegression-lbfgs-s0")
    assert native["loop"] == "LogisticRegression(lbfgs)"
    assert "learning_rate" not in native
    reader = opened(tmp_path / LARGE / "sklearn-LogisticRegression-lbfgs-s0")
    assert [point.value for point in reader.Scalars("accuracy/test")] == [0.75]


HOSTILE = ["/../../etc", "..", "</script>", "C:\\x", "a\x00b", "", ".hidden", "x" * 500, "~", "é/ü"]


def test_names_stay_inside_the_directory(tmp_path):
    def trial(name, number):
        return trials.trial_of(experiment=name, framework=name, loop=name, id=f"{number:08}")

    names = tensorboard.run_names([trial(name, n) for n, name in enumerate(HOSTILE)])
    assert len(set(names.values())) == len(HOSTILE)
    for path in names.values():
        assert len(path.parts) == 2
        assert (tmp_path / path).resolve().is_relative_to(tmp_path.resolve())
        assert all(part[0] != "." and len(part) < 255 for part in path.parts)
        (tmp_path / path).mkdir(parents=True)


@pytest.mark.parametrize("damage", ["short", "shape", "nan", "none", "endless"])
def test_damaged_curves_cost_only_themselves(run, tmp_path, damage):
    trial = trial_of(run.plan, SMALL, "numpy")
    arrays = run.arrays(trial.id)
    if damage == "short":
        arrays["train_loss"], arrays["b1"] = arrays["train_loss"][:1], arrays["b1"][:1]
    elif damage == "shape":
        arrays["W1"], arrays["train_s"] = arrays["W1"][..., :1], np.zeros((3, 2))
    elif damage == "nan":
        arrays["W1"][1:], arrays["train_loss"][1], arrays["train_s"][:] = np.nan, np.nan, np.nan
    elif damage == "none":
        arrays = {"step": np.array("x")}
    else:
        arrays["step"] = np.arange(100_000)
        arrays["train_loss"] = arrays["train_s"] = np.linspace(0, 1, 100_000)
        arrays["W1"] = np.zeros((100_000, 2, 2), np.float32)
    write_arrays(RunFolder(run.path).trials / f"{trial.id}.npz", arrays)
    tensorboard.write(tmp_path, run)
    reader = opened(tmp_path / SMALL / "numpy-stepwise-s0")
    assert reader.Tags()["graph"]
    has_losses = "loss/train" in reader.Tags()["scalars"]
    losses = reader.Scalars("loss/train") if has_losses else []
    assert len(losses) == {"short": 0, "shape": 3, "nan": 2, "none": 0, "endless": 1000}[damage]
    if damage == "endless":
        assert len(reader.Histograms("weights/layer_1")) == HISTOGRAM_POINTS


def test_a_row_without_a_time_begins_at_zero(run, tmp_path):
    for index, text in enumerate([None, "never", "0001-01-01T00:00:00"]):
        place = tmp_path / str(index)
        rows = [dataclasses.replace(row, started_at=text) for row in run.rows]
        tensorboard.write(place, dataclasses.replace(run, rows=rows))
        assert opened(place / SMALL / "numpy-stepwise-s0").Scalars("loss/train")[0].wall_time == 0


@pytest.fixture(autouse=True)
def short(tmp_path):
    """A protocol that the commands are called with."""
    (tmp_path / "short.toml").write_text(PROTOCOL)


@pytest.mark.xdist_group("processes")
def test_the_command(invoke, tmp_path):
    options = ("--out", "run", "--tensorboard", "new tb")
    done = invoke("report", "short.toml", "--frameworks", "numpy", *options)
    assert done.exit_code == 0, done.stderr
    assert "wrote 1 TensorBoard run to new tb; look: tensorboard --logdir 'new tb'" in done.stdout
    again = invoke("report", "--from", "run", "--tensorboard", "tb")
    assert again.exit_code == 0, again.stderr
    reader = opened(tmp_path / "tb" / "short" / "numpy-stepwise-s0")
    assert [point.step for point in reader.Scalars("loss/train")] == [1, 6, 12]
    assert len(reader.Scalars("loss/batch")) == 12
    (file,) = (tmp_path / "tb").rglob("*tfevents*")
    (first,) = (tmp_path / "new tb").rglob("*tfevents*")
    assert file.read_bytes() == first.read_bytes()


@pytest.mark.xdist_group("processes")
def test_a_missing_package_and_a_folder_that_cannot_be_written(invoke, samestep, tmp_path):
    invoke("report", "short.toml", "--frameworks", "numpy", "--out", "run")
    (tmp_path / "run" / "report.md").unlink()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "tensorboardX.py").write_text("raise ModuleNotFoundError('not here')")
    away = os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])
    done = samestep("report", "--from", "run", "--tensorboard", "tb", PYTHONPATH=away)
    assert done.returncode == 3
    assert 'python -m pip install "tensorboardX>=2.6"' in done.stderr
    assert "samestep report --from run --tensorboard tb" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "report.md").exists()
    assert not (tmp_path / "tb").exists()
    (tmp_path / "file").write_text("")
    blocked = invoke("report", "--from", "run", "--tensorboard", "file")
    assert blocked.exit_code == 3
    assert "--tensorboard file: cannot be written" in blocked.stderr
