"""What a trial says about a number, and samples in and out of files."""

import numpy as np
import pytest

from harness.claims import samples
from harness.experiment.vocabulary import Purpose
from tests.claims.builders import accuracies, make_claim, make_sample

ARRAYS = {
    "step": np.array([1, 10, 20]),
    "test_accuracy": np.array([0.1, 0.9, 0.8]),
    "validation_accuracy": np.array([0.1, 0.7, 0.75]),
    "loss": np.array([2.0, 1.5, 1.0, 0.5]),
    "test_outputs": np.array([[0.25, 0.75]]),
    "test_right": np.array([True, False, True]),
    "solver_loss": np.array([0.9, 0.4, 0.5]),
}


def value(arrays, row=None, **number):
    claim = make_claim(seeds=1, number={"rule": "exact"})
    changed = claim.numbers[0].model_copy(update=number)
    claim = claim.model_copy(update={"numbers": (changed,)})
    row = make_sample(claim, {}, **({"test_accuracy": 0.8, "steps": 1_201} | (row or {}))).row
    sample = samples.make_sample(claim, "", claim.protocol, row, arrays, "same")
    return sample.values.get(claim.numbers[0].key)


@pytest.mark.parametrize(
    ("metric", "at", "expected"),
    [
        ("test_accuracy", "last", [0.8]),
        ("test_error", "last", [pytest.approx(0.2)]),
        ("test_accuracy", "highest", [0.9]),
        ("test_accuracy", "lowest", [0.1]),
        ("test_accuracy", "best_validation", [0.8]),
        ("test_error", "highest", [pytest.approx(0.9)]),
        ("test_error", "lowest", [pytest.approx(0.1)]),
        ("test_error", "best_validation", [pytest.approx(0.2)]),
        ("test_error", 10, [pytest.approx(0.1)]),
        ("validation_error", "highest", [pytest.approx(0.9)]),
        ("validation_error", "lowest", [pytest.approx(0.25)]),
        ("validation_error", "best_validation", [pytest.approx(0.25)]),
        ("test_accuracy", 10, [0.9]),
        ("test_accuracy", 11, None),
        ("train_accuracy", "last", None),
        ("step_loss", 2, [1.0]),
        ("step_loss", 4, None),
        ("loss_ratio", "last", [0.25]),
        ("solver_loss", "last", [0.5]),
        ("solver_loss", "lowest", [0.4]),
        ("solver_loss", 1, [0.9]),
        ("solver_loss", 4, None),
        ("epochs", "last", [3.0]),
        ("outputs", "last", [0.25, 0.75]),
    ],
)
def test_metrics(metric, at, expected):
    assert value(ARRAYS, metric=metric, at=at, published="1") == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("last", 3.5), (1, 1.5), (2, 3.5), ("highest", 3.5), ("lowest", 1.5), (3, None)],
)
def test_the_mean_of_an_epochs_batch_losses(at, expected):
    """600 steps an epoch: half of the first at 1, half at 2; then 3 and 4; then a rest of 10."""
    losses = np.repeat([1.0, 2.0, 3.0, 4.0, 9.0], [300, 300, 300, 300, 10])
    arrays = {"loss": losses}
    row = {"steps": len(losses)}
    measured = value(arrays, metric="epoch_loss", at=at, published="1", row=row)
    assert measured == (None if expected is None else [pytest.approx(expected)])


def test_the_mean_of_an_epochs_batch_accuracies():
    arrays = {"batch_accuracy": np.repeat([0.5, 0.7], [600, 600])}
    row = {"steps": 1_200}
    assert value(arrays, metric="epoch_accuracy", at=2, published="1", row=row) == [0.7]
    assert value(ARRAYS, metric="epoch_accuracy", published="1") is None


def test_an_epoch_whose_losses_are_missing_has_no_mean():
    assert value({"loss": np.ones(600)}, metric="epoch_loss", published="1") is None  # of 1,201
    assert value({}, metric="epoch_loss", published="1") is None


def test_a_start_has_a_score():
    """Zeros give every class the same logit, so the first class and a loss of ln 10."""
    claim = make_claim("digits-mlp", seeds=1, fixed=True, number={"rule": "exact", "at": 0})
    row = make_sample(claim, {}, steps=100).row
    values = {}
    for metric in ("test_accuracy", "test_error", "test_loss", "train_loss"):
        number = claim.numbers[0].model_copy(update={"metric": metric})
        one = claim.model_copy(update={"numbers": (number,)})
        sample = samples.make_sample(one, "", one.protocol, row, {}, "same")
        (values[metric],) = sample.values[number.key]
    assert values["test_loss"] == pytest.approx(np.log(10))
    assert values["train_loss"] == pytest.approx(np.log(10))
    assert 0.05 < values["test_accuracy"] < 0.15
    assert values["test_error"] == pytest.approx(1 - values["test_accuracy"])


def test_early_stopping_keeps_its_best():
    arrays = ARRAYS | {"best_test_accuracy": np.array(0.925)}
    values = value(arrays, metric="test_error", at="best_validation", published="1")
    assert values == [pytest.approx(0.075)]


def test_many_seeds_have_a_value_each_and_a_diverged_one_is_none_of_the_successes():
    arrays = {"seed_accuracy": np.array([1.0, 0.5, np.nan])}
    many = {"purpose": Purpose.MANY_STARTS}
    assert value(arrays, metric="test_accuracy", published="1", row=many) == [1.0, 0.5, 0.0]
    assert value(arrays, metric="train_accuracy", published="1", row=many) is None
    assert value({}, metric="test_accuracy", published="1", row=many) is None


@pytest.mark.parametrize("loss", [[0.0, 1.0], [np.nan, 1.0], [1.0, np.inf]])
def test_what_is_not_finite_is_left_out(loss):
    with np.errstate(all="ignore"):
        arrays = ARRAYS | {"loss": np.array(loss)}
        assert value(arrays, metric="loss_ratio", published="1") is None


def test_lines_come_back(tmp_path):
    claim = make_claim()
    before = accuracies(claim, 0.9, 0.91, right=np.array([True, False, True] * 5))
    samples.write(tmp_path, before)
    after = samples.read(tmp_path)
    assert after == before
    assert (after[0].right_rows() == [True, False, True] * 5).all()
    assert samples.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    "line",
    ["", "{}", '{"schema": 1, "values": null}', "[]", '{"schema": 9}', "no", '{"schema": 1}'],
)
def test_a_line_that_is_none_is_named(tmp_path, line):
    samples.write(tmp_path, accuracies(make_claim(), 0.9))
    with (tmp_path / samples.FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match="line 2"):
        samples.read(tmp_path)


def test_a_failure_never_replaces_a_result():
    claim = make_claim()
    (good,) = accuracies(claim, 0.9)
    (bad,) = accuracies(claim, 0.0, status="timeout")
    assert samples.merge([good], [bad]) == [good]
    assert samples.merge([bad], [good]) == [good]
    (newer,) = accuracies(claim, 0.95)
    assert samples.merge([good], [newer]) == [newer]
