"""The ladder: a trace against the oracle's, rung by rung, tensor by tensor.

The difference of two tensors is max|a - b| / max|b|. A tensor that should be all but zero (a
bias that symmetry keeps at 0) is measured against a thousandth of the largest tensor of its
rung instead, for nothing can be said relative to nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness import data
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.parity.reference import Reference, Switches
from harness.parity.trace import Trace, record, reference_trace
from harness.start import initial_parameters
from harness.trainer import Array, Batches, Parameters

Floats = NDArray[np.float64]

Verdict = Literal["same", "same to float32", "same while comparable", "different", "not comparable"]
PROVEN: tuple[Verdict, ...] = ("same", "same to float32", "same while comparable")
"""Verdicts that prove a cell. The last: right in the first updates, and afterwards as close as
rounding alone leaves two runs of this protocol, which is not close (see `_grown`)."""
NEGLIGIBLE = 1e-3
TOLERANCES = {"start": 0.0, "outputs": 1e-12, "gradients": 1e-12, "1 update": 1e-12}
LATER_TOLERANCE = 1e-11
LOSS_TOLERANCE = 1e-11
GROWN_AT_MOST = 1e-5
"""Where rounding grows further, the end says little: `same while comparable`."""
COMPARABLE_AT_MOST = 1e-3
"""Losses are compared up to the step where rounding moves them by a tenth of this."""
EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
RERUNS = 8


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder.

    Args:
        name: "start", "outputs", "gradients", "1 update", "100 steps", "losses" and so on.
        difference: the worst of its tensors.
        tolerance: what it may be.
        where: the first tensor beyond it, in words; "" where all are within.
    """

    name: str
    difference: float
    tolerance: float
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance (NaN is not)."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Judgement:
    """What the ladder says of one (framework, loop, experiment).

    Args:
        verdict: one of `PROVEN`, or "different"; "not comparable" where there is no trace to
            judge.
        reason: what is wrong, or how far rounding goes; mostly "" for the same.
        rungs: in order.
        status: how the proof's trial ended, as a row's.
    """

    verdict: Verdict
    reason: str
    rungs: tuple[Rung, ...]
    status: str = "ok"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Judgement":
        """From JSON."""
        rungs = tuple(Rung(**rung) for rung in values["rungs"])
        return cls(values["verdict"], values["reason"], rungs, values.get("status", "ok"))

    @property
    def proven(self) -> bool:
        """Whether the cell computes what the protocol says."""
        return self.verdict in PROVEN

    @property
    def first_failure(self) -> Rung | None:
        """The lowest rung that does not hold."""
        return next((rung for rung in self.rungs if not rung.passed), None)


def judge(trace: Trace, experiment: Experiment, seed: int, dtype: str = "float64") -> Judgement:
    """Climb the ladder with a trace of a proof.

    Args:
        trace: of the adapter.
        experiment: of a proof's length.
        seed: of the trace's start.
        dtype: of the trace; float32 traces get a measured tolerance.
    """
    expected = expected_trace(experiment, seed)
    tolerances = None if dtype == "float64" else rounding_tolerances(experiment, seed, dtype)
    eps = EPS if dtype == "float64" else EPS32
    rungs = tuple(_rungs(trace, expected, tolerances, eps))
    failed = next((rung for rung in rungs if not rung.passed), None)
    if failed is None:
        told = _diverges(expected)
        return Judgement("same" if dtype == "float64" else "same to float32", told, rungs)
    if dtype == "float64" and failed.name not in TOLERANCES:
        grown = _grown(trace, expected, experiment, seed)
        if grown is not None:
            return grown
    if tolerances is not None and _is_relu_fork(rungs, experiment):
        return Judgement("same to float32", "a ReLU fork after step 2, within rounding", rungs)
    return Judgement("different", f"{failed.where} by {failed.difference:.1e}", rungs)


@lru_cache(maxsize=4)
def expected_trace(experiment: Experiment, seed: int, closely: bool = False) -> Trace:
    """The oracle's own trace, as far as its numbers are finite; losses are NaN from there on."""
    with np.errstate(all="ignore"):
        trace = reference_trace(experiment, prepared_of(experiment), seed, closely=closely)
    finite = {step: found for step, found in trace.parameters.items() if _is_finite(found)}
    losses = trace.losses
    if losses is not None and not np.isfinite(losses).all():
        over = np.logical_or.accumulate(~np.isfinite(losses))
        losses = np.where(over, np.nan, losses)
    return replace(trace, parameters=finite, losses=losses)


def _is_finite(parameters: Parameters) -> bool:
    return all(np.isfinite(v).all() for pair in parameters for v in pair if v is not None)


def _diverges(expected: Trace) -> str:
    """That the protocol itself leads nowhere, and up to where it was compared."""
    if expected.losses is None or not np.isnan(expected.losses).any():
        return ""
    steps = int(np.isnan(expected.losses).argmax())
    return f"the protocol diverges, in the oracle too; compared for {steps} steps"


