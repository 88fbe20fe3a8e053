"""Claims that were written to get a wrong verdict, and what the judge says of them."""

import numpy as np
import pytest

from harness.claims.claim_plan import claim_runs
from harness.claims.counts import counts_printed_as, is_specific, why_impossible
from harness.claims.model import HOLDS, Verdict
from tests.claims.builders import accuracies, judged, make_claim, make_sample


def verdict(claim, samples):
    return judged(claim, samples).verdict


def finding(claim, samples):
    (one,) = judged(claim, samples).findings
    return one


# ---------------------------------------------------------------- few rows


def on_xor(**changes):
    return make_claim("xor-single", seeds=5, **changes)


def test_a_level_on_four_rows_counts_rows():
    """Half a step of four rows each way once made 0.95 CONSISTENT with 0.5."""
    claim = on_xor(number={"published": "0.95"})
    one = finding(claim, accuracies(claim, *[0.5] * 5, tested=4))
    assert one.verdict == Verdict.WORSE
    assert "impossible: no count of the 4 rows is printed as 0.95 (0.750 or 1.000" in one.why
    mixed = finding(claim, accuracies(claim, 1.0, *[0.5] * 4, tested=4))
    assert mixed.verdict == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [
        ([1.0] * 5, Verdict.CONSISTENT, "5 of 5 seeds give 1.0 on 4 rows"),
        ([0.5] * 5, Verdict.INCONCLUSIVE, "5 seeds cannot say that none would"),
        ([0.5] * 39, Verdict.WORSE, "0 of 39 seeds give 1.0"),
        ([1.0, 1.0] + [0.5] * 7, Verdict.INCONCLUSIVE, "a rate, 2 of 9 starts: 22 % (6 to 55)"),
        ([1.0] * 90 + [0.5] * 10, Verdict.RATE, "a rate, 90 of 100 starts"),
    ],
)
def test_few_rows_are_a_rate_and_no_level(values, expected, words):
    claim = on_xor(number={"published": "1.0"})
    one = finding(claim, accuracies(claim, *values, tested=4))
    assert (one.verdict, words in one.why) == (expected, True), one.why


def test_a_protocol_that_draws_nothing_needs_no_39_seeds():
    claim = make_claim(
        "xor-single",
        seeds=2,
        number={"published": "1.0"},
        protocol={**dict_of(on_xor()), "initializers": ZEROS},
    )
    assert verdict(claim, accuracies(claim, 0.5, 0.5, tested=4)) == Verdict.WORSE


ZEROS = {"weights": {"name": "zeros"}, "biases": {"name": "zeros"}}


def dict_of(claim):
    values = claim.protocol.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in values.items() if key not in ("name", "native", "quick")}


# ---------------------------------------------------------------- exact where seeds differ


def test_digits_of_seed_0_alone_are_not_exact():
    claim = make_claim(seeds=5, number={"rule": "exact", "published": "0.9172"})
    one = finding(claim, accuracies(claim, 0.9172, 0.9122, 0.9184, 0.9147, 0.9164))
    assert one.verdict != Verdict.EXACT
    assert "1 of 5 seeds print 0.9172, so it is judged by their spread" in one.why
    assert one.tolerance is not None
    alike = finding(claim, accuracies(claim, *[0.9172] * 5))
    assert (alike.verdict, alike.why) == (
        Verdict.EXACT,
        "the printed digits: 0.9172, from all 5 seeds",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.9172, Verdict.INCONCLUSIVE), (0.9150, Verdict.INCONCLUSIVE), (0.85, Verdict.WORSE)],
)
def test_one_seed_of_a_protocol_that_draws_confirms_nothing(value, expected):
    claim = make_claim(seeds=1, number={"rule": "exact", "published": "0.9172"})
    one = finding(claim, accuracies(claim, value))
    assert one.verdict == expected
    assert "one seed of a protocol that draws (training.batches)" in one.why


