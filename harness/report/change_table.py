"""What `samestep compare` prints and writes: a table in the terminal, Markdown, JSON."""

import dataclasses
import json
from collections.abc import Sequence

from rich import box
from rich.console import Console

from harness.analysis.compare import Comparison, agreement
from harness.report.console_table import ConsoleTable
from harness.report.run_comparison import Change, ChangeVerdict, RunComparison
from harness.report.text import escaped, markdown_table, plain, ratio_text
from harness.results import clean

SCHEMA = 1
COLUMNS = ("experiment", "framework", "loop", "track", "threads")
"""What a cell's name consists of."""
SHOWN_IF_SEVERAL = ("track", "threads")
RATIOS = ("time, B / A", "of time / baseline, B / A")
ACCURACY = "accuracy, B - A"
DIM = (ChangeVerdict.REFUSED, ChangeVerdict.UNPROVEN, ChangeVerdict.NOISY)


def print_comparison(comparison: RunComparison, console: Console) -> None:
    """Print one table. Columns that are the same in every line are left out and said once."""
    changes = comparison.changes
    constant = constants(changes)
    table = ConsoleTable(box=box.SIMPLE_HEAD, pad_edge=False)
    heads, rows = _cells(changes, constant)
    for heading in heads:
        name = heading in COLUMNS
        left = name or heading == "verdict"
        table.add_column(heading, justify="left" if left else "right", no_wrap=name)
    for change, cells in zip(changes, rows, strict=True):
        table.add_row(*map(plain, cells), style="dim" if change.verdict in DIM else "")
    console.print(table)
    for sentence in sentences(changes, constant):
        console.print(plain(sentence), soft_wrap=True)


def constants(changes: Sequence[Change]) -> dict[str, str]:
    """Return the columns of the name that are the same in every cell, with what they are."""
    cells = [name_of(change.numbers) for change in changes]
    return {
        name: cells[0][index]
        for index, name in enumerate(COLUMNS)
        if len({cell[index] for cell in cells}) == 1
    }


def name_of(numbers: Comparison) -> tuple[str, ...]:
    """Return the texts of `COLUMNS`."""
    return tuple(map(str, numbers.cell))


def _cells(
    changes: Sequence[Change], constant: dict[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the table, as text."""
    varying = [index for index, name in enumerate(COLUMNS) if name not in constant]
    with_accuracy = any(change.numbers.accuracy for change in changes)
    heads = [*(COLUMNS[index] for index in varying), "pairs", *RATIOS]
    heads += [ACCURACY] * with_accuracy + ["verdict"]
    rows = []
    for change in changes:
        numbers = change.numbers
        name = name_of(numbers)
        cells = [*(name[index] for index in varying), str(numbers.pairs)]
        cells += [ratio_text(numbers.ratio), ratio_text(numbers.relative)]
        cells += [accuracy_text(numbers)] * with_accuracy
        rows.append([*cells, change.text_with_remarks])
    return heads, rows


def accuracy_text(numbers: Comparison) -> str:
    """`+0.03 points`."""
    return "-" if numbers.accuracy is None else f"{numbers.accuracy * 100:+.2f} points"


def sentences(changes: Sequence[Change], constant: dict[str, str]) -> list[str]:
    """Return what all lines share, whether the two runs agree, and what is not proven."""
    result = []
    same = [f"{name} {text}" for name, text in constant.items() if name != "threads"]
    if same:
        result.append(f"all lines: {', '.join(same)}")
    result.append(_agreement([change.numbers for change in changes]))
    unproven = sum(change.verdict == ChangeVerdict.UNPROVEN for change in changes)
    if unproven:
        result.append(
            f"not proven in A or B: {unproven} of {len(changes)} cells, which are called neither "
            "faster nor slower; --fail-on checks their numbers nevertheless"
        )
    return result


def _agreement(comparisons: Sequence[Comparison]) -> str:
    """Return whether the ratios to the baseline agree, or what is missing to say so."""
    agree, known = agreement(comparisons)
    if known:
        by_chance = "" if agree == known else "; at that level 1 in 20 does not by chance"
        return (
            f"the ratios to the baseline framework agree within their 95 % intervals in "
            f"{agree} of {known} cells{by_chance}"
        )
    if not any(c.ratio and c.ratio.low for c in comparisons):
        return "too few pairs for intervals: run both with --seeds 3 or more"
    if any(c.relative for c in comparisons):
        return "too few undisturbed pairs with the baseline framework for intervals of these ratios"
    return "no other framework is in both runs beside the baseline, so no ratio to it is compared"


def as_json(comparison: RunComparison) -> str:
    """Return all numbers, with a schema version; `refused` says why nothing is compared."""
    agree, known = agreement([change.numbers for change in comparison.changes])
    value = {
        "schema": SCHEMA,
        "comparisons": [
            clean(
                dataclasses.asdict(change.numbers)
                | {"verdict": change.text, "unproven": change.why_unproven or None}
            )
            for change in comparison.changes
        ],
        "baseline_ratios": {"agree": agree, "of": known},
        "failed": list(comparison.failures),
    }
    if comparison.refusal:
        value["refused"] = comparison.refusal.splitlines()
    return json.dumps(value, indent=1, allow_nan=False)


def as_markdown(comparison: RunComparison) -> str:
    a, b = (escaped(str(run.path)) for run in comparison.runs)
    lines = ["# samestep compare", "", f"A: {a}; B: {b}.", ""]
    if comparison.refusal:
        reasons = [f"- {escaped(line)}" for line in comparison.refusal.splitlines()]
        return "\n".join([*lines, "They cannot be compared:", "", *reasons]) + "\n"
    constant = constants(comparison.changes)
    heads, rows = _cells(comparison.changes, constant)
    lines.append(markdown_table(heads, [[escaped(cell) for cell in row] for row in rows]))
    items = [*sentences(comparison.changes, constant), *comparison.failures]
    return "\n".join([*lines, "", *(f"- {escaped(item)}" for item in items)]) + "\n"
