"""Every verdict, from made-up samples: what leads to it and what does not."""

import numpy as np
import pytest

from harness.claims import rules
from harness.claims.model import Verdict
from harness.experiment.vocabulary import Purpose
from tests.claims.made import accuracies, claim, judged, told


def verdict(of, samples):
    return judged(of, samples).verdict


# ---------------------------------------------------------------- exact


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (719 / 9_600, Verdict.EXACT),
        (720 / 9_600, Verdict.NEAR_EXACT),
        (714 / 9_600, Verdict.NEAR_EXACT),
        (713 / 9_600, Verdict.BETTER),
        (725 / 9_600, Verdict.WORSE),
    ],
)
def test_a_count_of_rows(measured, expected):
    of = claim(
        seeds=1,
        number={"metric": "test_error", "published": "7.489583", "unit": "percent",
                "rule": "exact"},
    )  # fmt: skip
    assert verdict(of, accuracies(of, measured, tested=9_600)) == expected


def test_the_same_count_printed_from_float32():
    of = claim(seeds=1, number={"rule": "exact", "published": "0.8545238375663757"})
    assert verdict(of, accuracies(of, 10_767 / 12_600, tested=12_600)) == Verdict.EXACT


@pytest.mark.parametrize(
    ("steps", "expected"), [(74.0, Verdict.EXACT), (75.0, Verdict.WORSE), (73.0, Verdict.BETTER)]
)
def test_a_number_that_counts_no_rows(steps, expected):
    of = claim(
        seeds=1, number={"metric": "epochs", "published": "74", "unit": "number", "rule": "exact"}
    )
    assert verdict(of, accuracies(of, steps)) == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([0.316827080, 0.696279087], Verdict.EXACT),
        ([0.316827080, 0.696279187], Verdict.WORSE),
        ([0.316827080], Verdict.WORSE),
    ],
)
def test_outputs(outputs, expected):
    of = claim(
        seeds=1,
        number={"metric": "outputs", "published": "0.31682708, 0.69627909", "rule": "exact"},
    )
    assert verdict(of, [told(of, {"outputs at last": outputs})]) == expected


# ---------------------------------------------------------------- levels


def test_within_the_spread_is_consistent():
    of = claim()
    assert verdict(of, accuracies(of, 0.921, 0.919, 0.922, 0.918, 0.920)) == Verdict.CONSISTENT


@pytest.mark.parametrize(("centre", "expected"), [(0.930, Verdict.BETTER), (0.910, Verdict.WORSE)])
def test_off_by_more_than_the_spread(centre, expected):
    of = claim()
    values = [centre + shift for shift in (-2e-4, -1e-4, 0, 1e-4, 2e-4)]
    assert verdict(of, accuracies(of, *values)) == expected


def test_an_error_that_is_lower_is_better():
    of = claim(number={"metric": "test_error", "published": "0.080"})
    assert verdict(of, accuracies(of, 0.0700, 0.0701, 0.0702, 0.0699)) == Verdict.BETTER


def test_the_test_draw_counts_where_it_is_another():
    values = [0.9236, 0.9237, 0.9235, 0.9236]
    same, drawn = claim(), claim(same_test=False)
    assert verdict(same, accuracies(same, *values)) == Verdict.BETTER
    found = judged(drawn, accuracies(drawn, *values, tested=12_600))
    assert found.verdict == Verdict.CONSISTENT
    assert found.findings[0].tolerance == pytest.approx(
        1.96 * np.sqrt(2 * 0.92 * 0.08 / 12_600), rel=0.02
    )


def test_a_tolerance_that_passes_anything_is_inconclusive():
    of = claim()
    assert verdict(of, accuracies(of, 0.90, 0.95, 0.91, 0.93)) == Verdict.INCONCLUSIVE
    assert verdict(of, accuracies(of, 0.60, 0.65, 0.61, 0.63)) == Verdict.WORSE  # a miss is a miss
    wide = claim(number={"tolerance_at_most": 0.2})
    assert verdict(wide, accuracies(wide, 0.90, 0.95, 0.91, 0.93)) == Verdict.CONSISTENT


def test_one_seed_of_several_is_inconclusive():
    of = claim()
    found = judged(of, accuracies(of, 0.92))
    assert found.verdict == Verdict.INCONCLUSIVE
    assert found.why == "1 of the 2 registered seeds have run"


def test_a_stated_spread_needs_one_run():
    of = claim(seeds=1, spread=0.001, spread_from="a cheaper twin")
    assert verdict(of, accuracies(of, 0.9225)) == Verdict.CONSISTENT
    assert verdict(of, accuracies(of, 0.9235)) == Verdict.BETTER


