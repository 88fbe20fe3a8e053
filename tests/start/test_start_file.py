"""A start from a `.npz` file: read once, known by its content; errors say what to write."""

import json

import numpy as np
import pytest

from harness.experiment.loading import ProtocolError, parse, read
from harness.experiment.toml_text import to_toml
from harness.start import initial_parameters
from harness.tables import TableError
from tests.conftest import protocol

SHAPES = {"weights_1": (64, 3), "biases_1": (3,), "weights_2": (3, 10), "biases_2": (10,)}
LAYERS = [{"units": 3, "activation": "tanh"}, {"units": 10, "activation": "identity"}]


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


@pytest.fixture
def start(tmp_path, arrays):
    np.savez(tmp_path / "start.npz", **arrays)
    return tmp_path / "start.npz"


def from_file(file, **fields):
    return {"name": "file", "file": str(file), **fields}


def starting(weights, biases):
    values = protocol(network__layers=LAYERS, initializers={"weights": weights, "biases": biases})
    return parse(values, "test")


def test_a_network_starts_from_the_arrays(start, arrays):
    experiment = starting(from_file(start), from_file(start))
    for seed, dtype in ((0, "float64"), (7, "float32")):
        found = [v for pair in initial_parameters(experiment, seed, dtype) for v in pair]
        for values, right in zip(found, arrays.values(), strict=True):
            np.testing.assert_array_equal(values, right.astype(dtype))


def test_one_layer_may_start_from_a_file_and_another_be_drawn(tmp_path, arrays):
    np.savez(tmp_path / "torch.npz", **{"0.weight": arrays["weights_1"].T})
    first = from_file(tmp_path / "torch.npz", array="0.weight", layout="outputs_first")
    experiment = starting([first, {"name": "he_normal"}], {"name": "zeros"})
    one, other = (initial_parameters(experiment, seed, "float64") for seed in (0, 1))
    np.testing.assert_array_equal(one[0][0], arrays["weights_1"])
    np.testing.assert_array_equal(other[0][0], arrays["weights_1"])
    assert (one[1][0] != other[1][0]).all()


def test_the_digest_is_that_of_the_content(start, tmp_path, arrays):
    experiment = starting(from_file(start), {"name": "zeros"})
    elsewhere = start.rename(tmp_path / "other name.npz")
    assert starting(from_file(elsewhere), {"name": "zeros"}).digest == experiment.digest
    np.savez(elsewhere, **(arrays | {"weights_1": arrays["weights_1"] + 1}))
    assert starting(from_file(elsewhere), {"name": "zeros"}).digest != experiment.digest


def test_a_plan_knows_what_the_file_held(start, arrays):
    """A worker reads the protocol without the file, and takes no other start than was planned."""
    planned = json.loads(json.dumps(starting(from_file(start), {"name": "zeros"}).model_dump()))
    start.rename(start.with_name("gone.npz"))
    experiment = parse(planned, "plan")
    assert hash(experiment) == hash(parse(planned, "plan"))  # proofs are kept by it
    with pytest.raises(TableError, match=r"start\.npz: cannot be read"):
        initial_parameters(experiment, 0, "float64")
    np.savez(start, **(arrays | {"weights_2": arrays["weights_2"] * 2}))
    with pytest.raises(TableError, match="has changed since the run was planned"):
        initial_parameters(experiment, 0, "float64")


def test_a_protocol_written_as_toml_reads_the_file_again(start):
    experiment = starting(from_file(start), from_file(start))
    text = to_toml(experiment).replace(str(start), start.name)
    assert "sha256" not in text
    file = start.with_name("again.toml")
    file.write_text(text, encoding="utf-8")
    assert read(file).digest == experiment.digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_1": None}, r"initializers\.weights: start\.npz has no array 'weights_1' for the "
         r"weights of layer 1\. It has .*numpy\.savez\('start\.npz', weights_1="),
        ({"weights_2": (3, 9)}, r"'weights_2' of start\.npz must have the shape \(3, 10\), "
         r"\(inputs, units\), for the weights of layer 2\. Got \(3, 9\)$"),
        ({"weights_1": (3, 64)}, 'stored the other way round have layout = "outputs_first"'),
        ({"biases_2": (1, 10)}, r"initializers\.biases: 'biases_2' .* \(10,\), \(units,\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(tmp_path, arrays, changes, message):
    for name, shape in changes.items():
        arrays.pop(name) if shape is None else arrays.update({name: np.zeros(shape)})
    file = tmp_path / "start.npz"
    np.savez(file, **arrays)
    with pytest.raises(ProtocolError, match=message):
        starting(from_file(file), from_file(file))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("start.pt", b"", r"start\.pt: must end in \.npz"),
        ("start.npz", b"PK", r"start\.npz: not a whole \.npz archive"),
        ("missing.npz", None, r"missing\.npz: cannot be read \(No such file"),
    ],
)
def test_files_that_are_no_archives(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ProtocolError, match=message):
        starting(from_file(tmp_path / name), {"name": "zeros"})


@pytest.mark.parametrize(
    ("array", "message"),
    [(np.full((64, 3), np.nan), "finite numbers"), (np.full((64, 3), "a"), "must hold numbers")],
)
def test_arrays_hold_finite_numbers(tmp_path, arrays, array, message):
    np.savez(tmp_path / "start.npz", **(arrays | {"weights_1": array}))
    experiment = starting(from_file(tmp_path / "start.npz"), {"name": "zeros"})
    with pytest.raises(TableError, match=message):
        initial_parameters(experiment, 0, "float64")


def test_one_array_is_of_one_layer(start):
    with pytest.raises(ProtocolError, match=r"initializers\.weights\.array: is of one layer"):
        starting(from_file(start, array="weights_1"), {"name": "zeros"})
