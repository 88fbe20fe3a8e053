"""Tolerances and equivalence, against values worked out by hand or by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.claims import tolerances
from harness.claims.equivalence import equivalence


def test_tolerance_adds_in_quadrature():
    assert tolerances.Tolerance(3.0, 4.0, 0.0, 0.0).total == pytest.approx(5.0)


def half_width(spread, degrees, scale, noise=0.0):
    errors = tolerances.seeds_errors(spread, degrees, scale, noise)
    return tolerances.ErrorSources(errors, 0.0, 0.0, 0.0).within().total


def test_students_interval():
    # t(0.975, 4) = 2.776; published mean of one run, five of ours
    assert half_width(1.0, 4, math.sqrt(1.2)) == pytest.approx(2.776 * math.sqrt(1.2), 1e-3)
    known = tolerances.StandardError(math.sqrt(2), math.inf)
    assert known.half_width(0.05) == pytest.approx(1.96 * math.sqrt(2), 1e-3)


def test_the_moderated_variance():
    # two seeds that tie, prior 2: variance (2^2 + 1 * 0^2) / 2 on 2 degrees; t(0.975, 2) = 4.303
    assert half_width(0.0, 1, 1.0, noise=4.0) == pytest.approx(4.303 * math.sqrt(2), 1e-3)
    # a spread above the noise is Student's own
    assert half_width(3.0, 4, 1.0, noise=2.0) == pytest.approx(2.776 * 3.0, 1e-3)
    assert half_width(0.0, 1, 1.0) == 0


def test_no_spread_has_no_tolerance():
    assert tolerances.seeds_errors(math.nan, 0, 1.0, 0.1) is None
    assert tolerances.ErrorSources(None, 0.0, 0.0, 0.0).within().total == math.inf


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize("sampling", [0.0, 0.001])
def test_the_p_value_turns_at_the_tolerance(noise, sampling):
    errors = tolerances.seeds_errors(0.001, 4, math.sqrt(1.2), noise)
    sources = tolerances.ErrorSources(errors, sampling, 0.00005, 0.0002)
    edge = sources.within().total
    assert sources.p_value(edge) == pytest.approx(0.05, rel=1e-6)
    assert sources.p_value(-1.001 * edge) < 0.05 < sources.p_value(0.999 * edge)
    assert sources.p_value(0.0001) == 1


def test_the_p_value_is_students():
    sources = tolerances.ErrorSources(tolerances.seeds_errors(1.0, 4, 1.0, 0.0), 0.0, 0.0, 0.0)
    assert sources.p_value(1.8) == pytest.approx(2 * stats.t.sf(1.8, 4))
    assert 0 < sources.p_value(1e6) < 1e-20
    exactly = tolerances.ErrorSources((), 0.0, 0.01, 0.0)
    assert (exactly.p_value(0.009), exactly.p_value(0.011)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("share", "rows", "points"), [(0.92, 10_000, 0.27), (0.8545, 12_600, 0.31), (0.933, 180, 1.98)]
)
def test_binomial_noise_of_known_cases(share, rows, points):
    assert 100 * tolerances.binomial_noise(share, rows) == pytest.approx(points, rel=0.03)
    assert tolerances.sampling_error(share, rows) == pytest.approx(
        math.sqrt(2) * tolerances.binomial_noise(share, rows)
    )


def test_all_rows_right_is_not_without_noise():
    # Agresti and Coull: (100 + 2) / (100 + 4)
    assert tolerances.binomial_noise(1.0, 100) == pytest.approx(math.sqrt(102 / 104 * 2 / 104) / 10)


def test_wilson():
    low, high = tolerances.wilson(272, 400)
    assert (low, high) == (pytest.approx(0.6328, abs=2e-4), pytest.approx(0.7238, abs=2e-4))
    assert tolerances.wilson(200, 200)[1] == 1


def test_floor():
    assert tolerances.floor_term(10_000) == 0.0002
    assert tolerances.floor_term(500) == pytest.approx(2 / 500)
    assert tolerances.floor_term(4) == 0.01  # never two of four rows


def test_the_prediction_interval_covers_as_often_as_it_says():
    """A published run and five of ours from one distribution: found off in about 5 %."""
    generator = np.random.default_rng(0)
    draws = generator.normal(size=(4_000, 6))
    ours, published = draws[:, :5], draws[:, 5]
    spread = ours.std(axis=1, ddof=1)
    allowed = np.array([half_width(s, 4, math.sqrt(1.2)) for s in spread])
    missed = np.mean(np.abs(ours.mean(axis=1) - published) > allowed)
    assert missed == pytest.approx(0.05, abs=0.015)


def test_equivalence_is_seldom_claimed_wrongly():
    """Two classifiers that differ by exactly the margin: called equivalent in about 5 %."""
    generator = np.random.default_rng(1)
    rows, apart = 10_000, 0.002
    claimed = []
    for _ in range(1_000):
        draw = generator.random(rows)
        first = draw > 0.01
        second = draw > 0.01 + apart
        flips = generator.random(rows) < 0.003
        claimed.append(equivalence(first, second ^ flips).holds)
    assert np.mean(claimed) < 0.08


def test_the_same_rows_are_equivalent_only_where_there_are_enough():
    many, few = np.ones(10_000, bool), np.ones(4, bool)
    assert equivalence(many, many).holds
    assert not equivalence(few, few).holds
