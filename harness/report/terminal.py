"""The tables of a report in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from harness.experiment.vocabulary import Status
from harness.report.answer import BOUNDARY, answer, statements
from harness.report.model import Line, Measure, Report, Section
from harness.report.remarks import remarks
from harness.report.section_table import baseline_name, cells, headings
from harness.report.text import plain

RESULTS = tuple(measure.value for measure in Measure if measure != Measure.OUTPUTS)
HALVED = tuple(f"half {measure}" for measure in Measure if measure.is_loss)
RIGHT_ALIGNED = (*RESULTS, *HALVED, "first step", "train time", "step time", "limits")
FIRST_DROPPED = ("first step", "step time", "limits")
"""Columns that a narrow terminal has no room for, the first to go first; then the ratio goes."""
UNLIMITED = 1_000
NEVER_WRAPPED = (*RIGHT_ALIGNED, "framework", "loop")


def print_sections(sections: Sequence[Section], console: Console) -> None:
    for section in sections:
        console.print(_fitting_table(section, console))
        console.print(plain(section.caption), style="dim")
        if section.likeness:
            console.print(plain(str(section.likeness)), style="dim")
        for remark in remarks(section):
            console.print(plain(remark), style="dim")
        console.print()


def print_answer(report: Report, console: Console) -> None:
    """Print what the tables say together, where there is more than one experiment."""
    if len(report.sections) < 2:
        return
    said = statements(report.sections)
    for sentence in (answer(report.run, report.sections), *said):
        console.print(plain(sentence))
    if said:
        console.print(plain(BOUNDARY), style="dim")
    console.print()


def _fitting_table(section: Section, console: Console) -> Table:
    """Return the table with as many columns as the terminal has room for."""
    order = (*FIRST_DROPPED, f"/ {baseline_name(section)}")
    for count in range(len(order) + 1):
        table = _table(section, order[:count])
        options = console.options.update_width(UNLIMITED)
        if Measurement.get(console, options, table).maximum <= console.width:
            break
    return table


def _table(section: Section, dropped: Sequence[str] = ()) -> Table:
    experiment = section.experiment
    title = plain(experiment.name)
    title.stylize("bold")
    title.append(": ").append(plain(experiment.title))
    if section.place:
        title.append(plain(f" ({section.place})"))
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    kept = [place for place, name in enumerate(headings(section)) if name not in dropped]
    for heading in (headings(section)[place] for place in kept):
        table.add_column(
            plain(heading),
            justify="right" if heading in RIGHT_ALIGNED else "left",
            no_wrap=heading in NEVER_WRAPPED,
            overflow="fold",
        )
    for line in section.lines:
        of_line = cells(section, line)
        texts = (plain(of_line[place]) for place in kept)
        table.add_row(*texts, style="" if _counts(line) else "dim")
    return table


def _counts(line: Line) -> bool:
    """Whether every trial ended well and the result is proven, or is a library's own solver."""
    return set(line.statuses) == {Status.OK} and (line.proven or not line.identical)
