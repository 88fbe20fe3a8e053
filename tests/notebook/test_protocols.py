"""Experiments as Python values: named, from dictionaries, changed."""

import tomllib
from pathlib import Path

import pytest

import harness
from harness.experiment.loading import ProtocolError, catalogue_names, load, parse, read
from harness.experiment.toml_text import to_toml
from harness.notebook.protocols import requested_name
from tests.conftest import protocol

ADAM = {
    "name": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
    "form": "algorithm_1",
}  # fmt: skip


@pytest.mark.parametrize("name", catalogue_names())
def test_toml_is_read_back(name):
    experiment = load(name)
    assert parse(tomllib.loads(to_toml(experiment)), "test") == experiment


def test_a_name_a_file_a_dictionary_and_an_experiment_are_the_same(tmp_path):
    file = tmp_path / "한글 xor.toml"
    file.write_text(to_toml(load("xor-mlp")), encoding="utf-8")
    for given in ("xor-mlp", file, protocol("xor-mlp"), load("xor-mlp")):
        assert harness.experiment(given) == load("xor-mlp")
    assert harness.load_experiment(file) == harness.experiment(**protocol("xor-mlp"))


def test_a_table_is_changed_field_by_field():
    changed = harness.experiment("xor-mlp", training={"optimizer": {"learning_rate": 0.5}})
    assert changed.name == "xor-mlp-changed"
    assert changed.training.optimizer.learning_rate == 0.5
    assert changed.training.loss == load("xor-mlp").training.loss


def test_another_kind_takes_the_place_of_the_table():
    changed = harness.experiment("xor-mlp", name="other", training={"optimizer": ADAM})
    assert (changed.name, changed.training.optimizer.name) == ("other", "adam")


def test_none_removes_a_field():
    assert harness.experiment("digits-mlp", quick=None).quick is None


def test_the_base_is_not_changed():
    base = protocol("xor-mlp")
    harness.experiment(base, training={"optimizer": {"learning_rate": 0.5}})
    assert base == protocol("xor-mlp")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trainin": {}}, "unknown field. Did you mean 'training'"),
        ({"training": {"optimizer": {"lr": 0.1}}}, "write learning_rate"),
        ({"training": {"optimizer": {"name": "adam"}}}, "training.optimizer.epsilon: missing"),
    ],
)
def test_a_change_that_is_not_valid(fields, message):
    with pytest.raises(ProtocolError, match=message):
        harness.experiment("xor-mlp", **fields)


@pytest.mark.parametrize("given", [None, 3, ["xor-mlp"]])
def test_what_is_no_experiment(given):
    with pytest.raises(TypeError, match="experiment: must be the name of an experiment"):
        harness.load_experiment(given)


def test_a_request_names_what_the_command_can_run(tmp_path):
    assert requested_name("xor-mlp", tmp_path) == "xor-mlp"
    assert requested_name(load("xor-mlp"), tmp_path) == "xor-mlp"
    changed = harness.experiment("xor-mlp", training={"optimizer": {"learning_rate": 0.5}})
    file = Path(requested_name(changed, tmp_path))
    assert file.parent == tmp_path / "protocols"
    assert read(file) == changed
    assert read(file).digest == changed.digest


def test_own_data_is_read_again(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{-i},{i % 2}\n" for i in range(40)))
    from harness.experiment.drafting import draft
    from harness.tables.sources import Source

    experiment = draft(Source(tmp_path / "t.csv"), "y").experiment
    file = Path(requested_name(experiment, tmp_path))
    assert "contents" not in file.read_text(encoding="utf-8")
    assert read(file) == experiment
