"""The rungs of the ladder: two traces compared, tensor by tensor.

The difference of two tensors is max|a - b| / max|b|. A tensor that should be nearly zero (a bias
that symmetry keeps at 0) is measured against a thousandth of the largest tensor of its rung
instead, because nothing can be said relative to nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.parity.functions import Floats
from harness.parity.judgement import Rung
from harness.parity.trace import Trace
from harness.trainer import Array, Parameters

NEGLIGIBLE = 1e-3
FIRST_RUNGS = {"start": 0.0, "outputs": 1e-12, "gradients": 1e-12, "1 update": 1e-12}
"""Rungs that no growth of rounding excuses, and their tolerances."""
LATER_TOLERANCE = 1e-11
TOLERANCES = FIRST_RUNGS | {"losses": LATER_TOLERANCE}
EPS = float(np.finfo(np.float64).eps)


def rung_name(step: int) -> str:
    """`1 update`, `2 updates`, `100 steps`."""
    if step <= 2:
        return "1 update" if step == 1 else f"{step} updates"
    return f"{step} steps"


def equal_tolerances(tolerance: float) -> dict[str, float]:
    """Return one tolerance for every rung."""
    return dict.fromkeys(TOLERANCES, tolerance)


def compare(
    trace: Trace, expected: Trace, tolerances: Mapping[str, float] = TOLERANCES, eps: float = EPS
) -> tuple[Rung, ...]:
    """Return all rungs of a trace, or the first alone where shapes differ.

    Args:
        trace: to be judged.
        expected: of the oracle.
        tolerances: by name of the rung; the largest of them holds for a rung without one.
        eps: the rounding unit of the trace's numbers.
    """
    return tuple(_rungs(trace, expected, tolerances, eps))


def _rungs(
    trace: Trace, expected: Trace, tolerances: Mapping[str, float], eps: float
) -> Iterator[Rung]:
    start, expected_start = trace.parameters[0], expected.parameters[0]
    largest_tolerance = max(tolerances.values())
    problem = _shape_problem(start, expected_start)
    if problem:
        yield Rung("start", float("inf"), 0.0, problem)
        return
    yield _compare("start", start, expected_start, tolerances["start"])
    outputs, expected_outputs = [(trace.outputs, None)], [(expected.outputs, None)]
    yield _compare("outputs", outputs, expected_outputs, tolerances["outputs"])
    if not expected.gradients:
        return
    # the difference of two parameters cannot be more exact than the parameters
    floor = 4 * eps * _largest(expected_start)
    tolerance = tolerances["gradients"]
    yield _compare("gradients", trace.gradients, expected.gradients, tolerance, floor)
    for step in sorted(set(trace.parameters) & set(expected.parameters) - {0}):
        name = rung_name(step)
        tolerance = tolerances.get(name, largest_tolerance)
        yield _compare(name, trace.parameters[step], expected.parameters[step], tolerance)
    if trace.losses is not None and expected.losses is not None:
        tolerance = tolerances.get("losses", largest_tolerance)
        yield _compare_losses(trace.losses, expected.losses, tolerance)


def _shape_problem(parameters: Parameters, expected: Parameters) -> str:
    def shapes(pairs: Parameters) -> list[Any]:
        return [tuple(None if v is None else v.shape for v in pair) for pair in pairs]

    if shapes(parameters) == shapes(expected):
        return ""
    return f"parameters have shapes {shapes(parameters)}, the protocol's are {shapes(expected)}"


def _compare(
    name: str,
    pairs: Sequence[tuple[Array | None, Array | None]],
    expected: Sequence[tuple[Array | None, Array | None]],
    tolerance: float,
    floor: float = 0.0,
) -> Rung:
    """Return the rung with its worst difference and the first tensor beyond the tolerance."""
    smallest = NEGLIGIBLE * _largest(expected)
    worst, where = 0.0, ""
    for layer, (pair, expected_pair) in enumerate(zip(pairs, expected, strict=True), start=1):
        for part, a, b in zip(("weights", "biases"), pair, expected_pair, strict=True):
            if b is None:
                continue
            if a is None or a.shape != b.shape:
                return Rung(name, float("inf"), tolerance, f"{name}: {part} have another shape")
            difference = _difference(a, b, smallest, floor)
            if not where and not difference <= tolerance:
                place = name if name == "outputs" else f"{name}: {part} of layer {layer}"
                where = f"{place} differ"
            worst = float("nan") if np.isnan(difference) else max(worst, difference)
    return Rung(name, worst, tolerance, where)


def _difference(a: Array, b: Array, smallest: float, floor: float) -> float:
    """(max|a - b| - floor) / max|b|, at least 0; max|b| counts as no less than `smallest`."""
    scale = max(float(np.abs(b).max(initial=0)), smallest)
    gap = float(np.abs(np.subtract(a, b)).max(initial=0))
    if scale == 0:
        return 0.0 if gap == 0 else float("inf")
    return max(gap / scale - floor / scale, 0.0)


def _compare_losses(losses: Array, expected: Array, tolerance: float) -> Rung:
    if losses.shape != expected.shape:
        lengths = f"losses: {len(losses)} for {len(expected)} steps"
        return Rung("losses", float("inf"), tolerance, lengths)
    gaps = loss_gaps(losses, expected)
    beyond = np.flatnonzero(~(gaps <= tolerance))
    where = f"losses: that of step {beyond[0] + 1} differs" if len(beyond) else ""
    worst = float("nan") if np.isnan(gaps).any() else float(gaps.max())
    return Rung("losses", worst, tolerance, where)


def loss_gaps(losses: Array, expected: Array) -> Floats:
    """|a - b| / max|b| of every step; 0 where the expected loss is NaN."""
    gaps = np.abs(np.subtract(losses, expected))
    gaps[np.isnan(expected)] = 0
    scaled: Floats = gaps / max(float(np.nanmax(np.abs(expected), initial=0)), 1e-300)
    return scaled


def _largest(pairs: Sequence[tuple[Array | None, Array | None]]) -> float:
    return max(float(np.abs(v).max(initial=0)) for pair in pairs for v in pair if v is not None)
