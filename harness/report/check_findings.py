"""What `samestep check` prints."""

import json
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from harness.parity.findings import Finding
from harness.parity.judgement import Judgement
from harness.report.text import plain
from harness.results import clean

SCHEMA = 1


class FindingsPrinter:
    """Prints findings as they come, and what they sum up to.

    Args:
        console: where to print.
        traceback: whether to print the whole of what an adapter raises.

    Attributes:
        findings: all so far.
        remarks: by framework, what its check says beside the findings.
    """

    def __init__(self, console: Console, traceback: bool = False) -> None:
        self._console, self._traceback = console, traceback
        self.findings: list[Finding] = []
        self.remarks: dict[str, Sequence[str]] = {}
        self._repeated: dict[tuple[str, str, str], list[str]] = {}

    def add(self, finding: Finding) -> None:
        """Print one line, unless the same exception of the same loop was printed before."""
        self.findings.append(finding)
        key = (finding.framework, finding.loop, finding.exception)
        if finding.exception and key in self._repeated:
            self._repeated[key].append(finding.name)
            return
        if finding.exception:
            self._repeated[key] = []
        self._print_finding(finding)

    def remark(self, framework: str, remarks: Sequence[str]) -> None:
        """Store what the check of an adapter says beside its findings."""
        self.remarks[framework] = remarks

    def print_summary(self) -> None:
        """Print per framework and loop what holds, and what was not looked at."""
        cells = dict.fromkeys((finding.framework, finding.loop) for finding in self.findings)
        self._console.print()
        for framework, loop in cells:
            self._print_cell(framework, loop)
        for framework, remarks in self.remarks.items():
            for remark in remarks:
                self._say(f"{framework}: {remark}")

    def _print_finding(self, finding: Finding) -> None:
        mark = _mark(finding)
        name = finding.name.replace("_", " ") if finding.kind == "rule" else finding.name
        line = mark.append(plain(f" {finding.framework} {finding.loop} {finding.kind}: {name}"))
        if finding.remark:
            remark = plain(f" ({finding.remark})")
            remark.stylize("dim" if finding.holds else "")
            line.append(remark)
        self._console.print(line, soft_wrap=True, highlight=False)
        if self._traceback and finding.traceback:
            for row in finding.traceback.splitlines():
                self._say(f"    {row}", style="dim")

    def _print_cell(self, framework: str, loop: str) -> None:
        of_loop = [f for f in self.findings if (f.framework, f.loop) == (framework, loop)]
        undecided = sum(f.is_undecided for f in of_loop)
        broken = sum(not f.holds for f in of_loop) - undecided
        protocols = sum(f.kind == "ladder" for f in of_loop)
        rules = len(of_loop) - protocols
        counts = [_count(protocols, "protocol"), _count(rules, "rule") if rules else ""]
        verdicts = [f"{broken} broken" if broken else "", "undecided" if undecided else ""]
        line = ", ".join(filter(None, [*counts, *verdicts, "" if any(verdicts) else "all hold"]))
        self._say(f"{framework} {loop}: {line}", style="bold")
        for (*cell, exception), names in self._repeated.items():
            if cell == [framework, loop] and names:
                self._say(f"  {exception} also breaks {len(names)} more: {', '.join(names)}")
        worst = worst_rungs(f.judgement for f in of_loop if f.judgement is not None)
        if worst:
            differences = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
            self._say(f"  worst relative differences: {differences}")

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(plain(line), style=style, soft_wrap=True, highlight=False)


def _mark(finding: Finding) -> Text:
    if finding.holds:
        return Text("ok    ", style="green")
    if finding.is_undecided:
        return Text("OPEN  ", style="yellow")
    return Text("BROKEN", style="bold red")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def worst_rungs(judgements: Iterable[Judgement]) -> dict[str, float]:
    """Return the worst difference over all protocols, by rung."""
    worst: dict[str, float] = {}
    for judgement in judgements:
        for rung in judgement.rungs:
            worst[rung.name] = max(worst.get(rung.name, 0.0), rung.difference)
    return worst


def as_json(findings: Sequence[Finding], remarks: Mapping[str, Sequence[str]]) -> str:
    """Return all findings, with a schema version. A difference that is not finite is null."""
    value = {
        "schema": SCHEMA,
        "findings": [clean(finding.to_dict()) for finding in findings],
        "remarks": remarks,
    }
    return json.dumps(value, indent=1, allow_nan=False)
