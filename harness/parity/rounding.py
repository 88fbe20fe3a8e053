"""How far rounding alone goes: the oracle rerun with the last bit of its start moved.

With too high a learning rate, or inputs far from 1, a rounding error doubles every few steps, in
every framework. What becomes of the last bit is measured here, and allowed for.
"""

from functools import lru_cache

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.functions import Floats
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.parity.reference import Reference, map_pairs
from harness.parity.rungs import (
    FIRST_RUNGS,
    LATER_TOLERANCE,
    TOLERANCES,
    compare,
    equal_tolerances,
    loss_gaps,
    rung_name,
)
from harness.parity.trace import Trace, expected_trace, prepared_of, record
from harness.start import initial_parameters
from harness.trainer import Array, Batches, Parameters

RERUNS = 8
GROWN_AT_MOST = 1e-5
"""Where rounding grows further, the end says little: `same while comparable`."""
COMPARABLE_AT_MOST = 1e-3
"""Losses are compared up to the step where rounding moves them by a tenth of this."""


class _Permuted(Reference):
    """The oracle on batches whose rows are in another order: the same sums, rounded differently."""

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        dtype: str,
        generator: np.random.Generator,
    ) -> None:
        train = prepared_of(experiment).train
        super().__init__(experiment, parameters, train.inputs, train.targets, dtype)
        self.generator = generator

    def advance(self, batches: Batches) -> Floats:
        """Train on the same rows, permuted inside every whole batch."""
        rows = batches.rows
        if rows is not None and (batches.sizes == rows.shape[1]).all():
            rows = self.generator.permuted(rows, axis=1)
        return super().advance(Batches(rows, batches.sizes, batches.learning_rates))


@lru_cache(maxsize=4)
def rounding_tolerances(experiment: Experiment, seed: int, dtype: str) -> dict[str, float]:
    """Return per rung ten times the largest difference that rounding makes, at least 32 eps."""
    expected = expected_trace(experiment, seed)
    eps = float(np.finfo(dtype).eps)
    worst: dict[str, float] = {}
    for trace in _reruns(experiment, seed, dtype):
        for rung in compare(trace, expected, equal_tolerances(float("inf")), eps):
            worst[rung.name] = max(worst.get(rung.name, 0.0), rung.difference)
    return {name: max(10 * value, 32 * eps) for name, value in worst.items()}


def judge_with_growth(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int
) -> Judgement | None:
    """Return the judgement of a float64 trace if growing rounding explains it, None if not.

    Growth is allowed for after the first update; the rungs before stay as strict as ever. Where
    rounding grows so far that the end says little, the losses before that must be right, each
    within what rounding makes of it.
    """
    measured = rounding_tolerances(experiment, seed, "float64")
    later = {
        name: max(LATER_TOLERANCE, tolerance)
        for name, tolerance in measured.items()
        if name not in FIRST_RUNGS
    }
    largest = max(later.values())
    rungs = compare(trace, expected, TOLERANCES | later)
    growth = f"rounding grows in this protocol: it alone makes differences up to {largest / 10:.0e}"
    if largest <= GROWN_AT_MOST:
        all_hold = all(rung.passed for rung in rungs)
        return Judgement(Verdict.SAME, growth, rungs) if all_hold else None
    steps = _comparable_steps(trace, expected, experiment, seed)
    if steps is None or not _first_updates_hold(rungs):
        return None
    reason = f"{growth}; compared for {steps} steps"
    return Judgement(Verdict.SAME_WHILE_COMPARABLE, reason, rungs)


def _first_updates_hold(rungs: tuple[Rung, ...]) -> bool:
    return all(rung.passed for rung in rungs if rung.name in (*FIRST_RUNGS, rung_name(2)))


def _comparable_steps(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int
) -> int | None:
    """How many steps are comparable; None if a loss among them is wrong. 2 without losses."""
    if trace.losses is None or expected.losses is None:
        return 2
    tolerances = np.maximum(LATER_TOLERANCE, 10 * _grown_losses(experiment, seed, expected.losses))
    steps = int(np.argmax(tolerances > COMPARABLE_AT_MOST)) or len(tolerances)
    gaps = loss_gaps(trace.losses, expected.losses)
    return steps if (gaps[:steps] <= tolerances[:steps]).all() else None


def _grown_losses(experiment: Experiment, seed: int, expected: Array) -> Floats:
    """Per step, how far rounding alone has moved a loss up to then (steps,)."""
    gaps = [
        loss_gaps(trace.losses, expected)
        for trace in _reruns(experiment, seed, "float64")
        if trace.losses is not None
    ]
    return np.maximum.accumulate(np.max(gaps, axis=0))


@lru_cache(maxsize=4)
def _reruns(experiment: Experiment, seed: int, dtype: str) -> tuple[Trace, ...]:
    """8 traces of the oracle that differ by rounding alone.

    The start is moved by one unit in the last place, the rows of every batch are permuted.
    """
    given = initial_parameters(experiment, seed, dtype)
    generator = np.random.default_rng(0)
    traces = []
    for _ in range(RERUNS):
        start = map_pairs(lambda v: _one_unit_away(v, generator), given)

        def build(protocol: Experiment, start: Parameters = start) -> Reference:
            return _Permuted(protocol, start, dtype, generator)

        with np.errstate(all="ignore"):
            traces.append(record(build, experiment, prepared_of(experiment), seed))
    return tuple(traces)


def _one_unit_away(values: Floats, generator: np.random.Generator) -> Floats:
    """The values, each moved up or down by one unit in the last place."""
    toward = np.where(generator.random(values.shape) < 0.5, -np.inf, np.inf)
    return np.nextafter(values, toward.astype(values.dtype))
