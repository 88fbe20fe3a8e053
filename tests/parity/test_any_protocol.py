"""Every protocol that can be written can be proven: no correct framework is accused."""

import warnings

import numpy as np
import pytest

from harness import data
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Purpose
from harness.parity import ladder
from harness.parity.subject import Subject
from harness.parity.trace import record
from harness.registry import find
from harness.trial.measure import how_gradients_are_shown
from tests.conftest import skip_without
from tests.parity.drawn_protocols import RELATIVES, drawn

FEW, MANY = 12, 1_000
CASES = [
    *(("numpy", number) for number in range(FEW)),
    *(("torch", number) for number in range(FEW)),
    *(("sklearn", number) for number in (1843, 82)),  # saturated; summed over short batches
    ("jax", 0),
]
ALL_CASES = [(name, number) for number in range(FEW, MANY) for name in ("numpy", "torch")] + [
    ("jax", number) for number in range(FEW, MANY, 10)
]


def judged(name, number, dtype):
    """The verdict on a framework that follows a drawn protocol; None where it cannot."""
    purpose = Purpose.PROOF_AS_TIMED if dtype == "float32" else Purpose.PROOF
    experiment = proof_of(drawn(number), purpose == Purpose.PROOF_AS_TIMED)
    adapter = find(name).load()
    if adapter.refuses(experiment):
        return None
    prepared = data.load(experiment.data, experiment.loss, dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # drawn protocols may diverge
        build = Subject(adapter, find(name).loop_that_starts_fast, dtype).build
        shown_by = how_gradients_are_shown(purpose, dtype)
        trace = record(build, experiment, prepared, 0, shown_by=shown_by)
        return ladder.judge(trace, experiment, 0, dtype)


def assert_not_accused(name, number):
    skip_without(name)
    for dtype in ("float64", "float32"):
        judgement = judged(name, number, dtype)
        assert judgement is None or judgement.proven, f"{dtype}: {judgement.reason}"


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_drawn_protocol_accuses_nobody(name, number):
    assert_not_accused(name, number)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "number"), ALL_CASES)
def test_a_thousand_drawn_protocols_accuse_nobody(name, number):
    assert_not_accused(name, number)


def test_drawn_protocols_have_every_part_of_the_language():
    experiments = [drawn(number) for number in range(300)]
    trainings = [experiment.training for experiment in experiments]
    rules = {training.optimizer.name for training in trainings}
    assert rules == {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", *RELATIVES}
    assert len({training.loss.name for training in trainings}) == 8
    assert {training.batches.order for training in trainings} == {
        "full",
        "sequential",
        "shuffled",
        "with_replacement",
    }
    assert any(training.l2 and training.l2.on == "all" for training in trainings)
    assert any(training.schedule for training in trainings)
    assert any(experiment.data.rows[0] == 1 for experiment in experiments)
    activations = {layer.activation for e in experiments for layer in e.network.dense_layers}
    assert activations >= {"relu", "leaky_relu", "gelu_tanh", "softplus"}