def prepared_of(experiment: Experiment) -> Prepared:
    """The protocol's data in float64."""
    return data.load(experiment.data, experiment.loss, "float64")


def rung_name(step: int) -> str:
    """`1 update`, `2 updates`, `100 steps`."""
    if step <= 2:
        return "1 update" if step == 1 else f"{step} updates"
    return f"{step} steps"


def compared(trace: Trace, expected: Trace, tolerance: float | None) -> list[Rung]:
    """All rungs, with one tolerance for each; None means the ladder's own."""
    if tolerance is None:
        return list(_rungs(trace, expected, None))
    names = ["start", "outputs", "gradients", "losses"]
    return list(_rungs(trace, expected, dict.fromkeys(names, tolerance), EPS))


def _rungs(
    trace: Trace, expected: Trace, tolerances: dict[str, float] | None, eps: float = EPS
) -> Iterator[Rung]:
    allowed = dict(TOLERANCES) if tolerances is None else tolerances
    default = LATER_TOLERANCE if tolerances is None else max(tolerances.values())
    shapes = _shape_problem(trace.parameters[0], expected.parameters[0])
    if shapes:
        yield Rung("start", float("inf"), 0.0, shapes)
        return
    yield _compare("start", trace.parameters[0], expected.parameters[0], allowed["start"])
    yield _compare(
        "outputs", [(trace.outputs, None)], [(expected.outputs, None)], allowed["outputs"]
    )
    if not expected.gradients:
        return
    # the difference of two parameters cannot be more exact than they are
    floor = 4 * eps * _largest(expected.parameters[0])
    yield _compare("gradients", trace.gradients, expected.gradients, allowed["gradients"], floor)
    for step in sorted(set(trace.parameters) & set(expected.parameters) - {0}):
        name = rung_name(step)
        yield _compare(
            name, trace.parameters[step], expected.parameters[step], allowed.get(name, default)
        )
    if trace.losses is not None and expected.losses is not None:
        yield _compare_losses(trace.losses, expected.losses, allowed.get("losses", LOSS_TOLERANCE))


def _shape_problem(found: Parameters, expected: Parameters) -> str:
    def shapes(parameters: Parameters) -> list[Any]:
        return [tuple(None if v is None else v.shape for v in pair) for pair in parameters]

    if shapes(found) == shapes(expected):
        return ""
    return f"parameters have shapes {shapes(found)}, the protocol's are {shapes(expected)}"


def _compare(
    name: str,
    found: Sequence[tuple[Array | None, Array | None]],
    expected: Sequence[tuple[Array | None, Array | None]],
    tolerance: float,
    floor: float = 0.0,
) -> Rung:
    """The worst tensor, and the first one beyond the tolerance."""
    smallest = NEGLIGIBLE * _largest(expected)
    worst, where = 0.0, ""
    for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for part, a, b in zip(("weights", "biases"), ours, theirs, strict=True):
            if b is None:
                continue
            if a is None or a.shape != b.shape:
                return Rung(name, float("inf"), tolerance, f"{name}: {part} have another shape")
            scale = max(float(np.abs(b).max(initial=0)), smallest)
            gap = float(np.abs(np.subtract(a, b)).max(initial=0))
            gap = gap / scale if scale else (0.0 if gap == 0 else float("inf"))
            excess = gap - floor / scale if scale and floor else gap
            if not (excess <= tolerance) and not where:
                place = name if name == "outputs" else f"{name}: {part} of layer {index + 1}"
                where = f"{place} differ"
            worst = max(worst, excess, 0.0) if excess == excess else float("nan")
    return Rung(name, worst, tolerance, where)


def _compare_losses(found: Array, expected: Array, tolerance: float) -> Rung:
    if found.shape != expected.shape:
        return Rung(
            "losses", float("inf"), tolerance, f"losses: {len(found)} for {len(expected)} steps"
        )
    gaps = _loss_gaps(found, expected)
    beyond = np.flatnonzero(~(gaps <= tolerance))
    where = f"losses: that of step {beyond[0] + 1} differs" if len(beyond) else ""
    worst = float("nan") if np.isnan(gaps).any() else float(gaps.max())
    return Rung("losses", worst, tolerance, where)


def _loss_gaps(found: Array, expected: Array) -> Floats:
    """|a - b| / max|b| of every step."""
    gaps = np.abs(np.subtract(found, expected))
    gaps[np.isnan(expected)] = 0
    scaled: Floats = gaps / max(float(np.nanmax(np.abs(expected), initial=0)), 1e-300)
    return scaled


def _largest(pairs: Sequence[tuple[Array | None, Array | None]]) -> float:
    return max(float(np.abs(v).max(initial=0)) for pair in pairs for v in pair if v is not None)


# ---------------------------------------------------------------- how far rounding goes


