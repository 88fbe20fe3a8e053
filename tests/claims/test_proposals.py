"""Variants that `explain` proposes where a claim lists none."""

import tomllib

import pytest

from harness.claims import loading
from harness.claims.model import Variant
from harness.claims.proposals import MOST, as_toml, proposed_variants
from harness.experiment.loading import load
from tests.claims.builders import make_claim

RUN = [claim for claim in loading.ledger().values() if not claim.not_run]


@pytest.mark.parametrize("claim", RUN, ids=[claim.id for claim in RUN])
def test_every_proposal_is_another_valid_protocol(claim):
    variants = proposed_variants(claim)
    assert 1 <= len(variants) <= MOST
    protocols = [loading.changed_protocol(claim, variant) for variant in variants]
    digests = {protocol.digest for protocol in protocols}
    assert len(digests) == len(variants)
    assert claim.protocol.digest not in digests


@pytest.mark.parametrize("claim", RUN[::10], ids=[claim.id for claim in RUN[::10]])
def test_a_proposal_can_be_pasted(claim):
    for variant in proposed_variants(claim):
        (values,) = tomllib.loads(as_toml(variant))["variants"]
        assert Variant.model_validate(values) == variant


def test_what_sources_leave_open():
    names = [variant.name for variant in proposed_variants(make_claim())]
    assert names[:3] == ["scale-none", "other-start", "order-sequential"]
    assert {"last-drop", "loss-sum", "rate-tenfold", "rate-tenth"} & set(names)


def test_a_scale_can_be_fitted_to_the_wrong_rows():
    claim = make_claim(protocol=load("iris-softmax"))
    found = {v.name: v for v in proposed_variants(claim)}
    assert found["scale-fitted-on-all"].role == "mistake"
    changed = loading.changed_protocol(claim, found["scale-fitted-on-each-part"])
    assert changed.data.scale_fitted_on == "each_part"
    back = loading.changed_protocol(claim, found["scale-none"])
    assert (back.data.scale, back.data.scale_fitted_on) == ("none", "training")
    leaking = make_claim(protocol=changed)
    names = {v.name: v.role for v in proposed_variants(leaking)}
    assert names["scale-fitted-on-training"] == "reading"
    assert "scale-none" in names


def test_a_library_s_own_solver_follows_only_the_data():
    names = [variant.name for variant in proposed_variants(loading.load("C03"))]
    assert names == ["scale-none", "scale-fitted-on-all", "scale-fitted-on-each-part"]
