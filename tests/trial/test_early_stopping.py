import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.loading import ProtocolError, parse
from harness.experiment.stopping import NoImprovement, Patience
from harness.registry import find
from harness.trial.early_stopping import ImprovementTracker, PatienceTracker
from harness.trial.measure import measure
from harness.trial.outcome import Outcome
from tests.conftest import protocol
from tests.trials import trial_of


def rule(patience_steps, growth, threshold, every):
    return Patience(
        name="patience", patience_steps=patience_steps, growth=growth, threshold=threshold,
        every_steps=every,
    )  # fmt: skip


def the_tutorials_loop(patience, increase, threshold, every, steps, wrong_after):
    """`logistic_sgd.py`, in its own order: (steps made, best step, best, steps looked after)."""
    best_validation, best_step, looks = math.inf, 0, []
    for iteration in range(steps):
        if (iteration + 1) % every == 0:
            looks.append(iteration + 1)
            this = wrong_after(iteration + 1)
            if this < best_validation:
                if this < best_validation * threshold:
                    patience = max(patience, iteration * increase)
                best_validation, best_step = this, iteration + 1
        if patience <= iteration:
            return iteration + 1, best_step, best_validation, looks
    return steps, best_step, best_validation, looks


def segments(tracker, steps, wrong_after):
    """The same by the state machine, in segments as a trial makes them."""
    done, looks = 0, []
    while done < steps:
        done = min(tracker.next_stop(done), steps)
        if tracker.validates_after(done):
            looks.append(done)
            tracker.update(done, wrong_after(done))
        if tracker.is_over(done):
            break
    return done, tracker.best_step, tracker.best_wrong, looks


@given(
    st.integers(1, 60), st.sampled_from([1, 1.5, 2, 3.7]), st.sampled_from([0.5, 0.9, 0.995, 1.0]),
    st.integers(1, 20), st.integers(1, 150),
    st.lists(st.integers(0, 500), min_size=150, max_size=150),
)  # fmt: skip
def test_it_ends_where_the_tutorials_loop_does(patience, growth, threshold, every, steps, wrong):
    tracker = PatienceTracker(rule(patience, growth, threshold, every), every)
    expected = the_tutorials_loop(
        patience, growth, threshold, every, steps, lambda step: wrong[step - 1]
    )
    assert segments(tracker, steps, lambda step: wrong[step - 1]) == expected


def test_patience_grows_by_hand():
    """Looks after 10, 20, ...; patience 25 becomes 2 * 19 = 38 and then nothing gets better."""
    wrong = {10: 100, 20: 80, 30: 80, 40: 79}
    tracker = PatienceTracker(rule(25, 2, 0.995, 10), 10)
    done, best_step, best, looks = segments(tracker, 1000, wrong.__getitem__)
    assert (done, best_step, best, looks) == (39, 20, 80, [10, 20, 30])


@pytest.mark.parametrize(("wrong", "patience"), [(199, 25), (198, 38)])
def test_a_small_improvement_is_the_best_but_buys_no_time(wrong, patience):
    tracker = PatienceTracker(rule(25, 2, 0.995, 10), 10)
    tracker.update(10, 200)  # 2 * 9 is less than 25
    assert tracker.update(20, wrong)
    assert (tracker.best_wrong, tracker.patience) == (wrong, patience)


def test_as_good_is_not_better():
    tracker = PatienceTracker(rule(25, 2, 1.0, 10), 10)
    assert tracker.update(10, 5)
    assert not tracker.update(20, 5)
    assert tracker.best_step == 10


def improvement_rule(watched, patience, min_delta=0.0, restore="never"):
    return NoImprovement(
        name="no_improvement", watched=watched, patience=patience, min_delta=min_delta,
        restore=restore, every_steps=10,
    )  # fmt: skip


class KerasEarlyStopping:
    """The lines of `keras.callbacks.EarlyStopping` that decide, for one epoch after another."""

    def __init__(self, greater, patience, min_delta):
        self.operation = np.greater if greater else np.less
        self.min_delta = min_delta * (1 if greater else -1)
        self.patience, self.best, self.best_epoch, self.wait = patience, None, 0, 0

    def stops_after(self, epoch, value):
        self.wait += 1
        if self.best is None or self.operation(value - self.min_delta, self.best):
            self.best, self.best_epoch, self.wait = value, epoch, 0
            return False
        return self.wait >= self.patience and epoch > 0


