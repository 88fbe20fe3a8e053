"""Segments that compile again are found out; a busy machine and slow calls are not accused."""

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.trial.recompiling import Segment, recompile_s
from implementations.numpy_scratch import NumpyTrainer
from tests.trial.conftest import Clock
from tests.trial.test_measure import experiment_of, stopping_experiment
from tests.trial.test_training import XOR, of_length, timed

COMPILE_S, CALL_S, STEP_S = 0.5, 0.04, 1e-4
FIRST = Segment(1, 2.0, 2.0)
LENGTHS = [249, *[250] * 39, 1]  # XOR: 10,001 steps, evaluated every 250


def segments(lengths=LENGTHS, compiles=lambda steps: False, call_s=0.0, step_s=STEP_S):
    """Segments of these lengths; the first of each takes COMPILE_S longer where it compiles."""
    seen, made = {1}, []
    for steps in lengths:
        seconds = call_s + step_s * steps
        if steps not in seen and compiles(steps):
            seconds += COMPILE_S
        seen.add(steps)
        made.append(Segment(steps, seconds, seconds))
    return made


def always(steps):
    return True


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        (LENGTHS, 2 * COMPILE_S),
        ([44, 45, 45, 45], 2 * COMPILE_S),
        ([249, 250, 250, 250, 3], 3 * COMPILE_S),  # a remainder
        ([10, 9, 10, 10, 9, 9, 20], 3 * COMPILE_S),  # lengths of a stopping rule
    ],
)
def test_compiling_for_every_length_is_found(lengths, expected):
    assert recompile_s(FIRST, segments(lengths, always)) == pytest.approx(expected, rel=0.1)


def test_compiling_for_the_first_long_segment_only_is_found():
    """A program for many steps, beside one for a single step."""
    found = recompile_s(FIRST, segments(compiles=lambda steps: steps == 249))
    assert found == pytest.approx(COMPILE_S, rel=0.1)


def test_it_is_found_in_slow_calls_too():
    found = recompile_s(FIRST, segments(compiles=always, call_s=CALL_S))
    assert found == pytest.approx(2 * COMPILE_S, rel=0.1)


def test_a_compiler_on_many_threads_is_found():
    made = [dataclasses.replace(s, cpu_s=4 * s.cpu_s) for s in segments(compiles=always)]
    assert recompile_s(FIRST, made) == pytest.approx(2 * COMPILE_S, rel=0.1)


# ---------------------------------------------------------------- what is not


def test_who_compiles_in_the_first_step_is_not_accused():
    assert recompile_s(FIRST, segments()) is None


def test_a_call_that_costs_more_than_its_steps_is_not_accused():
    """By the step, segments of 9 and of 1 take much longer than those of 10."""
    assert recompile_s(FIRST, segments([9, 10, 10, 10, 10, 3], call_s=1.0)) is None


def test_compiling_in_every_segment_is_not_again():
    """It is what a step takes here, and no later segment shows what it takes without."""
    assert recompile_s(FIRST, segments(call_s=COMPILE_S)) is None


@pytest.mark.parametrize("lengths", [[], [9], [1199, 1200, 600], [9, 10, 10]])
def test_too_few_segments_say_nothing(lengths):
    assert recompile_s(FIRST, segments(lengths, always)) is None


def test_the_first_step_says_nothing():
    assert recompile_s(Segment(1, 60.0, 60.0), segments([1, 1, 1, 1])) is None


@pytest.mark.parametrize("index", [0, 1])
def test_waiting_is_not_compiling(index):
    """Another process takes the CPU during the first segment of a length."""
    made = segments()
    made[index] = dataclasses.replace(made[index], seconds=made[index].seconds + COMPILE_S)
    assert recompile_s(FIRST, made) is None


@pytest.mark.parametrize(("index", "factor"), [(0, 1.9), (1, 1.9), (5, 40.0)])
def test_one_slow_segment_is_not_compiling(index, factor):
    """A slower processor: not twice as slow as all others, or not in a new length."""
    made = segments(step_s=1e-2)
    slow = Segment(made[index].steps, factor * made[index].seconds, factor * made[index].cpu_s)
    assert recompile_s(FIRST, [*made[:index], slow, *made[index + 1 :]]) is None


def test_a_hiccup_of_milliseconds_is_not_compiling():
    made = segments(step_s=1e-6)
    made[1] = Segment(250, 0.02, 0.02)  # 80 times as long as the others
    assert recompile_s(FIRST, made) is None


@given(
    lengths=st.lists(st.integers(1, 300), max_size=60),
    noise=st.lists(st.floats(1.0, 2.0), min_size=60, max_size=60),
    wait_s=st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60),
    call_s=st.floats(0.0, 1.0),
)
@settings(max_examples=300)
def test_noise_accuses_nobody(lengths, noise, wait_s, call_s):
    """Each segment up to twice as slow, and waiting up to a second, whatever the lengths."""
    made = [
        Segment(s.steps, factor * s.seconds + wait, factor * s.cpu_s)
        for s, factor, wait in zip(segments(lengths, call_s=call_s), noise, wait_s, strict=False)
    ]
    assert recompile_s(FIRST, made) is None


# ---------------------------------------------------------------- a whole trial


class ByLength(NumpyTrainer):
    """Compiles for every number of steps that it has not seen."""

    loops = ("stepwise",)
    clock = property(lambda self: Clock.current)
    compiles, cpus = True, 1.0

    def __init__(self, task):
        super().__init__(task)
        self.compiled = set()

    def advance(self, batches):
        if self.compiles and len(batches) not in self.compiled:
            self.clock.pass_by(COMPILE_S, self.cpus)
        self.compiled.add(len(batches))
        self.clock.pass_by(STEP_S * len(batches))
        return super().advance(batches)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [({}, 2 * COMPILE_S), ({"compiles": False}, None), ({"cpus": 0.0}, None)],
    ids=["compiles", "does not", "waits"],
)
def test_the_row_says_it(clock, attributes, expected):
    experiment = of_length(XOR, steps=52, every=10)  # segments of 1, 9, 10, 10, 10, 10, 2
    columns = timed(experiment, ByLength, **attributes).columns
    if expected:
        expected += COMPILE_S  # the remainder
    assert columns.recompile_s == (expected and pytest.approx(expected, rel=0.1))
    assert columns.first_step_s > 0
    assert columns.train_s >= (columns.recompile_s or 0)


def test_a_stopping_rule_cuts_lengths_that_are_found_too(clock):
    columns = timed(stopping_experiment(), ByLength).columns
    assert columns.recompile_s >= COMPILE_S * 0.9


def test_a_trial_that_only_predicts_has_none():
    columns = timed(experiment_of("fixed-forward"), NumpyTrainer).columns
    assert columns.recompile_s is None


@pytest.mark.parametrize("compiles", [True, False])
def test_on_the_real_clock(compiles):
    """With a processor that is busy for as long as a small program takes to compile."""

    class Busy(ByLength):
        def advance(self, batches):
            if self.compiles and len(batches) not in self.compiled:
                self.compiled.add(len(batches))
                end = time.process_time() + 0.1
                while time.process_time() < end:
                    np.tanh(np.ones(1000))
            return NumpyTrainer.advance(self, batches)

    columns = timed(of_length(XOR, steps=50, every=5), Busy, compiles=compiles).columns
    if compiles:
        assert 0.05 < columns.recompile_s <= columns.train_s
    else:
        assert columns.recompile_s is None