def test_a_drawing_variant_of_a_fixed_protocol_is_no_exact_one():
    claim = make_claim(
        fixed=True,
        seeds=1,
        number={"rule": "exact", "published": "0.9172", "on": "shuffled"},
        variants=[
            {
                "name": "shuffled",
                "role": "part",
                "why": "x",
                "changes": {"training.batches.order": "shuffled"},
            }
        ],
    )
    assert verdict(claim, accuracies(claim, 0.9172, variant="shuffled")) == Verdict.INCONCLUSIVE


def test_the_sources_own_draw_is_its_first_seed():
    from harness.claims import loading

    claim = loading.load("C15")
    (key,) = {number.key for number in claim.numbers if number.name == "test accuracy"}
    samples = [make_sample(claim, {key: [value]}, seed=s) for s, value in enumerate((0.9754, 0.9))]
    assert judged(claim, samples).findings[0].verdict == Verdict.EXACT


# ---------------------------------------------------------------- counts of rows


def test_digits_that_no_count_prints_are_impossible():
    """Of 2,300 rows 0.9126 and 0.9130 are possible and 0.9129 is not."""
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": ".9129"})
    one = finding(claim, accuracies(claim, 2_100 / 2_300, tested=2_300))
    assert one.verdict == Verdict.INCONCLUSIVE
    assert "impossible: no count of the 2,300 rows is printed as .9129" in one.why
    level = make_claim(number={"published": ".9129"})
    said = finding(level, accuracies(level, 0.912, 0.914, 0.913, 0.9125, tested=2_300))
    assert "impossible" in said.why


def test_possible_counts():
    number = make_claim(number={"published": "0.8545238375663757"}).numbers[0]
    assert counts_printed_as(number, 12_600) == [10_767]  # float32's digits
    assert why_impossible(number, 12_600) == ""
    cut = make_claim(number={"published": "0.939..."}).numbers[0]
    assert counts_printed_as(cut, 1_797) == [1_688, 1_689]
    five = make_claim(number={"published": "0.8478", "runs": 5}).numbers[0]
    assert why_impossible(five, 1_000) == ""
    assert "5 times 100 rows" in why_impossible(five, 100)
    gain = five.model_copy(update={"minus": "twin"})
    assert why_impossible(gain, 100) == ""
    assert not is_specific([], 100)


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("1", Verdict.INCONCLUSIVE),
        ("0.9", Verdict.INCONCLUSIVE),
        ("0.92", Verdict.CONSISTENT),
        ("0.918", Verdict.EXACT),
    ],
)
def test_few_digits_are_not_exact(published, expected):
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": published})
    assert verdict(claim, accuracies(claim, 732 / 797, tested=797)) == expected


def test_all_rows_right_is_exact_in_any_digits():
    claim = make_claim(fixed=True, seeds=1, number={"rule": "exact", "published": "1.0"})
    assert verdict(claim, accuracies(claim, 1.0)) == Verdict.EXACT


def test_a_rate_of_one_digit_is_refused_on_four_rows():
    with pytest.raises(ValueError, match=r"0\.75 and 1 are printed so; write such as \"1\.0\""):
        make_claim("xor-mlp", many_seeds=200, seeds=1, number={"rule": "rate", "published": "1"})


# ---------------------------------------------------------------- spreads that are too small


def test_two_seeds_that_tie_tell_nothing_of_a_third():
    claim = make_claim(number={"published": "92.0", "unit": "percent"})
    one = finding(claim, accuracies(claim, 731 / 797, 731 / 797, tested=797))
    assert one.verdict == Verdict.INCONCLUSIVE
    assert one.spread == 0
    assert one.tolerance > 1


