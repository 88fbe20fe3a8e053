"""A timed trial that contradicts its proof: its outputs or losses are not its parameters'."""

import dataclasses

import pytest

from harness.experiment.loading import load
from harness.experiment.training import Evaluation, Length
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey
from harness.run import _contradicted
from harness.trial.measure import measure
from harness.trial.outcome import Outcome
from implementations.numpy_scratch import NumpyTrainer
from tests.analysis.rows import run_of
from tests.trials import trial_of


class FirstWeights(NumpyTrainer):
    """Trains as it should, and predicts with the parameters it started from."""

    def predict(self, inputs):
        return type(self).__mro__[1](self.task).predict(inputs)


class AnotherOrder(NumpyTrainer):
    """Predicts rows beyond the 300th in another order."""

    def predict(self, inputs):
        outputs = super().predict(inputs).copy()
        outputs[300:] = outputs[300:][::-1]
        return outputs


class LateLosses(NumpyTrainer):
    """Returns other losses than its own, once a proof's hundred steps are over."""

    done = 0

    def advance(self, batches):
        self.done += len(batches)
        losses = super().advance(batches)
        return losses * 1.5 if self.done > 120 else losses


def contradiction_of(adapter, dtype, name="digits-mlp", steps=150):
    experiment = load(name)
    changes = {"length": Length(steps=steps), "evaluation": Evaluation(every_steps=60)}
    training = experiment.training.model_copy(update=changes)
    experiment = experiment.model_copy(update={"training": training, "native": ()})
    outcome = Outcome()
    measure(trial_of(loop="stepwise", dtype=dtype), experiment, adapter, outcome)
    return outcome.columns.contradiction


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (FirstWeights, "outputs of the test rows are not those of its own parameters"),
        (AnotherOrder, "outputs of the test rows are not those of its own parameters"),
        (LateLosses, "step 121 returned a loss of"),
    ],
)
def test_it_is_found(adapter, words, dtype):
    assert words in contradiction_of(adapter, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["digits-mlp", "xor-mlp", "diabetes-linear", "iris-softmax"])
def test_a_right_one_has_none(name, dtype):
    assert contradiction_of(NumpyTrainer, dtype, name) is None


def test_a_proof_does_not_hold_for_a_cell_that_contradicts_it():
    right = run_of({"numpy": 1.0}, seeds=1)[1][0]
    row = dataclasses.replace(right, contradiction="its outputs are others")
    key = CellKey(row.experiment, row.framework, row.loop)
    verdicts = {key: Judgement(Verdict.SAME, "", ())}
    assert _contradicted(verdicts, [right])[key].proven
    judgement = _contradicted(verdicts, [row])[key]
    assert judgement.verdict == Verdict.DIFFERENT
    assert "in the timed run itself (seed 0), its outputs are others" in judgement.reason
