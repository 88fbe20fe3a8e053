"""Medians and ratios with intervals: laws, and cases counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.intervals import Estimate, estimate, paired_ratio

times = st.lists(st.floats(1e-6, 1e3), min_size=3, max_size=15)


@settings(max_examples=40)
@given(values=times.filter(lambda v: len(v) < 10), factor=st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(values, factor):
    one, other = estimate(values), estimate([value * factor for value in values])
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * factor, rel=1e-6)


@settings(max_examples=40)
@given(values=times)
def test_an_interval_holds_its_median(values):
    interval = estimate(values)
    assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0]])
def test_one_or_two_values_have_no_interval(values):
    assert estimate(values) == Estimate(pytest.approx(2.0), None, None, len(values))


def test_nothing_and_times_of_zero():
    assert estimate([]) is None
    assert estimate([0.0]) is None


def test_student_by_hand():
    # logarithms 0, 1, 2: mean 1, deviation 1, t(0.975, 2) = 4.302653, half = 4.302653 / sqrt 3
    interval = estimate([1.0, math.e, math.e**2])
    half = 4.302653 / math.sqrt(3)
    assert (math.log(interval.low), math.log(interval.high)) == pytest.approx((1 - half, 1 + half))


@pytest.mark.parametrize("count", [5, 12])
def test_coverage(count):
    """Of 200 samples of a known median about 95 % of the intervals hold it."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        interval = estimate(np.exp(generator.normal(0.3, 0.1, count)).tolist())
        covered += interval.low <= math.exp(0.3) <= interval.high
    assert 0.88 <= covered / 200 <= 0.995


def test_pairing_removes_what_both_share():
    drift = [1.0, 2.0, 4.0, 8.0]
    slow = {block: 1.5 * time for block, time in enumerate(drift)}
    fast = dict(enumerate(drift)) | {"alone": 1.0}
    interval = paired_ratio(slow, fast)
    assert interval.count == 4
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.5, 1.5, 1.5))
    assert not interval.contains_one
    assert paired_ratio(slow, {"alone": 1.0}) is None
