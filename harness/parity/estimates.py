"""Numbers of a mistake, read off its trace: factors of tensors, rates, strengths, bounds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.optimizers import SGD, Momentum, Nesterov
from harness.parameters import map_arrays, map_biases
from harness.parity.digits import EXACT, Digits
from harness.parity.functions import Floats
from harness.parity.simulation import mistaken_trace, shortened
from harness.parity.switches import Factors, Switches
from harness.parity.trace import Trace, kept_steps
from harness.start import BatchPlan, given_number
from harness.trainer import Array, Parameters

NEGLIGIBLE = 1e-12
"""Tensors smaller than this, relative to the largest, say nothing."""


@dataclass(frozen=True)
class Case:
    """A trace that differs.

    Args:
        trace: of the adapter.
        expected: of the oracle, with the same steps.
        experiment: of a proof's length.
        seed: of the start.
        digits: how exact the trace's numbers are.
        is_own_loop: whether somebody's own loop left the trace, which has no calls of `advance`.
    """

    trace: Trace
    expected: Trace
    experiment: Experiment
    seed: int
    digits: Digits = EXACT
    is_own_loop: bool = False

    @property
    def kept(self) -> tuple[int, ...]:
        """The steps whose parameters the trace keeps, as `record` takes them."""
        return kept_steps(self.trace, self.experiment)

    @property
    def rate(self) -> float:
        """The given learning rate of the first step."""
        if self.experiment.training is None:
            return 0.0
        return float(BatchPlan.of(self.experiment, self.seed).segment(0, 1).learning_rates[0])

    def given(self, number: float) -> float:
        """A number of the protocol as the task has it: rounded to float32, or exact."""
        return given_number(number, self.experiment)

    @property
    def optimizer(self) -> str:
        """The name of the optimizer; "" without training."""
        training = self.experiment.training
        return training.optimizer.name if training else ""

    @property
    def to_propose_from(self) -> "Case":
        """The case with what it lacks assumed, for numbers of mistakes to be read off it.

        The start is assumed to be the given one, the first gradient what the first update of
        plain or momentum SGD says. What cannot be derived counts as right. A mistake that is
        proposed from such a case must still reproduce what there is.
        """
        trace, expected = self.trace, self.expected
        if trace.outputs is not None and trace.gradients and 0 in trace.parameters:
            return self
        parameters = {0: expected.parameters[0], **trace.parameters}
        complete = replace(
            trace,
            outputs=expected.outputs if trace.outputs is None else trace.outputs,
            parameters=parameters,
        )
        if not trace.gradients:
            gradients = _gradient_of_first_update(replace(self, trace=complete))
            complete = replace(complete, gradients=gradients or expected.gradients)
        return replace(self, trace=complete)

    def simulated(self, switches: Switches) -> Trace:
        """The first two steps of the oracle with mistakes."""
        return mistaken_trace(shortened(self.experiment, 2), self.seed, switches)


def _gradient_of_first_update(case: Case) -> Parameters | None:
    """The first update over minus its rate, where the optimizer has it in proportion."""
    training = case.experiment.training
    moved = updates(case.trace, 0, 1)
    if training is None or moved is None:
        return None
    rule = training.optimizer
    if isinstance(rule, SGD | Momentum):
        return _scaled(moved, -1 / case.rate)
    if isinstance(rule, Nesterov):
        return _scaled(moved, -1 / (case.rate * (1 + case.given(rule.momentum))))
    return None


def first_wrong_step(case: Case) -> int:
    """Return the first step that goes wrong, counted from 1; 0 if the trace shows none.

    It is the first whose kept parameters differ. A wrong loss shows that the update before it is
    wrong, or, where that is known to be right, that the step itself is.
    """
    found, right = case.trace.parameters, case.expected.parameters
    common = [step for step in sorted(set(found) & set(right)) if step]
    tolerance = case.digits.insignificant
    wrong = [step for step in common if differ(found[step], right[step], tolerance)]
    loss = first_wrong_loss(case)
    if loss:
        before_is_right = loss - 1 in (0, *common) and loss - 1 not in wrong
        wrong.append(loss if before_is_right else loss - 1)
    return min(wrong, default=0)


def first_wrong_loss(case: Case) -> int:
    """Return the first step whose loss is wrong, counted from 1; 0 without."""
    found, right = case.trace.losses, case.expected.losses
    if found is None or right is None or found.shape != right.shape:
        return 0
    largest = np.nanmax(np.abs(right), initial=1e-300)
    wrong = ~(np.abs(found - right) <= case.digits.insignificant * largest)
    wrong &= ~np.isnan(right)
    if case.trace.unknown_losses is not None:
        wrong &= ~case.trace.unknown_losses
    return int(np.flatnonzero(wrong)[0]) + 1 if wrong.any() else 0


def differ(pairs: Parameters, expected: Parameters, tolerance: float = 1e-11) -> bool:
    """Whether any tensor differs by more than the tolerance, relative to the largest number."""
    sizes = (float(np.abs(v).max(initial=0)) for _, v in named(expected))
    scale = max(sizes, default=0.0) or 1.0
    found = dict(named(pairs))
    return any(
        name not in found or not np.abs(found[name] - v).max(initial=0) <= tolerance * scale
        for name, v in named(expected)
    )


def named(pairs: Parameters) -> Iterator[tuple[tuple[int, int], Array]]:
    """Yield ((layer, 0 for weights or 1 for biases), array) of every tensor."""
    for layer, pair in enumerate(pairs):
        for part, values in enumerate(pair):
            if values is not None:
                yield (layer, part), np.asarray(values, np.float64)


def updates(trace: Trace, start: int, end: int) -> Parameters | None:
    """Return the parameters at the end minus those at the start; None where one was not kept."""
    if not {start, end} <= set(trace.parameters):
        return None
    return map_arrays(np.subtract, trace.parameters[end], trace.parameters[start])


@dataclass(frozen=True)
class Evidence:
    """The first gradient that differs, as an update shows it where the first one is right.

    Args:
        found: of the adapter; an update over minus the learning rate.
        right: of the oracle.
        before: the parameters that it was taken at.
        rate: the learning rate of the update; 1 for the gradient itself.
    """

    found: Parameters
    right: Parameters
    before: Parameters
    rate: float
    digits: Digits = EXACT


def gradient_evidence(case: Case) -> Evidence | None:
    """Return the first gradient if it differs, else what `update_evidence` does."""
    trace, expected = case.trace, case.expected
    if differ(trace.gradients, expected.gradients, case.digits.insignificant):
        start = expected.parameters[0]
        return Evidence(trace.gradients, expected.gradients, start, 1.0, case.digits)
    return update_evidence(case)


def update_evidence(case: Case) -> Evidence | None:
    """Return the first update that differs, if the parameters before it were kept and right."""
    step = first_wrong_step(case)
    if not step:
        return None
    found, right = updates(case.trace, step - 1, step), updates(case.expected, step - 1, step)
    if found is None or right is None:
        return None
    rate = float(BatchPlan.of(case.experiment, case.seed).segment(step - 1, step).learning_rates[0])
    if not rate:
        return None  # a step of rate 0 shows no gradient
    before = case.expected.parameters[step - 1]
    moved, expected = _scaled(found, -1 / rate), _scaled(right, -1 / rate)
    return Evidence(moved, expected, before, rate, case.digits)


def _scaled(pairs: Parameters, factor: float) -> Parameters:
    return map_arrays(lambda v: v * factor, pairs)


def factors(
    found: Parameters | None, right: Parameters | None, digits: Digits = EXACT
) -> Factors | None:
    """Return the factor of every tensor, if each tensor is a multiple of the right one.

    Tensors whose right numbers are nearly 0 say nothing: their factor is 1.
    """
    if not found or not right:
        return None
    tensors = dict(named(found))
    if tensors.keys() != dict(named(right)).keys():
        return None
    largest = max(float(np.abs(v).max(initial=0)) for _, v in named(right))
    result = {}
    for name, b in named(right):
        a, size = tensors[name], float(np.abs(b).max(initial=0))
        if size <= NEGLIGIBLE * largest:
            result[name] = 1.0
            continue
        factor = float((a * b).sum() / (b * b).sum())
        smallest = 1e-6 if digits.exact else 1.0
        if not np.abs(a - factor * b).max() <= digits.collinear * max(abs(factor), smallest) * size:
            return None
        result[name] = 0.0 if abs(factor) < digits.collinear else digits.plain(factor)
    return tuple(
        tuple(result.get((layer, part), 1.0) for part, _ in enumerate(entry))
        for layer, entry in enumerate(right)
    )


def one_factor(
    found: Parameters | None, right: Parameters | None, digits: Digits = EXACT
) -> float | None:
    """Return the factor of all tensors, if it is one and not 1."""
    found_factors = factors(found, right, digits)
    if found_factors is None:
        return None
    counted = {factor for pair in found_factors for factor in pair} - {1.0}
    if len(counted) != 1 or not _all_carry_it(found_factors, right):
        return None
    return counted.pop()


def _all_carry_it(found: Factors, right: Parameters | None) -> bool:
    """Whether a factor of 1 stands only where the right tensor is nearly 0 or missing."""
    sizes = {name: float(np.abs(v).max(initial=0)) for name, v in named(right or [])}
    largest = max(sizes.values(), default=0.0)
    return all(
        found[layer][part] != 1.0 or size <= NEGLIGIBLE * largest
        for (layer, part), size in sizes.items()
    )


def rate_ratio(case: Case, start: int, end: int) -> float | None:
    """Return the size of an update relative to the right one, along the right one.

    The update is all that happens between two steps, `start` and `end`. None is returned where
    one of them was not kept, or where nothing can be said.
    """
    found, right = updates(case.trace, start, end), updates(case.expected, start, end)
    if found is None or right is None:
        return None
    return strength(flat(found), np.zeros(1), flat(right))


def strength(found: Floats, plain: Floats, whole: Floats) -> float | None:
    """Return s of found = plain + s (whole - plain), by least squares."""
    direction = whole - plain
    squared = float(direction @ direction)
    if not squared or found.shape != direction.shape or not np.isfinite(found).all():
        return None
    return float((found - plain) @ direction) / squared


def flat(pairs: Parameters) -> Floats:
    """Return all numbers as one vector."""
    return np.concatenate([v.ravel() for _, v in named(pairs)] or [np.zeros(0)])


def gradient_strength(case: Case, whole: Switches) -> float | None:
    """Return how much of a mistake, at its whole, is in the first gradient."""
    simulated = case.simulated(whole)
    return strength(
        flat(case.trace.gradients), flat(case.expected.gradients), flat(simulated.gradients)
    )


def second_update_strength(case: Case, whole: Switches) -> float | None:
    """Return how much of a mistake, at its whole, is in the parameters after two updates."""
    traces = (case.trace, case.expected, case.simulated(whole))
    if not all(2 in trace.parameters for trace in traces):
        return None
    return strength(*(flat(trace.parameters[2]) for trace in traces))


def decay_of(evidence: Evidence, on: Literal["weights", "all"], sign_only: bool = False) -> float:
    """Return s of found = right + s w, or of right + s sign(w), of weights or all parameters."""

    def picked(pairs: Parameters) -> Floats:
        return flat(map_biases(lambda _: None, pairs) if on == "weights" else pairs)

    w = picked(evidence.before)
    residual = picked(evidence.found) - picked(evidence.right)
    return strength(residual, np.zeros(1), np.sign(w) if sign_only else w) or 0.0


def norm(pairs: Parameters) -> float:
    """Return the norm of all tensors together."""
    return float(np.linalg.norm(flat(pairs)))