def test_a_mean_of_five_runs_is_held_closer():
    values = [0.9205, 0.9245, 0.9225, 0.9235, 0.9215]
    one, five = claim(), claim(number={"runs": 5})
    tolerances = [judged(of, accuracies(of, *values)).findings[0].tolerance for of in (one, five)]
    assert tolerances[1] < 0.7 * tolerances[0]


def test_the_best_of_three_is_compared_with_bests_of_three():
    of = claim(seeds=9, number={"best_of": 3, "at": "highest"})
    values = [0.90, 0.91, 0.9200, 0.90, 0.91, 0.9201, 0.90, 0.91, 0.9199]
    found = judged(of, accuracies(of, *values)).findings[0]
    assert found.measured == (0.9200, 0.9201, 0.9199)
    assert found.verdict == Verdict.CONSISTENT
    assert verdict(of, accuracies(of, *values[:2])) == Verdict.INCONCLUSIVE


def test_one_value_has_no_spread_to_judge_a_level_by():
    of = claim()
    ruling = rules.level(of, of.numbers[0], [0.90], 10_000)
    assert ruling.verdict == Verdict.INCONCLUSIVE
    assert ruling.why == "no tolerance: a spread needs at least 2 values. Got 1"
    assert ruling.tolerance is None


def test_a_difference_is_taken_seed_by_seed():
    of = claim(
        numbers=[{"name": "gain", "metric": "test_accuracy", "minus": "twin", "published": "0.033",
                  "rule": "level"}],
        variants=[{"name": "twin", "role": "part", "why": "the other", "changes": {
            "training.optimizer.learning_rate": 0.2}}],
    )  # fmt: skip
    key = of.numbers[0].key
    ours, theirs = [0.90, 0.95, 0.97], [0.8671, 0.9169, 0.9370]
    samples = [told(of, {key: [v]}, seed=s) for s, v in enumerate(ours)]
    samples += [told(of, {key: [v]}, seed=s, variant="twin") for s, v in enumerate(theirs)]
    found = judged(of, samples)
    assert found.findings[0].measured == pytest.approx((0.0329, 0.0331, 0.033))
    assert found.verdict == Verdict.CONSISTENT
    assert verdict(of, samples[:3]) == Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.81, Verdict.CONSISTENT), (0.79, Verdict.WORSE), (0.96, Verdict.BETTER)],
)
def test_a_statement_in_words_is_a_range(value, expected):
    of = claim(number={"rule": "range", "published": "", "low": 0.8, "high": 0.95})
    assert verdict(of, accuracies(of, value, value)) == expected


# ---------------------------------------------------------------- rates


def xor(rule, published="1.0"):
    return claim("xor-mlp", many_seeds=200, seeds=1, number={"rule": rule, "published": published})


@pytest.mark.parametrize(
    ("hits", "expected"), [(136, Verdict.RATE), (200, Verdict.RATE), (9, Verdict.WORSE)]
)
def test_a_rate(hits, expected):
    of = xor("rate")
    values = {of.numbers[0].key: [1.0] * hits + [0.5] * (200 - hits)}
    found = judged(of, [told(of, values, tested=4)])
    assert found.verdict == expected
    assert f"{hits} of 200" in found.why


@pytest.mark.parametrize(
    ("published", "hits"),
    [("0.75", 170), ("0.5", 200), ("1.0", 150), ("0.74...", 170), ("0.76", 150)],
)
def test_a_better_seed_reaches_it_too(published, hits):
    of = xor("rate", published)
    values = {of.numbers[0].key: [1.0] * 150 + [0.75] * 20 + [0.5] * 30}
    found = judged(of, [told(of, values, tested=4)])
    assert f"reached from {hits} of 200 starts" in found.why


@pytest.mark.parametrize(("odd", "expected"), [(0, Verdict.EXACT), (1, Verdict.BETTER)])
def test_every_seed(odd, expected):
    of = xor("every", "0.5")
    values = {of.numbers[0].key: [0.75] * odd + [0.5] * (200 - odd)}
    assert verdict(of, [told(of, values, tested=4)]) == expected


# ---------------------------------------------------------------- readings and other code


def varied(role, **number):
    return claim(
        number=number,
        variants=[{"name": "summed", "role": role, "judged": True, "why": "the loss was summed",
                   "changes": {"training.loss.batch": "sum"}}],
    )  # fmt: skip