class _Permuted(Reference):
    """The oracle on batches whose rows are in another order: the same sums, rounded otherwise."""

    generator: np.random.Generator

    def advance(self, batches: Batches) -> Any:
        """Train on the same rows, permuted inside every whole batch."""
        rows = batches.rows
        if rows is not None and (batches.sizes == rows.shape[1]).all():
            rows = self.generator.permuted(rows, axis=1)
        return super().advance(Batches(rows, batches.sizes, batches.learning_rates))


def _grown(trace: Trace, expected: Trace, experiment: Experiment, seed: int) -> Judgement | None:
    """The judgement of a protocol that lets rounding grow; None where it does not explain it.

    With too high a rate, or inputs far from 1, a rounding error doubles every few steps, in
    every framework. What it makes of the last bit is measured, and allowed for after the first
    update; the rungs before stay as strict as ever. Where it grows so far that the end says
    little, the losses of the steps before that have to be right, each within what is its own.
    """
    measured = rounding_tolerances(experiment, seed, "float64")
    later = {n: max(LATER_TOLERANCE, v) for n, v in measured.items() if n not in TOLERANCES}
    allowed = max(later.values())
    grown = tuple(_rungs(trace, expected, TOLERANCES | later))
    own = f"rounding grows in this protocol: it alone makes up to {allowed / 10:.0e}"
    if allowed <= GROWN_AT_MOST:
        return Judgement("same", own, grown) if all(rung.passed for rung in grown) else None
    early = [rung for rung in grown if rung.name in (*TOLERANCES, rung_name(2))]
    steps = 2
    if trace.losses is not None and expected.losses is not None:
        gaps = _loss_gaps(trace.losses, expected.losses)
        limits = np.maximum(LOSS_TOLERANCE, 10 * _grown_losses(experiment, seed, expected.losses))
        steps = int(np.argmax(limits > COMPARABLE_AT_MOST)) or len(limits)
        if not (gaps[:steps] <= limits[:steps]).all():
            return None
    if not all(rung.passed for rung in early):
        return None
    return Judgement("same while comparable", f"{own}; compared for {steps} steps", grown)


def _grown_losses(experiment: Experiment, seed: int, expected: Array) -> Floats:
    """Per step, how far rounding alone has moved a loss up to then (steps,)."""
    gaps = [
        _loss_gaps(trace.losses, expected)
        for trace in _reruns(experiment, seed, "float64")
        if trace.losses is not None
    ]
    return np.maximum.accumulate(np.max(gaps, axis=0))


@lru_cache(maxsize=4)
def rounding_tolerances(experiment: Experiment, seed: int, dtype: str) -> dict[str, float]:
    """Per rung, ten times the largest difference of `_reruns`; at least 32 eps."""
    expected = expected_trace(experiment, seed)
    eps = float(np.finfo(dtype).eps)
    worst: dict[str, float] = {}
    infinite = dict.fromkeys(["start", "outputs", "gradients", "losses"], float("inf"))
    for trace in _reruns(experiment, seed, dtype):
        for rung in _rungs(trace, expected, infinite, eps):
            worst[rung.name] = max(worst.get(rung.name, 0.0), rung.difference)
    return {name: max(10 * value, 32 * eps) for name, value in worst.items()}


@lru_cache(maxsize=4)
def _reruns(experiment: Experiment, seed: int, dtype: str) -> tuple[Trace, ...]:
    """8 traces of the oracle that differ by rounding alone.

    The start is moved by one unit in the last place, the rows of every batch are permuted.
    """
    prepared = prepared_of(experiment)
    given = initial_parameters(experiment, seed, dtype)
    generator = np.random.default_rng(0)
    traces = []
    for _ in range(RERUNS):
        moved = [
            tuple(None if v is None else _nudged(v, generator) for v in pair) for pair in given
        ]

        def build(protocol: Experiment, start: Any = moved) -> Reference:
            inputs, targets = prepared.train.inputs, prepared.train.targets
            made = _Permuted(protocol, start, inputs, targets, Switches(dtype=dtype))
            made.generator = generator
            return made

        with np.errstate(all="ignore"):
            traces.append(record(build, experiment, prepared, seed))
    return tuple(traces)


def _nudged(values: Array, generator: np.random.Generator) -> Array:
    toward = np.where(generator.random(values.shape) < 0.5, -np.inf, np.inf)
    nudged: Array = np.nextafter(values, toward.astype(values.dtype))
    return nudged


def _is_relu_fork(rungs: Sequence[Rung], experiment: Experiment) -> bool:
    """Right up to two updates and then apart: a kink fell on different sides by rounding."""
    kinks = any(layer.activation in ("relu", "leaky_relu") for layer in experiment.network.layers)
    failed = [rung for rung in rungs if not rung.passed]
    early = {"start", "outputs", "gradients", rung_name(1), rung_name(2)}
    return kinks and all(rung.name not in early and rung.difference < 0.1 for rung in failed)
