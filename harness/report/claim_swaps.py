"""What `samestep explain` prints: a claim's numbers with one ingredient swapped at a time."""

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Console

from harness.claims.explaining import Swap, conclusion
from harness.claims.judge import Judged
from harness.claims.judge_number import Finding
from harness.report.claim_numbers import measured, published
from harness.report.claims import new_table, protocol_line
from harness.report.terminal import plain
from harness.results import clean

SCHEMA = 1


def print_explained(judged: Judged, swapped: Sequence[Swap], console: Console) -> None:
    """One line per ingredient and number, then what the number turns on."""
    claim = judged.claim
    console.print(plain(f"{claim.id}  {claim.title}"), style="bold", soft_wrap=True)
    if claim.protocol is not None:
        console.print(plain(f"  {protocol_line(claim.protocol)}"), style="dim", soft_wrap=True)
    table = new_table("ingredient", "number", "published", "measured", "verdict", "what it is")
    for finding in judged.findings:
        if not finding.variant:
            table.add_row(*map(plain, _cells("as registered", finding, "")))
    for swap in swapped:
        for place, finding in enumerate(swap.findings):
            what = f"{swap.variant.role}: {swap.variant.why}" if not place else ""
            table.add_row(*map(plain, _cells(swap.variant.name, finding, what)))
    console.print(table)
    for sentence in conclusion(judged, swapped):
        console.print(plain(sentence), soft_wrap=True)


def _cells(ingredient: str, finding: Finding, what: str) -> tuple[str, ...]:
    value = measured(finding) if finding.measured else finding.why
    return (
        ingredient, finding.number, published(finding), value, finding.verdict.value, what,
    )  # fmt: skip


def as_json(judged: Judged, swapped: Sequence[Swap]) -> str:
    """The same for scripts."""
    told = {
        "schema": SCHEMA,
        "claim": judged.claim.id,
        "verdict": judged.verdict.value,
        "conclusion": conclusion(judged, swapped),
        "swaps": [
            {
                "variant": swap.variant.model_dump(mode="json"),
                "before": swap.before,
                "gives_the_number": swap.gives_it,
                "findings": [dataclasses.asdict(finding) for finding in swap.findings],
            }
            for swap in swapped
        ],
    }
    return json.dumps(clean(told), indent=1, allow_nan=False)
