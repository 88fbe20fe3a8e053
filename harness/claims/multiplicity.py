"""Many tests at once: verdicts that take into account how many numbers were tested."""

import dataclasses
from collections.abc import Sequence

from scipy import stats

from harness.claims.judge import Judged, combine
from harness.claims.judge_number import Finding
from harness.claims.model import Verdict
from harness.claims.tolerances import CONFIDENCE


def adjust(judged: Sequence[Judged]) -> list[Judged]:
    """Return the claims with a verdict that is adjusted for the number of tests beside their own.

    Of so many tests at 5 % a known share is found off by chance. Benjamini and Hochberg (1995)
    sort the p-values of all m tests; p * m / rank, made monotone, is the smallest false discovery
    rate at which a test still rejects. Of the numbers that are BETTER or WORSE by the adjusted
    p-value at 5 %, at most one in twenty is expected to be so by chance.
    """
    values = [finding.p for one in judged for finding in one.findings if finding.p is not None]
    if not values:
        return list(judged)
    adjusted = iter(stats.false_discovery_control(values, method="bh"))
    result = []
    for one in judged:
        findings = tuple(
            finding if finding.p is None else _adjusted(finding, float(next(adjusted)))
            for finding in one.findings
        )
        result.append(dataclasses.replace(one, findings=findings, adjusted=_verdict(one, findings)))
    return result


def _adjusted(finding: Finding, p: float) -> Finding:
    verdict = finding.verdict
    if verdict in (Verdict.BETTER, Verdict.WORSE) and p >= 1 - CONFIDENCE:
        is_wide = None not in (finding.tolerance, finding.limit) and (
            finding.tolerance > finding.limit  # type: ignore[operator]
        )
        verdict = Verdict.INCONCLUSIVE if is_wide else Verdict.CONSISTENT
    return dataclasses.replace(finding, p_adjusted=p, adjusted=verdict)


def _verdict(judged: Judged, findings: Sequence[Finding]) -> Verdict | None:
    """Return the claim's verdict by the adjusted verdicts of its numbers."""
    if all(finding.adjusted is None for finding in findings):
        return None
    replaced = [
        finding
        if finding.adjusted is None
        else dataclasses.replace(finding, verdict=finding.adjusted)
        for finding in findings
    ]
    return combine(judged.claim, replaced)[0]