@pytest.mark.full_product
def test_seeds_of_one_protocol_are_seldom_found_off_by_few_of_them():
    """Spreads like the ledger's, from 0.5 to 1.5 times the rows' binomial noise."""
    generator = np.random.default_rng(0)
    rows, share = 10_000, 0.92
    noise = np.sqrt(share * (1 - share) / rows)
    for seeds in (2, 3, 5):
        off = 0
        for _ in range(300):
            sd = noise * generator.uniform(0.5, 1.5)
            values = np.round(generator.normal(share, sd, seeds + 1) * rows) / rows
            claim = make_claim(number={"published": f"{values[0]:.4f}"})
            off += verdict(claim, accuracies(claim, *values[1:])) not in (
                Verdict.CONSISTENT,
                Verdict.INCONCLUSIVE,
            )
        assert off / 300 < 0.07, seeds


def with_twin(**number):
    return make_claim(
        number={"minus": "twin", "unit": "percent", **number},
        variants=[
            {
                "name": "twin",
                "role": "part",
                "why": "nearly the same",
                "changes": {"training.optimizer.learning_rate": 0.5000001},
            }
        ],
    )


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("0.20", Verdict.INCONCLUSIVE),
        ("0.00", Verdict.CONSISTENT),
        ("5.00", Verdict.WORSE),
        ("-5.00", Verdict.BETTER),
    ],
)
def test_differences_that_are_all_zero_have_a_tolerance(published, expected):
    claim = with_twin(published=published)
    values = (0.919, 0.921, 0.920)
    samples = accuracies(claim, *values) + accuracies(claim, *values, variant="twin")
    one = finding(claim, samples)
    assert one.verdict == expected
    assert 0.2 < one.tolerance < 1


def test_a_difference_must_be_told_from_none():
    """A gain of 0.4 points, allowed to be off by 0.6, would be said of no gain too."""
    claim = with_twin(published="0.40")
    ours = (0.924, 0.926, 0.922, 0.921, 0.925)
    theirs = (0.920, 0.9245, 0.9155, 0.919, 0.9185)
    samples = accuracies(claim, *ours) + accuracies(claim, *theirs, variant="twin")
    one = finding(claim, samples)
    assert 0.4 < one.tolerance < 1
    assert one.verdict == Verdict.INCONCLUSIVE


def test_no_tolerance_hides_twelve_points():
    claim = make_claim(number={"published": "0.80", "tolerance_at_most": 0.5})
    one = finding(claim, accuracies(claim, 0.92, 0.99, 0.86, 0.91))
    assert one.tolerance > 0.12
    assert one.verdict == Verdict.INCONCLUSIVE
    assert "a tolerance above 0.0500 is inconclusive" in one.why
    loss = make_claim(
        number={
            "metric": "test_loss",
            "published": "0.30",
            "unit": "number",
            "tolerance_at_most": 3,
        }
    )
    assert verdict(loss, accuracies(loss, 0.25, 0.4, 0.3, 0.2)) == Verdict.INCONCLUSIVE


def test_a_loss_is_the_same_within_rounding():
    number = {"metric": "test_loss", "published": "0.6447577476501465", "unit": "number"}
    claim = make_claim(fixed=True, seeds=2, number=number)
    assert verdict(claim, accuracies(claim, 0.64475780, 0.64475780)) == Verdict.CONSISTENT
    assert verdict(claim, accuracies(claim, 0.6458, 0.6458)) == Verdict.WORSE


def test_a_number_that_was_cut_off_lies_above_its_digits():
    claim = make_claim(number={"published": "0.91..."})
    one = finding(claim, accuracies(claim, *[0.9190, 0.9195, 0.9200, 0.9192] * 3))
    assert one.difference == pytest.approx(0.9194 - 0.915, abs=1e-3)


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # C69: t = 1.8 on 4 degrees of freedom
        ((0.6474, 0.6459, 0.6427, 0.6372, 0.6400), Verdict.CONSISTENT),
        ((0.6274, 0.6259, 0.6227, 0.6172, 0.6200), Verdict.WORSE),
        ((0.6874, 0.6859, 0.6827, 0.6872, 0.6800), Verdict.BETTER),
        ((0.55, 0.75, 0.65, 0.72, 0.60), Verdict.INCONCLUSIVE),
    ],
)
def test_a_range_has_a_tolerance(values, expected):
    claim = make_claim(number={"rule": "range", "published": "", "low": 0.646, "high": 0.657})
    assert verdict(claim, accuracies(claim, *values)) == expected


