"""What `samestep compare` prints."""

import dataclasses
import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from harness.clock.compare import Comparison, agreement
from harness.report.summary import ratio_text
from harness.report.terminal import plain
from harness.results import clean

SCHEMA = 1
COLUMNS = ("experiment", "framework", "loop", "track")


def print_comparison(comparisons: Sequence[Comparison], console: Console) -> None:
    """One table; columns that are the same in every line are left out and said once."""
    constant = {
        name: comparisons[0].cell[index]
        for index, name in enumerate(COLUMNS)
        if len({c.cell[index] for c in comparisons}) == 1
    }
    with_accuracy = any(c.accuracy for c in comparisons)
    shown = [index for index, name in enumerate(COLUMNS) if name not in constant]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index in shown:
        table.add_column(COLUMNS[index], no_wrap=True)
    for heading in ("pairs", "time, B / A", "of time / baseline, B / A"):
        table.add_column(heading, justify="right")
    if with_accuracy:
        table.add_column("accuracy, B - A", justify="right")
    table.add_column("verdict")
    for c in comparisons:
        cells = [*(c.cell[index] for index in shown), str(c.pairs)]
        cells += ["-" if r is None else ratio_text(r) for r in (c.ratio, c.relative)]
        if with_accuracy:
            cells.append("-" if c.accuracy is None else f"{c.accuracy * 100:+.2f} points")
        cells.append(c.verdict + (f" ({c.remark})" if c.remark and c.ratio else ""))
        table.add_row(*map(plain, cells), style="dim" if c.ratio is None or c.noisy else "")
    console.print(table)
    for sentence in sentences(comparisons, constant):
        console.print(plain(sentence), soft_wrap=True)


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


def as_json(comparisons: Sequence[Comparison], failures: Sequence[str]) -> str:
    """Everything, with a schema version."""
    agree, known = agreement(comparisons)
    value = {
        "schema": SCHEMA,
        "comparisons": [clean(dataclasses.asdict(c) | {"verdict": c.verdict}) for c in comparisons],
        "baseline_ratios": {"agree": agree, "of": known},
        "failed": list(failures),
    }
    return json.dumps(value, indent=1, allow_nan=False)
