"""Every verdict, from made-up samples: what leads to it and what does not."""

import numpy as np
import pytest

from harness.claims import level_rules
from harness.claims.model import Verdict
from harness.claims.ruling import Measured
from harness.experiment.vocabulary import Purpose
from tests.claims.builders import accuracies, judged, make_claim, make_sample


def verdict(claim, samples):
    return judged(claim, samples).verdict


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
    claim = make_claim(
        fixed=True,
        seeds=1,
        number={
            "metric": "test_error",
            "published": "7.489583",
            "unit": "percent",
            "rule": "exact",
        },
    )
    assert verdict(claim, accuracies(claim, measured, tested=9_600)) == expected


def test_the_same_count_printed_from_float32():
    claim = make_claim(
        fixed=True, seeds=1, number={"rule": "exact", "published": "0.8545238375663757"}
    )
    assert verdict(claim, accuracies(claim, 10_767 / 12_600, tested=12_600)) == Verdict.EXACT


@pytest.mark.parametrize(
    ("steps", "expected"), [(74.0, Verdict.EXACT), (75.0, Verdict.WORSE), (73.0, Verdict.BETTER)]
)
def test_a_number_that_counts_no_rows(steps, expected):
    number = {"metric": "epochs", "published": "74", "unit": "number", "rule": "exact"}
    claim = make_claim(fixed=True, seeds=1, number=number)
    assert verdict(claim, accuracies(claim, steps)) == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([0.316827080, 0.696279087], Verdict.EXACT),
        ([0.316827080, 0.696279187], Verdict.WORSE),
        ([0.316827080], Verdict.WORSE),
    ],
)
def test_outputs(outputs, expected):
    claim = make_claim(
        seeds=1,
        number={"metric": "outputs", "published": "0.31682708, 0.69627909", "rule": "exact"},
    )
    assert verdict(claim, [make_sample(claim, {"outputs at last": outputs})]) == expected


# ---------------------------------------------------------------- levels


def test_within_the_spread_is_consistent():
    claim = make_claim()
    assert (
        verdict(claim, accuracies(claim, 0.921, 0.919, 0.922, 0.918, 0.920)) == Verdict.CONSISTENT
    )


@pytest.mark.parametrize(("centre", "expected"), [(0.930, Verdict.BETTER), (0.910, Verdict.WORSE)])
def test_off_by_more_than_the_spread(centre, expected):
    claim = make_claim()
    values = [centre + shift for shift in (-2e-4, -1e-4, 0, 1e-4, 2e-4)]
    assert verdict(claim, accuracies(claim, *values)) == expected


def test_an_error_that_is_lower_is_better():
    claim = make_claim(number={"metric": "test_error", "published": "0.080"})
    assert verdict(claim, accuracies(claim, 0.0700, 0.0701, 0.0702, 0.0699)) == Verdict.BETTER


def test_the_test_draw_counts_where_it_is_another():
    values = [0.9236, 0.9237, 0.9235, 0.9236] * 5
    same, drawn = make_claim(), make_claim(same_test=False)
    assert verdict(same, accuracies(same, *values)) == Verdict.BETTER
    judgement = judged(drawn, accuracies(drawn, *values, tested=12_600))
    assert judgement.verdict == Verdict.CONSISTENT
    assert judgement.findings[0].tolerance == pytest.approx(
        1.96 * np.sqrt(2 * 0.92 * 0.08 / 12_600), rel=0.04
    )


def test_a_tolerance_that_passes_anything_is_inconclusive():
    claim = make_claim()
    assert verdict(claim, accuracies(claim, 0.90, 0.95, 0.91, 0.93)) == Verdict.INCONCLUSIVE
    assert (
        verdict(claim, accuracies(claim, 0.60, 0.65, 0.61, 0.63)) == Verdict.WORSE
    )  # a miss is a miss
    wide = make_claim(number={"tolerance_at_most": 0.04})
    assert verdict(wide, accuracies(wide, 0.91, 0.93, 0.92, 0.92)) == Verdict.CONSISTENT


def test_one_seed_of_several_is_inconclusive():
    claim = make_claim()
    judgement = judged(claim, accuracies(claim, 0.92))
    assert judgement.verdict == Verdict.INCONCLUSIVE
    assert judgement.why == "1 of the 2 registered seeds have run"