def test_a_range_that_all_seeds_are_far_inside_needs_no_limit():
    claim = make_claim(number={"rule": "range", "published": "", "low": 0.01})
    assert verdict(claim, accuracies(claim, 0.4, 0.5, 0.35)) == Verdict.CONSISTENT


def test_one_seed_cannot_contradict_a_range_of_losses():
    number = {"rule": "range", "metric": "test_loss", "published": "", "high": 0.3}
    claim = make_claim(seeds=1, number=number | {"unit": "number"})
    assert verdict(claim, accuracies(claim, 0.35)) == Verdict.INCONCLUSIVE
    assert verdict(claim, accuracies(claim, 0.25)) == Verdict.CONSISTENT


# ---------------------------------------------------------------- several runs, rates


def test_several_printed_runs_are_values_of_one_number():
    """C24: .8951, and .888 in an earlier version of the same file."""
    values = (0.8892, 0.8877, 0.8910, 0.8889, 0.8903, 0.8875, 0.8912, 0.8870, 0.8899, 0.8895)
    alone = make_claim(number={"published": "0.8951"})
    assert verdict(alone, accuracies(alone, *values)) == Verdict.WORSE
    both = make_claim(number={"published": "0.8951", "also_printed": ["0.888"]})
    one = finding(both, accuracies(both, *values))
    assert (one.verdict, one.published) == (Verdict.CONSISTENT, "0.8951 and 0.888")
    # Student's two-sample test, by hand
    ours, theirs = np.array(values), np.array([0.8951, 0.888])
    squares = 9 * ours.var(ddof=1) + theirs.var(ddof=1)
    width = 2.2281 * np.sqrt(squares / 10 * (1 / 10 + 1 / 2))
    assert one.tolerance == pytest.approx(np.hypot(np.hypot(width, 0.0005), 0.0002), rel=0.06)


@pytest.mark.parametrize(
    ("share", "hits", "expected"),
    [
        ("2 of 9", 44, Verdict.INCONCLUSIVE),
        ("2 of 9", 180, Verdict.BETTER),
        ("180 of 200", 176, Verdict.RATE),
        ("180 of 200", 90, Verdict.WORSE),
        ("0 of 3", 2, Verdict.INCONCLUSIVE),
    ],
)
def test_a_published_share_of_runs(share, hits, expected):
    number = {"rule": "rate", "published": "1.0", "share": share}
    claim = make_claim("xor-mlp", many_seeds=200, seeds=1, number=number)
    values = {claim.numbers[0].key: [1.0] * hits + [0.5] * (200 - hits)}
    one = finding(claim, [make_sample(claim, values, tested=4)])
    assert one.verdict == expected
    assert f"published {share} starts" in one.why


def test_a_rate_of_losses_counts_the_low_ones():
    number = {"rule": "rate", "metric": "test_loss", "published": "0.01", "unit": "number"}
    claim = make_claim("xor-mlp", many_seeds=200, seeds=1, number=number)
    values = {claim.numbers[0].key: [0.002] * 120 + [0.0149] * 10 + [0.25] * 70}
    one = finding(claim, [make_sample(claim, values, tested=4)])
    assert one.verdict == Verdict.RATE
    assert "reached from 130 of 200 starts" in one.why


def test_a_few_seeds_cannot_tell_a_rate():
    claim = make_claim("xor-mlp", seeds=9, number={"rule": "rate", "published": "1.0"})
    one = finding(claim, accuracies(claim, 1.0, 1.0, *[0.5] * 7, tested=4))
    assert one.verdict == Verdict.INCONCLUSIVE
    assert "2 of 9 starts: 22 % (6 to 55); 9 seeds cannot tell a rate" in one.why


# ---------------------------------------------------------------- several numbers


