"""Which trials a claim needs."""

import pytest

from harness.claims import planning
from harness.experiment.vocabulary import Purpose
from harness.registry import find
from tests.claims.made import claim
from tests.conftest import skip_without

PAIR = [find("jax"), find("numpy")]


def trials(of, every=False):
    made = planning.make(planning.parts(of, every), PAIR).trials
    return [(t.experiment, t.framework, t.seed, t.repeat) for t in made]


def test_the_first_framework_runs_all_seeds_the_others_the_first():
    assert trials(claim(seeds=3)) == [
        ("t1", "jax", 0, 0), ("t1", "jax", 1, 0), ("t1", "jax", 2, 0), ("t1", "numpy", 0, 0),
    ]  # fmt: skip


def test_rates_take_many_starts_at_once():
    of = claim("xor-mlp", seeds=1, many_seeds=200, number={"rule": "rate"})
    made = planning.make(planning.parts(of), PAIR).trials
    assert [(t.framework, t.purpose == Purpose.MANY_STARTS, t.starts) for t in made] == [
        ("jax", False, 1), ("jax", True, 200), ("numpy", False, 1), ("numpy", True, 200),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "flag", "run"), [("part", False, 1), ("reading", False, 0), ("reading", True, 1)]
)
def test_variants_that_belong_to_the_verdict_are_run(role, flag, run):
    of = claim(
        seeds=2,
        variants=[{"name": "other", "role": role, "judged": flag, "why": "x",
                   "changes": {"data.scale": "none"}}],
    )  # fmt: skip
    assert sum(name == "t1-other" for name, *_ in trials(of)) == 3 * run
    assert sum(name == "t1-other" for name, *_ in trials(of, every=True)) == 3


def test_two_claims_never_share_the_names_of_rows():
    other = {"name": "x", "role": "part", "why": "y", "changes": {"data.scale": "none"}}
    mine, theirs = claim(variants=[other]), claim(id="T1-x")
    parts = [*planning.parts(mine), *planning.parts(theirs)]
    with pytest.raises(ValueError, match="t1-x"):
        planning.make(parts, PAIR)


def test_proofs_of_a_protocol_stand_together():
    """So that the oracle runs once for all frameworks."""
    mine, theirs = claim(), claim(id="T2")
    made = planning.make([*planning.parts(mine), *planning.parts(theirs)], PAIR).proofs
    assert [proof.experiment for proof in made] == ["t1", "t1", "t2", "t2"]


def test_all_claims_share_a_folder():
    one, two = claim(), claim(seeds=2)
    digests = {planning.make(planning.parts(of), PAIR).digest for of in (one, two)}
    assert len(digests) == 1


def test_by_default_the_two_fastest_that_are_installed():
    skip_without("jax")
    assert [framework.name for framework in planning.frameworks(())] == ["jax", "numpy"]


def test_frameworks_that_are_named_run_the_fastest_first():
    assert [f.name for f in planning.frameworks(("torch", "numpy"))] == ["numpy", "torch"]
