"""Datasets that other packages enter: listed, checked, kept for workers, never a traceback."""

import json
import sys

import numpy as np
import pytest

from harness import data
from harness.data import own_rows
from harness.data.fetching import DataMissingError
from harness.experiment import package_datasets
from harness.experiment.loading import ProtocolError, parse
from tests.conftest import protocol

MODULE = """
import numpy as np

def flowers():
    x = np.arange(48, dtype=np.uint8).reshape(12, 2, 2)
    return {"inputs": x, "targets": np.array(["rose", "tulip"] * 6), "kind": "binary"}

def apart():
    x = np.arange(40.0).reshape(10, 4)
    y = np.arange(10) % 3
    test = {"test_inputs": x[:6], "test_targets": y[:6]}
    return {"inputs": x, "targets": y, "kind": "classes", **test}

def fails():
    raise RuntimeError("no network")

WRONG = {}

def wrong():
    return WRONG["value"]
"""
ENTRIES = """
[samestep.datasets]
my-flowers = our_flowers:flowers
apart = our_flowers:apart
fails = our_flowers:fails
wrong = our_flowers:wrong
absent = our_flowers:nothing
iris = our_flowers:fails
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with datasets, installed as far as the import system can tell."""
    (tmp_path / "our_flowers.py").write_text(MODULE)
    info = tmp_path / "our_flowers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: our-flowers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)
    package_datasets.read.cache_clear()
    yield tmp_path
    package_datasets.read.cache_clear()
    sys.modules.pop("our_flowers", None)


def on(dataset, inputs=4, units=1, **fields):
    loss = {"name": "binary_cross_entropy", "batch": "mean", "outputs": "mean"}
    if units > 1:
        loss = {"name": "softmax_cross_entropy", "batch": "mean"}
    network = {"inputs": inputs, "layers": [{"units": units, "activation": "identity"}]}
    table = {"dataset": dataset, "split": {"name": "all"}} | fields
    return protocol("iris-softmax", data=table, network=network, training__loss=loss)


def test_a_package_has_a_dataset(package):
    experiment = parse(on("my-flowers"), "t")
    found = experiment.data.found
    assert (found.kind, found.classes, found.rows) == ("binary", ("rose", "tulip"), 12)
    assert (found.inputs[1], found.form) == ("inputs[0,1]", "of the package our-flowers 1.0")
    prepared = data.load(experiment.data, experiment.loss, "float32")
    assert prepared.train.inputs[1].tolist() == [4, 5, 6, 7]
    assert prepared.train.labels.tolist() == [0, 1] * 6


def test_its_own_test_rows_are_given(package):
    experiment = parse(on("apart", units=3, split={"name": "given"}), "t")
    assert experiment.data.rows == (10, 0, 6)


def test_workers_need_no_package(package, tmp_path, monkeypatch):
    experiment = parse(on("my-flowers"), "t")
    own_rows.store(experiment.data, tmp_path / "run")
    stored = json.loads(json.dumps(experiment.model_dump(mode="json")))
    monkeypatch.setattr(package_datasets, "entered", dict)
    again = parse(stored, "plan")
    assert (again, again.digest) == (experiment, experiment.digest)
    with pytest.raises(DataMissingError, match="the package that had this dataset is not inst"):
        own_rows.read(again.data)
    monkeypatch.setenv(own_rows.FOLDER_VARIABLE, str(tmp_path / "run"))
    assert own_rows.read(again.data)[0].shape == (12, 4)


def test_it_is_listed_without_being_called(package, invoke):
    listed = json.loads(invoke("list", "datasets", "--json").stdout)
    (records,) = (value for value in listed.values() if isinstance(value, list))
    of_package = {r["name"]: r for r in records if r["comes"] == "of our-flowers 1.0"}
    assert set(of_package) == {"my-flowers", "apart", "fails", "wrong", "absent"}  # iris is ours
    assert "our_flowers" not in sys.modules


FAILS = {
    "fails": "fails: the package our-flowers 1.0 cannot give it: .*RuntimeError: no network",
    "absent": "our_flowers:nothing raised AttributeError",
    "my-flower": "'my-flower' is not known. Did you mean 'my-flowers'?",
}


@pytest.mark.parametrize(("name", "words"), FAILS.items(), ids=FAILS)
def test_a_failure_is_a_message(package, name, words):
    with pytest.raises(ProtocolError, match=words):
        parse(on(name), "t")


X = np.arange(8.0).reshape(4, 2)
WRONG = {
    "no dict": (X, "must return a dict of arrays. Got ndarray"),
    "another name": ({"x": X}, "'x' is not known. Known: inputs"),
    "no inputs": ({"targets": X}, "'inputs' is missing"),
    "objects": ({"inputs": np.array([{}, None])}, "'inputs' must hold numbers.*Got object"),
    "a scalar": ({"inputs": 1.0}, r"a row per example. Got the shape \(\)"),
    "other rows": ({"inputs": X, "targets": [1, 2]}, "'targets' must have a row for each of the 4"),
    "no number": ({"inputs": X + np.inf}, "is not a number that float32 can hold"),
    "missing": ({"inputs": X + np.nan}, r"wrong, row 0 \(from 0\).*the value is missing"),
    "no kind": ({"inputs": X, "targets": [0, 1, 0, 1]}, "kind: the target 'targets' holds whole"),
    "another kind": ({"inputs": X, "targets": [0, 1, 0, 1], "kind": "c"}, "kind must be classes"),
    "test rows alone": ({"inputs": X, "targets": X, "test_inputs": X}, "'test_targets' must be"),
    "other columns": ({"inputs": X, "test_inputs": X[:, :1]}, "the same shape in both parts"),
}


@pytest.mark.parametrize(("value", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_dataset_is_refused(package, value, words):
    import our_flowers

    our_flowers.WRONG["value"] = value
    with pytest.raises(ProtocolError, match=words) as caught:
        parse(on("wrong"), "t")
    assert "given by our-flowers 1.0, our_flowers:wrong" in str(caught.value)
