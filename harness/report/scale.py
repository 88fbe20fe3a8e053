"""What `samestep scale` prints: a chart, the fitted laws, who is faster where; or all as JSON."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console

from harness.analysis import sweep_points
from harness.analysis.scaling import Term
from harness.private import values_without_user
from harness.report.console_table import ConsoleTable
from harness.report.scale_text import caption, comparison_sentences, legend, remarks
from harness.report.sweep import FittedLoop, Sweep
from harness.report.text import plain
from harness.report.text_chart import step_time_chart
from harness.results import RunFolder, clean

SCHEMA = 1
EXPLANATION = (
    "Each line is a law, step time = overhead + work / rate, fitted to its points, with 95 % "
    "intervals (bootstrap over points). Overhead is what a step costs before it computes "
    "anything, rate how fast its matrix products then run. Residual: how far the law is from "
    "what was measured, root mean square, and at its worst point (minus: the step took longer "
    "than the law says). Proof: whether the loop computes the same as the float64 oracle, at "
)


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print chart, laws, comparisons, and where the rows are."""

    def say(line: str = "", style: str = "") -> None:
        console.print(plain(line), style=style, highlight=False)

    for line in caption(sweep):
        say(line)
    say()
    chart = step_time_chart([(loop.sign, loop.timings) for loop in sweep.loops if loop.sign])
    for line in chart:
        console.print(plain(line), no_wrap=True, overflow="crop", highlight=False)
    if chart:
        say(legend(sweep))
        say()
        console.print(_table(sweep.loops))
        say(f"{EXPLANATION}{sweep.centre}.")
    else:
        say("nothing was measured")
    for remark in remarks(sweep):
        say(remark)
    _print_comparisons(sweep, say)
    say()
    console.print(plain(f"rows in {_folder(sweep)}"), soft_wrap=True, highlight=False)


def _folder(sweep: Sweep) -> Path:
    return RunFolder(sweep.run.path).trials


def _print_comparisons(sweep: Sweep, say: Callable[..., None]) -> None:
    say()
    _, batch, depth = sweep_points.CENTRE
    if not sweep.comparisons:
        say("Who is faster where: needs laws of at least two proven frameworks.")
        return
    say(f"Who is faster where, by these laws, at batch {batch} and {depth} hidden layers:")
    for line in comparison_sentences(sweep):
        say(f"  {line}")
    say("Nothing is claimed where two laws differ by less than their residuals.", "dim")


def _table(loops: Sequence[FittedLoop]) -> ConsoleTable:
    table = ConsoleTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("loop")
    for heading in ("overhead, µs", "rate, GFLOP/s", "residual"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("worst", no_wrap=True)
    table.add_column("proof")
    for loop in loops:
        texts = [plain(text) for text in (loop.label, *_law_cells(loop), loop.verdict)]
        table.add_row(*texts, style="" if loop.proven else "dim")
    return table


def _law_cells(loop: FittedLoop) -> list[str]:
    law = loop.fit
    if law is None:
        return ["-"] * 4
    worst = f"{law.worst:+.0%} {law.worst_point.removeprefix('scale-')}"
    return [_term(law.overhead_us), _term(law.gflop_per_s), f"{law.rms:.0%}", worst]


def _term(term: Term) -> str:
    """`63 (42-99)`."""
    return f"{_number(term.value)} ({_number(term.low)}-{_number(term.high)})"


def _number(value: float) -> str:
    if math.isinf(value):
        return "inf"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def as_json(sweep: Sweep) -> str:
    """Return everything that is printed, and its rows. Infinite rates are null."""
    plan = sweep.run.plan
    points = [
        dict(zip(("width", "batch", "hidden_layers"), sweep_points.place_of(e), strict=True))
        | {"name": e.name, "flop": e.step_flop, "steps": e.steps}
        for e in plan.experiments.values()
    ]
    value = {
        "schema": SCHEMA,
        "plan": plan.digest,
        "folder": str(_folder(sweep)),
        "request": asdict(plan.request),
        "centre": sweep.centre,
        "points": points,
        "laws": [_law_as_dict(loop) for loop in sweep.loops],
        "comparisons": [asdict(comparison) for comparison in sweep.comparisons],
        "in_words": comparison_sentences(sweep) + remarks(sweep),
        "rows": [asdict(row) for row in sweep.run.rows],
    }
    return json.dumps(values_without_user(clean(value)), indent=1, allow_nan=False)


def _law_as_dict(loop: FittedLoop) -> dict[str, Any]:
    failures = [f"{failure.point}: {failure.reason}" for failure in loop.failures]
    return asdict(loop) | {"failures": failures, "fastest": bool(loop.sign)}
