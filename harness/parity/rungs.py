"""The rungs of the ladder: two traces compared, tensor by tensor.

The difference of two tensors is max|a - b| / max|b|. A gradient and the first update are measured
against what was added up, if that is larger than what is left: terms may cancel, their rounding
does not. A parameter that should be nearly zero is measured against a thousandth of the largest
tensor of its rung instead, because nothing can be said relative to nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.parameters import map_arrays, named_arrays, names_of
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
    trace: Trace,
    expected: Trace,
    tolerances: Mapping[str, float] = TOLERANCES,
    eps: float = EPS,
    allowed: Trace | None = None,
) -> tuple[Rung, ...]:
    """Return all rungs of a trace, or the first alone where shapes differ.

    What the trace lacks has no rung.

    Args:
        trace: to be judged.
        expected: of the oracle.
        tolerances: by name of the rung; the largest of them holds for a rung without one.
        eps: the rounding unit of the trace's numbers.
        allowed: per number of the first rungs, how far it may lie from the expected one before
            the difference counts.
    """
    return tuple(_rungs(trace, expected, tolerances, eps, allowed))


def _rungs(
    trace: Trace,
    expected: Trace,
    tolerances: Mapping[str, float],
    eps: float,
    allowed: Trace | None,
) -> Iterator[Rung]:
    start, expected_start = trace.parameters.get(0), expected.parameters.get(0, [])
    largest_tolerance = max(tolerances.values())
    if start is not None and expected_start:
        problem = _shape_problem(start, expected_start)
        if problem:
            yield Rung("start", float("inf"), 0.0, problem)
            return
        yield _compare("start", start, expected_start, tolerances["start"])
    if trace.outputs is not None:
        yield _compare(
            "outputs",
            trace.output_pairs,
            expected.output_pairs,
            tolerances["outputs"],
            allowed=allowed.output_pairs if allowed else None,
        )
    if not expected.gradients:
        return
    sums = expected.sums
    if trace.gradients:
        yield _compare(
            "gradients",
            trace.gradients,
            expected.gradients,
            tolerances["gradients"],
            # the difference of two parameters cannot be more exact than the parameters
            floor=4 * eps * _largest(_where_taken(trace, expected)) / trace.gradient_rate,
            sums=sums.gradients if sums else None,
            allowed=allowed.gradients if allowed else None,
        )
    for step in sorted(set(trace.parameters) & set(expected.parameters) - {0}):
        name = rung_name(step)
        yield _compare(
            name,
            trace.parameters[step],
            expected.parameters[step],
            tolerances.get(name, largest_tolerance),
            sums=sums.update if sums else None,
            allowed=allowed.parameters.get(step) if allowed else None,
        )
    if trace.losses is not None and expected.losses is not None:
        tolerance = tolerances.get("losses", largest_tolerance)
        yield _compare_losses(trace, expected, tolerance)


def _where_taken(trace: Trace, expected: Trace) -> Parameters:
    """The parameters that the step which showed the gradients began with."""
    if trace.gradient_step:
        return trace.parameters[trace.gradient_step]
    return expected.parameters.get(0, [])


def _shape_problem(parameters: Parameters, expected: Parameters) -> str:
    def shapes(parameters: Parameters) -> list[Any]:
        return [tuple(None if v is None else v.shape for v in entry) for entry in parameters]

    if shapes(parameters) == shapes(expected):
        return ""
    return f"parameters have shapes {shapes(parameters)}, the protocol's are {shapes(expected)}"


def _compare(
    name: str,
    parameters: Parameters,
    expected: Parameters,
    tolerance: float,
    *,
    floor: float = 0.0,
    sums: Parameters | None = None,
    allowed: Parameters | None = None,
) -> Rung:
    """Return the rung with its worst difference and the first tensor beyond the tolerance."""
    smallest = NEGLIGIBLE * _largest(expected)
    nothing = map_arrays(lambda _: None, expected)
    worst, where = 0.0, ""
    for layer, tensors in enumerate(
        zip(parameters, expected, sums or nothing, allowed or nothing, strict=True), start=1
    ):
        for part, a, b, added_up, within in zip(names_of(tensors[1]), *tensors, strict=False):
            if b is None:
                continue
            if a is None or a.shape != b.shape:
                return Rung(name, float("inf"), tolerance, f"{name}: {part} have another shape")
            scale = max(largest_of(b), smallest, 0.0 if added_up is None else largest_of(added_up))
            difference = _difference(a, b, scale, floor, within)
            if not where and not difference <= tolerance:
                place = name if name == "outputs" else f"{name}: {part} of layer {layer}"
                where = f"{place} differ"
            worst = float("nan") if np.isnan(difference) else max(worst, difference)
    return Rung(name, worst, tolerance, where)


def _difference(a: Array, b: Array, scale: float, floor: float, within: Array | None) -> float:
    """max(|a - b| - what is allowed) / scale, at least 0."""
    gaps = np.abs(np.subtract(a, b)) - floor
    gap = max(float((gaps if within is None else gaps - within).max(initial=0)), 0.0)
    if np.isnan(gaps).any():
        return float("nan")
    if scale == 0:
        return 0.0 if gap == 0 else float("inf")
    return gap / scale


def _compare_losses(trace: Trace, expected: Trace, tolerance: float) -> Rung:
    losses = trace.losses
    assert losses is not None
    assert expected.losses is not None
    if losses.shape != expected.losses.shape:
        lengths = f"losses: {len(losses)} for {len(expected.losses)} steps"
        return Rung("losses", float("inf"), tolerance, lengths)
    gaps = loss_gaps(trace, expected)
    beyond = np.flatnonzero(~(gaps <= tolerance))
    where = f"losses: that of step {beyond[0] + 1} differs" if len(beyond) else ""
    worst = float("nan") if np.isnan(gaps).any() else float(gaps.max())
    return Rung("losses", worst, tolerance, where)


def loss_gaps(trace: Trace, expected: Trace) -> Floats:
    """|a - b| / max|b| of every step; 0 where a is not known, or b is NaN.

    Losses that are nearly zero are measured against a thousandth of the largest output: they are
    a difference of logits, or the square of one.
    """
    assert trace.losses is not None
    assert expected.losses is not None
    gaps = np.abs(np.subtract(trace.losses, expected.losses))
    gaps[np.isnan(expected.losses)] = 0
    if trace.unknown_losses is not None:
        gaps[trace.unknown_losses] = 0
    largest = float(np.nanmax(np.abs(expected.losses), initial=0))
    scaled: Floats = gaps / max(largest, NEGLIGIBLE * _largest(expected.output_pairs), 1e-300)
    return scaled


def largest_of(values: Array) -> float:
    """max|values|, 0 where there are none."""
    return float(np.abs(values).max(initial=0))


def _largest(parameters: Parameters) -> float:
    return max((largest_of(array.values) for array in named_arrays(parameters)), default=0.0)
