"""Judges one number of a claim: which samples it is judged by, and what its rule says of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.claims.drawing import repeats_the_source, what_is_drawn
from harness.claims.loading import protocol_of
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.number_rules import RULES
from harness.claims.ruling import Measured, Ruling
from harness.claims.samples import Sample
from harness.claims.tolerances import binomial_noise
from harness.claims.unjudged import count_diverged, ruling_on_seeds, ruling_without_data
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Track


@dataclass(frozen=True)
class Finding:
    """What was measured of one number, and its verdict.

    Args:
        number: name of the number.
        variant: whose samples it is judged by; "" is the protocol itself.
        published: as printed.
        unit: of all values here.
        framework: whose samples it is judged by; "" without any.
        measured: one value per seed, or per best of several; of `outputs` one per output.
        spread: standard deviation of the measured values; None of a single value.
        seeds: how many values were measured; 1 of `outputs`.
        difference: mean measured minus published; None where the rule has none.
        tolerance: how large the difference may be; None where the rule has none.
        verdict: on this number alone.
        why: the verdict in words.
        limit: a wider tolerance is inconclusive; None where the rule has none.
        p: of the test that measured and published agree; None where nothing is tested.
        p_adjusted: `p`, adjusted for all tests of the same judgement.
        adjusted: the verdict by `p_adjusted`; None where nothing is tested.
    """

    number: str
    variant: str
    published: str
    unit: str
    framework: str
    measured: tuple[float, ...]
    spread: float | None
    seeds: int
    difference: float | None
    tolerance: float | None
    verdict: Verdict
    why: str
    limit: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    adjusted: Verdict | None = None


def judge_number(
    claim: Claim, number: Number, samples: Sequence[Sample], variant: str | None = None
) -> Finding:
    """Judge one number by the samples of a variant; by default of the variant it belongs to.

    It is judged by the framework with most seeds. Where no trial gives the number because seeds
    diverged, the verdict is WORSE: the protocol does not give the number.
    """
    variant = number.on if variant is None else variant
    by_framework: dict[str, list[Sample]] = {}
    for sample in _usable(samples, number, variant):
        by_framework.setdefault(sample.row.framework, []).append(sample)
    if not by_framework:
        of_variant = [sample for sample in samples if sample.variant == variant]
        framework, ruling = ruling_without_data(of_variant)
        return _finding(number, variant, framework, (), ruling)
    framework, usable = max(
        by_framework.items(), key=lambda item: len(_values_by_seed(item[1], number.key))
    )
    values, shares = _values(number, usable, samples)
    diverged = count_diverged(samples, variant, framework)
    problem = ruling_on_seeds(claim, number, len(values), diverged)
    if problem:
        return _finding(number, variant, framework, values, problem)
    protocol = protocol_of(claim, variant)
    bests = tuple(_bests(values, number))
    rows = _scored_rows(protocol, number, usable[0])
    drawn = tuple(what_is_drawn(protocol, claim.track, before_training=number.at == 0))
    measured = Measured(
        values=bests,
        rows=rows,
        drawn=drawn,
        repeats_source=repeats_the_source(protocol, claim.track) and not _every_seed(claim),
        noise=number.factor * _noise(shares, rows) if drawn and number.counts_rows else 0.0,
        dataset=protocol.data.name,
    )
    ruling = RULES[number.rule](claim, number, measured)
    return _finding(number, variant, framework, bests, ruling)


def _every_seed(claim: Claim) -> bool:
    """Whether a claim on a library's own solver states several seeds, so that all must agree."""
    return claim.track == Track.NATIVE and claim.seeds > 1


def _noise(shares: Sequence[float], rows: int) -> float:
    """Return the binomial noise of a share of the rows, or of a difference of two such shares."""
    return math.hypot(*(binomial_noise(share, rows) for share in shares))


# ---------------------------------------------------------------- which values


def _usable(samples: Iterable[Sample], number: Number, variant: str) -> list[Sample]:
    """Return the samples of a variant that a verdict may use and that have the number."""
    return [
        sample
        for sample in samples
        if sample.variant == variant and sample.counts and number.key in sample.values
    ]


def _values(
    number: Number, usable: Sequence[Sample], samples: Sequence[Sample]
) -> tuple[list[float], list[float]]:
    """Return one framework's values in the number's unit, and the means that they are made of.

    A difference is taken seed by seed, and is made of two means.
    """
    if number.metric == "outputs":
        return [number.factor * value for value in usable[0].values[number.key]], []
    values = _values_by_seed(usable, number.key)
    means = [float(np.mean(list(values.values())))]
    if number.minus is not None:
        framework = usable[0].row.framework
        subtracted = _values_by_seed(
            (s for s in _usable(samples, number, number.minus) if s.row.framework == framework),
            number.key,
        )
        values = {seed: values[seed] - subtracted[seed] for seed in values if seed in subtracted}
        means += [float(np.mean(list(subtracted.values())))] if subtracted else []
    return [number.factor * value for value in values.values()], means


def _values_by_seed(samples: Iterable[Sample], key: str) -> dict[int, float]:
    """Return the value of every seed; a trial of many starts has one for each."""
    values: dict[int, float] = {}
    for sample in samples:
        for offset, value in enumerate(sample.values[key]):
            values.setdefault(sample.row.seed + offset, value)
    return dict(sorted(values.items()))


def _bests(measured: Sequence[float], number: Number) -> list[float]:
    """Return the best of every `best_of` seeds; a rest of fewer seeds is left out."""
    best = max if number.more_is_better else min
    starts = range(0, len(measured) - number.best_of + 1, number.best_of)
    return [best(measured[start : start + number.best_of]) for start in starts]


def _scored_rows(protocol: Experiment, number: Number, sample: Sample) -> int:
    """Return how many rows the number is measured on."""
    train, validation, _ = protocol.data.rows
    if number.metric.startswith("train") or number.is_of_epochs:
        return train
    return validation if number.metric.startswith("validation") else sample.tested


def _finding(
    number: Number, variant: str, framework: str, measured: Sequence[float], ruling: Ruling
) -> Finding:
    is_vector = number.metric == "outputs"
    has_spread = len(measured) > 1 and not is_vector
    return Finding(
        number=number.name,
        variant=variant,
        published=_published(number),
        unit=number.unit,
        framework=framework,
        measured=tuple(measured),
        spread=float(np.std(measured, ddof=1)) if has_spread else None,
        seeds=1 if is_vector else len(measured),
        difference=ruling.difference,
        tolerance=ruling.tolerance,
        verdict=ruling.verdict,
        why=ruling.why,
        limit=ruling.limit,
        p=ruling.p,
    )


def _published(number: Number) -> str:
    """Return the number as printed; of several runs all of them."""
    return " and ".join(number.printings) if number.published else "in words"
