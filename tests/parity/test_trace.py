"""A trace tells apart what is done in `advance` and what before or after it."""

import pytest

from harness import data
from harness.experiment.proof_length import proof_of
from harness.parity import ladder
from harness.parity.protocols import every
from harness.parity.subject import Subject
from harness.parity.trace import Trace, record
from implementations.numpy_scratch import NumpyTrainer


class Later(NumpyTrainer):
    """Remembers its batches, and trains when somebody asks for parameters or outputs."""

    todo = ()

    def advance(self, batches):
        self.todo = (*self.todo, batches)
        return [0.0] * len(batches)

    def _catch_up(self):
        for batches in self.todo:
            super().advance(batches)
        self.todo = ()

    def parameters(self):
        self._catch_up()
        return super().parameters()

    def predict(self, inputs):
        self._catch_up()
        return super().predict(inputs)


class InStage(NumpyTrainer):
    """Trains before the clock starts."""

    def stage(self, batches):
        self.losses = super().advance(batches)

    def advance(self, batches):
        return self.losses


class LazyLosses(NumpyTrainer):
    """Trains in time, and returns losses that are computed when they are read."""

    def advance(self, batches):
        rows = batches.rows
        losses = super().advance(batches)
        return _Array(lambda: losses if rows[0].any() else losses * 0)


class _Array:
    def __init__(self, compute):
        self.compute = compute

    def __array__(self, dtype=None, copy=None):
        return self.compute()

    def __len__(self):
        return len(self.compute())


def judged(adapter):
    experiment = proof_of(every()["shuffled-short"])
    prepared = data.load(experiment.data, experiment.loss, "float64")
    trace = record(Subject(adapter, "stepwise").build, experiment, prepared, 0)
    return ladder.judge(Trace.from_arrays(trace.to_arrays()), experiment, 0)


@pytest.mark.parametrize("adapter", [Later, InStage, LazyLosses])
def test_work_off_the_clock_is_another_computation(adapter):
    assert judged(adapter).verdict == "different"


def test_a_right_one_is_not_touched_by_it():
    assert judged(NumpyTrainer).verdict == "same"
