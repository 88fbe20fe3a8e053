"""Tables of the page: cells with their text, what they sort by, and how they look."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Estimate
from harness.plan import Plan
from harness.report.model import Line, LineState, Measure, Section
from harness.report.page import commands
from harness.report.section_table import (
    at_most,
    baseline_name,
    cells,
    headings,
    over_baseline,
    result_text,
    shown,
    status_text,
)
from harness.report.text import count_text, seconds

STATE_SIGNS = {
    LineState.PROVEN: ("✓", "proven the same"),
    LineState.UNPROVEN: ("?", "not proven"),
    LineState.DIFFERENT: ("≠", "shown to differ"),
    LineState.FAILED: ("✗", "failed"),
    LineState.ABSENT: ("∅", "not run"),
    LineState.NATIVE: ("◦", "a library's own solver, not ranked"),
}
"""State of a line to its sign and its meaning. Colour alone never says it."""
TRAINING_TIME, STEP_TIME = "training time", "time of a step"
"""Facts that cells of several tables show."""
STATED = "stated time"


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Args:
        sort: what a sort goes by; None comes last.
        state: names its sign and its class, or "".
        fact: the fact of its line that a tip shows when the user points at it; "" for none.
        result: what a sort by result goes by, where the cell shows a time beside it.
        line: place of that line in its section, where the cell is not in the line's own row.
    """

    text: str
    sort: float | str | None = None
    state: str = ""
    fact: str = ""
    line: int | None = None
    result: float | None = None


@dataclass(frozen=True)
class LineDetails:
    """Named facts of one line, and the command that runs it again."""

    name: str
    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class TableRow:
    """One row: its cells, the first of them the row's heading."""

    cells: tuple[TableCell, ...]
    state: str
    details: LineDetails | None = None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by any column."""

    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]


def overview(sections: Sequence[Section]) -> Table:
    """Return a row per experiment and a column per framework of the identical track."""
    identical = [line for section in sections for line in section.lines if line.identical]
    frameworks = tuple(dict.fromkeys(line.framework for line in identical))
    names = [section.experiment.name for section in sections]
    rows = []
    for section in sections:
        best = {line.framework: line for line in section.lines if line.identical and line.best}
        name = section.experiment.name
        if names.count(name) > 1:
            name += f" ({section.place})"
        of_frameworks = (
            _overview_cell(section, best[framework]) if framework in best else TableCell("")
            for framework in frameworks
        )
        rows.append(TableRow((TableCell(name, name), *of_frameworks), ""))
    return Table(("experiment", *frameworks), tuple(rows))


def _overview_cell(section: Section, line: Line) -> TableCell:
    """Return result and training time; the status where there is no result."""
    state, place = line.state, section.lines.index(line)
    if state in (LineState.ABSENT, LineState.FAILED):
        return TableCell(status_text(line), None, state, "status", place)
    result = result_text(section, line)
    if section.measure == Measure.OUTPUTS:  # they are long, and in the experiment's own table
        result = "outputs"
    if state in (LineState.UNPROVEN, LineState.DIFFERENT):
        result = f"{result} ({line.judgement.verdict})"
    time = at_most(line, seconds(line.train.value)) if line.train else ""
    text = ", ".join(filter(None, [result, time]))
    fact = TRAINING_TIME if line.train else section.result_name
    return TableCell(text, _value(line.train), state, fact, place, _result_key(line))


def _result_key(line: Line) -> float | None:
    return line.loss if line.accuracy is None else line.accuracy


def lines_table(plan: Plan, section: Section) -> Table:
    """Return the whole table of one experiment."""
    facts = _column_facts(section)
    rows = []
    for line in section.lines:
        details = line_details(plan, section, line)
        known = dict(details.facts)
        keys = shown(section, _sort_keys(line))
        columns = zip(cells(section, line), keys, facts, strict=True)
        row = tuple(
            TableCell(text, key, fact=fact if fact in known else "") for text, key, fact in columns
        )
        rows.append(TableRow(row, line.state, details))
    return Table(headings(section), tuple(rows))


def _sort_keys(line: Line) -> tuple[float | str | None, ...]:
    """Return what the columns of `section_table.cells` sort by."""
    return (
        line.framework,
        line.loop,
        _result_key(line),
        line.phases.get("first_step_s"),
        _value(line.train),
        _value(line.ratio) or 1.0,
        _value(line.step),
        line.fractions.of_own,
        line.stated_s,
        status_text(line),
        line.judgement.verdict,
    )


def _column_facts(section: Section) -> tuple[str, ...]:
    """Return which of a line's facts the columns of `section_table.cells` show."""
    result, ratio = section.result_name, _ratio_fact(section)
    facts = ("", "", result, "", TRAINING_TIME, ratio, STEP_TIME, "", STATED, "status", "parity")
    return shown(section, facts)


