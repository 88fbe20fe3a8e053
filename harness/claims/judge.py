"""The verdict: a claim and the samples of its trials in, findings out. Nothing else is read.

Sources of error are kept apart (see `statistics.Tolerance`): the spread over seeds, the draw of
the test rows where it is another, rounding in print, numerics. A published peak is compared with
peaks and a best of three with bests of three, so selection needs no term.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.claims.finding import Finding, find
from harness.claims.model import HOLDS, Claim, Verdict
from harness.claims.samples import Sample
from harness.claims.statistics import Equivalence, equivalence

GRAVEST_LAST = (
    Verdict.EXACT, Verdict.NEAR_EXACT, Verdict.CONSISTENT, Verdict.RATE, Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN, Verdict.BETTER, Verdict.WORSE,
)  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """How another framework's first seed compares with the same seed of the first framework."""

    variant: str
    framework: str
    other: str
    equivalence: Equivalence


@dataclass(frozen=True)
class Judged:
    """A claim's verdict, number by number, with the frameworks it rests on."""

    claim: Claim
    verdict: Verdict
    why: str
    findings: tuple[Finding, ...]
    agreements: tuple[Agreement, ...]
    samples: tuple[Sample, ...]

    @property
    def as_registered(self) -> bool:
        """Whether it is the verdict that was registered; a claim without one must hold."""
        expected = self.claim.expected
        return self.verdict in HOLDS if expected is None else self.verdict == expected

    @property
    def tested(self) -> int:
        """Findings that are 5 % tests, each of which errs once in twenty."""
        return sum(finding.tolerance is not None for finding in self.findings)


def judge(claim: Claim, samples: Sequence[Sample], digests: dict[str, str]) -> Judged:
    """Judge a claim.

    Args:
        claim: as registered.
        samples: of any claims; only those of this one, of the very protocol, are used.
        digests: variant name to the digest of its protocol.
    """
    if claim.not_run:
        return Judged(claim, Verdict.NOT_RUN, claim.not_run, (), (), ())
    own = _latest(
        told
        for told in samples
        if told.claim == claim.id and digests.get(told.variant) == told.row.experiment_digest
    )
    findings = tuple(find(claim, number, own) for number in claim.numbers)
    agreements = tuple(_agreements(own))
    verdict = max((f.verdict for f in findings), key=GRAVEST_LAST.index)
    why = next(finding.why for finding in findings if finding.verdict == verdict)
    if verdict != Verdict.NOT_RUN:
        verdict, why, more = _other_readings(claim, own, verdict, why)
        findings += more
    return Judged(claim, verdict, why, findings, agreements, own)


def _latest(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Of the same trial, run with several versions of a framework or an adapter, the last good."""
    found: dict[tuple[object, ...], Sample] = {}
    for told in sorted(samples, key=lambda told: (told.counts, told.row.started_at or "")):
        row = told.row
        found[told.variant, row.framework, row.loop, row.purpose, row.seed, row.repeat] = told
    return tuple(found.values())


def _other_readings(
    claim: Claim, samples: Sequence[Sample], verdict: Verdict, why: str
) -> tuple[Verdict, str, tuple[Finding, ...]]:
    """What judged variants make of the verdict: other readings, other versions of the code."""
    more: list[Finding] = []
    others: dict[str, Verdict] = {}
    for variant in claim.variants:
        found = readings(claim, samples, variant.name) if variant.judged else ()
        if not found:
            continue
        more += found
        others[variant.name] = max((f.verdict for f in found), key=GRAVEST_LAST.index)
    roles = {variant.name: variant for variant in claim.variants}
    for name, other in others.items():
        missed = verdict in (Verdict.BETTER, Verdict.WORSE)
        if roles[name].role == "other code" and missed and other in HOLDS:
            words = f"not from the code as printed ({why}), but from another: {roles[name].why}"
            return Verdict.CODE_OUTPUT_MISMATCH, words, tuple(more)
    for name, other in others.items():
        sides = {_side_of(verdict), _side_of(other)} - {"nothing"}
        if roles[name].role == "reading" and len(sides) == 2:
            words = f"the verdict turns on what the source does not say: {roles[name].why}"
            return Verdict.UNDER_SPECIFIED, words, tuple(more)
    missing = [name for name, other in others.items() if other == Verdict.NOT_RUN]
    if missing and verdict in HOLDS:
        words = f"{', '.join(missing)} belongs to the verdict and has not run"
        return Verdict.INCONCLUSIVE, words, tuple(more)
    return verdict, why, tuple(more)


def _side_of(verdict: Verdict) -> str:
    """What a verdict comes to: the number holds, lies on one side of it, or nothing is said."""
    if verdict in HOLDS:
        return "holds"
    return verdict.value if verdict in (Verdict.BETTER, Verdict.WORSE) else "nothing"


def readings(claim: Claim, samples: Sequence[Sample], variant: str) -> tuple[Finding, ...]:
    """The numbers of the protocol itself, judged by a variant's samples instead."""
    return tuple(
        find(claim, number, samples, variant)
        for number in claim.numbers
        if not number.on and number.minus is None
    )


def _agreements(samples: Sequence[Sample]) -> list[Agreement]:
    """Every framework against the one with most seeds, by the rows that are right at seed 0."""
    found = []
    for variant in dict.fromkeys(told.variant for told in samples):
        first_seed = [
            told for told in samples
            if told.variant == variant and told.counts and told.row.seed == 0 and told.right
            and told.row.track == "identical"
        ]  # fmt: skip
        if len(first_seed) < 2:
            continue
        seeds = {
            told.row.framework: sum(t.row.framework == told.row.framework for t in samples)
            for told in first_seed
        }
        first_seed.sort(key=lambda told: -seeds[told.row.framework])
        base, *others = first_seed
        rows = base.right_rows()
        for other in others:
            theirs = other.right_rows()
            if rows is not None and theirs is not None and len(rows) == len(theirs):
                found.append(
                    Agreement(
                        variant, base.row.framework, other.row.framework,
                        equivalence(rows, theirs),
                    )
                )  # fmt: skip
    return found
