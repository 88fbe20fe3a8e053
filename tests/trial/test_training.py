"""What the identical track's loop times, by a clock that only the trainer moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.experiment.training import Evaluation, Length
from harness.trial import evaluation
from harness.trial.measure import Outcome, measure
from harness.trial.training import IDIOMATIC_SEGMENTS_AT_MOST, _points
from implementations.numpy_scratch import NumpyTrainer
from tests.trial.conftest import Clock
from tests.trial.test_measure import experiment_of, stopping_experiment
from tests.trials import trial_of

STAGE_S, PREDICT_S, PARAMETERS_S, COMPILE_S, STEP_S = 1000, 100, 10, 60, 1
DIGITS, XOR = experiment_of(), experiment_of("xor-mlp")


class Timed(NumpyTrainer):
    """Every call takes its own time; the outputs are right after some of the steps only."""

    loops = ("idiomatic", "stepwise")
    clock = property(lambda self: Clock.current)
    cpus, step_s = 1.0, STEP_S
    right_after = range(0)

    def __init__(self, task):
        super().__init__(task)
        self.done = 0

    def stage(self, batches):
        self.clock.pass_by(STAGE_S, cpus=50)

    def advance(self, batches):
        if not self.done:
            self.clock.pass_by(COMPILE_S, cpus=50)
        self.clock.pass_by(self.step_s * len(batches), self.cpus)
        self.done += len(batches)
        return super().advance(batches)

    def predict(self, inputs):
        self.clock.pass_by(PREDICT_S, cpus=50)
        target = np.not_equal(*inputs.T)[:, np.newaxis]  # of XOR
        return np.where(target == (self.done in self.right_after), 1.0, -1.0)

    def parameters(self):
        self.clock.pass_by(PARAMETERS_S, cpus=50)
        return super().parameters()


class TimedDigits(Timed):
    def predict(self, inputs):
        self.clock.pass_by(PREDICT_S)
        return NumpyTrainer.predict(self, inputs)


def of_length(experiment, steps, every):
    """With an evaluation after so many steps each."""
    changes = {"length": Length(steps=steps), "evaluation": Evaluation(every_steps=every)}
    training = experiment.training.model_copy(update=changes)
    return experiment.model_copy(update={"training": training})


def timed(experiment, adapter=Timed, loop="stepwise", threads=1, **attributes):
    outcome = Outcome()
    trial = trial_of(loop=loop, threads=threads, dtype="float64")
    measure(trial, experiment, type("Changed", (adapter,), attributes), outcome)
    return outcome


def test_only_advance_is_on_the_clock(clock):
    outcome = timed(of_length(XOR, steps=12, every=5))
    columns, arrays = outcome.columns, outcome.arrays
    assert columns.first_step_s == pytest.approx(COMPILE_S + 1)  # one step, and what it compiles
    assert columns.train_s == pytest.approx(11)
    assert (columns.steps, columns.samples) == (12, 48)
    assert [getattr(columns, name) for name in ("step_us_low", "step_us", "step_us_high")] == (
        pytest.approx([1e6, 1e6, 1e6])
    )
    assert columns.predict_s == pytest.approx(PREDICT_S)
    assert arrays["step"].tolist() == [1, 5, 10, 12]
    assert arrays["train_s"] == pytest.approx([0, 4, 9, 11])
    assert len(arrays["loss"]) == 12
    others = 4 * STAGE_S + 4 * PARAMETERS_S + 8 * PREDICT_S  # train and test rows at every point
    assert clock.seconds >= COMPILE_S + 12 + others


def test_a_large_training_set_has_no_score_after_the_first_step(clock, monkeypatch):
    """Its prediction takes as long as many steps. The end has all scores."""
    monkeypatch.setattr(evaluation, "BLOCK_ROWS", 3)  # XOR has four rows
    outcome = timed(of_length(XOR, steps=12, every=5))
    for name in ("train_loss", "train_accuracy"):
        first, *later = outcome.arrays[name]
        assert np.isnan(first)
        assert np.isfinite(later).all()
    assert np.isfinite(outcome.arrays["test_loss"]).all()
    assert outcome.columns.train_loss == outcome.arrays["train_loss"][-1]
    only_step = timed(of_length(XOR, steps=1, every=1))
    assert np.isfinite(only_step.arrays["train_loss"]).all()


def test_a_step_is_timed_by_segment(clock):
    """Steps 1, 2 to 5, 6 to 10, 11 and 12: the three later segments at 1, 2 and 4 s a step."""

    class Slower(Timed):
        def advance(self, batches):
            self.step_s = {0: 1, 1: 1, 5: 2, 10: 4}[self.done]
            return super().advance(batches)

    outcome = timed(of_length(XOR, steps=12, every=5), Slower)
    assert outcome.arrays["train_s"] == pytest.approx([0, 4, 14, 22])
    assert outcome.columns.step_us_low == pytest.approx(1.5e6)
    assert outcome.columns.step_us == pytest.approx(2e6)
    assert outcome.columns.step_us_high == pytest.approx(3e6)


def test_a_single_step_has_no_training_time(clock):
    columns = timed(of_length(XOR, steps=1, every=1)).columns
    assert columns.first_step_s == pytest.approx(COMPILE_S + 1)
    assert columns.train_s == 0
    assert columns.step_us is None


def test_looks_of_a_stopping_rule_are_off_the_clock(clock):
    outcome = timed(stopping_experiment(), TimedDigits)
    steps = outcome.columns.steps
    assert len(outcome.arrays["watch_step"]) > len(outcome.arrays["step"])
    assert outcome.columns.train_s == pytest.approx(steps - 1)
    assert outcome.arrays["train_s"] == pytest.approx(outcome.arrays["step"] - 1)


@pytest.mark.parametrize(
    ("right_after", "target_s"),
    [
        (range(13), COMPILE_S + 1),
        (range(2, 13), COMPILE_S + 5),
        (range(5, 6), COMPILE_S + 5),  # lost again; the first time counts
        (range(6, 13), COMPILE_S + 10),
        (range(12, 13), COMPILE_S + 12),
        (range(6, 10), None),  # nobody looks then
        (range(0), None),
    ],
    ids=str,
)
def test_the_time_to_the_target(clock, right_after, target_s):
    experiment = of_length(XOR, steps=12, every=5)
    found = timed(experiment, right_after=right_after).columns.target_s
    assert found == (target_s and pytest.approx(target_s))
    easier = experiment.model_copy(update={"target": None})
    assert timed(easier, right_after=right_after).columns.target_s is None


def test_the_test_rows_decide_on_the_target(clock):
    """The training rows (the first input is 0) are always right, the test rows from step 6 on."""

    class KnowsItsRows(Timed):
        def predict(self, inputs):
            outputs = super().predict(inputs)
            return np.where(inputs[:, :1] == 0, np.where(inputs[:, 1:] == 1, 1.0, -1.0), outputs)

    split = {"name": "rows", "train": [[0, 2]], "test": [[2, 4]]}
    experiment = of_length(experiment_of("xor-mlp", data__split=split), steps=12, every=5)
    outcome = timed(experiment, KnowsItsRows, right_after=range(6, 13))
    assert outcome.arrays["train_accuracy"].tolist() == [1, 1, 1, 1]
    assert outcome.arrays["test_accuracy"].tolist() == [0, 0, 1, 1]
    assert outcome.columns.target_s == pytest.approx(COMPILE_S + 10)


@pytest.mark.parametrize(
    ("cpus", "threads", "step_s", "remark"),
    [
        (3.0, 1, 1.0, "used 3.0 CPUs in training, 1 allowed"),
        (3.0, 2, 1.0, "used 3.0 CPUs in training, 2 allowed"),
        (1.2, 1, 1.0, "used 1.2 CPUs in training, 1 allowed"),
        (1.0, 1, 1.0, None),  # all else takes 50
        (1.09, 1, 1.0, None),
        (3.0, 3, 1.0, None),
        (3.0, 1, 0.01, None),  # too short to say
    ],
)
def test_cpus_that_were_not_asked_for_are_remarked(clock, cpus, threads, step_s, remark):
    experiment = of_length(XOR, steps=12, every=5)
    columns = timed(experiment, threads=threads, cpus=cpus, step_s=step_s).columns
    assert columns.status_detail == remark


# ---------------------------------------------------------------- points of an idiomatic loop


def test_an_idiomatic_loop_stops_at_few_points(clock):
    class Silent(TimedDigits):
        def advance(self, batches):
            super().advance(batches)

    experiment = of_length(DIGITS, steps=90, every=9)  # two epochs of 45 steps
    outcome = timed(experiment, Silent, "idiomatic")
    assert outcome.arrays["step"].tolist() == [1, 45, 90]
    assert outcome.arrays["train_s"] == pytest.approx([0, 44, 89])
    assert outcome.columns.train_s == pytest.approx(89)
    assert "loss" not in outcome.arrays


def test_other_loops_must_return_their_losses(clock):
    class Silent(Timed):
        def advance(self, batches):
            super().advance(batches)

    with pytest.raises(ValueError, match="a stepwise loop must return its losses"):
        timed(of_length(XOR, steps=12, every=5), Silent)


def test_fifty_epochs_are_ten_segments():
    points = _points(DIGITS, "idiomatic")
    assert DIGITS.steps == 50 * 45
    assert [point / 45 for point in points[1:]] == [1, 6, 12, 17, 23, 28, 34, 39, 45, 50]


@given(steps=st.integers(1, 3000), every=st.integers(1, 3000), batch_size=st.integers(1, 1437))
@settings(max_examples=200)
def test_an_idiomatic_loop_has_few_segments_an_epoch_apart(steps, every, batch_size):
    batches = DIGITS.training.batches.model_copy(update={"size": batch_size})
    training = DIGITS.training.model_copy(update={"batches": batches})
    experiment = of_length(DIGITS.model_copy(update={"training": training}), steps, every)
    points = _points(experiment, "idiomatic")
    assert set(points) <= set(experiment.evaluation_points)
    assert (points[0], points[-1]) == (1, steps)
    assert all(np.diff(points) > 0)
    assert len(points[1:]) <= IDIOMATIC_SEGMENTS_AT_MOST
    assert all(np.diff(points[1:]) >= experiment.steps_per_epoch)


@pytest.mark.parametrize("loop", ["stepwise", "fused"])
def test_other_loops_stop_at_every_point(loop):
    assert _points(DIGITS, loop) == list(DIGITS.evaluation_points)
