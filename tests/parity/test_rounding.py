"""Rounding: where it grows right adapters are not accused, and wrong ones still are."""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.parity import ladder, rounding, rungs
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters
from tests.conftest import protocol
from tests.parity import test_diagnosis as mutants

SGD = {"name": "sgd", "learning_rate": 0.5}
ADAM = {
    "name": "adam",
    "learning_rate": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-16,
    "form": "epsilon_hat",
}


@pytest.fixture
def wild(monkeypatch):
    """Pixels of 0 to 16 and a rate of 0.5: a rounding error grows 10,000-fold in 20 steps."""
    values = protocol(
        "digits-softmax", data__scale="none", training__optimizer=SGD, quick=None, native=None
    )
    experiment = proof_of(parse(values, "test"))
    known = mutants.protocols() | {"wild": experiment}
    monkeypatch.setattr(mutants, "protocols", lambda: known)
    return experiment


def test_a_right_adapter_is_not_accused(wild):
    judgement = ladder.judge(mutants.trace_of("wild", ""), wild, 0)
    assert judgement.verdict == "same while comparable"
    assert judgement.proven
    assert "rounding grows" in judgement.reason


@pytest.mark.parametrize("mistake", ["rate scaled", "loss summed over the batch", "sign flipped"])
def test_a_wrong_one_is_caught_in_its_first_updates(wild, mistake):
    judgement = ladder.judge(mutants.trace_of("wild", mistake), wild, 0)
    assert judgement.verdict == "different"
    assert judgement.first_failure.name in ("gradients", "1 update")


def test_elsewhere_nothing_is_allowed_for():
    experiment = mutants.protocols()["sgd"]
    judgement = ladder.judge(mutants.trace_of("sgd", ""), experiment, 0)
    assert (judgement.verdict, judgement.reason) == ("same", "")
    assert max(rung.tolerance for rung in judgement.rungs) == rungs.LATER_TOLERANCE


def noisy(experiment, unit, sign=1, dtype="float64"):
    train = data.load(experiment.data, experiment.loss, "float64").train
    start = initial_parameters(experiment, 0, dtype)
    noise = {"unit": unit, "sign": sign, "seed": 0}
    return rounding.Noisy(experiment, start, train.inputs, train.targets, dtype, **noise)


@pytest.mark.parametrize("name", ["sgd", "adam", "binary", "squared", "xor"])
def test_without_noise_it_is_the_oracle_to_the_bit(name):
    experiment = mutants.protocols()[name]
    train = data.load(experiment.data, experiment.loss, "float64").train
    start = initial_parameters(experiment, 0, "float64")
    oracle = Reference(experiment, start, train.inputs, train.targets)
    silent = noisy(experiment, 0.0)
    batches = BatchPlan.of(experiment, 0).segment(0, 5)
    assert np.array_equal(silent.advance(batches), oracle.advance(batches))
    for pair, expected in zip(silent.parameters(), oracle.parameters(), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(pair, expected, strict=True))


def test_noise_comes_in_opposite_pairs_of_its_unit():
    experiment = mutants.protocols()["three layers"]
    inputs = data.load(experiment.data, experiment.loss, "float64").test.inputs[:20]
    right, up, down = (
        noisy(experiment, 1e-9 * bool(sign), sign or 1).predict(inputs) for sign in (0, 1, -1)
    )
    assert np.abs(up - right).max() > 1e-10
    assert up - right == pytest.approx(right - down, abs=1e-14)


def test_a_gradient_that_is_rounding_alone_may_have_either_sign():
    """From zeros on balanced classes biases have no gradient, and Adam divides what is left."""
    values = protocol("iris-softmax", quick=None, native=None, training__optimizer=ADAM)
    experiment = proof_of(parse(values, "test"))
    allowed = rounding.first_allowances(experiment, 0)
    rate, (_, biases) = ADAM["learning_rate"], allowed.parameters[1][0]
    assert (biases > rate).all()  # +rate or -rate: nothing can be said of them
    assert allowed.gradients[0][1].max() < 1e-11
    assert allowed.parameters[1][0][0].max() < 1e-9  # of weights everything


def test_a_protocol_that_overflows_in_float32_is_compared_up_to_there():
    values = protocol(
        "diabetes-linear",
        quick=None,
        native=None,
        training__optimizer={"name": "sgd", "learning_rate": 1e5},
    )
    experiment = proof_of(parse(values, "test"), as_timed=True)
    single = rounding.expected_in(experiment, 0, "float32")
    double = rounding.expected_in(experiment, 0, "float64")
    assert np.isnan(single.losses).sum() > np.isnan(double.losses).sum()
    assert max(single.parameters) < max(double.parameters)


def test_the_tolerance_of_a_protocol_does_not_depend_on_what_was_judged_before():
    experiment, other = every()["with-replacement-nesterov"], every()["shuffled-dropped"]
    results = []
    for before in ((), (other,)):
        rounding._reruns.cache_clear()
        rounding.rounding_tolerances.cache_clear()
        for each in (*before, experiment):
            tolerances = rounding.rounding_tolerances(each, 0, "float32")
        results.append(tolerances)
    assert results[0] == results[1]
