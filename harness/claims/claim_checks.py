"""What the parts of a claim must be to each other, before anything is trained."""

import math
from typing import TYPE_CHECKING

from harness.experiment.datasets import DATASETS
from harness.experiment.model import Experiment
from harness.experiment.names import unknown
from harness.experiment.vocabulary import Track

if TYPE_CHECKING:
    from harness.claims.model import Claim
    from harness.claims.number import Number

FEWEST_STARTS, FEWEST_SEEDS = 200, 5
"""A rate needs so many starts at once, or so many seeds one by one."""


def check(claim: "Claim") -> None:
    """Check a claim.

    Raises:
        ValueError: its parts contradict each other; the message names the field.
    """
    if claim.not_run:
        if claim.variants or claim.protocol is not None:
            raise ValueError("not_run: a claim that cannot be run has no protocol or variants")
        return
    if claim.protocol is None or not claim.numbers:
        raise ValueError("a claim needs [protocol] and [[numbers]], or not_run with its reason")
    names = [variant.name for variant in claim.variants]
    if len(set(names)) < len(names):
        raise ValueError(f"variants: every name once. Got {', '.join(names)}")
    _check_many_seeds(claim, claim.protocol)
    for number in claim.numbers:
        _check_number(claim, number, names)
        number.check_against(claim.protocol)
    if claim.own_data is not None and claim.own_data not in DATASETS:
        raise ValueError(f"own_data: {unknown(claim.own_data, DATASETS)}")
    if claim.track == Track.NATIVE and len(claim.protocol.native) != 1:
        raise ValueError("protocol.native: a claim of the native track states one solver")
    if claim.spread is not None:
        _check_spread(claim)


def _check_number(claim: "Claim", number: "Number", variants: list[str]) -> None:
    for name in (number.on, number.minus or ""):
        if name and name not in variants:
            raise ValueError(
                f"numbers: {number.name!r} refers to variant {name!r}, which the claim does not "
                f"have. {_known(variants)}"
            )
    if number.rule in ("exact", "every") and not claim.same_test:
        raise ValueError(
            f"numbers: {number.name!r} has rule {number.rule!r}, but same_test = false says that "
            "the source scored other rows, whose digits these cannot have; write rule 'level'"
        )
    _check_track(claim, number)
    _check_seeds(claim, number)


def _check_track(claim: "Claim", number: "Number") -> None:
    """Check that trials of the claim's track leave the number."""
    if claim.track == Track.NATIVE:
        if number.is_of_epochs or number.metric in ("step_loss", "loss_ratio"):
            raise ValueError(
                f"numbers: {number.name!r}: a library's own solver has no {number.metric}; write "
                "solver_loss"
            )
        if number.at != "last" and number.metric != "solver_loss":
            raise ValueError(
                f"numbers: {number.name!r}: a library's own solver leaves only its end, so at "
                f"must be 'last'. Got {number.at!r}"
            )
    elif number.metric == "solver_loss":
        raise ValueError(
            f"numbers: {number.name!r}: solver_loss is what a library's own solver prints (track "
            '= "native"); write epoch_loss'
        )


def _known(variants: list[str]) -> str:
    if not variants:
        return "It has no [[variants]]"
    return f"Known: {', '.join(variants)}"


def _check_seeds(claim: "Claim", number: "Number") -> None:
    """Check that there are enough seeds for the number's rule."""
    if number.rule == "rate" and not (claim.many_seeds or claim.seeds >= FEWEST_SEEDS):
        raise ValueError(
            f"many_seeds: {number.name!r} has rule 'rate', which needs at least {FEWEST_STARTS} "
            f"many_seeds, or at least {FEWEST_SEEDS} seeds where starts cannot be trained at "
            f"once. Got {claim.seeds}"
        )
    if number.rule == "level" and claim.deterministic:
        raise ValueError(
            f"seeds: {number.name!r} has rule 'level', which needs the spread of at least "
            "2 seeds, or a stated spread. Got 1"
        )
    if number.best_of > claim.seeds:
        raise ValueError(
            f"seeds: {number.name!r} is the best of {number.best_of} runs. Got {claim.seeds}"
        )
    needs_spread = number.rule == "level" and claim.spread is None
    if needs_spread and claim.seeds // number.best_of < 2:
        raise ValueError(
            f"seeds: {number.name!r} has rule 'level', which needs the spread of at least 2 "
            f"bests of {number.best_of} runs, so {2 * number.best_of} seeds, or a stated "
            f"spread. Got {claim.seeds}"
        )


def _check_many_seeds(claim: "Claim", protocol: Experiment) -> None:
    if not claim.many_seeds:
        return
    if claim.many_seeds < FEWEST_STARTS and any(one.rule == "rate" for one in claim.numbers):
        raise ValueError(
            f"many_seeds: a rate needs at least {FEWEST_STARTS} seeds. Got {claim.many_seeds}"
        )
    training = protocol.training
    if training is None or training.batches.order != "full" or protocol.depends_on_validation:
        raise ValueError(
            "many_seeds: starts are trained at once only where all rows are one batch "
            '(batches = { order = "full" }) and nothing stops early or falls on a plateau; '
            "write seeds instead"
        )


def _check_spread(claim: "Claim") -> None:
    """Check a stated spread: it has one unit, and says where it comes from."""
    assert claim.spread is not None
    if not (claim.spread_from and math.isfinite(claim.spread)):
        raise ValueError("spread_from: say where the stated spread is taken from")
    levels = [number for number in claim.numbers if number.rule in ("level", "range")]
    for number in levels[1:]:
        first = levels[0]
        if (number.unit, number.counts_rows) != (first.unit, first.counts_rows):
            raise ValueError(
                f"spread: is in the unit of {first.name!r}; {number.name!r} has another. Make "
                "it a claim of its own"
            )
