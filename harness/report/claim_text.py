"""The sentences beside the numbers of a claim: source, agreement of frameworks, notes."""

from collections.abc import Sequence

from harness.claims.equivalence import MARGIN
from harness.claims.judge import Agreement, Judged
from harness.claims.loading import explanation
from harness.claims.model import Claim, Verdict
from harness.experiment.vocabulary import Status

VERIFIED = {
    "V1": "read in the primary source",
    "V2": "read in a text copy of the source",
    "R": "recalled, not verified",
}
ENOUGH_ROWS = 500
"""With fewer test rows nothing can be shown to be equivalent."""


def source_line(claim: Claim) -> str:
    """`Author, Title (year); read in the primary source`."""
    source = claim.source
    year = f" ({source.year})" if source.year else ""
    return f"{source.author}, {source.title}{year}; {VERIFIED[source.verified]}"


def agreement_sentence(agreement: Agreement) -> str:
    """`jax and numpy: right on the same rows except 3 of 10,000; equivalent within 0.2 points`."""
    test = agreement.equivalence
    apart = test.only_first + test.only_second
    rows = f"the same rows except {apart:,} of {test.rows:,}" if apart else "exactly the same rows"
    within = f"equivalent within {100 * MARGIN:g} points"
    pair = f"{agreement.framework} and {agreement.other}"
    pair += f" [{agreement.variant}]" if agreement.variant else ""
    if test.rows < ENOUGH_ROWS:
        return f"{pair}: right on {rows}"
    return f"{pair}: right on {rows}; {within if test.holds else f'not shown to be {within}'}"


def notes(judged: Judged, explained: bool = True) -> list[str]:
    """Return what else a reader should know: who agrees, whose test rows, the source's traps.

    With `explained` also why the verdict is another than the registered one.
    """
    claim = judged.claim
    sentences = [agreement_sentence(agreement) for agreement in judged.agreements]
    sentences += _unproven(judged) + _failed(judged)
    if judged.verdict != Verdict.NOT_RUN and not claim.same_test:
        sentences.append("scored on other test rows than the source's, so their draw counts too")
    if _lacks_a_test(claim):
        sentences.append("scored on the training rows: the protocol keeps no rows for a test")
    differs = explained and not judged.as_registered
    reason = explanation(claim.id, judged.verdict) if differs else ""
    if reason:
        sentences.append(f"why it differs from what was registered: {reason}")
    return sentences + [text for text in (claim.note, claim.not_run) if text]


def _lacks_a_test(claim: Claim) -> bool:
    is_of_test = any(number.metric.startswith("test_") for number in claim.numbers)
    return is_of_test and claim.protocol is not None and claim.protocol.data.lacks_a_test


def _unproven(judged: Judged) -> list[str]:
    sentences = {
        f"{sample.row.framework}: its proof says {sample.proof or 'nothing'}; its rows do not count"
        for sample in judged.samples
        if sample.row.status == Status.OK and not sample.counts
    }
    return sorted(sentences)


def _failed(judged: Judged) -> list[str]:
    sentences = set()
    for sample in judged.samples:
        row = sample.row
        if row.status not in (Status.OK, Status.UNSUPPORTED):
            detail = f" ({row.status_detail})" if row.status_detail else ""
            sentences.add(f"{row.framework}: {row.status}{detail}")
    return sorted(sentences)


def origin(judged: Sequence[Judged]) -> list[str]:
    """Return where, with what and when it was measured; nothing where nothing was."""
    samples = [sample for one in judged for sample in one.samples]
    rows = [sample.row for sample in samples if sample.row.status == Status.OK]
    if not rows:
        return []
    machines = sorted({row.machine or "?" for row in rows})
    versions = sorted({f"{row.framework} {row.framework_version}" for row in rows})
    dates = sorted({(row.started_at or "")[:10] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return [f"Measured {when} on {'; '.join(machines)}; {', '.join(versions)}."]
