"""How far rounding alone goes: the oracle rerun with noise of the size of rounding in every sum.

Frameworks add in other orders and write formulas in other ways. Where terms cancel, where an
optimizer divides a gradient by itself, or where a learning rate is too high, that moves results
by much more than the last bit, in every framework. How far is measured here, and allowed for.

This is Monte Carlo arithmetic (Parker, 1997): each result of an operation is moved at random by
the unit in the last place of what went into it. Runs come in pairs with opposite noise, so that
a gradient that is rounding alone is seen with either sign.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from harness.experiment.image_layers import AveragePool, Shape
from harness.experiment.losses import HingeLoss, Loss, LossOfValues
from harness.experiment.model import Experiment
from harness.experiment.network import Layer, WeightedLayer
from harness.experiment.training import Length
from harness.parameters import map_arrays
from harness.parity.clipped import Clipped
from harness.parity.computed_once import computed_once
from harness.parity.functions import Floats
from harness.parity.judgement import Judgement, Rung, Verdict
from harness.parity.reference import Masks, Reference, masks_of
from harness.parity.reference_updates import Pairs
from harness.parity.rungs import (
    EPS,
    FIRST_RUNGS,
    LATER_TOLERANCE,
    TOLERANCES,
    compare,
    equal_tolerances,
    loss_gaps,
    rung_name,
)
from harness.parity.trace import (
    KEPT_STEPS,
    Summed,
    Sums,
    Trace,
    expected_trace,
    first_batch,
    prepared_of,
    record,
)
from harness.start import initial_parameters
from harness.trainer import Array, Parameters

PAIRS = {"float64": 4, "float32": 2}
"""Reruns come in pairs of opposite noise. Those in float32 are made for every proof, and no single
number of theirs is judged by itself."""
FACTOR = 10
"""How often the largest difference that reruns show is allowed."""
FIRST_UNIT = {"float64": 1e-13, "float32": 4 * float(np.finfo(np.float32).eps)}
"""Noise of the first rungs. In float64 `FACTOR` times this is their tolerance, of all terms of a
sum in place of what is left of them."""
LATER_UNITS = 2
"""Noise of later rungs, in units in the last place: what a sum really costs."""
FIRST_STEPS = 2
NEAR_OVERFLOW = 1e4
"""Numbers within this factor of the largest one are not compared."""
GROWN_AT_MOST = 1e-5
"""Where rounding grows further, the end says little: `same while comparable`."""
COMPARABLE_AT_MOST = 1e-3
"""Losses are compared up to the step where rounding moves them by a tenth of this."""

OF_ONE = ("sigmoid", "softplus", "log_sigmoid", "hard_sigmoid", "hard_sigmoid_fifth")
OF_INPUT = ("swish", "gelu", "gelu_tanh", "mish", "hard_swish")
"""Activations that frameworks compute from others: rounding of 1, or of z, enters."""
EXACT = ("identity", "relu", "leaky_relu", "relu6", "hard_tanh", "step")
"""Activations whose slope is one of two constants that all frameworks have."""


CURVATURES = {
    "mean_squared_error": 2.0,
    "huber": 1.0,
    "log_cosh": 1.0,
    "squared_hinge": 2.0,
    "mean_absolute_error": 0.0,
    "hinge": 0.0,
}
"""The largest second derivative of a loss of values; slopes of the last two are exact."""


class Noisy(Reference):
    """The oracle with noise in every sum, function and slope.

    Args:
        experiment, parameters, inputs, targets, dtype: as in `Reference`.
        unit: of the noise, relative to the sum of the absolute values that were added up.
        sign: 1 or -1; the same generator with the other sign gives the opposite noise.
        seed: of the noise.
    """

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        dtype: str,
        *,
        unit: float,
        sign: int,
        seed: int,
    ) -> None:
        super().__init__(experiment, parameters, inputs, targets, dtype)
        self.unit, self.generator = sign * unit, np.random.default_rng(seed)

    def _moved(self, values: Floats, scale: Floats) -> Floats:
        """The values, each up or down by one unit of its scale."""
        signs = self.generator.integers(0, 2, values.shape) * 2 - 1
        moved: Floats = values + (self.unit * scale * signs).astype(values.dtype)
        return moved

    def _affine(self, a: Floats, W: Floats, b: Floats | None) -> Floats:
        z = super()._affine(a, W, b)
        terms = super()._affine(np.abs(a), np.abs(W), None if b is None else np.abs(b))
        return self._moved(z, np.where(self._is_exact(a, W, b, z), 0, terms))

    def _is_exact(self, a: Floats, W: Floats, b: Floats | None, z: Floats) -> Any:
        """Where float32 has the same sum: then it is one of few digits, and nothing is rounded.

        Small whole numbers make such sums, and with them a kink is reached exactly.
        """
        if self.dtype != "float64":
            return False
        a, W = a.astype(np.float32), W.astype(np.float32)
        in_few_digits = super()._affine(a, W, None if b is None else b.astype(np.float32))
        return in_few_digits == z

    def _activate(self, layer: WeightedLayer, z: Floats) -> Floats:
        a, name = super()._activate(layer, z), layer.activation
        if name in EXACT:
            return a
        more = 1.0 if name in OF_ONE else np.abs(z) if name in OF_INPUT else 0.0
        return self._moved(a, np.abs(a) + more)

    def _slope(self, layer: WeightedLayer, z: Floats) -> Floats:
        slope = super()._slope(layer, z)
        return slope if layer.activation in EXACT else self._moved(slope, np.abs(slope) + 1)

    def _of_image(self, layer: Layer, a: Floats, shape: Shape) -> tuple[Floats, Floats]:
        factors, values = super()._of_image(layer, a, shape)
        if not isinstance(layer, AveragePool):
            return factors, values
        return factors, self._moved(values, super()._of_image(layer, np.abs(a), shape)[1])

    def _weights_gradient(self, a: Floats, delta: Floats) -> Floats:
        terms = super()._weights_gradient(np.abs(a), np.abs(delta))
        return self._moved(super()._weights_gradient(a, delta), terms)

    def _biases_gradient(self, delta: Floats) -> Floats:
        return self._moved(super()._biases_gradient(delta), super()._biases_gradient(np.abs(delta)))

    def _inputs_gradient(self, delta: Floats, W: Floats) -> Floats:
        terms = super()._inputs_gradient(np.abs(delta), np.abs(W))
        return self._moved(super()._inputs_gradient(delta, W), terms)

    def _losses(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        losses, slopes = super()._losses(loss, z, y)
        if isinstance(loss, LossOfValues):
            return self._moved_of_values(loss, z, np.asarray(y, self.dtype), losses, slopes)
        largest = np.abs(z).max(axis=1, keepdims=True)
        return self._moved(losses, losses + largest), self._moved(slopes, np.abs(slopes) + 1)

    def _moved_of_values(
        self, loss: LossOfValues, a: Floats, y: Floats, losses: Floats, slopes: Floats
    ) -> tuple[Floats, Floats]:
        """Losses and slopes moved by rounding of the terms of a - y, or of 1 - y a.

        A slope moves with them as far as the loss is curved. That of log cosh is made of a
        sigmoid, and its value of a logarithm of 2.
        """
        terms = 1 + np.abs(y * a) if isinstance(loss, HingeLoss) else np.abs(a) + np.abs(y)
        curvature = CURVATURES[loss.name]
        if loss.name == "huber" and loss.over_delta:
            curvature /= loss.delta
        more = 1.0 if loss.name == "log_cosh" else 0.0
        moved = self._moved(losses, losses + np.abs(slopes) * terms + more)
        return moved, self._moved(slopes, curvature * terms + more) if curvature else slopes


@computed_once
def first_allowances(experiment: Experiment, seed: int, dtype: str = "float64") -> Trace:
    """Return, per number of the first two steps, how far rounding may move it.

    That is ten times the largest difference of the reruns: of outputs, gradients, and parameters
    after one and two updates.
    """
    short = experiment
    if experiment.training is not None:
        short = experiment.of_length(Length(steps=min(FIRST_STEPS, experiment.steps)))
    expected = expected_trace(short, seed)
    reruns = _reruns(short, seed, dtype, FIRST_UNIT[dtype])

    def allowed(part: Callable[[Trace], Parameters]) -> Parameters:
        return _largest_gaps([part(rerun) for rerun in reruns], part(expected))

    return Trace(
        outputs=allowed(lambda trace: trace.output_pairs)[0][0],
        gradients=allowed(lambda trace: trace.gradients),
        parameters={
            step: allowed(lambda trace, step=step: trace.parameters[step])  # type: ignore[misc]
            for step in expected.parameters
            if step > 0
        },
        losses=None,
    )


def _largest_gaps(traces: Iterable[Parameters], expected: Parameters) -> Parameters:
    """Return `FACTOR` times the largest |difference| of every number."""

    def largest(right: Floats, *others: Floats) -> Floats:
        gaps: Floats = FACTOR * np.max([np.abs(other - right) for other in others], axis=0)
        return gaps

    return map_arrays(largest, expected, *traces)


@computed_once
def expected_in(
    experiment: Experiment, seed: int, dtype: str, kept: tuple[int, ...] = KEPT_STEPS
) -> Trace:
    """Return the oracle's trace as far as its numbers are finite in this precision.

    A protocol that diverges overflows earlier in float32: some rerun shows when. Close to the
    largest number it depends on the order of a sum.
    """
    largest = float(np.finfo(dtype).max) / NEAR_OVERFLOW
    expected = expected_trace(experiment, seed, kept)
    reruns = _reruns(experiment, seed, dtype, LATER_UNITS * float(np.finfo(dtype).eps))
    losses, last = expected.losses, experiment.steps
    if losses is not None:
        of_reruns = [rerun.losses for rerun in reruns if rerun.losses is not None]
        finite = (np.abs(of_reruns) < largest).all(axis=0)
        if not finite.all():
            last = int(np.argmin(finite))
            losses = np.where(np.arange(len(losses)) < last, losses, np.nan)
    finite_parameters = {
        step: pairs
        for step, pairs in expected.parameters.items()
        if step <= last
        and all(_are_below(largest, rerun.parameters.get(step, [])) for rerun in reruns)
    }
    return replace(expected, parameters=finite_parameters, losses=losses)


def _are_below(largest: float, parameters: Parameters) -> bool:
    values = (v for pair in parameters for v in pair if v is not None)
    return all(bool((np.abs(v) < largest).all()) for v in values)


@computed_once
def rounding_tolerances(experiment: Experiment, seed: int, dtype: str) -> dict[str, float]:
    """Return per rung ten times the largest difference that rounding makes, at least 32 eps."""
    expected = expected_in(experiment, seed, dtype)
    eps = float(np.finfo(dtype).eps)
    worst: dict[str, float] = {}
    for trace in _reruns(experiment, seed, dtype, LATER_UNITS * eps):
        for rung in compare(trace, expected, equal_tolerances(float("inf")), eps):
            worst[rung.name] = max(worst.get(rung.name, 0.0), rung.difference)
    return {name: max(FACTOR * value, 32 * eps) for name, value in worst.items()}


def judge_with_growth(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int, allowed: Trace
) -> Judgement | None:
    """Return the judgement of a float64 trace if growing rounding explains it, None if not.

    Growth is allowed for after the first update; the rungs before are judged by `allowed`. Where
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
    rungs = compare(trace, expected, TOLERANCES | later, allowed=allowed)
    growth = (
        f"rounding grows in this protocol: it alone makes differences up to {largest / FACTOR:.0e}"
    )
    if largest <= GROWN_AT_MOST:
        all_hold = all(rung.passed for rung in rungs)
        return Judgement(Verdict.SAME, growth, rungs) if all_hold else None
    steps = _comparable_steps(trace, expected, experiment, seed)
    if steps is None or not _first_updates_hold(rungs):
        return None
    reason = f"{growth}; compared for {steps} steps"
    return Judgement(Verdict.SAME_WHILE_COMPARABLE, reason, rungs)


