"""Adjusted verdicts: of many tests some are found off by chance."""

import numpy as np
import pytest
from scipy import stats

from harness.claims.model import Verdict
from harness.claims.multiplicity import adjust
from harness.report.verdict_counts import summarise
from tests.claims.builders import accuracies, judged, make_claim, make_sample

GOOD = (0.921, 0.919, 0.922, 0.918)


def a_claim(name, values, published="0.920", **more):
    claim = make_claim(id=name, number={"published": published}, **more)
    return judged(claim, accuracies(claim, *values))


def test_a_miss_by_chance_does_not_survive_many_tests():
    near = a_claim("near", GOOD, published="0.9275")
    far = a_claim("far", GOOD, published="0.990")
    good = [a_claim(f"g{i}", GOOD) for i in range(30)]
    assert near.verdict == far.verdict == Verdict.WORSE
    assert 0.01 < near.findings[0].p < 0.05
    adjusted = adjust([near, *good, far])
    assert [one.verdict for one in adjusted][:: len(good) + 1] == [Verdict.WORSE, Verdict.WORSE]
    assert adjusted[0].adjusted == Verdict.CONSISTENT
    assert adjusted[-1].adjusted == Verdict.WORSE
    assert adjust([near])[0].adjusted == Verdict.WORSE
    (sentence,) = [text for text in summarise(adjusted).sentences if "Benjamini" in text]
    assert sentence == (
        "Adjusted for the number of tests (Benjamini and Hochberg), 1 of the 2 claims that are "
        "better or worse remain so. Not shown to differ: near."
    )


def test_the_adjustment_is_benjaminis_and_hochbergs():
    claims = [a_claim(f"c{i}", GOOD, published=f"{0.92 + 0.002 * i:.3f}") for i in range(8)]
    adjusted = adjust(claims)
    p = np.array([one.findings[0].p for one in claims])
    order = np.argsort(p)
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    by_hand = np.minimum.accumulate(steps[::-1])[::-1]
    found = np.array([one.findings[0].p_adjusted for one in adjusted])
    assert found[order] == pytest.approx(np.minimum(by_hand, 1))


def test_a_wide_tolerance_is_inconclusive_after_adjustment():
    claim = make_claim(id="wide", number={"published": "0.8750"})
    wide = judged(claim, accuracies(claim, 0.885, 0.889, 0.891, 0.890, 0.886, 0.895, 0.880))
    assert wide.verdict == Verdict.BETTER
    finding = wide.findings[0]
    assert finding.tolerance > finding.limit
    others = [a_claim(f"g{i}", GOOD) for i in range(40)]
    assert adjust([wide, *others])[0].adjusted == Verdict.INCONCLUSIVE


def test_what_is_not_tested_is_not_adjusted():
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": "0.9200"})
    exact = judged(claim, accuracies(claim, 0.92))
    (alone,) = adjust([exact])
    assert (alone.adjusted, alone.findings[0].p_adjusted) == (None, None)
    beside, _ = adjust([exact, a_claim("level", GOOD)])
    assert beside.adjusted is None


def test_other_numbers_of_a_claim_keep_their_verdict():
    numbers = [
        {"name": "a", "metric": "test_accuracy", "published": "0.9275", "rule": "level"},
        {"name": "b", "metric": "test_accuracy", "at": "highest", "published": "0.99"},
    ]
    claim = make_claim(numbers=[numbers[0], numbers[1] | {"rule": "level"}], number={})
    keys = [number.key for number in claim.numbers]
    samples = [make_sample(claim, {key: [v] for key in keys}, seed=s) for s, v in enumerate(GOOD)]
    others = [a_claim(f"g{i}", GOOD) for i in range(40)]
    first = adjust([judged(claim, samples), *others])[0]
    assert [one.adjusted for one in first.findings] == [Verdict.CONSISTENT, Verdict.WORSE]
    assert first.adjusted == Verdict.WORSE


@pytest.mark.full_product
def test_of_true_claims_few_are_found_off_after_adjustment():
    """One published run and five of ours from one distribution, 40 times: mostly none is off."""
    generator = np.random.default_rng(3)
    families = []
    for _ in range(20):
        claims = []
        for i in range(40):
            values = np.round(generator.normal(0.92, 0.0027, 6), 4)
            claims.append(a_claim(f"c{i}", values[1:], published=f"{values[0]:.4f}"))
        raw = sum(one.verdict in (Verdict.BETTER, Verdict.WORSE) for one in claims)
        left = sum(one.adjusted in (Verdict.BETTER, Verdict.WORSE) for one in adjust(claims))
        families.append((raw, left))
    raw, left = np.array(families).T
    assert raw.mean() == pytest.approx(0.05 * 40, abs=0.8)
    assert np.mean(left > 0) <= stats.binom.ppf(0.999, 20, 0.05) / 20
