"""What `samestep explain` prints: a claim's numbers with one detail changed at a time."""

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Console

from harness.claims.explaining import Swap, conclusion
from harness.claims.judge import Judged
from harness.claims.judge_number import Finding
from harness.report.claim_numbers import measured, published
from harness.report.claims import new_table
from harness.report.protocol_text import protocol_line
from harness.report.text import plain
from harness.results import clean

SCHEMA = 1


def print_swaps(judged: Judged, swaps: Sequence[Swap], console: Console) -> None:
    """Print a line per detail and number, then what the number depends on."""
    claim = judged.claim
    console.print(plain(f"{claim.id}  {claim.title}"), style="bold", soft_wrap=True)
    if claim.protocol is not None:
        console.print(plain(f"  {protocol_line(claim.protocol)}"), style="dim", soft_wrap=True)
    table = new_table("detail", "number", "published", "measured", "verdict", "what it is")
    for finding in judged.findings:
        if not finding.variant:
            table.add_row(*map(plain, _cells("as registered", finding, "")))
    for swap in swaps:
        for place, finding in enumerate(swap.findings):
            meaning = f"{swap.variant.role}: {swap.variant.why}" if not place else ""
            table.add_row(*map(plain, _cells(swap.variant.name, finding, meaning)))
    console.print(table)
    for sentence in conclusion(judged, swaps):
        console.print(plain(sentence), soft_wrap=True)


def _cells(detail: str, finding: Finding, meaning: str) -> tuple[str, ...]:
    value = measured(finding) if finding.measured else finding.why
    verdict = finding.verdict.value
    return (detail, finding.number, published(finding), value, verdict, meaning)


def as_json(judged: Judged, swaps: Sequence[Swap]) -> str:
    value = {
        "schema": SCHEMA,
        "claim": judged.claim.id,
        "verdict": judged.verdict.value,
        "conclusion": conclusion(judged, swaps),
        "swaps": [
            {
                "variant": swap.variant.model_dump(mode="json"),
                "before": swap.before,
                "gives_the_number": swap.gives_it,
                "findings": [dataclasses.asdict(finding) for finding in swap.findings],
            }
            for swap in swaps
        ],
    }
    return json.dumps(clean(value), indent=1, allow_nan=False)
