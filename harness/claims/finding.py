"""One number of a claim: which samples speak for it, and what its rule says of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.claims.model import Claim, Number, Verdict
from harness.claims.rules import RULES, Ruling
from harness.claims.samples import Sample
from harness.experiment.vocabulary import Purpose
from harness.parity.judgement import PROVEN


@dataclass(frozen=True)
class Finding:
    """What was measured of one number, in its own unit, and what follows.

    `spread` is the standard deviation over seeds, `tolerance` how far the mean may lie from the
    published number; None where the rule has none. `why` says it in words.
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


def find(
    claim: Claim, number: Number, samples: Sequence[Sample], instead: str | None = None
) -> Finding:
    """Judge one number by the samples of its variant, or of the variant `instead`.

    The framework with most seeds speaks: its values are taken seed by seed. Where no trial tells
    the number and seeds diverged, that is what was found: the protocol does not give it.
    """
    variant = number.on if instead is None else instead
    by_framework: dict[str, list[Sample]] = {}
    for told in _telling(samples, number, variant):
        by_framework.setdefault(told.row.framework, []).append(told)
    if not by_framework:
        framework, untold = _untold([told for told in samples if told.variant == variant])
        return _finding(number, variant, framework, (), untold)
    framework, own = max(by_framework.items(), key=lambda item: len(_values(item[1], number.key)))
    values = _values(own, number.key)
    if number.metric == "outputs":
        measured = [number.factor * value for value in own[0].values[number.key]]
    else:
        if number.minus is not None:
            others = _telling(samples, number, number.minus)
            theirs = _values([t for t in others if t.row.framework == framework], number.key)
            values = {seed: values[seed] - theirs[seed] for seed in values if seed in theirs}
        measured = [number.factor * value for value in values.values()]
    ruling = _unfit(claim, number, len(measured), _diverged(samples, variant, framework))
    if ruling is None:
        measured = _best(measured, number)
        ruling = RULES[number.rule](claim, number, measured, _rows(claim, number, own[0]))
    return _finding(number, variant, framework, measured, ruling)


def _telling(samples: Sequence[Sample], number: Number, variant: str) -> list[Sample]:
    """The samples of a variant that count and tell the number."""
    return [
        told
        for told in samples
        if told.variant == variant and told.counts and number.key in told.values
    ]


def _unfit(claim: Claim, number: Number, seeds: int, diverged: int) -> Ruling | None:
    """Why no rule is asked: seeds that came to no finite end, or fewer than registered."""
    if diverged:
        return Ruling(Verdict.WORSE, f"{diverged} of {diverged + seeds} seeds diverged")
    registered = claim.many_seeds if number.rule in ("rate", "every") else claim.seeds
    if seeds < registered and number.metric != "outputs":
        words = f"{seeds} of the {registered} registered seeds have run"
        return Ruling(Verdict.INCONCLUSIVE if seeds else Verdict.NOT_RUN, words)
    return None


def _rows(claim: Claim, number: Number, told: Sample) -> int:
    """How many rows the number's part has."""
    assert claim.protocol is not None
    train, validation, _ = claim.protocol.data.rows
    if number.metric.startswith("train"):
        return train
    return validation if number.metric.startswith("validation") else told.tested


def _diverged(samples: Sequence[Sample], variant: str, framework: str) -> int:
    """How many seeds of the framework came to no finite end: they count against a claim."""
    return sum(
        told.variant == variant
        and told.row.framework == framework
        and told.row.status == "diverged"
        for told in samples
    )


def _untold(own: Sequence[Sample]) -> tuple[str, Ruling]:
    """Of a variant whose number no trial tells: the framework that diverged, or why none ran."""
    diverged = [
        told
        for told in own
        if told.row.status == "diverged" and told.row.track == "identical" and told.proof in PROVEN
    ]
    if not diverged:
        return "", Ruling(Verdict.NOT_RUN, _why_nothing(own))
    names = dict.fromkeys(told.row.framework for told in diverged)
    framework = max(names, key=lambda name: len(_seeds(diverged, name)))
    lost, run = len(_seeds(diverged, framework)), len(_seeds(own, framework))
    words = f"{f'all {lost}' if lost == run > 1 else f'{lost} of {run}'} seeds diverged"
    return framework, Ruling(Verdict.WORSE, words)


def _seeds(samples: Sequence[Sample], framework: str) -> set[int]:
    """The seeds of the framework's trials; a trial of many starts has one for each."""
    return {
        told.row.seed + offset
        for told in samples
        if told.row.framework == framework
        for offset in range(told.row.repeat if told.row.purpose == Purpose.MANY_STARTS else 1)
    }


def _why_nothing(own: Sequence[Sample]) -> str:
    """Why no sample of a variant counts."""
    for told in own:
        if told.row.status != "ok":
            detail = f": {told.row.status_detail}" if told.row.status_detail else ""
            return f"{told.row.framework} {told.row.status}{detail}"
    for told in own:
        if not told.counts:
            return f"{told.row.framework} is not proven to follow the protocol ({told.proof})"
    return "its trials do not tell it" if own else "no trial of it yet"


def _values(samples: Sequence[Sample], key: str) -> dict[int, float]:
    """Value by seed; a trial of many starts has one for each."""
    found: dict[int, float] = {}
    for told in samples:
        for offset, value in enumerate(told.values[key]):
            found.setdefault(told.row.seed + offset, value)
    return dict(sorted(found.items()))


def _best(measured: Sequence[float], number: Number) -> list[float]:
    """The best of every so many seeds; the seeds themselves where the number is of one."""
    best = max if number.more_is_better else min
    groups = range(0, len(measured) - number.best_of + 1, number.best_of)
    if number.best_of == 1:
        return list(measured)
    return [best(measured[first : first + number.best_of]) for first in groups]


def _finding(
    number: Number, variant: str, framework: str, measured: Sequence[float], ruling: Ruling
) -> Finding:
    several = len(measured) > 1 and number.metric != "outputs"
    return Finding(
        number=number.name,
        variant=variant,
        published=number.published or "in words",
        unit=number.unit,
        framework=framework,
        measured=tuple(measured),
        spread=float(np.std(measured, ddof=1)) if several else None,
        seeds=len(measured) if number.metric != "outputs" else 1,
        difference=ruling.difference,
        tolerance=ruling.tolerance,
        verdict=ruling.verdict,
        why=ruling.why,
    )
