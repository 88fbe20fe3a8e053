"""Protocols that let rounding grow: right adapters are not accused, wrong ones still are."""

import pytest

from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.parity import ladder
from tests.conftest import protocol
from tests.parity import test_mutants as mutants

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
    assert max(rung.tolerance for rung in judgement.rungs) == ladder.LATER_TOLERANCE
