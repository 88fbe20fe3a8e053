"""Judges a claim by the samples of its trials; nothing else is read.

Sources of error are kept apart (see `tolerances.ErrorSources`): the spread over seeds, the draw
of the test rows where it is another, rounding in print, numerics. A published peak is compared
with peaks and a best of three with bests of three, so selection needs no term.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.claims.equivalence import Equivalence, equivalence
from harness.claims.judge_number import Finding, judge_number
from harness.claims.model import HOLDS, Claim, Variant, Verdict
from harness.claims.samples import Sample
from harness.experiment.vocabulary import Track

GRAVEST_LAST = (
    Verdict.EXACT,
    Verdict.NEAR_EXACT,
    Verdict.CONSISTENT,
    Verdict.RATE,
    Verdict.INCONCLUSIVE,
    Verdict.BETTER,
    Verdict.WORSE,
)
UNDECIDED = (Verdict.INCONCLUSIVE, Verdict.NOT_RUN)


@dataclass(frozen=True)
class Agreement:
    """How two frameworks' predictions at the same seed compare.

    Args:
        variant: whose samples are compared; "" is the protocol itself.
        framework: the framework with most seeds.
        other: another framework.
        equivalence: of the test rows that each has right.
    """

    variant: str
    framework: str
    other: str
    equivalence: Equivalence


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict.

    Args:
        claim: as registered.
        verdict: on the whole claim.
        why: the verdict in words.
        findings: of every number, and of the numbers of judged variants.
        agreements: of the frameworks among each other.
        samples: those that decide the verdict.
        adjusted: the verdict after all tests that were judged together are adjusted for their
            number; None before that, or where nothing is tested.
    """

    claim: Claim
    verdict: Verdict
    why: str
    findings: tuple[Finding, ...]
    agreements: tuple[Agreement, ...]
    samples: tuple[Sample, ...]
    adjusted: Verdict | None = None

    @property
    def as_registered(self) -> bool:
        """Whether the verdict is the registered one; a claim without one must hold."""
        expected = self.claim.expected
        return self.verdict in HOLDS if expected is None else self.verdict == expected

    @property
    def test_count(self) -> int:
        """How many findings are 5 % tests, each of which errs once in twenty."""
        return sum(finding.p is not None for finding in self.findings)


def judge(claim: Claim, samples: Sequence[Sample], digests: dict[str, str]) -> Judged:
    """Judge a claim.

    Args:
        claim: as registered.
        samples: of any claims; only those of this claim and this very protocol are used.
        digests: variant name to the digest of its protocol.
    """
    if claim.not_run:
        return Judged(claim, Verdict.NOT_RUN, claim.not_run, (), (), ())
    samples = _latest(
        sample
        for sample in samples
        if sample.claim == claim.id and digests.get(sample.variant) == sample.row.experiment_digest
    )
    findings = tuple(judge_number(claim, number, samples) for number in claim.numbers)
    if any(finding.verdict != Verdict.NOT_RUN for finding in findings):
        for _, of_variant in _judged_variants(claim, samples):
            findings += of_variant
    verdict, why = combine(claim, findings)
    return Judged(claim, verdict, why, findings, tuple(_agreements(samples)), samples)


def combine(claim: Claim, findings: Sequence[Finding]) -> tuple[Verdict, str]:
    """Return the verdict on a claim, and why, from its findings.

    Args:
        claim: as registered.
        findings: of every number of the claim, in their order, then of its judged variants.
    """
    own, others = findings[: len(claim.numbers)], findings[len(claim.numbers) :]
    verdict, why = _of_numbers(own)
    if verdict == Verdict.NOT_RUN:
        return verdict, why
    by_variant = [
        (variant, tuple(finding for finding in others if finding.variant == variant.name))
        for variant in claim.variants
        if variant.judged
    ]
    return _with_variants(verdict, why, [(v, mine) for v, mine in by_variant if mine])


def readings(claim: Claim, samples: Sequence[Sample], variant: str) -> tuple[Finding, ...]:
    """Judge the numbers of the protocol itself by a variant's samples instead."""
    return tuple(
        judge_number(claim, number, samples, variant)
        for number in claim.numbers
        if not number.on and number.minus is None
    )


