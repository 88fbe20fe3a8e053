"""Rounding: where it grows right adapters are not accused, and wrong ones still are."""

import pytest

from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.parity import ladder, rounding, rungs
from harness.parity.protocols import every
from tests.conftest import protocol
from tests.parity import test_diagnosis as mutants

SGD = {"name": "sgd", "learning_rate": 0.5}


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
