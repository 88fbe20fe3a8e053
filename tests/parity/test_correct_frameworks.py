"""Protocols on which correct frameworks were once accused: terms cancel, or outputs saturate."""

import warnings

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Purpose
from harness.parity import ladder
from harness.parity.subject import Subject
from harness.parity.trace import record
from harness.registry import find
from harness.trial.measure import how_gradients_are_shown
from tests.conftest import protocol, skip_without

ZEROS = {"weights": {"name": "zeros"}, "biases": {"name": "zeros"}}
BALANCED = {"name": "stratified", "test": 0.3, "seed": 0}
ADAM = {"name": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999}
HIDDEN = [{"units": 8, "activation": "tanh"}, {"units": 3, "activation": "identity"}]
FAR = {"weights": {"name": "constant", "value": 100.0}, "biases": {"name": "zeros"}}
BCE = {"name": "binary_cross_entropy", "batch": "mean", "outputs": "mean"}


def adam(epsilon, form="epsilon_hat"):
    return ADAM | {"epsilon": epsilon, "form": form}


def root(name, **more):
    return {
        "name": name,
        "learning_rate": 0.01,
        "epsilon": 1e-8,
        "form": "epsilon_outside_root",
    } | more


def iris(**changes):
    changes = {"initializers": ZEROS, "data__split": BALANCED} | changes
    return protocol("iris-softmax", quick=None, native=None, **changes)


def xor(**changes):
    return protocol("xor-single", quick=None, native=None, **changes)


ACCUSED = {
    "all rows": iris(data__split={"name": "all"}),
    "adam": iris(training__optimizer=adam(1e-8)),
    "adam, algorithm 1": iris(training__optimizer=adam(1e-8, "algorithm_1")),
    "adam, epsilon below rounding": iris(training__optimizer=adam(1e-16)),
    "adam, all rows": iris(training__optimizer=adam(1e-8), data__split={"name": "all"}),
    "adam, small start": iris(
        training__optimizer=adam(1e-8),
        initializers=ZEROS | {"weights": {"name": "normal", "std": 0.01}},
    ),
    "adam, batches": iris(
        training__optimizer=adam(1e-8),
        training__batches={"order": "shuffled", "size": 15, "last": "keep"},
    ),
    "rmsprop": iris(training__optimizer=root("rmsprop", rho=0.9)),
    "adagrad": iris(training__optimizer=root("adagrad", initial_accumulator=0.0)),
    "hidden zeros, adam": iris(network__layers=HIDDEN, training__optimizer=adam(1e-8)),
    "hidden zeros, sgd": iris(network__layers=HIDDEN),
    "saturated": xor(initializers=FAR, training__loss=BCE),
    "saturated softmax": iris(initializers=FAR | {"weights": {"name": "normal", "std": 100.0}}),
}


def judged(values, name, dtype, adapter=None):
    purpose = Purpose.PROOF_AS_TIMED if dtype == "float32" else Purpose.PROOF
    experiment = proof_of(parse(values, "test"), purpose == Purpose.PROOF_AS_TIMED)
    loop = adapter.loops[-1] if adapter else find(name).loop_that_starts_fast
    adapter = adapter or find(name).load()
    if adapter.refuses(experiment):
        pytest.skip(f"{name} cannot follow it")
    prepared = data.load(experiment.data, experiment.loss, dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build = Subject(adapter, loop, dtype).build
        shown_by = how_gradients_are_shown(purpose, dtype)
        trace = record(build, experiment, prepared, 0, shown_by=shown_by)
        return ladder.judge(trace, experiment, 0, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "name",
    [
        "numpy",
        *(pytest.param(each, marks=pytest.mark.full_product) for each in ("torch", "sklearn")),
    ],
)
@pytest.mark.parametrize("case", ACCUSED)
def test_it_is_not_accused(case, name, dtype):
    skip_without(name)
    judgement = judged(ACCUSED[case], name, dtype)
    assert judgement.proven, judgement.reason


def test_losses_of_clipped_probabilities_are_said_to_be_that():
    skip_without("sklearn")
    assert "clipped probabilities" in judged(ACCUSED["saturated"], "sklearn", "float64").reason
    assert judged(ACCUSED["saturated"], "numpy", "float64").reason == ""


@pytest.mark.parametrize("case", ["adam", "all rows", "rmsprop", "saturated"])
@pytest.mark.parametrize("factor", [1.001, 0.5])
def test_there_a_wrong_rate_is_still_seen(case, factor):
    numpy = find("numpy").load()

    class Scaled(numpy):
        loops = ("stepwise",)

        def advance(self, batches):
            batches.learning_rates[:] *= factor
            return super().advance(batches)

    assert judged(ACCUSED[case], "scaled", "float64", Scaled).verdict == "different"


def test_a_penalty_of_zero_times_infinity_is_no_divergence():
    """scikit-learn multiplies its penalty of 0 with a sum of squares that overflows."""
    skip_without("sklearn")
    values = protocol(
        "diabetes-linear",
        quick=None,
        native=None,
        initializers={"weights": {"name": "constant", "value": 1e20}, "biases": {"name": "zeros"}},
        training__optimizer={"name": "sgd", "learning_rate": 1e-30},
        training__loss={"name": "mean_squared_error", "half": True, "batch": "mean"}
        | {"outputs": "mean"},
        data__scale="none",
    )
    trainer = Subject(find("sklearn").load(), "stepwise", "float32").build(parse(values, "test"))
    assert trainer.model.alpha * np.float32(np.inf) == 0
    assert (trainer.model.alpha * np.ones(3) == 0).all()
