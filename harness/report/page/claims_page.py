"""The page of published numbers: what its template shows, as plain values."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.claims.judge import Judged
from harness.claims.judge_number import Finding
from harness.claims.loading import explanation, ledger
from harness.claims.model import Verdict
from harness.experiment.vocabulary import Status
from harness.report import claim_numbers
from harness.report.claim_text import notes, origin, source_line
from harness.report.page.differences import differences, placed
from harness.report.page.rendering import render
from harness.report.protocol_text import protocol_line
from harness.report.verdict_counts import IN_WORDS, summarise

LONGEST = 10
ADDRESS = re.compile(r"https?://[^\s;,()<>\"']+")
VERDICT_SIGNS = {
    Verdict.EXACT: ("=", "proven"),
    Verdict.NEAR_EXACT: ("≈", "proven"),
    Verdict.CONSISTENT: ("✓", "proven"),
    Verdict.RATE: ("%", "proven"),
    Verdict.BETTER: ("▲", "different"),
    Verdict.WORSE: ("▼", "different"),
    Verdict.INCONCLUSIVE: ("?", "absent"),
    Verdict.CODE_OUTPUT_MISMATCH: ("≠", "different"),
    Verdict.UNDER_SPECIFIED: ("…", "absent"),
    Verdict.NOT_RUN: ("∅", "absent"),
}
"""Verdict to its sign and its class."""


@dataclass(frozen=True)
class Piece:
    """A part of a source's address; `href` is "" where it is not a web address."""

    text: str
    href: str


@dataclass(frozen=True)
class ClaimRow:
    """A claim as the page shows it.

    Args:
        number: the number that decides the verdict, the first of those that have it.
        published: as printed, cut off where that is long; `numbers` has it whole.
        adjusted: the verdict adjusted for the number of tests; "" where it is the same.
        shipped: whether the claim is in samestep's ledger, not in a user's file.
        registered: the verdict that was stated before the first run; "" where it was to hold.
        keys: what the columns published, measured, n, difference and verdict sort by.
        numbers: cells of all numbers, as in the terminal.
    """

    id: str
    title: str
    source: str
    author: str
    address: tuple[Piece, ...]
    number: str
    published: str
    measured: str
    seeds: str
    difference: str
    allowed: str
    keys: tuple[float | None, ...]
    verdict: str
    adjusted: str
    sign: str
    state: str
    shipped: bool
    registered: str
    as_registered: bool
    why: str
    explanation: str
    protocol: str
    numbers: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    command: str


def as_html(judged: Sequence[Judged], names: Mapping[str, str] | None = None) -> str:
    """Return the ledger as one HTML file; `names`: a claim's id to what the user typed for it."""
    return render("claims.html.j2", **context(judged, names or {}))


def context(judged: Sequence[Judged], names: Mapping[str, str]) -> dict[str, Any]:
    not_run = [one for one in judged if one.verdict == Verdict.NOT_RUN]
    claims = [claim_row(one, names) for one in judged if one.verdict != Verdict.NOT_RUN]
    others = [one for one in claims if not one.as_registered]
    summary = summarise(judged)
    samples = [sample for one in judged for sample in one.samples]
    rows = [sample.row for sample in samples if sample.row.status == Status.OK]
    verdicts = [v for v in Verdict if any(one.verdict == v for one in judged)]
    counted = " ".join(filter(None, [summary.judged, summary.not_run]))
    return {
        "answer": counted or "No claim was requested.",
        "sentences": list(
            filter(None, [_all_alike(claims), summary.more, summary.by_chance, summary.adjusted])
        ),
        "measured": origin(judged),
        "chart_figure": differences(judged),
        "claims": claims,
        "stated_as": _stated_as(claims),
        "others": [one for one in others if one.shipped],
        "others_in_files": [one for one in others if not one.shipped],
        "not_run": [claim_row(one, names) for one in not_run],
        "verdicts": [(*VERDICT_SIGNS[v], v.value, IN_WORDS[v]) for v in verdicts],
        "libraries": sorted({row.blas for row in rows if row.blas}),
        "trials": len(rows),
    }


