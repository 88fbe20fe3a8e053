"""What the ladder says of protocols that diverge."""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.parity import ladder
from harness.parity.subject import Subject
from harness.parity.trace import record
from implementations.numpy_scratch import NumpyTrainer
from tests.conftest import protocol


class Halved(NumpyTrainer):
    """Takes half of every step."""

    def advance(self, batches):
        batches.learning_rates[:] /= 2
        return super().advance(batches)


@pytest.fixture
def diverging():
    """Its losses overflow within the proof's 100 steps, in any implementation."""
    values = protocol(
        "diabetes-linear",
        quick=None,
        native=None,
        training__optimizer={"name": "sgd", "learning_rate": 1e7},
    )
    return proof_of(parse(values, "test"))


def judged(adapter, experiment):
    prepared = data.load(experiment.data, experiment.loss, "float64")
    with np.errstate(all="ignore"):
        trace = record(Subject(adapter, "stepwise").build, experiment, prepared, 0)
        return ladder.judge(trace, experiment, 0)


def test_a_protocol_that_diverges_accuses_nobody(diverging):
    judgement = judged(NumpyTrainer, diverging)
    assert judgement.proven, judgement.reason
    assert "diverges, in the oracle too; compared for" in judgement.reason


def test_until_it_diverges_a_mistake_is_seen(diverging):
    assert judged(Halved, diverging).verdict == "different"