GOOD, BAD = (0.921, 0.919, 0.922, 0.918), (0.8701, 0.8702, 0.8703, 0.8702)


@pytest.mark.parametrize(
    ("role", "ours", "theirs", "expected"),
    [
        ("other code", BAD, GOOD, Verdict.CODE_OUTPUT_MISMATCH),
        ("other code", GOOD, BAD, Verdict.CONSISTENT),
        ("other code", BAD, BAD, Verdict.WORSE),
        ("reading", BAD, GOOD, Verdict.UNDER_SPECIFIED),
        ("reading", GOOD, BAD, Verdict.UNDER_SPECIFIED),
        ("reading", GOOD, GOOD, Verdict.CONSISTENT),
        ("reading", BAD, BAD, Verdict.WORSE),
        ("reading", BAD, (0.97, 0.9701, 0.9702), Verdict.UNDER_SPECIFIED),
    ],
)
def test_what_another_reading_makes_of_it(role, ours, theirs, expected):
    of = varied(role)
    samples = accuracies(of, *ours) + accuracies(of, *theirs, variant="summed")
    assert verdict(of, samples) == expected


def test_a_judged_variant_that_did_not_run_leaves_it_open():
    of = varied("reading")
    found = judged(of, accuracies(of, *GOOD))
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "summed belongs to the verdict and has not run" in found.why


def test_a_reading_that_says_nothing_turns_nothing():
    of = varied("reading")
    samples = accuracies(of, *GOOD) + accuracies(of, 0.90, 0.94, variant="summed")
    assert verdict(of, samples) == Verdict.CONSISTENT


def test_other_code_comes_before_other_readings():
    of = varied("other code")
    reading = of.variants[0].model_copy(update={"name": "also", "role": "reading"})
    both = of.model_copy(update={"variants": (reading, *of.variants)})
    samples = accuracies(both, *BAD) + accuracies(both, *GOOD, variant="summed")
    samples += accuracies(both, *GOOD, variant="also")
    assert verdict(both, samples) == Verdict.CODE_OUTPUT_MISMATCH


# ---------------------------------------------------------------- which samples count


def test_unproven_rows_do_not_count():
    of = claim()
    found = judged(of, accuracies(of, *GOOD, proof="different"))
    assert found.verdict == Verdict.NOT_RUN
    assert "not proven" in found.why


def test_the_framework_with_most_seeds_speaks():
    of = claim()
    samples = accuracies(of, 0.5, framework="torch") + accuracies(of, *GOOD, framework="jax")
    assert judged(of, samples).findings[0].framework == "jax"


def test_failed_rows_are_reasons():
    of = claim()
    found = judged(of, [told(of, {}, status="missing", status_detail="no MNIST here")])
    assert found.verdict == Verdict.NOT_RUN
    assert "no MNIST here" in found.why


def test_a_diverged_seed_counts_against_the_claim():
    of = claim()
    samples = accuracies(of, *GOOD)
    samples.append(told(of, {}, seed=7, status="diverged"))
    found = judged(of, samples)
    assert found.verdict == Verdict.WORSE
    assert found.why == "1 of 5 seeds diverged"


def lost(of, *statuses, framework="numpy", **more):
    """A trial of each status, at seeds 0, 1, …; none tells a number."""
    return [
        told(of, {}, seed=seed, status=status, framework=framework, **more)
        for seed, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        (["diverged"] * 3, "all 3 seeds diverged"),
        (["diverged", "diverged", "timeout"], "2 of 3 seeds diverged"),
        (["diverged"], "1 of 1 seeds diverged"),
    ],
)
def test_a_claim_whose_seeds_all_diverge_is_found_wrong(statuses, why):
    of = claim()
    found = judged(of, lost(of, *statuses))
    assert (found.verdict, found.why) == (Verdict.WORSE, why)
    assert found.findings[0].framework == "numpy"
    assert found.findings[0].measured == ()


def test_many_starts_that_all_diverge_are_all_counted():
    of = xor("rate")
    many = told(of, {}, status="diverged", purpose=Purpose.MANY_STARTS, repeat=200)
    assert judged(of, [many, *lost(of, "diverged")]).why == "all 200 seeds diverged"


def test_of_frameworks_that_diverged_the_one_with_most_seeds_speaks():
    of = claim()
    samples = lost(of, "diverged") + lost(of, *["diverged"] * 3, framework="jax")
    found = judged(of, samples).findings[0]
    assert (found.framework, found.why) == ("jax", "all 3 seeds diverged")