def _ratio_fact(section: Section) -> str:
    return f"times that of {baseline_name(section)}"


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None


# ---------------------------------------------------------------- the facts of a line


def line_details(plan: Plan, section: Section, line: Line) -> LineDetails:
    """Return intervals, protocol and origin of a line."""
    facts = [
        (section.result_name, _result(section, line)),
        (TRAINING_TIME, at_most(line, _interval(line.train))),
        (STEP_TIME, at_most(line, _interval(line.step))),
        (_ratio_fact(section), _ratio(section, line)),
        (STATED, _stated(line)),
        ("parity", f"{line.judgement.verdict} {line.judgement.reason}".strip()),
        ("status", " ".join(filter(None, [status_text(line), line.detail]))),
        ("disturbed", _disturbed(line)),
        ("ran on", ", ".join(filter(None, [line.device, f"{line.framework} {line.version}"]))),
        ("command", line.command),
    ]
    known = tuple((name, text) for name, text in facts if text)
    return LineDetails(line.name, known, commands.of_line(plan, section.experiment.name, line))


def _result(section: Section, line: Line) -> str:
    """Return the result and what it is a mean of."""
    result = result_text(section, line)
    if result == "-" or section.measure == Measure.OUTPUTS:
        return ""
    seeds = line.seeds
    if line.spread is not None and section.measure.is_accuracy:
        return f"{result}: mean and standard deviation of {seeds} seeds"
    return f"{result}; {'one seed' if seeds < 2 else f'median of {seeds} seeds'}"


def _ratio(section: Section, line: Line) -> str:
    """Return the ratio with its interval, or why it has none."""
    if line.ratio is None:
        return ""
    text = over_baseline(section, line)
    if line.ratio.low is None:
        return f"{text}; too few undisturbed pairs of runs for an interval"
    return f"{text}: 95 % interval of {line.ratio.count} pairs of runs"


def _stated(line: Line) -> str:
    """Return the training time that a program states, and whose word it is."""
    if line.stated_s is None:
        return ""
    return f"{seconds(line.stated_s)}: the program's own word, by its own clock; not ranked"


def _disturbed(line: Line) -> str:
    """Return which trials were disturbed, how, and what was made of them."""
    if not line.disturbed:
        return ""
    repeated = len({repeat for _, repeat in line.samples}) > 1
    trials = "; ".join(
        f"seed {seed}{f', repeat {repeat}' if repeated else ''} ({how})"
        for (seed, repeat), how in sorted(line.disturbed.items())
    )
    if line.is_bound:
        return f"every trial, so its time is an upper bound: {trials}"
    return f"{len(line.disturbed)} of {count_text(line.ok_count, 'trial')}, left out: {trials}"


def _interval(time_s: Estimate | None) -> str:
    if time_s is None:
        return ""
    if time_s.low is None or time_s.high is None:
        runs = "one run" if time_s.count == 1 else count_text(time_s.count, "run")
        return f"{seconds(time_s.value)}; {runs}: too few for an interval"
    return (
        f"{seconds(time_s.value)}, 95 % interval {seconds(time_s.low)} to "
        f"{seconds(time_s.high)}, {count_text(time_s.count, 'run')}"
    )
