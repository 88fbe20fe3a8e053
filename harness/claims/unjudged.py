"""Rulings without a rule: no trial gives the number, seeds diverged, or too few have run."""

from collections.abc import Iterable, Sequence

from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.ruling import Ruling
from harness.claims.samples import Sample
from harness.experiment.vocabulary import Purpose, Status, Track
from harness.parity.judgement import PROVEN


def ruling_on_seeds(claim: Claim, number: Number, seeds: int, diverged: int) -> Ruling | None:
    """Return the ruling where seeds diverged or are fewer than registered; None otherwise."""
    if diverged:
        return Ruling(Verdict.WORSE, f"{diverged} of {diverged + seeds} seeds diverged")
    registered = claim.seeds
    if number.rule in ("rate", "every"):
        registered = claim.many_seeds or claim.seeds
    if seeds < registered and number.metric != "outputs":
        why = f"{seeds} of the {registered} registered seeds have run"
        return Ruling(Verdict.INCONCLUSIVE if seeds else Verdict.NOT_RUN, why)
    return None


def ruling_without_data(samples: Sequence[Sample]) -> tuple[str, Ruling]:
    """Return the framework that diverged, or "", and the ruling where no sample is usable."""
    diverged = [
        sample
        for sample in samples
        if sample.row.status == Status.DIVERGED
        and sample.row.track == Track.IDENTICAL
        and sample.proof in PROVEN
    ]
    if not diverged:
        return "", Ruling(Verdict.NOT_RUN, _why_nothing_is_usable(samples))
    names = dict.fromkeys(sample.row.framework for sample in diverged)
    framework = max(names, key=lambda name: len(_seeds(diverged, name)))
    count, total = len(_seeds(diverged, framework)), len(_seeds(samples, framework))
    how_many = f"all {count}" if count == total > 1 else f"{count} of {total}"
    return framework, Ruling(Verdict.WORSE, f"{how_many} seeds diverged")


def _why_nothing_is_usable(samples: Sequence[Sample]) -> str:
    for sample in samples:
        row = sample.row
        if row.status != Status.OK:
            detail = f": {row.status_detail}" if row.status_detail else ""
            return f"{row.framework} {row.status}{detail}"
    for sample in samples:
        if not sample.counts:
            return f"{sample.row.framework} is not proven to follow the protocol ({sample.proof})"
    return "its trials do not measure this number" if samples else "no trial has run yet"


def count_diverged(samples: Iterable[Sample], variant: str, framework: str) -> int:
    """Return how many trials of the framework diverged: they count against a claim."""
    return sum(
        sample.variant == variant
        and sample.row.framework == framework
        and sample.row.status == Status.DIVERGED
        for sample in samples
    )


def _seeds(samples: Iterable[Sample], framework: str) -> set[int]:
    """Return the seeds of the framework's trials; a trial of many starts has one for each."""
    return {
        sample.row.seed + offset
        for sample in samples
        if sample.row.framework == framework
        for offset in range(sample.row.repeat if sample.row.purpose == Purpose.MANY_STARTS else 1)
    }