def outputs_beyond_rounding(
    experiment: Experiment, parameters: Parameters, inputs: Array, outputs: Array, dtype: str
) -> float:
    """Return how far outputs are from the oracle's forward pass of these parameters.

    Args:
        experiment: the protocol.
        parameters: of a trained network.
        inputs: (rows, inputs).
        outputs: (rows, outputs), what an adapter predicts with these parameters.
        dtype: the adapter's precision.

    Returns:
        max(|a - b| - what rounding may do) / max|b|; 0 where all is within rounding.
    """
    with np.errstate(all="ignore"):
        oracle = Reference(experiment, parameters, inputs, None)
        right = oracle.predict(inputs)
        noisy = [
            Noisy(experiment, parameters, inputs, None, dtype, **noise).predict(inputs)
            for noise in _noises(FIRST_UNIT[dtype], dtype)
        ]
        (within, _), *_ = _largest_gaps([[(values, None)] for values in noisy], [(right, None)])
        known = np.isfinite(right) & np.isfinite(within)  # in this precision, too
        gaps = np.where(known, np.abs(np.subtract(outputs, right)) - within, 0.0)
        scale = float(np.abs(right[known]).max(initial=0)) or 1.0
        return max(float(np.nan_to_num(gaps, nan=np.inf).max(initial=0)) / scale, 0.0)