def of_numbers(*published):
    numbers = [
        {"name": f"n{i}", "metric": "test_accuracy", "at": at, "published": text, "rule": "level"}
        for i, (at, text) in enumerate(zip(("last", "highest", "lowest"), published, strict=False))
    ]
    return make_claim(numbers=numbers, number={})


def samples_of(claim, *rows):
    keys = [number.key for number in claim.numbers]
    return [
        make_sample(
            claim,
            {key: [value] for key, value in zip(keys, row, strict=True) if value is not None},
            seed=seed,
        )
        for seed, row in enumerate(rows)
    ]


STEADY = (0.9200, 0.9201, 0.9199, 0.9200)
JUMPY = (0.90, 0.95, 0.91, 0.93)


def test_one_open_number_of_three_does_not_rule():
    claim = of_numbers("0.920", "0.920", "0.922")
    judgement = judged(claim, samples_of(claim, *zip(STEADY, STEADY, JUMPY, strict=True)))
    assert [one.verdict for one in judgement.findings][-1] == Verdict.INCONCLUSIVE
    assert judgement.verdict == Verdict.CONSISTENT
    assert "n2 INCONCLUSIVE" in judgement.why


def test_half_of_the_numbers_open_leave_the_claim_open():
    claim = of_numbers("0.920", "0.922")
    assert verdict(claim, samples_of(claim, *zip(STEADY, JUMPY, strict=True))) == (
        Verdict.INCONCLUSIVE
    )


def test_a_number_that_was_not_measured_hides_no_others():
    claim = of_numbers("0.920", "0.920", "0.920")
    none = (None,) * 4
    judgement = judged(claim, samples_of(claim, *zip(STEADY, STEADY, none, strict=True)))
    assert judgement.verdict == Verdict.CONSISTENT
    assert "n2 NOT RUN (its trials do not measure this number)" in judgement.why
    half = of_numbers("0.920", "0.920")
    one = judged(half, samples_of(half, *zip(STEADY, none, strict=True)))
    assert one.verdict == Verdict.INCONCLUSIVE
    nothing = judged(half, samples_of(half, *zip(none, none, strict=True)))
    assert nothing.verdict == Verdict.NOT_RUN


def test_a_number_that_contradicts_always_counts():
    claim = of_numbers("0.990", "0.922", "0.922")
    assert verdict(claim, samples_of(claim, *zip(STEADY, JUMPY, JUMPY, strict=True))) == (
        Verdict.WORSE
    )


# ---------------------------------------------------------------- which rows


def test_a_variant_is_scored_on_its_own_rows():
    split = {"name": "rows", "train": [[0, 1000]], "test": [[60000, 70000]]}
    claim = make_claim(
        number={"metric": "train_accuracy", "on": "small", "published": "0.920"},
        variants=[{"name": "small", "role": "part", "why": "x", "changes": {"data.split": split}}],
    )
    one = finding(claim, accuracies(claim, 0.92, 0.92, 0.92, variant="small"))
    assert one.tolerance == pytest.approx(
        np.hypot(0.002, 0.0005 + 3.18 * 0.5 * 0.0086 / 1.5), rel=0.2
    )
    assert {run.variant for run in claim_runs(claim)} == {"", "small"}


def test_errors_are_better_where_they_are_lower():
    claim = make_claim(number={"metric": "test_error", "at": "lowest", "published": "0.090"})
    assert claim.numbers[0].key == "test_error at its lowest"
    assert verdict(claim, accuracies(claim, 0.0801, 0.0800, 0.0802, 0.0799)) == Verdict.BETTER
    assert verdict(claim, accuracies(claim, 0.0899, 0.0900, 0.0902, 0.0901)) in HOLDS


def test_samples_of_the_other_extreme_do_not_count():
    """Earlier versions stored one minus the lowest accuracy as the lowest error."""
    claim = make_claim(number={"metric": "test_error", "at": "lowest", "published": "0.083"})
    old = [make_sample(claim, {"test_error at lowest": [0.8335]}, seed=seed) for seed in (0, 1)]
    assert verdict(claim, old) == Verdict.NOT_RUN