def _all_alike(claims: Sequence[ClaimRow]) -> str:
    """Say that every verdict is as stated, where that is so."""
    if not claims or not all(one.as_registered for one in claims):
        return ""
    return f"Every verdict is the {_stated_as(claims)} one."


def _stated_as(claims: Sequence[ClaimRow]) -> str:
    """Return what the verdicts that were stated first are: registered, or expected by a file."""
    return "registered" if all(one.shipped for one in claims) else "expected"


def claim_row(judged: Judged, names: Mapping[str, str]) -> ClaimRow:
    claim, finding = judged.claim, deciding(judged)
    name = names.get(claim.id, claim.id)
    shipped = claim.id in ledger() and not name.lower().endswith(".toml")
    sign, state = VERDICT_SIGNS[judged.verdict]
    unlike = shipped and not judged.as_registered
    measured = finding is not None and bool(finding.measured)
    return ClaimRow(
        id=claim.id,
        title=claim.title,
        source=source_line(claim),
        author=claim.source.author,
        address=pieces(claim.source.address),
        number=_number(judged, finding),
        published=_brief(claim_numbers.published(finding)) if finding else "-",
        measured=claim_numbers.mean(finding) if finding else "-",
        seeds=str(finding.seeds) if finding and measured else "-",
        difference=claim_numbers.signed_difference(finding) if finding else "-",
        allowed=claim_numbers.allowed(finding) if finding else "",
        keys=_keys(judged, finding),
        verdict=judged.verdict.value,
        adjusted=judged.adjusted.value if judged.adjusted not in (None, judged.verdict) else "",
        sign=sign,
        state=state,
        shipped=shipped,
        registered=claim.expected.value if claim.expected else "",
        as_registered=judged.as_registered or judged.verdict == Verdict.NOT_RUN,
        why=_sentence(judged.why),
        explanation=_sentence(explanation(claim.id, judged.verdict)) if unlike else "",
        protocol=protocol_line(claim.protocol) if claim.protocol else "",
        numbers=tuple(claim_numbers.finding_cells(each) for each in judged.findings),
        notes=tuple(notes(judged, explained=False)),
        command=shlex.join(["samestep", "reproduce", name]),
    )


def deciding(judged: Judged) -> Finding | None:
    """Return the number that decides the verdict; the first where several decide it together."""
    same = [finding for finding in judged.findings if finding.verdict == judged.verdict]
    return next(iter(same or judged.findings), None)


def _number(judged: Judged, finding: Finding | None) -> str:
    """`accuracy, of 2 numbers`."""
    if finding is None:
        return ""
    count = len(judged.findings)
    return claim_numbers.name(finding) + (f", of {count} numbers" if count > 1 else "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _brief(number: str) -> str:
    """Cut off a number of many digits."""
    return f"{number[:LONGEST]}…" if number[:1].isdigit() and number[LONGEST:].isdigit() else number


def _keys(judged: Judged, finding: Finding | None) -> tuple[float | None, ...]:
    """Return published and measured as shares of one, seeds, difference in tolerances, verdict."""
    order = float(list(Verdict).index(judged.verdict))
    if finding is None or not finding.measured:
        return (None, None, None, None, order)
    factor = 100 if finding.unit == "percent" else 1
    printed = re.match(r"-?\d+(\.\d+)?", finding.published)
    return (
        float(printed[0]) / factor if printed else None,
        float(np.mean(finding.measured)) / factor,
        float(finding.seeds),
        placed(judged, finding).at,
        order,
    )


def pieces(address: str) -> tuple[Piece, ...]:
    """Split an address into words and web addresses. Nothing else ever becomes a link."""
    result, at = [], 0
    for match in ADDRESS.finditer(address):
        result += [Piece(address[at : match.start()], ""), Piece(match[0], match[0])]
        at = match.end()
    return tuple(piece for piece in (*result, Piece(address[at:], "")) if piece.text)
