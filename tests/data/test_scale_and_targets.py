"""Scales fitted to other rows, and other numbers than 0 and 1 for classes."""

import numpy as np
import pytest

from harness import data
from harness.data import raw, splits
from harness.experiment.loading import ProtocolError, parse
from harness.scoring import score
from tests.conftest import protocol


def loaded(values):
    experiment = parse(values, "t")
    return experiment, data.load(experiment.data, experiment.loss, "float64")


def parts_of(experiment):
    source = raw.rows_of(experiment.data)
    rows = splits.split(experiment.data, source.targets, len(source.inputs), source.train_rows)
    return source.inputs, rows


@pytest.mark.parametrize("scale", ["standardize", "min_max"])
@pytest.mark.parametrize("fitted_on", ["training", "all", "each_part"])
def test_a_scale_is_fitted_to_the_rows_that_are_stated(scale, fitted_on):
    stated = {"data__scale": scale, "data__scale_fitted_on": fitted_on, "data__validation": 0.2}
    experiment, prepared = loaded(protocol("iris-softmax", **stated))
    inputs, rows = parts_of(experiment)
    parts = {"train": rows.train, "validation": rows.validation, "test": rows.test}
    together = np.concatenate(list(parts.values()))
    for name, numbers in parts.items():
        fitted = {"training": rows.train, "all": together, "each_part": numbers}[fitted_on]
        shift, width = inputs[fitted].mean(axis=0), inputs[fitted].std(axis=0)
        if scale == "min_max":
            shift, width = inputs[fitted].min(axis=0), np.ptp(inputs[fitted], axis=0)
        np.testing.assert_allclose(
            getattr(prepared, name).inputs, (inputs[numbers] - shift) / width, rtol=1e-9
        )


def test_all_rows_count_once_where_they_train_and_test():
    stated = {"data__split": {"name": "all"}, "data__validation": 0.5}
    both = [
        loaded(protocol("iris-softmax", **stated, data__scale_fitted_on=rows))[1].test.inputs
        for rows in ("all", "each_part")
    ]
    np.testing.assert_allclose(*both, rtol=1e-12)  # the test rows are all rows


def test_a_fit_that_is_not_stated_leaves_digests_as_they_were():
    values = protocol("iris-softmax")
    stated = protocol("iris-softmax", data__scale_fitted_on="training")
    assert parse(stated, "t").digest == parse(values, "t").digest
    others = [protocol("iris-softmax", data__scale_fitted_on=rows) for rows in ("all", "each_part")]
    digests = {parse(other, "t").digest for other in [*others, values]}
    assert len(digests) == 3


def test_pixels_from_a_hundredth_to_one():
    """Rashid, Make Your Own Neural Network: (pixels / 255.0 * 0.99) + 0.01."""
    _, prepared = loaded(protocol("digits-softmax", data__scale="hundredth_to_one"))
    inputs, rows = parts_of(parse(protocol("digits-softmax"), "t"))
    expected = (inputs[rows.train] / 255.0 * 0.99) + 0.01
    np.testing.assert_array_equal(prepared.train.inputs, expected)


MSE = {"name": "mean_squared_error", "half": True, "batch": "mean", "outputs": "sum"}
TARGETS = {
    "two classes": ("xor-mlp", "tanh", [-1.0, 1.0], {-1.0, 1.0}),
    "ten classes": ("digits-softmax", "sigmoid", [0.01, 0.99], {0.01, 0.99}),
}


@pytest.mark.parametrize(("name", "activation", "numbers", "found"), TARGETS.values(), ids=TARGETS)
def test_targets_are_the_numbers_that_are_stated(name, activation, numbers, found):
    values = protocol(name, data__target_values=numbers, training__loss=MSE)
    values["network"]["layers"][-1]["activation"] = activation
    experiment, prepared = loaded(values)
    assert set(np.unique(prepared.train.targets).tolist()) == found
    assert score(prepared.train.targets, prepared.train, experiment.loss) == (0.0, 1.0)
    wrong = sum(numbers) - prepared.train.targets
    assert score(wrong, prepared.train, experiment.loss)[1] == 0.0
    plain = {**values, "data": {k: v for k, v in values["data"].items() if k != "target_values"}}
    named = {**values, "data": values["data"] | {"target_values": [0.0, 1.0]}}
    assert parse(plain, "t").digest == parse(named, "t").digest != experiment.digest


def test_a_single_output_is_yes_above_the_middle():
    values = protocol("xor-mlp", data__target_values=[-1.0, 1.0], training__loss=MSE)
    experiment, prepared = loaded(values)
    for outputs, accuracy in (([-0.1, 0.1, 0.1, -0.1], 1.0), ([0.1, 0.4, 0.4, 0.1], 0.5)):
        got = score(np.array(outputs)[:, None], prepared.train, experiment.loss)[1]
        assert got == accuracy
    tie = score(np.zeros((4, 1)), prepared.train, experiment.loss)[1]
    assert tie == 0.5  # a tie is "no"


MISTAKES = [
    ("digits-softmax", {"data__scale_fitted_on": "all"}, "scale_fitted_on: only for 'min_max' and"),
    (
        "iris-softmax",
        {"data__scale_fitted_on": "test"},
        "scale_fitted_on: 'test' is not valid",
    ),
    (
        "iris-softmax",
        {"data__target_values": [-1.0, 1.0]},
        "data.target_values: only for losses",
    ),
    (
        "xor-mlp",
        {"data__target_values": [1.0, -1.0]},
        "below that for 'yes'. Got 1.0, -1.0",
    ),
    ("diabetes-linear", {"data__target_values": [-1.0, 1.0]}, "target_values: only for classes"),
]


@pytest.mark.parametrize(("name", "fields", "words"), MISTAKES)
def test_a_mistake_is_named(name, fields, words):
    with pytest.raises(ProtocolError, match=words):
        parse(protocol(name, **fields), "t")