def test_a_stated_spread_needs_one_run():
    claim = make_claim(seeds=1, spread=0.001, spread_from="a cheaper twin")
    assert verdict(claim, accuracies(claim, 0.9225)) == Verdict.CONSISTENT
    assert verdict(claim, accuracies(claim, 0.9235)) == Verdict.BETTER


def test_a_mean_of_five_runs_is_held_closer():
    values = [0.9205, 0.9245, 0.9225, 0.9235, 0.9215]
    one, five = make_claim(), make_claim(number={"runs": 5})
    tolerances = [
        judged(claim, accuracies(claim, *values)).findings[0].tolerance for claim in (one, five)
    ]
    assert tolerances[1] < 0.7 * tolerances[0]


def test_the_best_of_three_is_compared_with_bests_of_three():
    claim = make_claim(seeds=9, number={"best_of": 3, "at": "highest"})
    values = [0.90, 0.91, 0.9200, 0.90, 0.91, 0.9201, 0.90, 0.91, 0.9199]
    finding = judged(claim, accuracies(claim, *values)).findings[0]
    assert finding.measured == (0.9200, 0.9201, 0.9199)
    assert finding.verdict == Verdict.CONSISTENT
    assert verdict(claim, accuracies(claim, *values[:2])) == Verdict.INCONCLUSIVE


def test_one_value_has_no_spread_to_judge_a_level_by():
    claim = make_claim()
    measured = Measured((0.90,), 10_000, drawn=("training.batches",), noise=0.003)
    ruling = level_rules.level(claim, claim.numbers[0], measured)
    assert ruling.verdict == Verdict.INCONCLUSIVE
    assert ruling.why == "no tolerance: a spread needs at least 2 values. Got 1"
    assert ruling.tolerance is None


def test_a_difference_is_taken_seed_by_seed():
    claim = make_claim(
        numbers=[
            {
                "name": "gain",
                "metric": "test_accuracy",
                "minus": "twin",
                "published": "0.033",
                "rule": "level",
            }
        ],
        variants=[
            {
                "name": "twin",
                "role": "part",
                "why": "the other",
                "changes": {"training.optimizer.learning_rate": 0.2},
            }
        ],
    )
    key = claim.numbers[0].key
    ours, subtracted = [0.90, 0.95, 0.97], [0.8671, 0.9169, 0.9370]
    samples = [make_sample(claim, {key: [v]}, seed=s) for s, v in enumerate(ours)]
    samples += [
        make_sample(claim, {key: [v]}, seed=s, variant="twin") for s, v in enumerate(subtracted)
    ]
    judgement = judged(claim, samples)
    assert judgement.findings[0].measured == pytest.approx((0.0329, 0.0331, 0.033))
    assert judgement.verdict == Verdict.CONSISTENT
    assert verdict(claim, samples[:3]) == Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.81, Verdict.CONSISTENT), (0.79, Verdict.WORSE), (0.96, Verdict.BETTER)],
)
def test_a_statement_in_words_is_a_range(value, expected):
    claim = make_claim(number={"rule": "range", "published": "", "low": 0.8, "high": 0.95})
    assert verdict(claim, accuracies(claim, value, value)) == expected


# ---------------------------------------------------------------- rates


def xor(rule, published="1.0"):
    return make_claim(
        "xor-mlp", many_seeds=200, seeds=1, number={"rule": rule, "published": published}
    )


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        (136, Verdict.RATE),
        (200, Verdict.RATE),
        (10, Verdict.RATE),
        (9, Verdict.INCONCLUSIVE),  # 2 to 8 %: not shown to be below 5 %
        (3, Verdict.WORSE),
    ],
)
def test_a_rate(hits, expected):
    claim = xor("rate")
    values = {claim.numbers[0].key: [1.0] * hits + [0.5] * (200 - hits)}
    judgement = judged(claim, [make_sample(claim, values, tested=4)])
    assert judgement.verdict == expected
    assert f"{hits} of 200" in judgement.why


@pytest.mark.parametrize(
    ("published", "hits"),
    [("0.75", 170), ("0.5", 200), ("1.0", 150), ("0.74...", 170), ("0.76", 150)],
)
def test_a_better_seed_reaches_it_too(published, hits):
    claim = xor("rate", published)
    values = {claim.numbers[0].key: [1.0] * 150 + [0.75] * 20 + [0.5] * 30}
    judgement = judged(claim, [make_sample(claim, values, tested=4)])
    assert f"reached from {hits} of 200 starts" in judgement.why


