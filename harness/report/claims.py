"""Verdicts on published numbers: as blocks in the terminal, as tables in Markdown, as JSON."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.claims.equivalence import MARGIN
from harness.claims.judge import Agreement, Judged
from harness.claims.loading import explanation
from harness.claims.model import HOLDS, Claim, Verdict
from harness.experiment.model import Experiment
from harness.report.claim_numbers import (
    UNITS,
    difference,
    finding_cells,
    measured,
    name,
    published,
)
from harness.report.section_table import learning
from harness.report.terminal import plain
from harness.report.verdict_counts import tally
from harness.results import clean

SCHEMA = 1
VERIFIED = {
    "V1": "read in the primary source",
    "V2": "read in a text copy of the source",
    "R": "recalled, not verified",
}
ENOUGH_ROWS = 500
"""With fewer test rows nothing can be shown to be equivalent."""
NEVER_WRAPPED = ("claim", "published", "cost", "verdict", "ingredient")


def protocol_line(experiment: Experiment) -> str:
    """`mnist, 50,000 rows, divide_by_256; 784-10; SGD 0.13, batches of 600; 1,000 epochs`."""
    data = experiment.data
    parts = [f"{data.dataset}, {data.rows[0]:,} rows"]
    parts[0] += "" if data.scale == "none" else f", {data.scale}"
    parts[0] += "" if data.features == "none" else f", features {data.features}"
    parts.append(str(experiment.network))
    if experiment.native:
        given = ", ".join(f"{k}={v}" for k, v in experiment.native[0].parameters.items())
        return "; ".join([*parts, f"{experiment.native[0].estimator}({given})"])
    if experiment.training is not None:
        parts.append(learning(experiment))
        at_most = "at most " if experiment.training.stopping is not None else ""
        parts.append(f"{at_most}{experiment.training.length}")
    return "; ".join(parts)


def source_line(claim: Claim) -> str:
    """`Author, Title (year); read in the primary source`."""
    source = claim.source
    year = f" ({source.year})" if source.year else ""
    return f"{source.author}, {source.title}{year}; {VERIFIED[source.verified]}"


def agreement(found: Agreement) -> str:
    """`jax and numpy: right on the same rows but 3 of 10,000; equivalent within 0.2 points`."""
    same = found.equivalence
    apart = same.only_first + same.only_second
    but = f"the same rows but {apart:,} of {same.rows:,}" if apart else "the very same rows"
    within = f"equivalent within {100 * MARGIN:g} points"
    pair = f"{found.framework} and {found.other}"
    pair += f" [{found.variant}]" if found.variant else ""
    if same.rows < ENOUGH_ROWS:
        return f"{pair}: right on {but}"
    return f"{pair}: right on {but}; {within if same.holds else f'not shown to be {within}'}"


# ---------------------------------------------------------------- terminal


def print_list(claims: Iterable[Claim], console: Console) -> None:
    """Every claim with source, protocol, published value and cost."""
    table = new_table("claim", "published", "protocol", "source", "cost", "expected")
    for claim in claims:
        told = "; ".join(
            f"{number.published or 'in words'}{UNITS[number.unit] if number.published else ''}"
            for number in claim.numbers
        )
        line = protocol_line(claim.protocol) if claim.protocol else f"NOT RUN: {claim.not_run}"
        cost = "-" if claim.not_run else claim.cost
        expected = claim.expected.value if claim.expected else "-"
        row = (claim.id, told, f"{claim.title}: {line}", source_line(claim), cost, expected)
        table.add_row(*map(plain, row))
    console.print(table)


def print_judged(judged: Sequence[Judged], console: Console) -> None:
    """Every claim in a block, then what they say together."""
    for one in judged:
        _print_block(one, console)
    for sentence in summary(judged):
        console.print(plain(sentence), soft_wrap=True)


def _print_block(one: Judged, console: Console) -> None:
    claim = one.claim
    good = one.verdict in HOLDS
    head = Text(f"{claim.id}  ", style="bold").append(plain(claim.title)).append("  ")
    head.append(one.verdict.value, style="bold green" if good else "bold yellow")
    if claim.expected is not None and not one.as_registered:
        head.append(f" (registered: {claim.expected.value})", style="bold red")
    console.print(head, soft_wrap=True)
    if claim.protocol is not None:
        console.print(plain(f"  {protocol_line(claim.protocol)}"), style="dim", soft_wrap=True)
    console.print(plain(f"  {source_line(claim)}"), style="dim", soft_wrap=True)
    if one.findings:
        table = new_table("number", "published", "measured", "difference", "verdict", "why")
        for finding in one.findings:
            table.add_row(*map(plain, finding_cells(finding)))
        console.print(table)
    for sentence in notes(one):
        console.print(plain(f"  {sentence}"), style="dim")
    console.print()


def notes(one: Judged, explained: bool = True) -> list[str]:
    """What else a reader should know: who agrees, whose test rows, the source's traps.

    With `explained` also why the verdict is another than the registered one.
    """
    claim = one.claim
    told = [agreement(found) for found in one.agreements]
    unproven = {
        f"{t.row.framework}: its proof says {t.proof or 'nothing'}; its rows do not count"
        for t in one.samples
        if t.row.status == "ok" and not t.counts
    }
    failed = {
        f"{t.row.framework}: {t.row.status}" + (f" ({detail})" if (detail := t.row.status_detail)
                                                else "")
        for t in one.samples
        if t.row.status not in ("ok", "unsupported")
    }  # fmt: skip
    told += sorted(unproven) + sorted(failed)
    if one.verdict != Verdict.NOT_RUN and not claim.same_test:
        told.append("scored on other test rows than the source's, so their draw counts too")
    reason = explanation(claim.id, one.verdict) if explained and not one.as_registered else ""
    if reason:
        told.append(f"why it differs from what was registered: {reason}")
    if claim.note:
        told.append(claim.note)
    if claim.not_run:
        told.append(claim.not_run)
    return told


def new_table(*headings: str) -> Table:
    """A plain table whose short columns are never wrapped."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in NEVER_WRAPPED)
    return table