def gradients_at_the_end(
    trace: Trace, experiment: Experiment, seed: int, dtype: str
) -> tuple[Parameters, Parameters, float]:
    """Return what the gradients of a further step should be, at the trace's own parameters.

    Args:
        trace: of an adapter, with gradients of a further step.
        experiment: of a proof's length.
        seed: of the batches.
        dtype: the adapter's precision.

    Returns:
        The gradients of the first batch in float64; what was added up for them; and their
        tolerance, `FACTOR` times the largest difference that rounding makes, at least 32 eps.
    """
    eps, last = float(np.finfo(dtype).eps), trace.gradient_step
    start, train = trace.parameters[last], prepared_of(experiment).train
    batch = first_batch(experiment, seed)
    rows = slice(None) if batch.rows is None else batch.rows[0]
    X, y, counted = train.inputs[rows], np.asarray(train.targets)[rows], int(batch.sizes[0])
    masks = masks_of(batch, 0, experiment)

    def gradients_of(network: Reference) -> Pairs:
        rows = np.asarray(X, network.dtype)
        return network.loss_and_gradients(rows, y, counted, masks=masks)[1]

    with np.errstate(all="ignore"):
        right = gradients_of(Reference(experiment, start, X, y))
        added_up = gradients_of(Summed(experiment, start, X, y))
        noises = _noises(LATER_UNITS * eps, dtype)
        reruns = [gradients_of(Noisy(experiment, start, X, y, dtype, **noise)) for noise in noises]
    expected = Trace(None, right, {}, None, sums=Sums(added_up, []))
    worst = 0.0
    for gradients in reruns:
        rerun = Trace(None, gradients, {last: start}, None, gradient_step=last)
        (rung,) = compare(rerun, expected, equal_tolerances(float("inf")), eps)
        worst = max(worst, rung.difference)
    return right, added_up, max(FACTOR * worst, 32 * eps)


