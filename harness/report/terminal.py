"""The tables of a report in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from harness.experiment.vocabulary import Status
from harness.report.answer import BOUNDARY, answer, statements
from harness.report.model import Line, Measure, Report, Section
from harness.report.remarks import remarks
from harness.report.section_table import cells, headings
from harness.report.text import plain

RESULTS = tuple(measure.value for measure in Measure if measure != Measure.OUTPUTS)
HALVED = tuple(f"half {measure}" for measure in Measure if measure.is_loss)
RIGHT_ALIGNED = (*RESULTS, *HALVED, "first step", "train time", "step time", "limits")
NEVER_WRAPPED = (*RIGHT_ALIGNED, "framework", "loop")


def print_sections(sections: Sequence[Section], console: Console) -> None:
    for section in sections:
        console.print(_table(section))
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


def _table(section: Section) -> Table:
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
    for heading in headings(section):
        table.add_column(
            plain(heading),
            justify="right" if heading in RIGHT_ALIGNED else "left",
            no_wrap=heading in NEVER_WRAPPED,
        )
    for line in section.lines:
        texts = (plain(cell) for cell in cells(section, line))
        table.add_row(*texts, style="" if _counts(line) else "dim")
    return table


def _counts(line: Line) -> bool:
    """Whether every trial ended well and the result is proven, or is a library's own solver."""
    return set(line.statuses) == {Status.OK} and (line.proven or not line.identical)
