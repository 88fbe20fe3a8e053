import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.stopping import Patience
from harness.trial.early_stopping import PatienceTracker


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
