"""Tolerances and equivalence, against values worked out by hand or by simulation."""

import math

import numpy as np
import pytest

from harness.claims import tolerances
from harness.claims.equivalence import equivalence


def test_tolerance_adds_in_quadrature():
    assert tolerances.Tolerance(3.0, 4.0, 0.0, 0.0).total == pytest.approx(5.0)


def test_seeds_term():
    # t(0.975, 4) = 2.776; published mean of one run, five of ours
    assert tolerances.seeds_term(1.0, 5, 1, stated=False) == pytest.approx(
        2.776 * math.sqrt(1.2), 1e-3
    )
    assert tolerances.seeds_term(1.0, 1, 1, stated=True) == pytest.approx(1.96 * math.sqrt(2))


@pytest.mark.parametrize(
    ("share", "rows", "points"), [(0.92, 10_000, 0.27), (0.8545, 12_600, 0.31), (0.933, 180, 1.9)]
)
def test_sampling_term_of_known_cases(share, rows, points):
    one_sided = tolerances.sampling_term(share, rows) / (1.96 * math.sqrt(2))
    assert 100 * one_sided == pytest.approx(points, rel=0.03)


def test_wilson():
    low, high = tolerances.wilson(272, 400)
    assert (low, high) == (pytest.approx(0.6328, abs=2e-4), pytest.approx(0.7238, abs=2e-4))
    assert tolerances.wilson(200, 200)[1] == 1


def test_floor():
    assert tolerances.floor_term(10_000) == 0.0002
    assert tolerances.floor_term(180) == pytest.approx(2 / 180)


def test_the_prediction_interval_covers_as_often_as_it_says():
    """A published run and five of ours from one distribution: found off in about 5 %."""
    generator = np.random.default_rng(0)
    draws = generator.normal(size=(4_000, 6))
    ours, published = draws[:, :5], draws[:, 5]
    spread = ours.std(axis=1, ddof=1)
    allowed = np.array([tolerances.seeds_term(s, 5, 1, stated=False) for s in spread])
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
