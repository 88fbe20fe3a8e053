"""Tables for the terminal. Every name goes through `Text`, so no markup or escape code acts."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.section_table import Section, cells, headings, remarks

RIGHT_ALIGNED = (
    "test accuracy", "test loss", "first step", "train time", "step time", "limits",
)  # fmt: skip


def plain(text: str) -> Text:
    """Text without control characters."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def print_sections(sections: Sequence[Section], console: Console) -> None:
    """One table per experiment."""
    for section in sections:
        console.print(_table(section))
        console.print(plain(section.caption), style="dim")
        for remark in remarks(section):
            console.print(plain(remark), style="dim")
        console.print()


def _table(section: Section) -> Table:
    experiment = section.experiment
    title = Text(experiment.name, style="bold").append(": ").append(plain(experiment.title))
    if section.device:
        title.append(plain(f" ({section.device})"))
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in headings(section):
        right = heading in RIGHT_ALIGNED
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=right or heading in ("framework", "loop"),
        )
    for line in section.lines:
        style = "" if line.status == "ok" and (line.proven or line.track == "native") else "dim"
        table.add_row(*(plain(cell) for cell in cells(section, line)), style=style)
    return table
