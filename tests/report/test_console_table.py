"""A table that does not fit the terminal is a paragraph for every row, with all that it says."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from harness.report.console_table import ConsoleTable
from harness.report.terminal import print_answer, print_sections
from tests.report.pages import report_of


def printed(table, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def filled(table):
    table.add_column("framework", no_wrap=True)
    table.add_column("train time", no_wrap=True, justify="right")
    table.add_column("detail")
    table.add_row("numpy", "3.05 ms ± 3 %", "killed after 600 s, then again and again")
    table.add_row("jax", "-", "")
    return table


def test_what_fits_is_the_table():
    assert printed(filled(ConsoleTable()), 100) == printed(filled(Table()), 100)


@pytest.mark.parametrize("width", [20, 40])
def test_what_does_not_fit_is_paragraphs(width):
    text = printed(filled(ConsoleTable(title="short")), 30 if width > 30 else width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert words == (
        "short numpy train time 3.05 ms ± 3 %; detail killed after 600 s, then again and again jax"
    )


def test_a_report_at_40_columns_has_all_numbers(tmp_path):
    report = report_of(tmp_path / "run")
    console = Console(file=io.StringIO(), width=40)
    print_sections(report.sections, console)
    print_answer(report, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 40
    words = " ".join(text.split())
    wide = Console(file=io.StringIO(), width=400)
    print_sections(report.sections, wide)
    numbers = [word for word in wide.file.getvalue().split() if word[0].isdigit()]
    assert len(numbers) > 100
    assert [number for number in numbers if number.rstrip(",;") not in words] == []
