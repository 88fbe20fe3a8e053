"""What `samestep check` prints."""

import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from harness.parity.findings import Finding
from harness.parity.judgement import Judgement
from harness.report.text import plain
from harness.results import clean

SCHEMA = 1


def print_finding(finding: Finding, console: Console) -> None:
    """Print one line: whether a protocol or a rule holds, its name and a remark."""
    mark = Text("ok    ", style="green") if finding.holds else Text("BROKEN", style="bold red")
    name = finding.name.replace("_", " ") if finding.kind == "rule" else finding.name
    line = mark.append(plain(f" {finding.framework} {finding.loop} {finding.kind}: {name}"))
    if finding.remark:
        remark = plain(f" ({finding.remark})")
        remark.stylize("dim" if finding.holds else "")
        line.append(remark)
    console.print(line, soft_wrap=True, highlight=False)


def print_summary(findings: Sequence[Finding], console: Console) -> None:
    """Print per framework and loop what holds, and the worst difference on each rung."""
    cells = dict.fromkeys((finding.framework, finding.loop) for finding in findings)
    console.print()
    for framework, loop in cells:
        of_loop = [f for f in findings if (f.framework, f.loop) == (framework, loop)]
        broken = sum(not f.holds for f in of_loop)
        protocols = sum(f.kind == "ladder" for f in of_loop)
        rules = len(of_loop) - protocols
        verdict = "all hold" if not broken else f"{broken} broken"
        head = plain(f"{framework} {loop}: {protocols} protocols, {rules} rules, {verdict}")
        console.print(head, style="bold", highlight=False)
        worst = worst_rungs(f.judgement for f in of_loop if f.judgement is not None)
        differences = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
        console.print(plain(f"  worst relative differences: {differences}"), highlight=False)


def worst_rungs(judgements: Iterable[Judgement]) -> dict[str, float]:
    """Return the worst difference over all protocols, by rung."""
    worst: dict[str, float] = {}
    for judgement in judgements:
        for rung in judgement.rungs:
            worst[rung.name] = max(worst.get(rung.name, 0.0), rung.difference)
    return worst


def as_json(findings: Sequence[Finding]) -> str:
    """Return all findings, with a schema version. A difference that is not finite is null."""
    value = {"schema": SCHEMA, "findings": [clean(finding.to_dict()) for finding in findings]}
    return json.dumps(value, indent=1, allow_nan=False)