def summary(judged: Sequence[Judged]) -> list[str]:
    """How many of each verdict, how many as registered, how many wrong by chance."""
    return tally(judged).sentences


# ---------------------------------------------------------------- files


def markdown(judged: Sequence[Judged]) -> str:
    """The ledger as a document: summary, one table, then the notes claim by claim."""
    heads = ("claim", "published", "measured", "difference", "verdict", "registered", "in words")
    lines = ["# Published numbers, rerun", "", *summary(judged), "", *origin(judged), ""]
    lines += [_row(heads), _row(["---"] * len(heads))]
    for one in judged:
        if one.verdict == Verdict.NOT_RUN and not one.findings:
            continue
        lines += [_row(cells) for cells in _claim_rows(one)]
    lines += ["", "## Notes", ""]
    for one in judged:
        told = [source_line(one.claim), one.claim.source.address]
        if one.claim.protocol is not None:
            told.append(protocol_line(one.claim.protocol))
        lines += [f"### {_cell(one.claim.id)}: {_cell(one.claim.title)}", ""]
        lines += [f"- {_cell(sentence)}" for sentence in (*told, *notes(one))] + [""]
    return "\n".join(lines)


def _claim_rows(one: Judged) -> list[list[str]]:
    """One line per number; the claim's own verdict and its title with the first."""
    rows = []
    for place, finding in enumerate(one.findings):
        registered = one.claim.expected.value if one.claim.expected and not place else ""
        verdict = finding.verdict.value
        if not place and one.verdict != finding.verdict:
            verdict = f"{one.verdict.value} (this number: {verdict})"
        why = one.why if not place else finding.why
        cells = (
            f"{one.claim.id}: {name(finding)}", published(finding), measured(finding),
            difference(finding), verdict, registered, why,
        )  # fmt: skip
        rows.append([_cell(cell) for cell in cells])
    return rows


def origin(judged: Sequence[Judged]) -> list[str]:
    """Where, with what and when it was measured."""
    rows = [told.row for one in judged for told in one.samples if told.row.status == "ok"]
    if not rows:
        return []
    machines = sorted({row.machine or "?" for row in rows})
    versions = sorted({f"{row.framework} {row.framework_version}" for row in rows})
    dates = sorted({(row.started_at or "")[:10] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return [f"Measured {when} on {'; '.join(machines)}; {', '.join(versions)}."]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Text that cannot break a table or become markup."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    for sign in ("\\", "|", "`", "*", "_", "[", "]"):
        safe = safe.replace(sign, f"\\{sign}")
    return safe.replace("<", "&lt;")


def as_json(judged: Sequence[Judged]) -> str:
    """All verdicts, for scripts."""
    told = tally(judged)
    return json.dumps(
        clean({
            "schema": SCHEMA,
            "summary": told.sentences,
            "in_words": told.by_subject,
            "claims": [_as_dict(one) for one in judged],
        }),
        indent=1,
        allow_nan=False,
    )  # fmt: skip


def _as_dict(one: Judged) -> dict[str, Any]:
    return {
        "id": one.claim.id,
        "title": one.claim.title,
        "verdict": one.verdict.value,
        "registered": one.claim.expected.value if one.claim.expected else None,
        "as_registered": one.as_registered,
        "why": one.why,
        "findings": [dataclasses.asdict(finding) for finding in one.findings],
        "agreements": [
            {
                "variant": found.variant,
                "frameworks": [found.framework, found.other],
                "difference": found.equivalence.difference,
                "interval": found.equivalence.interval,
                "equivalent": found.equivalence.holds,
            }
            for found in one.agreements
        ],
        "notes": notes(one),
    }


def list_as_json(claims: Iterable[Claim]) -> str:
    """Every claim as registered."""
    told = [claim.model_dump(mode="json", exclude_none=True) for claim in claims]
    return json.dumps({"schema": SCHEMA, "claims": told}, indent=1)
