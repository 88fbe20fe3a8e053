"""What a sweep says, in sentences: what was run, who is faster where, what went wrong."""

from collections.abc import Sequence

from harness.analysis import sweep_points
from harness.analysis.scaling import Comparison
from harness.report.sweep import FittedLoop, Sweep
from harness.report.text import count_text, seconds
from harness.report.text_chart import SEVERAL

LARGE_RESIDUAL = 0.3
"""A loop whose worst point misses its law by more is named below the table."""


def caption(sweep: Sweep) -> list[str]:
    """Return what was run."""
    places = [sweep_points.place_of(e) for e in sweep.run.plan.experiments.values()]
    widths, batches, depths = zip(*places, strict=True)
    ranges = [_range("width", widths), _range("batch", batches), _range("hidden layers", depths)]
    width, batch, depth = sweep_points.CENTRE
    request = sweep.run.plan.request
    return [
        "How long does one training step take as the network or the batch grows?",
        f"{len(places)} perceptrons 64-W(-W...)-10 on the 8x8 digits, {', '.join(ranges)}: one of "
        f"the three varies, the others stay at width {width}, batch {batch}, {depth} hidden "
        f"layers; plain SGD, {request.dtype}, {_threads(request.threads)}",
    ]


def _threads(counts: Sequence[int]) -> str:
    """`1 thread`; `1 or 2 threads`."""
    *others, last = counts
    return " or ".join([*map(str, others), count_text(last, "thread")])


def _range(noun: str, values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{noun} {low} to {high}" if low != high else f"{noun} {low}"


def legend(sweep: Sweep) -> str:
    signs = [f"{loop.sign} {loop.label}" for loop in sweep.charted]
    return ", ".join([*signs, f"{SEVERAL} several in one place"])


# ---------------------------------------------------------------- who is faster where


def comparison_sentences(sweep: Sweep) -> list[str]:
    """Return who is faster where. Pairs with the same answer share a sentence."""
    slower_than: dict[tuple[str, int, int], list[str]] = {}
    changing, close = [], []
    for comparison in sweep.comparisons:
        pair, (first, *more) = comparison.pair, comparison.stretches
        if more:
            changing.append(_changing(comparison))
        elif first.faster is None:
            span = _span(first.low, first.high)
            close.append(f"{pair[0]} and {pair[1]}: too close to tell, {span}")
        else:
            slower = pair[1] if first.faster == pair[0] else pair[0]
            slower_than.setdefault((first.faster, first.low, first.high), []).append(slower)
    constant = [
        f"{winner} is faster than {_list(losers)} {_span(low, high)}"
        for (winner, low, high), losers in slower_than.items()
    ]
    return changing + constant + close


def _changing(comparison: Comparison) -> str:
    """Return the sentence of a pair whose answer depends on the width."""
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
    (stretch,) = clear
    other = pair[1] if stretch.faster == pair[0] else pair[0]
    if stretch is stretches[0]:
        where, rest = f"up to width {stretch.high}", "beyond"
    else:
        where, rest = f"from width {stretch.low} on", "below"
    return f"{stretch.faster} is faster than {other} {where}; {rest} it is too close to tell"


def _span(low: int, high: int) -> str:
    return f"at every width from {low} to {high}" if low != high else f"at width {low}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---------------------------------------------------------------- what went wrong


def remarks(sweep: Sweep) -> list[str]:
    """Return what a reader of the table should know: noise, failures, misfits, missing proofs."""
    sentences = _noise(sweep)
    for loop in sweep.loops:
        sentences += [f"{loop.label}: {text}" for text in _loop_remarks(sweep, loop)]
    return sentences


def _noise(sweep: Sweep) -> list[str]:
    count = sum(len(loop.disturbed) for loop in sweep.loops)
    total = sum(len(loop.timings) for loop in sweep.loops)
    if not count:
        return []
    return [
        f"Busy machine: {count} of {total} measurements were disturbed by other processes. "
        "Laws leave these points out where most points of a loop were calm, and are rough "
        "elsewhere. Run again with --fresh when nothing else runs."
    ]


def _loop_remarks(sweep: Sweep, loop: FittedLoop) -> list[str]:
    texts = []
    if any(device != "cpu" for device in loop.devices):
        texts.append(f"on {', '.join(loop.devices)}")
    if loop.problem:
        texts.append(f"no law; {loop.problem}")
    points: dict[str, list[str]] = {}
    for failure in loop.failures:
        points.setdefault(failure.reason, []).append(failure.point)
    for reason, names in points.items():
        texts.append(f"{names[0] if len(names) == 1 else f'{len(names)} points'}: {reason}")
    if loop.fit and abs(loop.fit.worst) > LARGE_RESIDUAL:
        texts.append(_misfit(loop))
    if loop.timings and not loop.proven:
        texts.append(f"{loop.verdict} at {sweep.centre}, so it is compared with nobody")
    return texts


def _misfit(loop: FittedLoop) -> str:
    assert loop.fit is not None
    timing = next(t for t in loop.timings if t.point == loop.fit.worst_point)
    law_s = loop.fit.step_us(timing.work) * 1e-6
    cause = loop.disturbed.get(timing.point)
    return (
        f"the law does not hold everywhere: at {timing.point} it predicts {seconds(law_s)}, but "
        f"{seconds(timing.step_us * 1e-6)} were measured{f' (disturbed: {cause})' if cause else ''}"
    )
