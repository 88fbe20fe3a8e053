"""An exported folder has what an adapter is given, and nobody's files are overwritten."""

import json

import numpy as np
import pytest

from harness import data
from harness.handover import folder, writing
from harness.handover.folder import HandoverError
from harness.handover.writing import _kept_rows
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Batches
from tests.handover.conftest import answer_of, experiment_of, hand_back


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["xor-mlp", "iris-softmax", "small-adam", "diabetes-linear"])
def test_it_has_what_an_adapter_is_given(export, name, dtype):
    exported, experiment = export(name, seed=3, dtype=dtype), experiment_of(name)
    read = {file.stem: np.load(file) for file in exported.glob("*.npy")}
    prepared = data.load(experiment.data, experiment.loss, dtype)
    batches = BatchPlan.of(experiment, 3).segment(0, 8)
    assert read["inputs"].dtype == dtype
    np.testing.assert_array_equal(read["inputs"], prepared.train.inputs)
    np.testing.assert_array_equal(read["targets"], prepared.train.targets)
    np.testing.assert_array_equal(read["inputs_to_predict"], prepared.test.inputs[:256])
    np.testing.assert_array_equal(read["learning_rates"], batches.learning_rates)
    assert ("batch_rows" in read) == (batches.rows is not None)
    if batches.rows is not None:
        np.testing.assert_array_equal(read["batch_rows"], batches.rows)
        np.testing.assert_array_equal(read["batch_sizes"], batches.sizes)
    for layer, (W, b) in enumerate(initial_parameters(experiment, 3, dtype), start=1):
        np.testing.assert_array_equal(np.load(exported / f"start/weights_{layer}.npy"), W)
        np.testing.assert_array_equal(np.load(exported / f"start/biases_{layer}.npy"), b)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_text_has_the_same_numbers(export, dtype):
    exported = export("small-adam", dtype=dtype)
    texts = list(exported.rglob("*.csv"))
    assert len(texts) > 8
    for text in texts:
        array = np.load(text.with_suffix(".npy"))
        read = np.loadtxt(text, delimiter=",", dtype=array.dtype, ndmin=array.ndim)
        np.testing.assert_array_equal(read, array)


def test_constants_are_as_the_protocol_writes_them(export):
    exported = export("small-adam")
    assert set(np.load(exported / "learning_rates.npy")) == {0.001}
    values = json.loads((exported / "protocol.json").read_text())
    assert values["experiment"]["training"]["optimizer"]["epsilon"] == 1e-8


def test_of_large_inputs_the_rows_are_written_that_the_batches_need():
    rows = np.random.default_rng(0).integers(60_000, size=(20, 100), dtype=np.int32)
    batches = Batches(rows, np.full(20, 100, np.int32), np.full(20, 0.1))
    kept, renumbered = _kept_rows(batches, 60_000, 784)
    np.testing.assert_array_equal(kept[renumbered], rows)
    np.testing.assert_array_equal(kept[:2000], np.arange(2000))  # taken in their own order
    assert len(kept) <= 4000
    assert _kept_rows(batches, 5_000, 784)[0] is None


def test_a_network_that_only_predicts(export):
    exported = export("fixed-forward")
    names = {path.name for path in exported.iterdir()}
    assert names >= {"README.md", "protocol.json", "inputs_to_predict.csv", "start", "answer"}
    assert "inputs.npy" not in names


def test_it_reads_what_it_wrote(export):
    exported = export("small-adam", "한글 폴더/with spaces", seed=7, dtype="float32", steps=5)
    handover = folder.read(exported)
    assert handover.experiment == experiment_of("small-adam", 5)
    assert (handover.seed, handover.dtype, handover.experiment.steps) == (7, "float32", 5)
    assert folder.changed_files(exported, handover) == []
    (exported / "inputs.npy").write_bytes(b"")
    (exported / "start/biases_1.csv").unlink()
    assert folder.changed_files(exported, handover) == ["inputs.npy", "start/biases_1.csv"]


def test_a_folder_with_other_files_is_left_alone(tmp_path, export):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/thesis.txt").write_text("mine")
    with pytest.raises(HandoverError, match="not those of an export"):
        export("xor-mlp")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["thesis.txt"]
    (tmp_path / "f").write_text("")
    with pytest.raises(HandoverError, match="is a file"):
        export("xor-mlp", "f")


def test_a_folder_is_exported_again(export):
    exported = export("small-adam")
    (exported / "start/weights_2.npy").write_text("edited")
    export("iris-softmax")
    assert not (exported / "start/weights_2.csv").exists()  # which has one layer
    assert (exported / "start/weights_2.npy").read_text() == "edited"
    hand_back(exported, answer_of(experiment_of("iris-softmax")))
    export("iris-softmax")
    for other in ({"seed": 1}, {"steps": 5}, {"dtype": "float32"}, {"name": "xor-mlp"}):
        with pytest.raises(HandoverError, match="has an answer to another export"):
            export(**{"name": "iris-softmax", **other})


def test_a_damaged_folder_is_exported_again(export):
    exported = export("xor-mlp")
    (exported / "protocol.json").write_text("{")
    export("xor-mlp")
    assert folder.read(exported).experiment.name == "xor-mlp"
    (exported / "protocol.json").write_text("{")
    hand_back(exported, {"losses": np.zeros(8)})
    with pytest.raises(HandoverError, match=r"another export \(damaged\)"):
        export("xor-mlp")


DAMAGES = [
    (lambda values: [], "`schema` must be 1"),
    (lambda values: values | {"schema": 2}, "`schema` must be 1. Got 2"),
    (lambda values: values | {"seed": -1}, "`seed` was changed"),
    (lambda values: values | {"seed": True}, "`seed` is missing or no int"),
    (lambda values: values | {"dtype": "float16"}, "`dtype` or `seed` was changed"),
    (lambda values: values | {"steps": 3}, "the experiment in it was changed"),
    (lambda values: values | {"experiment": {}}, "not a valid experiment"),
    (lambda values: values | {"digest": "0"}, "the experiment in it was changed"),
    (lambda values: {k: v for k, v in values.items() if k != "files"}, "`files` is missing"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_a_damaged_marker_is_refused(export, damage, words):
    exported = export("xor-mlp")
    file = exported / "protocol.json"
    file.write_text(json.dumps(damage(json.loads(file.read_text()))))
    with pytest.raises(HandoverError, match=words):
        folder.read(exported)


BROKEN_JSON = {"cut": b"{", "binary": b"\xff", "deep": b"[" * 100_000, "large": b" " * 1_000_001}


@pytest.mark.parametrize("content", BROKEN_JSON.values(), ids=BROKEN_JSON)
def test_a_marker_that_is_no_json_is_refused(export, content):
    exported = export("xor-mlp")
    (exported / "protocol.json").write_bytes(content)
    with pytest.raises(HandoverError, match="export again"):
        folder.read(exported)


def test_a_marker_leads_to_no_file_outside(export, tmp_path):
    exported, outside = export("xor-mlp"), tmp_path / "outside.txt"
    outside.write_text("mine")
    file = exported / "protocol.json"
    digest = folder.digest_of(tmp_path, "outside.txt")
    values = json.loads(file.read_text())
    values["files"] |= {"../outside.txt": digest, str(outside): digest}
    file.write_text(json.dumps(values))
    assert len(folder.changed_files(exported, folder.read(exported))) == 2
    writing.write(exported, experiment_of("iris-softmax"), 0, "float64")
    assert outside.read_text() == "mine"