def rounded_losses(
    experiment: Experiment,
    parameters: Parameters,
    inputs: Array,
    targets: Array,
    dtype: str,
    masks: Masks | None = None,
) -> tuple[tuple[float, float], float]:
    """Return what the loss of one batch may be, and by how much rounding may move it.

    Args:
        experiment: the protocol.
        parameters: of the network.
        inputs: (rows, inputs), the rows of the batch that count.
        targets: of these rows, as in `harness.trainer.Task`.
        dtype: the adapter's precision.
        masks: of these rows, for every dropout layer; None without any.

    Returns:
        The loss as the protocol states it and the loss of clipped probabilities; how far rounding
        may move them.
    """

    def loss_of(network: Reference) -> float:
        rows = np.asarray(inputs, network.dtype)
        return network.loss_and_gradients(rows, targets, len(rows), masks=masks)[0]

    with np.errstate(all="ignore"):
        right = loss_of(Reference(experiment, parameters, inputs, targets))
        clipped = loss_of(Clipped(experiment, parameters, inputs, targets, dtype))
        noisy = [
            loss_of(Noisy(experiment, parameters, inputs, targets, dtype, **noise))
            for noise in _noises(FIRST_UNIT[dtype], dtype)
        ]
    return (right, clipped), FACTOR * max(abs(loss - right) for loss in noisy)


def _first_updates_hold(rungs: tuple[Rung, ...]) -> bool:
    return all(rung.passed for rung in rungs if rung.name in (*FIRST_RUNGS, rung_name(2)))


def _comparable_steps(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int
) -> int | None:
    """How many steps are comparable; None if a loss among them is wrong. 2 without losses."""
    if trace.losses is None or expected.losses is None:
        return 2
    tolerances = np.maximum(LATER_TOLERANCE, FACTOR * _grown_losses(experiment, seed, expected))
    steps = int(np.argmax(tolerances > COMPARABLE_AT_MOST)) or len(tolerances)
    gaps = loss_gaps(trace, expected)
    return steps if (gaps[:steps] <= tolerances[:steps]).all() else None


def _grown_losses(experiment: Experiment, seed: int, expected: Trace) -> Floats:
    """Per step, how far rounding alone has moved a loss up to then (steps,)."""
    gaps = [
        loss_gaps(trace, expected)
        for trace in _reruns(experiment, seed, "float64", LATER_UNITS * EPS)
        if trace.losses is not None
    ]
    return np.maximum.accumulate(np.max(gaps, axis=0))


@computed_once
def _reruns(experiment: Experiment, seed: int, dtype: str, unit: float) -> tuple[Trace, ...]:
    """Traces of the oracle that differ by noise of this unit, in pairs of opposite noise."""
    given, prepared = initial_parameters(experiment, seed, dtype), prepared_of(experiment)
    inputs, targets = prepared.train.inputs.astype(dtype), prepared.train.targets
    traces = []
    for noise in _noises(unit, dtype):

        def build(protocol: Experiment, noise: dict[str, Any] = noise) -> Reference:
            return Noisy(protocol, given, inputs, targets, dtype, **noise)

        with np.errstate(all="ignore"):
            traces.append(record(build, experiment, prepared, seed))
    return tuple(traces)


def _noises(unit: float, dtype: str) -> list[dict[str, Any]]:
    """The noise of every rerun, as arguments of `Noisy`."""
    seeds = range(PAIRS[dtype])
    return [{"unit": unit, "sign": sign, "seed": seed} for seed in seeds for sign in (1, -1)]
