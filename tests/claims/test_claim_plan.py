"""Which trials a claim needs."""

import pytest

from harness.claims.claim_plan import choose_frameworks, claim_runs, make_claim_plan
from harness.experiment.vocabulary import Purpose
from harness.registry import find
from tests.claims.builders import make_claim
from tests.conftest import skip_without

PAIR = [find("jax"), find("numpy")]


def trials(claim, every=False):
    plan = make_claim_plan(claim_runs(claim, every), PAIR)
    return [(t.experiment, t.framework, t.seed, t.repeat) for t in plan.trials]


def test_the_first_framework_runs_all_seeds_the_others_the_first():
    assert trials(make_claim(seeds=3)) == [
        ("t1", "jax", 0, 0),
        ("t1", "jax", 1, 0),
        ("t1", "jax", 2, 0),
        ("t1", "numpy", 0, 0),
    ]


def test_rates_take_many_starts_at_once():
    claim = make_claim("xor-mlp", seeds=1, many_seeds=200, number={"rule": "rate"})
    trials = make_claim_plan(claim_runs(claim), PAIR).trials
    assert [(t.framework, t.purpose == Purpose.MANY_STARTS, t.starts) for t in trials] == [
        ("jax", False, 1),
        ("jax", True, 200),
        ("numpy", False, 1),
        ("numpy", True, 200),
    ]


@pytest.mark.parametrize(
    ("role", "flag", "run"), [("part", False, 1), ("reading", False, 0), ("reading", True, 1)]
)
def test_variants_that_belong_to_the_verdict_are_run(role, flag, run):
    claim = make_claim(
        seeds=2,
        variants=[
            {
                "name": "other",
                "role": role,
                "judged": flag,
                "why": "x",
                "changes": {"data.scale": "none"},
            }
        ],
    )
    assert sum(name == "t1-other" for name, *_ in trials(claim)) == 3 * run
    assert sum(name == "t1-other" for name, *_ in trials(claim, every=True)) == 3


def test_two_claims_never_share_the_names_of_rows():
    other = {"name": "x", "role": "part", "why": "y", "changes": {"data.scale": "none"}}
    mine, theirs = make_claim(variants=[other]), make_claim(id="T1-x")
    runs = [*claim_runs(mine), *claim_runs(theirs)]
    with pytest.raises(ValueError, match="t1-x"):
        make_claim_plan(runs, PAIR)


def test_proofs_of_a_protocol_stand_together():
    """So that the oracle runs once for all frameworks."""
    mine, theirs = make_claim(), make_claim(id="T2")
    plan = make_claim_plan([*claim_runs(mine), *claim_runs(theirs)], PAIR)
    assert [proof.experiment for proof in plan.proofs] == 4 * ["t1"] + 4 * ["t2"]


def test_all_claims_share_a_folder():
    one, two = make_claim(), make_claim(seeds=2)
    digests = {make_claim_plan(claim_runs(claim), PAIR).digest for claim in (one, two)}
    assert len(digests) == 1


def test_by_default_the_two_fastest_that_are_installed():
    skip_without("jax")
    assert [framework.name for framework in choose_frameworks(())] == ["jax", "numpy"]


def test_frameworks_that_are_named_run_the_fastest_first():
    assert [f.name for f in choose_frameworks(("torch", "numpy"))] == ["numpy", "torch"]