def test_an_unproven_framework_that_diverged_says_nothing():
    """Its divergence may be its own mistake."""
    of = claim()
    samples = lost(of, "diverged", "diverged", proof="different")
    assert verdict(of, samples) == Verdict.NOT_RUN
    assert verdict(of, samples + accuracies(of, *GOOD, framework="jax")) == Verdict.CONSISTENT


def test_a_librarys_own_solver_that_diverged_has_not_run():
    of = claim()
    assert verdict(of, lost(of, "diverged", "diverged", track="native")) == Verdict.NOT_RUN


def test_a_protocol_that_diverges_where_another_reading_does_not_is_under_specified():
    of = varied("reading")
    samples = lost(of, "diverged", "diverged") + accuracies(of, *GOOD, variant="summed")
    assert verdict(of, samples) == Verdict.UNDER_SPECIFIED


def test_fewer_starts_than_registered_say_nothing():
    of = xor("rate")
    assert verdict(of, [told(of, {of.numbers[0].key: [1.0]}, tested=4)]) == Verdict.INCONCLUSIVE


def test_a_least_share_of_seeds():
    of = xor("rate").model_copy(
        update={"numbers": (xor("rate").numbers[0].model_copy(update={"low": 0.9}),)}
    )
    for hits, expected in ((170, Verdict.WORSE), (185, Verdict.RATE)):
        values = {of.numbers[0].key: [1.0] * hits + [0.5] * (200 - hits)}
        assert verdict(of, [told(of, values, tested=4)]) == expected


def test_a_later_failure_hides_no_result():
    of = claim(seeds=1, number={"rule": "exact"})
    good = accuracies(of, 0.92, started_at="2026-01-01T00:00:00+00:00")
    failed = told(of, {}, status="timeout", started_at="2026-01-02T00:00:00+00:00")
    assert verdict(of, [*good, failed]) == Verdict.EXACT


@pytest.mark.parametrize(
    ("measured", "expected"),
    [(0.9393, Verdict.EXACT), (0.9399, Verdict.EXACT), (0.9400, Verdict.NEAR_EXACT),
     (0.9389, Verdict.NEAR_EXACT)],
)  # fmt: skip
def test_digits_that_were_cut_off(measured, expected):
    of = claim(seeds=1, number={"rule": "exact", "published": "0.939..."})
    assert verdict(of, accuracies(of, measured, tested=1_797)) == expected


@pytest.mark.parametrize(("rows", "off", "near"), [(4, 1, False), (180, 2, True), (180, 3, False)])
def test_near_is_also_a_share(rows, off, near):
    of = claim(seeds=1, number={"rule": "exact", "published": "1.0000"})
    expected = Verdict.NEAR_EXACT if near else Verdict.WORSE
    assert verdict(of, accuracies(of, 1 - off / rows, tested=rows)) == expected


def test_samples_of_another_protocol_are_ignored():
    of = claim()
    samples = accuracies(of, *GOOD, experiment_digest="0" * 16)
    assert verdict(of, samples) == Verdict.NOT_RUN


def test_of_two_runs_of_a_trial_the_later_counts():
    of = claim(seeds=1, number={"rule": "exact"})
    early = accuracies(of, 0.5, started_at="2026-01-01T00:00:00+00:00")
    late = accuracies(of, 0.92, started_at="2026-01-02T00:00:00+00:00")
    assert verdict(of, late + early) == Verdict.EXACT


def test_a_claim_that_cannot_run_says_why():
    of = claim(not_run="needs dropout", protocol=None, numbers=[])
    assert judged(of, []).verdict == Verdict.NOT_RUN
    assert judged(of, []).why == "needs dropout"


def test_registered_or_not():
    of = claim(expected="CONSISTENT")
    assert judged(of, accuracies(of, *GOOD)).as_registered
    assert not judged(of, accuracies(of, *BAD)).as_registered


# ---------------------------------------------------------------- frameworks among each other


def test_frameworks_are_compared_row_by_row():
    of = claim()
    base = np.arange(10_000) % 10 > 0
    near, far = base.copy(), base.copy()
    near[:3] = ~near[:3]
    far[:400] = False
    samples = accuracies(of, *GOOD, framework="jax", right=base)
    samples += accuracies(of, 0.9, framework="numpy", right=near)
    samples += accuracies(of, 0.9, framework="torch", right=far)
    found = {a.other: a for a in judged(of, samples).agreements}
    assert found["numpy"].equivalence.holds
    assert not found["torch"].equivalence.holds
    assert found["torch"].equivalence.difference == pytest.approx(0.036)
