import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given
from hypothesis import strategies as st

from harness.data import load, raw, splits, transforms
from harness.experiment.data import Data
from harness.experiment.loading import catalogue_names
from harness.experiment.loading import load as load_experiment

OFFLINE = [name for name in catalogue_names() if not load_experiment(name).data.facts.fetched]


@pytest.mark.parametrize("name", OFFLINE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_have_as_many_rows_as_the_protocol_says(name, dtype):
    experiment = load_experiment(name)
    prepared = load(experiment.data, experiment.loss, dtype)
    parts = (prepared.train, prepared.validation, prepared.test)
    assert tuple(len(part) for part in parts) == experiment.data.rows
    for part in parts:
        assert part.inputs.dtype == dtype
        assert part.inputs.flags.c_contiguous
        assert not part.inputs.flags.writeable
        assert part.inputs.shape[1] == experiment.network.inputs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("iris", sklearn.datasets.load_iris),
        ("digits", sklearn.datasets.load_digits),
        ("wine", sklearn.datasets.load_wine),
        ("breast-cancer", sklearn.datasets.load_breast_cancer),
    ],
)
def test_embedded_data_equals_scikit_learns(ours, theirs):
    read, published = raw.read(ours), theirs()
    np.testing.assert_array_equal(read.inputs, published.data)
    np.testing.assert_array_equal(read.targets, published.target)


def test_embedded_diabetes_equals_scikit_learns():
    read, published = raw.read("diabetes"), sklearn.datasets.load_diabetes(scaled=False)
    np.testing.assert_array_equal(read.inputs, published.data)
    np.testing.assert_array_equal(read.targets, published.target)


def test_gates():
    assert raw.read("and").targets.tolist() == [0, 0, 0, 1]
    assert raw.read("or").targets.tolist() == [0, 1, 1, 1]
    assert raw.read("xor").targets.tolist() == [0, 1, 1, 0]


def test_features_of_the_posts():
    flipped = transforms.features("flipped_and", raw.BITS)
    assert flipped.tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]
    polynomial = transforms.features("polynomial", np.array([[2.0, 3.0]]))
    assert polynomial.tolist() == [[2.0, 3.0, 4.0, 6.0, 9.0]]


def data(**fields):
    values = {"dataset": "digits", "split": {"name": "stratified", "test": 0.2, "seed": 0}}
    return Data.model_validate(values | fields)


@given(
    st.sampled_from(["random", "stratified"]),
    st.floats(0.05, 0.95),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_a_drawn_split_uses_every_row_once(name, test, seed, validation):
    described = data(split={"name": name, "test": test, "seed": seed}, validation=validation)
    labels = raw.read("digits").targets
    rows = splits.split(described, labels, len(labels), len(labels))
    everything = np.concatenate([rows.train, rows.validation, rows.test])
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(labels)))
    assert (len(rows.train), len(rows.validation), len(rows.test)) == described.rows
    if name == "stratified":
        shares = np.bincount(labels[rows.test], minlength=10) / np.bincount(labels)
        assert np.ptp(shares) < 0.02
    again = splits.split(described, labels, len(labels), len(labels))
    np.testing.assert_array_equal(rows.test, again.test)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("first", [0, 1, 2], [3, 4, 5, 6]), ("last", [4, 5, 6], [0, 1, 2, 3])],
)
def test_edge_splits(name, train, test):
    rows = splits.split(data(split={"name": name, "train": 3}), None, 7, 7)
    assert (rows.train.tolist(), rows.test.tolist()) == (train, test)


def test_an_edge_split_tests_on_the_published_test_rows():
    rows = splits.split(data(split={"name": "first", "train": 3}), None, 10, 7)
    assert (rows.train.tolist(), rows.test.tolist()) == ([0, 1, 2], [7, 8, 9])


@pytest.mark.parametrize("divisor", [16, 255, 256])
def test_division_rounds_once(divisor):
    values = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    exact, rounded = (
        transforms.fit_scale(data(scale=f"divide_by_{divisor}"), values, dtype)(values)
        for dtype in ("float64", "float32")
    )
    np.testing.assert_array_equal(exact, values / divisor)
    np.testing.assert_array_equal(rounded, (values / divisor).astype(np.float32))


@pytest.mark.parametrize("name", ["min_max", "standardize"])
def test_a_scale_is_fitted_on_the_training_rows_only(name):
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[:, 2] = 7.0  # a constant column is shifted, never divided by 0
    train, test = values[:30], values[30:]
    scale = transforms.fit_scale(data(scale=name), train, "float64")
    scaled = scale(train)
    if name == "min_max":
        np.testing.assert_allclose(scaled.min(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(scaled[:, :2].max(axis=0), 1)
    else:
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1)
    np.testing.assert_array_equal(scale(values)[30:], scale(test))


@pytest.mark.parametrize("name", ["min_max", "standardize"])
def test_the_test_rows_are_scaled_as_the_training_rows_are(variant, name):
    scaled = load(variant(data__scale=name).data, None, "float64")
    plain = load(variant(data__scale="none").data, None, "float64")
    scale = transforms.fit_scale(data(scale=name), plain.train.inputs, "float64")
    np.testing.assert_array_equal(scaled.test.inputs, scale(plain.test.inputs))


def test_targets_follow_the_loss(variant):
    softmax = variant()
    assert load(softmax.data, softmax.loss, "float32").train.targets.dtype == np.int32
    sigmoids = variant(
        training__loss={"name": "binary_cross_entropy", "batch": "mean", "outputs": "sum"}
    )
    part = load(sigmoids.data, sigmoids.loss, "float32").train
    assert part.targets.shape == (len(part), 10)
    np.testing.assert_array_equal(part.targets.argmax(axis=1), part.labels)
