"""Tables of the page: cells with their text, what they sort by, and how they look."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Estimate
from harness.plan import Plan
from harness.report.page import commands
from harness.report.section_table import (
    HEADINGS,
    Section,
    baseline,
    cells,
    headings,
    headline,
    ratio_text,
)
from harness.report.sections import Line
from harness.report.text import seconds

LOOKS = {
    "proven": ("✓", "proven the same"),
    "unproven": ("?", "not proven"),
    "different": ("≠", "proven different"),
    "failed": ("✗", "failed"),
    "absent": ("∅", "not run"),
    "native": ("◦", "a library's own solver, not ranked"),
}
"""Look of a cell to its sign and what the sign says; the sign, never colour alone."""
TIME, STEP = "training time", "time of a step"
"""Facts that cells of several tables show."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        sort: what a sort goes by; None comes last.
        look: a key of `LOOKS`, or "".
        fact: what of its line's facts it shows, told when it is pointed at; "" for none.
        line: place of that line in its section, where the cell is not in the line's own row.
    """

    text: str
    sort: float | str | None = None
    look: str = ""
    fact: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Told:
    """What is told of one line on demand: named facts, and the command that makes it again."""

    name: str
    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class TableRow:
    """One row: its cells, the first of them the row's heading."""

    cells: tuple[Cell, ...]
    look: str
    told: Told | None = None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by any column."""

    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]


def look_of(line: Line) -> str:
    """How a line's cells look."""
    if line.track == "native":
        return "native"
    if "ok" not in line.status:
        return "absent" if line.status in ("missing", "unsupported") else "failed"
    if line.proven:
        return "proven"
    return "different" if line.judgement.verdict == "different" else "unproven"


def glance(sections: Sequence[Section]) -> Table:
    """One row per experiment, one column per framework of the identical track."""
    identical = [line for s in sections for line in s.lines if line.track == "identical"]
    names = tuple(dict.fromkeys(line.framework for line in identical))
    rows = []
    for section in sections:
        best = {x.framework: x for x in section.lines if x.track == "identical" and x.best}
        shown = (_glance(section, best[n]) if n in best else Cell("", None) for n in names)
        name = section.experiment.name
        if sum(other.experiment.name == name for other in sections) > 1:
            name += f" ({section.device})"
        rows.append(TableRow((Cell(name, name), *shown), ""))
    return Table(("experiment", *names), tuple(rows))


def _glance(section: Section, line: Line) -> Cell:
    """Result and training time; the status where there is no result."""
    look, place = look_of(line), section.lines.index(line)
    result = headline(section, line)
    if look in ("absent", "failed"):
        return Cell(line.status, None, look, "status", place)
    time = "" if line.train is None else seconds(line.train.value)
    if section.measure == "outputs":  # long, and in the experiment's own table
        result = "outputs"
    if look in ("unproven", "different"):
        result = f"{result} ({line.judgement.verdict})"
    parts = [result, time, "noisy" if line.noisy else ""]
    fact = TIME if line.train else HEADINGS[section.measure]
    return Cell(
        ", ".join(filter(None, parts)), line.train.value if line.train else None, look, fact, place
    )


def lines_table(plan: Plan, section: Section) -> Table:
    """The whole table of one experiment."""
    rows = []
    for line in section.lines:
        found = told(plan, section, line)
        known = dict(found.facts)
        shown = zip(cells(section, line), _sort_keys(line), _facts(section), strict=True)
        row = tuple(
            Cell(text, key, fact=fact if fact in known else "") for text, key, fact in shown
        )
        rows.append(TableRow(row, look_of(line), found))
    return Table(headings(section), tuple(rows))


def _sort_keys(line: Line) -> tuple[float | str | None, ...]:
    """What the columns of `summary.cells` sort by."""
    return (
        line.framework, line.loop, line.loss if line.accuracy is None else line.accuracy,
        line.phases.get("first_step_s"), _value(line.train), _value(line.ratio) or 1.0,
        _value(line.step), line.fractions.of_own, line.status, line.judgement.verdict,
    )  # fmt: skip


def _facts(section: Section) -> tuple[str, ...]:
    """Which of a line's facts the columns of `summary.cells` show."""
    return (
        "", "", HEADINGS[section.measure], "", TIME, _against(section), STEP, "", "status",
        "parity",
    )  # fmt: skip


def _against(section: Section) -> str:
    return f"times that of {baseline(section)}"


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None


def told(plan: Plan, section: Section, line: Line) -> Told:
    """Intervals, protocol and origin of a line."""
    facts = [
        (HEADINGS[section.measure], _result(section, line)),
        (TIME, _interval(line.train)),
        (STEP, _interval(line.step)),
        (_against(section), _ratio(line)),
        ("parity", f"{line.judgement.verdict} {line.judgement.reason}".strip()),
        ("status", " ".join(filter(None, [line.status, line.detail]))),
        ("disturbed", f"{line.noisy} of its trials" if line.noisy else ""),
        ("ran on", ", ".join(filter(None, [line.device, f"{line.framework} {line.version}"]))),
        ("protocol", section.caption),
    ]
    command = commands.of_line(plan, section.experiment.name, line)
    known = tuple((name, text) for name, text in facts if text)
    return Told(f"{line.framework} {line.loop}", known, command)


def _result(section: Section, line: Line) -> str:
    """The result and what it is a mean of."""
    shown = headline(section, line)
    if shown == "-" or section.measure == "outputs":
        return ""
    seeds = len({seed for seed, _ in line.samples})
    if line.spread is not None and section.measure == "accuracy":
        return f"{shown}: mean and standard deviation of {seeds} seeds"
    return f"{shown}; {'one seed' if seeds < 2 else f'median of {seeds} seeds'}"


def _ratio(line: Line) -> str:
    """The ratio with its interval, or why it has none."""
    if line.ratio is None:
        return ""
    if line.ratio.low is None:
        return f"{ratio_text(line.ratio)}; too few pairs of runs for an interval"
    return f"{ratio_text(line.ratio)}: 95 % interval of {line.ratio.count} pairs of runs"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        runs = "one run" if estimate.count == 1 else f"{estimate.count} runs"
        return f"{seconds(estimate.value)}; {runs}: too few for an interval"
    return (
        f"{seconds(estimate.value)}, 95 % interval {seconds(estimate.low)} to "
        f"{seconds(estimate.high)}, {estimate.count} runs"
    )