@pytest.mark.parametrize(("odd", "expected"), [(0, Verdict.EXACT), (1, Verdict.BETTER)])
def test_every_seed(odd, expected):
    claim = xor("every", "0.5")
    values = {claim.numbers[0].key: [0.75] * odd + [0.5] * (200 - odd)}
    assert verdict(claim, [make_sample(claim, values, tested=4)]) == expected


# ---------------------------------------------------------------- readings and other code


def varied(role, **number):
    return make_claim(
        number=number,
        variants=[
            {
                "name": "summed",
                "role": role,
                "judged": True,
                "why": "the loss was summed",
                "changes": {"training.loss.batch": "sum"},
            }
        ],
    )


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
    claim = varied(role)
    samples = accuracies(claim, *ours) + accuracies(claim, *theirs, variant="summed")
    assert verdict(claim, samples) == expected


def test_a_judged_variant_that_did_not_run_leaves_it_open():
    claim = varied("reading")
    judgement = judged(claim, accuracies(claim, *GOOD))
    assert judgement.verdict == Verdict.INCONCLUSIVE
    assert "the verdict also needs summed, not run yet" in judgement.why


def test_a_reading_that_says_nothing_turns_nothing():
    claim = varied("reading")
    samples = accuracies(claim, *GOOD) + accuracies(claim, 0.90, 0.94, variant="summed")
    assert verdict(claim, samples) == Verdict.CONSISTENT


def test_other_code_comes_before_other_readings():
    claim = varied("other code")
    reading = claim.variants[0].model_copy(update={"name": "also", "role": "reading"})
    both = claim.model_copy(update={"variants": (reading, *claim.variants)})
    samples = accuracies(both, *BAD) + accuracies(both, *GOOD, variant="summed")
    samples += accuracies(both, *GOOD, variant="also")
    assert verdict(both, samples) == Verdict.CODE_OUTPUT_MISMATCH


# ---------------------------------------------------------------- which samples count


def test_unproven_rows_do_not_count():
    claim = make_claim()
    judgement = judged(claim, accuracies(claim, *GOOD, proof="different"))
    assert judgement.verdict == Verdict.NOT_RUN
    assert "not proven" in judgement.why


def test_the_framework_with_most_seeds_speaks():
    claim = make_claim()
    samples = accuracies(claim, 0.5, framework="torch") + accuracies(claim, *GOOD, framework="jax")
    assert judged(claim, samples).findings[0].framework == "jax"


def test_failed_rows_are_reasons():
    claim = make_claim()
    judgement = judged(
        claim, [make_sample(claim, {}, status="missing", status_detail="no MNIST here")]
    )
    assert judgement.verdict == Verdict.NOT_RUN
    assert "no MNIST here" in judgement.why


def test_a_diverged_seed_counts_against_the_claim():
    claim = make_claim()
    samples = accuracies(claim, *GOOD)
    samples.append(make_sample(claim, {}, seed=7, status="diverged"))
    judgement = judged(claim, samples)
    assert judgement.verdict == Verdict.WORSE
    assert judgement.why == "1 of 5 seeds diverged"


