"""The sweep's points, the work of a step by hand, the law from known times, crossings by hand."""

import math
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import scaling, sweep_points
from harness.analysis.scaling import Comparison, Fit, Stretch, Term, Timing
from harness.experiment.loading import parse
from harness.experiment.toml_text import to_toml


def law(overhead_us, gflop_per_s, rms=0.05):
    term = Term(gflop_per_s, gflop_per_s, gflop_per_s)
    return Fit(9, Term(overhead_us, overhead_us, overhead_us), term, rms, rms, "a point")


def timings(overhead_us, gflop_per_s, factors=(1.0,) * 14):
    works = np.geomspace(1e5, 1e10, 14)
    return [
        Timing(f"point {index}", work, (overhead_us + work * 1e-3 / gflop_per_s) * factor)
        for index, (work, factor) in enumerate(zip(works, factors, strict=True))
    ]


# ---------------------------------------------------------------- points


def test_the_work_of_a_step_by_hand():
    """64-3-3-10, four rows: x W and x^T d of all three layers, d W^T of the last two."""
    weights = 64 * 3, 3 * 3, 3 * 10
    by_hand = 2 * 4 * (2 * weights[0] + 3 * weights[1] + 3 * weights[2])
    assert sweep_points.work_at(3, 4, 2) == by_hand == 4008
    assert sweep_points.protocol(3, 4, 2).step_flop == by_hand


@pytest.mark.parametrize("quick", [True, False])
def test_every_point_is_an_ordinary_experiment(quick):
    points = sweep_points.points(quick)
    places = [sweep_points.place_of(point) for point in points]
    assert places[0] == sweep_points.CENTRE
    assert len(set(places)) == len(places) == len({point.name for point in points})
    for point, place in zip(points, places, strict=True):
        differing = sum(a != b for a, b in zip(place, sweep_points.CENTRE, strict=True))
        assert differing <= 1
        assert point.name == sweep_points.name_of(*place)
        assert point.step_flop == sweep_points.work_at(*place)
        assert point.steps >= sweep_points.STEPS_AT_LEAST
        assert parse(tomllib.loads(to_toml(point)), "test") == point


def test_every_step_of_a_point_is_the_same_work():
    for point in sweep_points.points(quick=False):
        batches = point.training.batches
        assert batches.order == "full" or batches.last == "drop"


def test_quick_leaves_out_what_takes_long():
    quick = {sweep_points.place_of(point)[0] for point in sweep_points.points(quick=True)}
    full = {sweep_points.place_of(point)[0] for point in sweep_points.points(quick=False)}
    assert (max(quick), max(full)) == (1024, 4096)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_width_is_recovered_from_its_work(depth):
    assert sweep_points.width_at(
        sweep_points.work_at(180, 128, depth), 128, depth
    ) == pytest.approx(180)


# ---------------------------------------------------------------- the law


@settings(max_examples=20)
@given(
    overhead_us=st.floats(5, 2000),
    gflop_per_s=st.floats(10, 500),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_known_law_is_recovered_from_noisy_times(overhead_us, gflop_per_s, seed):
    factors = np.exp(0.03 * np.random.default_rng(seed).standard_normal(14))
    fitted = scaling.fit(timings(overhead_us, gflop_per_s, factors))
    assert fitted.overhead_us.value == pytest.approx(overhead_us, rel=0.15)
    assert fitted.gflop_per_s.value == pytest.approx(gflop_per_s, rel=0.15)
    for term in (fitted.overhead_us, fitted.gflop_per_s):
        assert term.low <= term.value * 1.1
        assert term.high >= term.value * 0.9
    assert fitted.rms < 0.12


def test_the_law_is_exact_without_noise_and_the_worst_point_is_named():
    exact = scaling.fit(timings(50.0, 100.0))
    assert exact.overhead_us.value == pytest.approx(50)
    assert exact.gflop_per_s.value == pytest.approx(100)
    assert exact.rms < 1e-12
    measured = timings(50.0, 100.0)
    measured[3] = Timing("slow", measured[3].work, 3 * measured[3].step_us)
    fitted = scaling.fit(measured)
    assert fitted.worst_point == "slow"
    assert fitted.worst < -0.5
    assert fitted == scaling.fit(measured)  # the bootstrap is seeded


def test_a_term_is_never_negative():
    falling = [Timing(str(work), work, 1e4 / work) for work in (1e3, 1e4, 1e5)]
    fitted = scaling.fit(falling)
    assert math.isinf(fitted.gflop_per_s.value)
    assert fitted.overhead_us.value > 0
    proportional = [Timing(str(work), work, work**1.2) for work in (1e3, 1e4, 1e5)]
    assert scaling.fit(proportional).overhead_us.value == 0


def test_too_few_points_raise():
    with pytest.raises(ValueError, match=r"at least 3 different sizes\. Got 2"):
        scaling.fit([Timing("a", 1e6, 10.0), Timing("b", 1e6, 11.0), Timing("c", 1e7, 20.0)])
    with pytest.raises(ValueError, match="Got 0"):
        scaling.fit([])
    with pytest.raises(ValueError, match=r"step_us of a must be a positive number\. Got 0"):
        scaling.fit([Timing("a", 1e6, 0.0)])


# ---------------------------------------------------------------- who is faster where


def test_a_crossing_by_hand():
    """10 µs + work / 50 GFLOP/s = 110 µs + work / 100 GFLOP/s at 10 MFLOP."""
    (comparison,) = scaling.crossovers({"a": law(10, 50), "b": law(110, 100)}, (32, 1024))
    assert sweep_points.work_at(comparison.crossing, *sweep_points.CENTRE[1:]) == pytest.approx(
        10e6
    )
    assert comparison.crossing == pytest.approx(90.8, abs=0.1)
    assert [stretch.faster for stretch in comparison.stretches] == ["a", None, "b"]
    unclear = comparison.stretches[1]
    assert unclear.low < comparison.crossing < unclear.high
    assert (comparison.stretches[0].low, comparison.stretches[2].high) == (32, 1024)


def test_one_that_is_always_faster_crosses_nowhere():
    (comparison,) = scaling.crossovers({"a": law(10, 100), "b": law(50, 50)}, (32, 512))
    assert comparison == Comparison(("a", "b"), (Stretch("a", 32, 512),), None)


def test_nothing_is_claimed_inside_the_residuals():
    laws = {"a": law(10, 100, rms=0.2), "b": law(11, 105, rms=0.2)}
    (comparison,) = scaling.crossovers(laws, (32, 512))
    assert comparison == Comparison(("a", "b"), (Stretch(None, 32, 512),), None)


def test_a_lead_that_is_lost_is_no_crossing():
    """From the same rate on the difference shrinks to nothing."""
    (comparison,) = scaling.crossovers({"a": law(10, 100), "b": law(100, 100)}, (32, 4096))
    assert [stretch.faster for stretch in comparison.stretches] == ["a", None]
    assert comparison.crossing is None


def test_every_pair_is_compared_once():
    laws = {"a": law(10, 100), "b": law(50, 50), "c": law(90, 20)}
    pairs = [comparison.pair for comparison in scaling.crossovers(laws, (32, 64))]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]
