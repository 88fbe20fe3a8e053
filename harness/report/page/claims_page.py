"""The page of published numbers: what its template gets."""

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
from harness.report import claim_numbers as findings
from harness.report import claims as shown
from harness.report.page.differences import differences, placed
from harness.report.page.rendering import render
from harness.report.verdict_counts import IN_WORDS, tally

LONGEST = 10
ADDRESS = re.compile(r"https?://[^\s;,()<>\"']+")
VERDICTS = {
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
"""Verdict to its sign and how it looks."""


@dataclass(frozen=True)
class Piece:
    """A part of a source's address; `href` is "" where it is no address of the web."""

    text: str
    href: str


@dataclass(frozen=True)
class Shown:
    """What is told of a claim.

    Args:
        number: the number that decides the verdict, the first of those that have it.
        published: as printed, cut off where that is long; `numbers` has it whole.
        shipped: whether it is of the ledger that comes with samestep, not of a user's file.
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
    sign: str
    look: str
    shipped: bool
    registered: str
    as_registered: bool
    why: str
    explanation: str
    protocol: str
    numbers: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    command: str


def html(judged: Sequence[Judged], asked: Mapping[str, str] | None = None) -> str:
    """The ledger as one HTML file; `asked`: a claim's id to what it was asked for by."""
    return render("claims.html.j2", **context(judged, asked or {}))


def context(judged: Sequence[Judged], asked: Mapping[str, str]) -> dict[str, Any]:
    """What the page tells, as plain values."""
    run = [one for one in judged if one.verdict != Verdict.NOT_RUN]
    told, together = [show(one, asked) for one in run], tally(judged)
    rows = [told.row for one in judged for told in one.samples if told.row.status == "ok"]
    present = [v for v in Verdict if any(one.verdict == v for one in judged)]
    others = [one for one in told if not one.as_registered]
    shipped = [one for one in others if one.shipped]
    counted = " ".join(filter(None, [together.judged, together.not_run]))
    return {
        "answer": counted or "No claim was asked for.",
        "sentences": list(filter(None, [_all_alike(told), together.more, together.by_chance])),
        "measured": shown.origin(judged),
        "figure_made": differences(judged),
        "claims": told,
        "wanted": _wanted(told),
        "others": shipped,
        "own_others": [one for one in others if not one.shipped],
        "left_out": [show(one, asked) for one in judged if one.verdict == Verdict.NOT_RUN],
        "verdicts": [(*VERDICTS[v], v.value, IN_WORDS[v]) for v in present],
        "libraries": sorted({row.blas for row in rows if row.blas}),
        "trials": len(rows),
    }


def _all_alike(told: Sequence[Shown]) -> str:
    """That nothing came out otherwise, where that is so."""
    if not told or not all(one.as_registered for one in told):
        return ""
    return f"Every verdict is the {_wanted(told)} one."


def _wanted(told: Sequence[Shown]) -> str:
    """What the verdicts that were stated first are: registered, or just expected by a file."""
    return "registered" if all(one.shipped for one in told) else "expected"


def show(one: Judged, asked: Mapping[str, str]) -> Shown:
    """A claim in words."""
    claim, finding = one.claim, deciding(one)
    name = asked.get(claim.id, claim.id)
    shipped = claim.id in ledger() and not name.endswith(".toml")
    sign, look = VERDICTS[one.verdict]
    told = finding is not None and bool(finding.measured)
    unlike = shipped and not one.as_registered
    return Shown(
        id=claim.id,
        title=claim.title,
        source=shown.source_line(claim),
        author=claim.source.author,
        address=pieces(claim.source.address),
        number=_number(one, finding),
        published=_brief(findings.published(finding)) if finding else "-",
        measured=findings.mean(finding) if finding else "-",
        seeds=str(finding.seeds) if finding and told else "-",
        difference=findings.off(finding) if finding else "-",
        allowed=findings.allowed(finding) if finding else "",
        keys=_keys(one, finding),
        verdict=one.verdict.value,
        sign=sign,
        look=look,
        shipped=shipped,
        registered=claim.expected.value if claim.expected else "",
        as_registered=one.as_registered or one.verdict == Verdict.NOT_RUN,
        why=_sentence(one.why),
        explanation=_sentence(explanation(claim.id, one.verdict)) if unlike else "",
        protocol=shown.protocol_line(claim.protocol) if claim.protocol else "",
        numbers=tuple(findings.finding_cells(each) for each in one.findings),
        notes=tuple(shown.notes(one, explained=False)),
        command=shlex.join(["samestep", "reproduce", name]),
    )


def _number(one: Judged, finding: Finding | None) -> str:
    """`accuracy, of 2 numbers`."""
    if finding is None:
        return ""
    several = f", of {len(one.findings)} numbers" if len(one.findings) > 1 else ""
    return findings.name(finding) + several


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _brief(number: str) -> str:
    """A number of many digits cut off where nobody reads on."""
    return f"{number[:LONGEST]}…" if number[:1].isdigit() and number[LONGEST:].isdigit() else number


def deciding(one: Judged) -> Finding | None:
    """The number that the verdict is of; the first where the verdict is of several together."""
    same = [finding for finding in one.findings if finding.verdict == one.verdict]
    return next(iter(same or one.findings), None)


def _keys(one: Judged, finding: Finding | None) -> tuple[float | None, ...]:
    """Published and measured as shares of one, seeds, difference in tolerances, verdict."""
    order = float(list(Verdict).index(one.verdict))
    if finding is None or not finding.measured:
        return (None, None, None, None, order)
    factor = 100 if finding.unit == "percent" else 1
    printed = re.match(r"-?\d+(\.\d+)?", finding.published)
    return (
        float(printed[0]) / factor if printed else None,
        float(np.mean(finding.measured)) / factor,
        float(finding.seeds),
        placed(one, finding).at,
        order,
    )


def pieces(address: str) -> tuple[Piece, ...]:
    """An address in words and web addresses; nothing else ever becomes a link."""
    found, at = [], 0
    for match in ADDRESS.finditer(address):
        found += [Piece(address[at : match.start()], ""), Piece(match[0], match[0])]
        at = match.end()
    return tuple(piece for piece in (*found, Piece(address[at:], "")) if piece.text)
