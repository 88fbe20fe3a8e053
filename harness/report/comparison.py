"""What `samestep compare` prints and writes."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from harness.clock.compare import Comparison, agreement
from harness.plan import Plan
from harness.report.export import escaped
from harness.report.summary import ratio_text
from harness.report.terminal import plain
from harness.results import Row, clean, write_atomically

SCHEMA = 1
COLUMNS = ("experiment", "framework", "loop", "track")


@dataclass(frozen=True)
class Run:
    """One of the two runs."""

    folder: str
    plan: Plan
    rows: Sequence[Row]


@dataclass(frozen=True)
class Compared:
    """All that a file is made of.

    Args:
        runs: A and B.
        comparisons: cell by cell; none where they are refused.
        failures: limits that B exceeds, in words.
        refusal: why the runs cannot be compared, a reason a line; or "".
    """

    runs: tuple[Run, Run]
    comparisons: Sequence[Comparison]
    failures: Sequence[str] = ()
    refusal: str = ""


def print_comparison(comparisons: Sequence[Comparison], console: Console) -> None:
    """One table; columns that are the same in every line are left out and said once."""
    constant = constants(comparisons)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    heads, rows = _cells(comparisons, constant)
    for heading in heads:
        name = heading in COLUMNS
        left = name or heading == "verdict"
        table.add_column(heading, justify="left" if left else "right", no_wrap=name)
    for c, cells in zip(comparisons, rows, strict=True):
        table.add_row(*map(plain, cells), style="dim" if c.ratio is None or c.noisy else "")
    console.print(table)
    for sentence in sentences(comparisons, constant):
        console.print(plain(sentence), soft_wrap=True)


def constants(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Columns that are the same in every cell, with what they are."""
    return {
        name: comparisons[0].cell[index]
        for index, name in enumerate(COLUMNS)
        if len({c.cell[index] for c in comparisons}) == 1
    }


def _cells(
    comparisons: Sequence[Comparison], constant: dict[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table, as text."""
    shown = [index for index, name in enumerate(COLUMNS) if name not in constant]
    with_accuracy = any(c.accuracy for c in comparisons)
    heads = [COLUMNS[index] for index in shown]
    heads += ["pairs", "time, B / A", "of time / baseline, B / A"]
    heads += ["accuracy, B - A"] * with_accuracy + ["verdict"]
    rows = []
    for c in comparisons:
        cells = [*(c.cell[index] for index in shown), str(c.pairs)]
        cells += ["-" if r is None else ratio_text(r) for r in (c.ratio, c.relative)]
        cells += [accuracy_text(c)] * with_accuracy
        rows.append([*cells, c.verdict + (f" ({c.remark})" if c.remark and c.ratio else "")])
    return heads, rows


def accuracy_text(one: Comparison) -> str:
    """`+0.03 points`."""
    return "-" if one.accuracy is None else f"{one.accuracy * 100:+.2f} points"


def sentences(comparisons: Sequence[Comparison], constant: dict[str, str]) -> list[str]:
    """What is the same in every line, and whether the two runs agree."""
    told = [f"all lines: {', '.join(f'{n} {v}' for n, v in constant.items())}"] if constant else []
    agree, known = agreement(comparisons)
    if known:
        told.append(
            f"the ratios to the baseline framework agree within their 95 % intervals in "
            f"{agree} of {known} cells"
            + ("" if agree == known else "; at that level 1 in 20 does not by chance")
        )
    else:
        told.append("too few pairs for intervals: run both with --seeds 3 or more")
    return told


# ---------------------------------------------------------------- files


def as_json(comparisons: Sequence[Comparison], failures: Sequence[str], refusal: str = "") -> str:
    """Everything, with a schema version; `refused` says why nothing is compared."""
    agree, known = agreement(comparisons)
    value = {
        "schema": SCHEMA,
        "comparisons": [clean(dataclasses.asdict(c) | {"verdict": c.verdict}) for c in comparisons],
        "baseline_ratios": {"agree": agree, "of": known},
        "failed": list(failures),
    }
    if refusal:
        value["refused"] = refusal.splitlines()
    return json.dumps(value, indent=1, allow_nan=False)


def markdown(compared: Compared) -> str:
    """The comparison as a document."""
    a, b = (escaped(run.folder) for run in compared.runs)
    lines = ["# samestep compare", "", f"A: {a}; B: {b}.", ""]
    if compared.refusal:
        reasons = [f"- {escaped(line)}" for line in compared.refusal.splitlines()]
        return "\n".join([*lines, "They cannot be compared:", "", *reasons]) + "\n"
    constant = constants(compared.comparisons)
    heads, rows = _cells(compared.comparisons, constant)
    table = [heads, ["---"] * len(heads), *(map(escaped, row) for row in rows)]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    told = [*sentences(compared.comparisons, constant), *compared.failures]
    return "\n".join([*lines, "", *(f"- {escaped(one)}" for one in told)]) + "\n"


def write(file: Path, compared: Compared, chart: str = "") -> None:
    """Write what the file's suffix names; `chart`: which one, of an image.

    Raises:
        ValueError: there is no such chart.
    """
    from harness.report.page import comparison as page
    from harness.report.page import drawing

    match file.suffix:
        case ".md":
            content = markdown(compared).encode()
        case ".json":
            text = as_json(compared.comparisons, compared.failures, compared.refusal)
            content = (text + "\n").encode()
        case ".html":
            content = page.html(compared).encode()
        case _:
            content = drawing.image(drawing.of_comparison(compared), chart, file.suffix)
    write_atomically(file, content)
