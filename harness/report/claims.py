"""Verdicts on published numbers: as blocks in the terminal, as tables in Markdown, as JSON."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.claims.finding import Finding
from harness.claims.judge import Agreement, Judged
from harness.claims.loading import explanation
from harness.claims.model import HOLDS, Claim, Verdict
from harness.claims.statistics import MARGIN
from harness.experiment.model import Experiment
from harness.report.summary import learning
from harness.report.terminal import plain
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
UNITS = {"fraction": "", "percent": " %", "number": ""}
DIGITS = {"fraction": 4, "percent": 2, "number": 4}
IN_WORDS = {
    Verdict.EXACT: "exact",
    Verdict.NEAR_EXACT: "nearly exact",
    Verdict.CONSISTENT: "consistent",
    Verdict.RATE: "true for a share of the seeds",
    Verdict.BETTER: "better than published",
    Verdict.WORSE: "worse than published",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.CODE_OUTPUT_MISMATCH: "cannot come from the printed code",
    Verdict.UNDER_SPECIFIED: "under-specified",
    Verdict.NOT_RUN: "not run",
}


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


# ---------------------------------------------------------------- cells


def measured(finding: Finding) -> str:
    """`0.8789 ± 0.0021 (5 seeds)`; as many digits as were printed, at most six."""
    if not finding.measured:
        return "-"
    unit = UNITS[finding.unit]
    if finding.seeds == 1 and len(finding.measured) > 1:
        return "[" + ", ".join(f"{value:.8f}" for value in finding.measured) + "]"
    digits = _digits(finding)
    mean = f"{np.mean(finding.measured):.{digits}f}"
    if finding.spread is None:
        return f"{mean}{unit}"
    return f"{mean} ± {finding.spread:.{digits}f}{unit} ({finding.seeds} seeds)"


def _digits(finding: Finding) -> int:
    printed = finding.published.partition(".")[2]
    if not printed and all(value == round(value) for value in finding.measured):
        return 0
    return min(max(len(printed) if printed.isdigit() else 0, DIGITS[finding.unit]), 6)


def difference(finding: Finding) -> str:
    """`-0.0021 (± 0.0093 allowed)`."""
    if finding.difference is None:
        return "-"
    digits = DIGITS[finding.unit]
    if finding.verdict == Verdict.EXACT and abs(finding.difference) < 10.0**-digits:
        return "0"
    text = f"{finding.difference:+.{digits}f}"
    if finding.tolerance is None:
        return text
    return f"{text} (± {finding.tolerance:.{digits}f} allowed)"


def published(finding: Finding) -> str:
    """As printed, with its unit."""
    unit = UNITS[finding.unit] if finding.published[:1].isdigit() else ""
    return f"{finding.published}{unit}"


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


def finding_cells(finding: Finding) -> tuple[str, ...]:
    """Number, published, measured, difference, verdict, why."""
    name = f"{finding.number} [{finding.variant}]" if finding.variant else finding.number
    cells = (name, published(finding), measured(finding), difference(finding))
    return (*cells, finding.verdict.value, finding.why)


def notes(one: Judged) -> list[str]:
    """What else a reader should know: who agrees, whose test rows, the source's traps."""
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
    if not one.as_registered and (reason := explanation(claim.id, one.verdict)):
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
    run = [one for one in judged if one.verdict != Verdict.NOT_RUN]
    counts = Counter(one.verdict for one in run)
    parts = [f"{counts[v]} {IN_WORDS[v]}" for v in Verdict if counts[v]]
    left_out = len(judged) - len(run)
    told = []
    if run:
        told.append(f"{_count(len(run), 'claim')} judged: {', '.join(parts)}.")
    if left_out:
        told.append(f"{_count(left_out, 'claim')} not run.")
    others = [one.claim.id for one in judged if not one.claim.not_run and not one.as_registered]
    if others:
        told.append(f"Other than registered: {', '.join(others)}.")
    elif run:
        told.append("Every verdict is the registered one.")
    tests = sum(one.tested for one in run)
    if tests:
        told.append(
            f"{_count(tests, 'number')} tested at 5 %: about {0.05 * tests:.1g} would be found "
            "off by chance alone."
        )
    return told


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


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
        name = f"{one.claim.id}: {finding.number}"
        name += f" [{finding.variant}]" if finding.variant else ""
        registered = one.claim.expected.value if one.claim.expected and not place else ""
        verdict = finding.verdict.value
        if not place and one.verdict != finding.verdict:
            verdict = f"{one.verdict.value} (this number: {verdict})"
        why = one.why if not place else finding.why
        cells = (name, published(finding), measured(finding), difference(finding))
        rows.append([_cell(cell) for cell in (*cells, verdict, registered, why)])
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
    return json.dumps(
        clean({
            "schema": SCHEMA,
            "summary": summary(judged),
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
