"""What `samestep scale` prints: a chart, the fitted laws, who is faster where; or all as JSON."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis import sweep_points
from harness.analysis.scaling import Comparison, Term
from harness.parity.judgement import PROVEN
from harness.report.sweep import Cell, Sweep
from harness.report.terminal import plain
from harness.report.text import seconds
from harness.report.text_chart import SEVERAL, chart
from harness.results import Row, clean, write_atomically

SCHEMA = 1
LARGE_RESIDUAL = 0.3
"""A point that misses the law by more is named below the table."""


def caption(made: Sweep) -> list[str]:
    """What was run."""
    places = [sweep_points.place_of(e) for e in made.plan.experiments.values()]
    centre = sweep_points.CENTRE
    ranges = [
        f"{noun} {min(v)} to {max(v)}" if min(v) != max(v) else f"{noun} {min(v)}"
        for noun, v in zip(
            ("width", "batch", "hidden layers"), zip(*places, strict=True), strict=True
        )
    ]
    request = made.plan.request
    return [
        "How long does one training step take as the network or the batch grows?",
        f"{len(places)} perceptrons 64-W(-W...)-10 on the 8x8 digits, {ranges[0]}, {ranges[1]}, "
        f"{ranges[2]}: one of the three varies, the others stay at width {centre[0]}, batch "
        f"{centre[1]}, {centre[2]} hidden layers; plain SGD, {request.dtype}, "
        f"{request.threads} thread{'s' * (request.threads != 1)}",
    ]


def legend(made: Sweep) -> str:
    """Which sign is whose."""
    shown = [f"{cell.sign} {cell.label}" for cell in made.cells if cell.sign and cell.timings]
    return ", ".join([*shown, f"{SEVERAL} several in one place"])


def comparisons_in_words(made: Sweep) -> list[str]:
    """Who is faster where; pairs with the same answer share a line."""
    always: dict[tuple[str, int, int], list[str]] = {}
    lines, close = [], []
    for comparison in made.comparisons:
        pair, (first, *more) = comparison.pair, comparison.stretches
        if more:
            lines.append(_changing(comparison))
        elif first.faster is None:
            close.append(
                f"{pair[0]} and {pair[1]}: too close to tell, {_span(first.low, first.high)}"
            )
        else:
            slower = pair[1] if first.faster == pair[0] else pair[0]
            always.setdefault((first.faster, first.low, first.high), []).append(slower)
    constant = [
        f"{winner} is faster than {_and(losers)} {_span(low, high)}"
        for (winner, low, high), losers in always.items()
    ]
    return lines + constant + close


def _changing(comparison: Comparison) -> str:
    """A pair whose answer depends on the width."""
    pair, stretches = comparison.pair, comparison.stretches
    clear = [stretch for stretch in stretches if stretch.faster]
    if comparison.crossing is not None:
        before, after = clear
        gap = f" (too close to tell from {before.high + 1} to {after.low - 1})"
        return (
            f"{before.faster} is faster than {after.faster} up to about width "
            f"{comparison.crossing:.0f}, then {after.faster} is"
            f"{gap if len(stretches) > 2 else ''}"
        )
    (one,) = clear
    other = pair[1] if one.faster == pair[0] else pair[0]
    where = f"up to width {one.high}" if one is stretches[0] else f"from width {one.low} on"
    rest = "beyond" if one is stretches[0] else "below"
    return f"{one.faster} is faster than {other} {where}; {rest} it is too close to tell"


def _span(low: int, high: int) -> str:
    return f"at every width from {low} to {high}" if low != high else f"at width {low}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def remarks(made: Sweep) -> list[str]:
    """What a reader of the table should know: noise, failures, misfits, missing proofs."""
    found = _noise(made)
    for cell in made.cells:
        if any(device != "cpu" for device in cell.devices):
            found.append(f"{cell.label}: on {', '.join(cell.devices)}")
        if cell.problem:
            found.append(f"{cell.label}: no law; {cell.problem}")
        reasons: dict[str, list[str]] = {}
        for failure in cell.failures:
            point, reason = failure.split(": ", 1)
            reasons.setdefault(reason, []).append(point)
        for reason, points in reasons.items():
            where = points[0] if len(points) == 1 else f"{len(points)} points"
            found.append(f"{cell.label}: {where}: {reason}")
        if cell.fit and abs(cell.fit.worst) > LARGE_RESIDUAL:
            found.append(f"{cell.label}: {_misfit(cell)}")
        if cell.timings and cell.verdict not in PROVEN:
            found.append(
                f"{cell.label}: {cell.verdict} at {made.centre}, so it is compared with nobody"
            )
    return found


def _noise(made: Sweep) -> list[str]:
    """How many points were measured while the machine was busy with something else."""
    count = sum(len(cell.disturbed) for cell in made.cells)
    total = sum(len(cell.timings) for cell in made.cells)
    if not count:
        return []
    return [
        f"Busy machine: something else slowed {count} of {total} measurements. "
        "Laws leave them out where most points of a loop were calm, and are rough where not. "
        "Run again with --fresh when nothing else runs."
    ]


def _misfit(cell: Cell) -> str:
    assert cell.fit is not None
    timing = next(t for t in cell.timings if t.point == cell.fit.worst_point)
    law_s = cell.fit.step_us(timing.work) * 1e-6
    cause = cell.disturbed.get(timing.point)
    return (
        f"the law does not hold everywhere: at {timing.point} it says {seconds(law_s)}, "
        f"measured were {seconds(timing.step_us * 1e-6)}"
        f"{f' (disturbed: {cause})' if cause else ''}"
    )


# ---------------------------------------------------------------- out


def print_sweep(made: Sweep, folder: Path, console: Console) -> None:
    """Chart, laws, comparisons, and where the rows are."""

    def say(line: str = "", style: str = "") -> None:
        console.print(plain(line), style=style, highlight=False)

    for line in caption(made):
        say(line)
    say()
    lines = chart([(cell.sign, cell.timings) for cell in made.cells if cell.sign])
    for line in lines:
        console.print(plain(line), no_wrap=True, overflow="crop", highlight=False)
    if lines:
        say(legend(made))
        say()
        console.print(_table(made.cells))
        say(
            "Each line is a law, step time = overhead + work / rate, fitted to its points, with "
            "95 % intervals (bootstrap over points). Overhead is what a step costs before it "
            "computes anything, rate how fast its matrix products then go. Residual: how far the "
            "law is from what was measured, root mean square, and at its worst point (minus: the "
            f"step took longer than the law says). Proof: whether the loop computes the same as "
            f"the float64 oracle, at {made.centre}."
        )
    else:
        say("nothing was measured")
    for remark in remarks(made):
        say(remark)
    _print_comparisons(made, say)
    say()
    console.print(plain(f"rows in {folder}"), soft_wrap=True, highlight=False)


def _print_comparisons(made: Sweep, say: Callable[..., None]) -> None:
    say()
    _, batch, depth = sweep_points.CENTRE
    if not made.comparisons:
        say("Who is faster where: needs laws of at least two proven frameworks.")
        return
    say(f"Who is faster where, by these laws, at batch {batch} and {depth} hidden layers:")
    for line in comparisons_in_words(made):
        say(f"  {line}")
    say("Nothing is claimed where two laws differ by less than their residuals.", "dim")


def _table(cells: Sequence[Cell]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("loop")
    for heading in ("overhead, µs", "rate, GFLOP/s", "residual"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("worst", no_wrap=True)
    table.add_column("proof")
    for cell in cells:
        law = cell.fit
        numbers = [
            _term(law.overhead_us), _term(law.gflop_per_s), f"{law.rms:.0%}",
            f"{law.worst:+.0%} {law.worst_point.removeprefix('scale-')}",
        ] if law else ["-"] * 4  # fmt: skip
        texts = [plain(text) for text in (cell.label, *numbers, cell.verdict)]
        table.add_row(*texts, style="" if cell.verdict in PROVEN else "dim")
    return table


def _term(term: Term) -> str:
    """Such as `63 (42-99)`."""
    return f"{_number(term.value)} ({_number(term.low)}-{_number(term.high)})"


def _number(value: float) -> str:
    if math.isinf(value):
        return "inf"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def as_json(made: Sweep, rows: Sequence[Row], folder: Path) -> str:
    """Everything that is printed, and the rows it was made of; infinite rates are null."""
    experiments = made.plan.experiments.values()
    places = {e.name: sweep_points.place_of(e) for e in experiments}
    points = [
        dict(zip(("width", "batch", "hidden_layers"), places[e.name], strict=True))
        | {"name": e.name, "flop": e.step_flop, "steps": e.steps}
        for e in experiments
    ]
    cells = [asdict(cell) | {"fastest": bool(cell.sign)} for cell in made.cells]
    return json.dumps(
        clean(
            {
                "schema": SCHEMA,
                "plan": made.plan.digest,
                "folder": str(folder),
                "request": asdict(made.plan.request),
                "centre": made.centre,
                "points": points,
                "laws": cells,
                "comparisons": [asdict(comparison) for comparison in made.comparisons],
                "in_words": comparisons_in_words(made) + remarks(made),
                "rows": [asdict(row) for row in rows],
            }
        ),
        indent=1,
        allow_nan=False,
    )


def write(file: Path, made: Sweep, rows: Sequence[Row], folder: Path, chart: str = "") -> None:
    """Write .json, or the chart of laws as .svg or .png.

    Raises:
        harness.report.chart_names.NoChartError: there is no such chart, or nothing was measured.
        harness.report.chart_names.NoChartLibraryError: charts cannot be drawn here.
    """
    if file.suffix == ".json":
        content = (as_json(made, rows, folder) + "\n").encode()
    else:
        from harness.report.page import drawing  # heavy

        content = drawing.image(drawing.of_sweep(made), chart, file.suffix)
    write_atomically(file, content)