def failures(claim, *statuses, framework="numpy", **more):
    """A trial of each status, at seeds 0, 1, …; none has a number."""
    return [
        make_sample(claim, {}, seed=seed, status=status, framework=framework, **more)
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
def test_a_claim_whose_seeds_all_diverge_is_worse(statuses, why):
    claim = make_claim()
    judgement = judged(claim, failures(claim, *statuses))
    assert (judgement.verdict, judgement.why) == (Verdict.WORSE, why)
    assert judgement.findings[0].framework == "numpy"
    assert judgement.findings[0].measured == ()


def test_many_starts_that_all_diverge_are_all_counted():
    claim = xor("rate")
    many = make_sample(claim, {}, status="diverged", purpose=Purpose.MANY_STARTS, repeat=200)
    assert judged(claim, [many, *failures(claim, "diverged")]).why == "all 200 seeds diverged"


def test_of_frameworks_that_diverged_the_one_with_most_seeds_speaks():
    claim = make_claim()
    samples = failures(claim, "diverged") + failures(claim, *["diverged"] * 3, framework="jax")
    finding = judged(claim, samples).findings[0]
    assert (finding.framework, finding.why) == ("jax", "all 3 seeds diverged")


def test_an_unproven_framework_that_diverged_says_nothing():
    """Its divergence may be its own mistake."""
    claim = make_claim()
    samples = failures(claim, "diverged", "diverged", proof="different")
    assert verdict(claim, samples) == Verdict.NOT_RUN
    assert verdict(claim, samples + accuracies(claim, *GOOD, framework="jax")) == Verdict.CONSISTENT


def test_a_librarys_own_solver_that_diverged_has_not_run():
    claim = make_claim()
    assert (
        verdict(claim, failures(claim, "diverged", "diverged", track="native")) == Verdict.NOT_RUN
    )


def test_a_protocol_that_diverges_where_another_reading_does_not_is_under_specified():
    claim = varied("reading")
    samples = failures(claim, "diverged", "diverged") + accuracies(claim, *GOOD, variant="summed")
    assert verdict(claim, samples) == Verdict.UNDER_SPECIFIED


def test_fewer_starts_than_registered_say_nothing():
    claim = xor("rate")
    assert (
        verdict(claim, [make_sample(claim, {claim.numbers[0].key: [1.0]}, tested=4)])
        == Verdict.INCONCLUSIVE
    )


def test_a_least_share_of_seeds():
    claim = xor("rate").model_copy(
        update={"numbers": (xor("rate").numbers[0].model_copy(update={"low": 0.9}),)}
    )
    for hits, expected in ((170, Verdict.WORSE), (185, Verdict.RATE)):
        values = {claim.numbers[0].key: [1.0] * hits + [0.5] * (200 - hits)}
        assert verdict(claim, [make_sample(claim, values, tested=4)]) == expected


def test_a_later_failure_hides_no_result():
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact"})
    good = accuracies(claim, 0.92, started_at="2026-01-01T00:00:00+00:00")
    failed = make_sample(claim, {}, status="timeout", started_at="2026-01-02T00:00:00+00:00")
    assert verdict(claim, [*good, failed]) == Verdict.EXACT


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (0.9393, Verdict.EXACT),
        (0.9399, Verdict.EXACT),
        (0.9400, Verdict.NEAR_EXACT),
        (0.9389, Verdict.NEAR_EXACT),
    ],
)
def test_digits_that_were_cut_off(measured, expected):
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": "0.939..."})
    assert verdict(claim, accuracies(claim, measured, tested=1_797)) == expected


@pytest.mark.parametrize(("rows", "off", "near"), [(4, 1, False), (180, 2, True), (180, 3, False)])
def test_near_is_also_a_share(rows, off, near):
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": "1.0000"})
    expected = Verdict.NEAR_EXACT if near else Verdict.WORSE
    assert verdict(claim, accuracies(claim, 1 - off / rows, tested=rows)) == expected


def test_samples_of_another_protocol_are_ignored():
    claim = make_claim()
    samples = accuracies(claim, *GOOD, experiment_digest="0" * 16)
    assert verdict(claim, samples) == Verdict.NOT_RUN


def test_of_two_runs_of_a_trial_the_later_counts():
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact"})
    early = accuracies(claim, 0.5, started_at="2026-01-01T00:00:00+00:00")
    late = accuracies(claim, 0.92, started_at="2026-01-02T00:00:00+00:00")
    assert verdict(claim, late + early) == Verdict.EXACT


def test_a_claim_that_cannot_run_says_why():
    claim = make_claim(not_run="needs dropout", protocol=None, numbers=[])
    assert judged(claim, []).verdict == Verdict.NOT_RUN
    assert judged(claim, []).why == "needs dropout"


def test_registered_or_not():
    claim = make_claim(expected="CONSISTENT")
    assert judged(claim, accuracies(claim, *GOOD)).as_registered
    assert not judged(claim, accuracies(claim, *BAD)).as_registered


# ---------------------------------------------------------------- frameworks among each other


def test_frameworks_are_compared_row_by_row():
    claim = make_claim()
    base = np.arange(10_000) % 10 > 0
    near, far = base.copy(), base.copy()
    near[:3] = ~near[:3]
    far[:400] = False
    samples = accuracies(claim, *GOOD, framework="jax", right=base)
    samples += accuracies(claim, 0.9, framework="numpy", right=near)
    samples += accuracies(claim, 0.9, framework="torch", right=far)
    by_framework = {a.other: a for a in judged(claim, samples).agreements}
    assert by_framework["numpy"].equivalence.holds
    assert not by_framework["torch"].equivalence.holds
    assert by_framework["torch"].equivalence.difference == pytest.approx(0.036)
