"""What `samestep reproduce` prints and writes: blocks in the terminal, Markdown, JSON."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.text import Text

from harness.claims.judge import Judged
from harness.claims.model import HOLDS, Claim, Verdict
from harness.report.claim_numbers import (
    HEADINGS,
    UNITS,
    difference,
    finding_cells,
    measured,
    name,
    published,
    verdict,
    why,
)
from harness.report.claim_text import notes, origin, source_line
from harness.report.console_table import ConsoleTable
from harness.report.protocol_text import protocol_line
from harness.report.text import escaped, markdown_table, plain
from harness.report.verdict_counts import summarise
from harness.results import clean

SCHEMA = 1
NEVER_WRAPPED = ("claim", "published", "cost", "verdict", "detail")


# ---------------------------------------------------------------- terminal


def new_table(*headings: str) -> ConsoleTable:
    """Return an empty table whose short columns are never wrapped."""
    table = ConsoleTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in NEVER_WRAPPED)
    return table


def print_list(claims: Iterable[Claim], console: Console) -> None:
    """Print every claim with source, protocol, published value and cost."""
    table = new_table("claim", "published", "protocol", "source", "cost", "expected")
    for claim in claims:
        numbers = "; ".join(
            f"{' and '.join(number.printings)}{UNITS[number.unit]}"
            if number.published
            else "in words"
            for number in claim.numbers
        )
        line = protocol_line(claim.protocol) if claim.protocol else f"NOT RUN: {claim.not_run}"
        cost = "-" if claim.not_run else claim.cost
        expected = claim.expected.value if claim.expected else "-"
        row = (claim.id, numbers, f"{claim.title}: {line}", source_line(claim), cost, expected)
        table.add_row(*map(plain, row))
    console.print(table)


def print_judged(judged: Sequence[Judged], console: Console) -> None:
    """Print every claim in a block, then the summary."""
    for claim in judged:
        _print_block(claim, console)
    for sentence in summarise(judged).sentences:
        console.print(plain(sentence), soft_wrap=True)


def _print_block(judged: Judged, console: Console) -> None:
    claim = judged.claim
    head = Text(f"{claim.id}  ", style="bold").append(plain(claim.title)).append("  ")
    head.append(judged.verdict.value, style=f"bold {_colour(judged)}")
    if judged.adjusted not in (None, judged.verdict):
        head.append(f" (adjusted: {judged.adjusted})", style="bold")
    if claim.expected is not None and not judged.as_registered:
        head.append(f" (registered: {claim.expected.value})", style="bold red")
    console.print(head, soft_wrap=True)
    if claim.protocol is not None:
        console.print(plain(f"  {protocol_line(claim.protocol)}"), style="dim", soft_wrap=True)
    console.print(plain(f"  {source_line(claim)}"), style="dim", soft_wrap=True)
    if judged.findings:
        table = new_table(*HEADINGS)
        for finding in judged.findings:
            table.add_row(*map(plain, finding_cells(finding)))
        console.print(table)
    for sentence in notes(judged):
        console.print(plain(f"  {sentence}"), style="dim")
    console.print()


def _colour(judged: Judged) -> str:
    return "green" if judged.verdict in HOLDS else "yellow"


# ---------------------------------------------------------------- files


def as_markdown(judged: Sequence[Judged]) -> str:
    """Return the ledger as a document: summary, one table, then the notes claim by claim."""
    heads = ("claim", "published", "measured", "difference", "verdict", "registered", "in words")
    with_numbers = [one for one in judged if one.verdict != Verdict.NOT_RUN or one.findings]
    rows = [[escaped(cell) for cell in cells] for one in with_numbers for cells in _rows(one)]
    lines = ["# Published numbers, rerun", "", *summarise(judged).sentences, "", *origin(judged)]
    lines += ["", markdown_table(heads, rows), "", "## Notes", ""]
    for one in judged:
        claim = one.claim
        items = [source_line(claim), claim.source.address]
        if claim.protocol is not None:
            items.append(protocol_line(claim.protocol))
        lines += [f"### {escaped(claim.id)}: {escaped(claim.title)}", ""]
        lines += [f"- {escaped(item)}" for item in (*items, *notes(one))] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _rows(judged: Judged) -> list[tuple[str, ...]]:
    """Return a row per number. The first shows the claim's own verdict too."""
    rows: list[tuple[str, ...]] = []
    for place, finding in enumerate(judged.findings):
        expected = judged.claim.expected
        registered, reason, said = "", why(finding), verdict(finding.verdict, finding.adjusted)
        if place == 0:
            registered = expected.value if expected else ""
            if judged.why != finding.why:
                reason = judged.why
            if judged.verdict != finding.verdict:
                said = f"{verdict(judged.verdict, judged.adjusted)} (this number: {said})"
        first = f"{judged.claim.id}: {name(finding)}"
        numbers = published(finding), measured(finding), difference(finding)
        rows.append((first, *numbers, said, registered, reason))
    return rows


def as_json(judged: Sequence[Judged]) -> str:
    summary = summarise(judged)
    value = {
        "schema": SCHEMA,
        "summary": summary.sentences,
        "in_words": summary.by_subject,
        "claims": [_as_dict(one) for one in judged],
    }
    return json.dumps(clean(value), indent=1, allow_nan=False)


def _as_dict(judged: Judged) -> dict[str, Any]:
    expected = judged.claim.expected
    return {
        "id": judged.claim.id,
        "title": judged.claim.title,
        "verdict": judged.verdict.value,
        "registered": expected.value if expected else None,
        "as_registered": judged.as_registered,
        "adjusted": judged.adjusted.value if judged.adjusted else None,
        "why": judged.why,
        "findings": [dataclasses.asdict(finding) for finding in judged.findings],
        "agreements": [
            {
                "variant": agreement.variant,
                "frameworks": [agreement.framework, agreement.other],
                "difference": agreement.equivalence.difference,
                "interval": agreement.equivalence.interval,
                "equivalent": agreement.equivalence.holds,
            }
            for agreement in judged.agreements
        ],
        "notes": notes(judged),
    }


def list_as_json(claims: Iterable[Claim]) -> str:
    """Return every claim as registered."""
    values = [claim.model_dump(mode="json", exclude_none=True) for claim in claims]
    return json.dumps({"schema": SCHEMA, "claims": values}, indent=1)
