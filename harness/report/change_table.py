"""What `samestep compare` prints and writes."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis.compare import Comparison, agreement
from harness.analysis.intervals import Estimate
from harness.report.markdown import escaped
from harness.report.run_comparison import Change, Compared
from harness.report.section_table import ratio_text
from harness.report.terminal import plain
from harness.results import clean, write_atomically

SCHEMA = 1
COLUMNS = ("experiment", "framework", "loop", "track")


# ---------------------------------------------------------------- terminal


def print_comparison(compared: Compared, console: Console) -> None:
    """One table; columns that are the same in every line are left out and said once."""
    constant = constants(compared.changes)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    heads, rows = _cells(compared.changes, constant)
    for heading in heads:
        name = heading in COLUMNS
        left = name or heading == "verdict"
        table.add_column(heading, justify="left" if left else "right", no_wrap=name)
    for one, cells in zip(compared.changes, rows, strict=True):
        dim = one.look in ("refused", "unproven", "noisy")
        table.add_row(*map(plain, cells), style="dim" if dim else "")
    console.print(table)
    for sentence in sentences(compared.changes, constant):
        console.print(plain(sentence), soft_wrap=True)


def constants(changes: Sequence[Change]) -> dict[str, str]:
    """Columns that are the same in every cell, with what they are."""
    cells = [one.numbers.cell for one in changes]
    return {
        name: cells[0][index]
        for index, name in enumerate(COLUMNS)
        if len({cell[index] for cell in cells}) == 1
    }


def _cells(
    changes: Sequence[Change], constant: dict[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table, as text."""
    shown = [index for index, name in enumerate(COLUMNS) if name not in constant]
    with_accuracy = any(one.numbers.accuracy for one in changes)
    heads = [COLUMNS[index] for index in shown]
    heads += ["pairs", "time, B / A", "of time / baseline, B / A"]
    heads += ["accuracy, B - A"] * with_accuracy + ["verdict"]
    rows = []
    for one in changes:
        c = one.numbers
        cells = [*(c.cell[index] for index in shown), str(c.pairs)]
        cells += [ratio_or_dash(r) for r in (c.ratio, c.relative)]
        cells += [accuracy_text(c)] * with_accuracy
        rows.append([*cells, one.told])
    return heads, rows


def ratio_or_dash(ratio: Estimate | None) -> str:
    """`2.22 (2.10 to 2.35)`, or a dash."""
    return "-" if ratio is None else ratio_text(ratio)


def accuracy_text(one: Comparison) -> str:
    """`+0.03 points`."""
    return "-" if one.accuracy is None else f"{one.accuracy * 100:+.2f} points"


def sentences(changes: Sequence[Change], constant: dict[str, str]) -> list[str]:
    """What is the same in every line, whether the two runs agree, and what is not proven."""
    told = [f"all lines: {', '.join(f'{n} {v}' for n, v in constant.items())}"] if constant else []
    unproven = sum(one.look == "unproven" for one in changes)
    told += _agreement([one.numbers for one in changes])
    if unproven:
        told.append(
            f"not proven in A or B: {unproven} of {len(changes)} cells, which are called neither "
            "faster nor slower; --fail-on looks at their numbers all the same"
        )
    return told


def _agreement(comparisons: Sequence[Comparison]) -> list[str]:
    """Whether the ratios to the baseline agree, or what is missing to say so."""
    agree, known = agreement(comparisons)
    if known:
        by_chance = "" if agree == known else "; at that level 1 in 20 does not by chance"
        return [
            f"the ratios to the baseline framework agree within their 95 % intervals in "
            f"{agree} of {known} cells{by_chance}"
        ]
    if not any(c.ratio and c.ratio.low for c in comparisons):
        return ["too few pairs for intervals: run both with --seeds 3 or more"]
    if any(c.relative for c in comparisons):
        return ["too few pairs with the baseline framework for intervals of the ratios to it"]
    return ["no other framework is in both runs beside the baseline, so no ratio to it is compared"]


# ---------------------------------------------------------------- files


def as_json(compared: Compared) -> str:
    """Everything, with a schema version; `refused` says why nothing is compared."""
    agree, known = agreement([one.numbers for one in compared.changes])
    value = {
        "schema": SCHEMA,
        "comparisons": [
            clean(
                dataclasses.asdict(one.numbers)
                | {"verdict": one.verdict, "unproven": one.doubt or None}
            )
            for one in compared.changes
        ],
        "baseline_ratios": {"agree": agree, "of": known},
        "failed": list(compared.failures),
    }
    if compared.refusal:
        value["refused"] = compared.refusal.splitlines()
    return json.dumps(value, indent=1, allow_nan=False)


def markdown(compared: Compared) -> str:
    """The comparison as a document."""
    a, b = (escaped(run.folder) for run in compared.runs)
    lines = ["# samestep compare", "", f"A: {a}; B: {b}.", ""]
    if compared.refusal:
        reasons = [f"- {escaped(line)}" for line in compared.refusal.splitlines()]
        return "\n".join([*lines, "They cannot be compared:", "", *reasons]) + "\n"
    constant = constants(compared.changes)
    heads, rows = _cells(compared.changes, constant)
    table = [heads, ["---"] * len(heads), *(map(escaped, row) for row in rows)]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    told = [*sentences(compared.changes, constant), *compared.failures]
    return "\n".join([*lines, "", *(f"- {escaped(one)}" for one in told)]) + "\n"


def write(file: Path, compared: Compared, chart: str = "") -> None:
    """Write what the file's suffix names; `chart`: which one, of an image.

    Raises:
        harness.report.chart_names.NoChartError: there is no such chart.
        harness.report.chart_names.NoChartLibraryError: charts cannot be drawn here.
    """
    from harness.report.page import compare_page as page
    from harness.report.page import drawing

    match file.suffix:
        case ".md":
            content = markdown(compared).encode()
        case ".json":
            content = (as_json(compared) + "\n").encode()
        case ".html":
            content = page.html(compared).encode()
        case _:
            content = drawing.image(drawing.of_comparison(compared), chart, file.suffix)
    write_atomically(file, content)