# ---------------------------------------------------------------- statements that hide something


def test_a_stated_spread_narrows_no_measured_one():
    claim = make_claim(seeds=4, spread=1e-9, spread_from="wishful thinking")
    one = finding(claim, accuracies(claim, 0.921, 0.923, 0.922, 0.926))
    assert one.verdict == Verdict.CONSISTENT
    assert one.tolerance > 0.005


def test_a_share_and_its_complement_are_told_apart():
    claim = make_claim(number={"metric": "test_error", "published": "0.920"})
    one = finding(claim, accuracies(claim, 0.080, 0.081, 0.079, 0.080))
    assert one.verdict == Verdict.BETTER
    assert "1 minus it would fit: an error or an accuracy?" in one.why


def test_any_of_several_printings_may_be_exact():
    number = {"rule": "exact", "published": "0.9000", "also_printed": ["0.9200"]}
    claim = make_claim(fixed=True, seeds=1, number=number)
    assert verdict(claim, accuracies(claim, 0.92)) == Verdict.EXACT
    assert verdict(claim, accuracies(claim, 0.9203)) == Verdict.NEAR_EXACT
    assert verdict(claim, accuracies(claim, 0.91)) == Verdict.BETTER


@pytest.mark.parametrize("bounds", [{"low": 0.0, "high": 1.0}, {"high": 1.0}, {"low": 0.0}])
def test_a_range_of_everything_is_refused(bounds):
    number = {"rule": "range", "published": "", **bounds}
    with pytest.raises(ValueError, match="every test_accuracy lies in this range"):
        make_claim(number=number)


def test_rows_are_no_share():
    with pytest.raises(ValueError, match="share of the rows if it counts rows"):
        make_claim(number={"published": "9200"})


# ---------------------------------------------------------------- whatever is written


def random_claim(generator, published, seeds):
    """A claim whose other fields are as favourable to it as a draw makes them."""
    pick = generator.choice
    percent = bool(pick([True, False]))
    digits = int(pick([1, 2, 3, 4]))
    value = 100 * published if percent else published
    rule = str(pick(["level", "level", "exact", "range"]))
    number = {
        "rule": rule,
        "unit": "percent" if percent else "fraction",
        "metric": str(pick(["test_accuracy", "test_error"])),
        "at": pick(["last", "highest", "lowest"]).item(),
        "runs": int(pick([1, 1, 5])),
        "published": f"{value:.{max(digits - 2 * percent, 0)}f}",
    }
    if rule == "range":
        number |= {"published": "", "low": value, "high": value}
    if rule == "level" and pick([True, False]):
        number["tolerance_at_most"] = 50.0 if percent else 0.5
    more = {"seeds": seeds}
    if rule != "exact" and pick([True, False]):
        more["same_test"] = False
    if rule == "level" and pick([True, False, False]):
        more |= {"spread": 20.0 if percent else 0.2, "spread_from": "wishful thinking"}
    return make_claim(number=number, **more)


def test_a_number_far_from_every_seed_never_holds():
    generator = np.random.default_rng(11)
    tried = 0
    while tried < 300:
        seeds, rows = int(generator.integers(2, 8)), int(generator.choice([4, 45, 797, 10_000]))
        centre, sd = generator.uniform(0.1, 0.95), generator.choice([0.0, 0.002, 0.02, 0.1])
        counts = np.clip(np.round(generator.normal(centre, sd, seeds) * rows), 0, rows)
        values = counts / rows
        published = round(float(generator.uniform(0, 1)), 4)
        if np.abs(values - published).min() < 0.1:
            continue
        claim = random_claim(generator, published, seeds)
        one = finding(claim, accuracies(claim, *values, tested=rows))
        assert one.verdict not in HOLDS, (claim.numbers[0], values, one)
        tried += 1
