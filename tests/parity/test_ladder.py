"""What the ladder says of protocols that lead nowhere, and whether it says it again."""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import parse
from harness.experiment.proof_length import proof_of
from harness.parity import ladder
from harness.parity.conformance import Subject
from harness.parity.protocols import every
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
        "diabetes-linear", quick=None, native=None,
        training__optimizer={"name": "sgd", "learning_rate": 1e7},
    )  # fmt: skip
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


def test_the_tolerance_of_a_protocol_does_not_depend_on_what_was_judged_before():
    wanted, other = every()["with-replacement-nesterov"], every()["shuffled-dropped"]
    found = []
    for before in ((), (other,)):
        ladder._reruns.cache_clear()
        ladder.rounding_tolerances.cache_clear()
        for experiment in (*before, wanted):
            tolerances = ladder.rounding_tolerances(experiment, 0, "float32")
        found.append(tolerances)
    assert found[0] == found[1]