@given(
    st.sampled_from(["loss", "accuracy"]), st.integers(1, 6), st.sampled_from([0.0, 0.125, 0.5]),
    st.lists(st.integers(0, 16), min_size=1, max_size=40),
)  # fmt: skip
def test_no_improvement_ends_where_keras_does(watched, patience, min_delta, eighths):
    tracker = ImprovementTracker(improvement_rule(watched, patience, min_delta), 10)
    keras = KerasEarlyStopping(watched == "accuracy", patience, min_delta)
    best, done = 0, 0
    for epoch, value in enumerate(eighths):
        done = tracker.next_stop(done)
        assert done == 10 * (epoch + 1)
        best = done if tracker.update(value / 8) else best
        over = keras.stops_after(epoch, value / 8)
        assert (tracker.is_over(done), best) == (over, 10 * (keras.best_epoch + 1))
        if over:
            break


def test_a_loss_that_is_not_a_number_does_not_improve():
    tracker = ImprovementTracker(improvement_rule("loss", 2), 10)
    assert tracker.update(1.0)
    assert not tracker.update(math.nan)
    assert not tracker.is_over(20)
    assert not tracker.update(1.0)
    assert tracker.is_over(30)


def stopped_trial(restore, rate, steps=400, watched="loss"):
    """The outcome of digits with a rate that is too high, or not; its validations are scored."""
    rule = {
        "name": "no_improvement", "watched": watched, "patience": 3, "min_delta": 0.0,
        "restore": restore, "every_steps": 10,
    }  # fmt: skip
    changes = {
        "training__optimizer": {"name": "sgd", "learning_rate": rate},
        "training__length": {"steps": steps},
        "training__evaluation": {"every_steps": steps},
    }
    return outcome_of("digits-mlp", training__stopping=rule, **changes)


def outcome_of(base, **changes):
    experiment = parse(protocol(base, data__validation=0.2, quick=None, **changes), "test")
    outcome = Outcome()
    measure(trial_of(), experiment, find("numpy").load(), outcome)
    return outcome


def test_restored_scores_are_those_of_the_best_validation():
    kept, restored = (stopped_trial(restore, 2.0) for restore in ("never", "always"))
    losses, steps = (restored.arrays[f"watch_{name}"] for name in ("validation_loss", "step"))
    best = int(steps[losses.argmin()])
    assert kept.columns.restored_step is None
    assert restored.columns.restored_step == best == restored.arrays["best_step"]
    assert best < restored.columns.steps == kept.columns.steps < 400
    assert restored.columns.validation_loss == losses.min() < kept.columns.validation_loss
    assert restored.columns.test_accuracy == restored.arrays["test_right"].mean()
    assert restored.columns.test_accuracy == restored.arrays["best_test_accuracy"]
    same = restored.arrays["test_outputs"] == kept.arrays["test_outputs"]
    assert not same.all()


def test_if_stopped_restores_nothing_where_training_has_its_length():
    assert stopped_trial("if_stopped", 2.0).columns.restored_step is not None
    assert stopped_trial("if_stopped", 0.01, steps=35).columns.restored_step is None
    assert stopped_trial("always", 0.01, steps=35).columns.restored_step == 30


def test_a_network_without_classes_is_watched_by_its_loss():
    rule = {
        "name": "no_improvement", "watched": "loss", "patience": 1, "min_delta": 1e6,
        "restore": "always", "every_steps": 5,
    }  # fmt: skip
    outcome = outcome_of("diabetes-linear", training__stopping=rule)
    assert outcome.columns.restored_step == outcome.arrays["best_step"] == 5
    assert "watch_validation_accuracy" not in outcome.arrays
    with pytest.raises(ProtocolError, match="'no_improvement' can watch the loss"):
        outcome_of("diabetes-linear", training__stopping=rule | {"watched": "accuracy"})