def _latest(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return one sample per trial: the latest that counts, whatever versions it ran with."""
    latest: dict[tuple[object, ...], Sample] = {}
    for sample in sorted(samples, key=lambda s: (s.counts, s.row.started_at or "")):
        row = sample.row
        key = sample.variant, row.framework, row.loop, row.purpose, row.seed, row.repeat
        latest[key] = sample
    return tuple(latest.values())


def _of_numbers(findings: Sequence[Finding]) -> tuple[Verdict, str]:
    """Return the gravest verdict of the numbers that are decided, if those are most of them.

    A number without a verdict, INCONCLUSIVE or NOT RUN, neither holds nor contradicts. So it does
    not hide what the others say, unless half of the numbers or more are without one. A number
    that contradicts always counts.
    """
    decided = [finding for finding in findings if finding.verdict not in UNDECIDED]
    open_ones = [finding for finding in findings if finding.verdict in UNDECIDED]
    contradicted = any(f.verdict in (Verdict.BETTER, Verdict.WORSE) for f in decided)
    if decided and (contradicted or len(decided) > len(open_ones)):
        verdict = max((finding.verdict for finding in decided), key=GRAVEST_LAST.index)
        why = next(finding.why for finding in decided if finding.verdict == verdict)
        return verdict, "; ".join([why, *_left_open(open_ones)])
    if all(finding.verdict == Verdict.NOT_RUN for finding in findings):
        return Verdict.NOT_RUN, findings[0].why
    first = next((f for f in open_ones if f.verdict == Verdict.INCONCLUSIVE), open_ones[0])
    rest = [finding for finding in open_ones if finding is not first]
    if first.verdict == Verdict.NOT_RUN:
        return Verdict.INCONCLUSIVE, "; ".join(_left_open(open_ones))
    return Verdict.INCONCLUSIVE, "; ".join([first.why, *_left_open(rest)])


def _left_open(findings: Sequence[Finding]) -> list[str]:
    """Return which numbers have no verdict, and why: `test loss INCONCLUSIVE (...)`."""
    return [f"{finding.number} {finding.verdict} ({finding.why})" for finding in findings]


# ---------------------------------------------------------------- judged variants

VariantFindings = tuple[Variant, tuple[Finding, ...]]


def _judged_variants(claim: Claim, samples: Sequence[Sample]) -> list[VariantFindings]:
    others = [
        (variant, readings(claim, samples, variant.name))
        for variant in claim.variants
        if variant.judged
    ]
    return [(variant, findings) for variant, findings in others if findings]


def _with_variants(
    verdict: Verdict, why: str, others: Sequence[VariantFindings]
) -> tuple[Verdict, str]:
    """Return the verdict and its reason after judged variants of the claim are considered."""
    verdicts = [(variant, _of_numbers(findings)[0]) for variant, findings in others]
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        for variant, other in verdicts:
            if variant.role == "other code" and other in HOLDS:
                reason = f"not from the code as printed ({why}), but from another: {variant.why}"
                return Verdict.CODE_OUTPUT_MISMATCH, reason
    for variant, other in verdicts:
        if variant.role == "reading" and _contradict(verdict, other):
            reason = f"the verdict depends on what the source does not say: {variant.why}"
            return Verdict.UNDER_SPECIFIED, reason
    missing = [variant.name for variant, other in verdicts if other == Verdict.NOT_RUN]
    if missing and verdict in HOLDS:
        return Verdict.INCONCLUSIVE, f"the verdict also needs {', '.join(missing)}, not run yet"
    return verdict, why


def _contradict(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts say different things: the number holds, is better, or is worse."""
    if one in HOLDS and other in HOLDS:
        return False
    says_something = (*HOLDS, Verdict.BETTER, Verdict.WORSE)
    return one in says_something and other in says_something and one != other


# ---------------------------------------------------------------- frameworks among each other


def _agreements(samples: Sequence[Sample]) -> list[Agreement]:
    """Compare every framework with the one with most seeds, by the rows right at seed 0."""
    agreements = []
    for variant in dict.fromkeys(sample.variant for sample in samples):
        comparable = [s for s in samples if s.variant == variant and _is_comparable(s)]
        if len(comparable) < 2:
            continue
        trials = {
            sample.row.framework: sum(s.row.framework == sample.row.framework for s in samples)
            for sample in comparable
        }
        base, *others = sorted(comparable, key=lambda sample: -trials[sample.row.framework])
        base_rows = base.right_rows()
        for other in others:
            rows = other.right_rows()
            if base_rows is not None and rows is not None and len(base_rows) == len(rows):
                same = equivalence(base_rows, rows)
                agreements.append(Agreement(variant, base.row.framework, other.row.framework, same))
    return agreements


def _is_comparable(sample: Sample) -> bool:
    """Whether the sample says which rows a framework has right at the first seed."""
    row = sample.row
    return sample.counts and row.seed == 0 and bool(sample.right) and row.track == Track.IDENTICAL
