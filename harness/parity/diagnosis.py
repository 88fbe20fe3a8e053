"""Why a trace differs: the oracle is rerun under its switches to find those that reproduce it.

A hypothesis is accepted only if it reproduces everything the trace holds: outputs, gradients,
parameters at every kept step and losses. Several that do so cannot be told apart on this
protocol and are named together. Where none does, the first differing tensor is all that is said.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.training import Length
from harness.parity.hypotheses import NETWORK, Hypothesis, hypotheses
from harness.parity.ladder import Judgement, compared, expected_trace, prepared_of
from harness.parity.trace import KEPT, Trace, reference_trace
from harness.trainer import Parameters

REPRODUCED = 1e-9
"""Differences of a trace from the mistake that explains it: rounding only."""
SCREENED_STEPS, BEGINNING = 2, 8
NAMED_AT_MOST = 4


def explained(judgement: Judgement, trace: Trace, experiment: Experiment, seed: int) -> Judgement:
    """The judgement with the cause in words, and where it is seen first.

    Args:
        judgement: that the trace differs.
        trace: of the adapter, its first 20 steps whole where they could be kept.
        experiment: of a proof's length.
        seed: of the trace's start.
    """
    seen = first_difference(trace, experiment, seed) or judgement.reason
    special = _by_sight(trace, experiment, seed)
    if special:
        return dataclasses.replace(judgement, reason=f"{special}; {seen}")
    causes = diagnose(trace, experiment, seed)
    if not causes:
        return dataclasses.replace(judgement, reason=f"{seen}; {_narrowed(judgement)}")
    # a start of its own is said only where nothing says which
    causes = [cause for cause in causes if not cause.own_start] or causes
    named = list(dict.fromkeys(cause.words for cause in causes))[:NAMED_AT_MOST]
    words = ", or ".join(named)
    line = causes[0].line
    return dataclasses.replace(judgement, reason=f"{words} (contract: {line}); {seen}")


def diagnose(trace: Trace, experiment: Experiment, seed: int) -> list[Hypothesis]:
    """The hypotheses that reproduce the trace, the plainest first.

    A mistake may make a run chaotic, so that rounding alone parts it from its own repetition
    before the end: if nothing reproduces the whole, what reproduces its beginning will do,
    provided that the beginning is wrong already.
    """
    closely = len(trace.parameters) > len(KEPT)
    expected = expected_trace(experiment, seed, closely)
    few = _cut(trace, SCREENED_STEPS)
    screened = [
        hypothesis
        for hypothesis in hypotheses(experiment, trace, expected)
        if _reproduces(hypothesis, few, _shortened(experiment, SCREENED_STEPS), seed)
    ]
    whole = [h for h in screened if _reproduces(h, trace, experiment, seed)]
    if whole or all(rung.passed for rung in compared(_cut(trace, BEGINNING), expected, None)):
        return whole
    beginning, short = _cut(trace, BEGINNING), _shortened(experiment, BEGINNING)
    return [h for h in screened if _reproduces(h, beginning, short, seed)]


def first_difference(trace: Trace, experiment: Experiment, seed: int) -> str:
    """`seen first in step 3: weights of layer 1 differ by 1e-3`, as closely as the trace tells."""
    closely = len(trace.parameters) > len(KEPT)
    rungs = compared(trace, expected_trace(experiment, seed, closely), None)
    failed = next((rung for rung in rungs if not rung.passed), None)
    return "" if failed is None else f"seen first in {failed.where} by {failed.difference:.1e}"


def _narrowed(judgement: Judgement) -> str:
    """Where to look when nothing known reproduces the trace."""
    failed = judgement.first_failure
    places = {
        "start": "look at how the start is taken over",
        "outputs": "look at the forward pass: start and inputs are as they should be, or not yet",
        "gradients": "the forward pass is right; look at the rows taken, the loss and its gradient",
    }
    later = "the first gradient is right; look at the optimizer and at the rows of later steps"
    where = places.get(failed.name, later) if failed else later
    return f"no known mistake reproduces it; {where}"


def _by_sight(trace: Trace, experiment: Experiment, seed: int) -> str:
    """What needs no rerun: other shapes, numbers that are not finite, float32 inside."""
    expected = expected_trace(experiment, seed)
    if compared(trace, expected, None)[0].difference == float("inf"):
        found, right = trace.parameters[0], expected.parameters[0]
        kernels = [W.shape for W, _ in found] == [W.shape for W, _ in right]
        return f"{'there are no biases' if kernels else 'a width is wrong'} (contract: {NETWORK})"
    arrays = [
        np.asarray(values, np.float64)
        for step, parameters in trace.parameters.items()
        for pair in parameters
        for values in pair
        if values is not None and step > 0
    ]
    if not all(np.isfinite(values).all() for values in arrays):
        return "parameters are not finite"
    rounded = all(np.array_equal(v, v.astype(np.float32).astype(np.float64)) for v in arrays)
    if arrays and rounded and any(v.any() for v in arrays):
        return "it computes in float32 inside a float64 proof (contract: Task.dtype)"
    return ""


def _reproduces(hypothesis: Hypothesis, trace: Trace, experiment: Experiment, seed: int) -> bool:
    start: Parameters | None = trace.parameters[0] if hypothesis.own_start else None
    simulated = reference_trace(
        experiment,
        prepared_of(experiment),
        seed,
        hypothesis.switches,
        closely=sorted(trace.parameters)[-1] > 2 and 3 in trace.parameters,
        parameters=start,
    )
    return any(
        all(rung.passed for rung in compared(trace, variant, REPRODUCED))
        for variant in _as_shown(simulated, hypothesis, trace)
    )


def _as_shown(simulated: Trace, hypothesis: Hypothesis, trace: Trace) -> list[Trace]:
    """How an adapter with this mistake may show its parameters.

    One that reads a kernel the wrong way round may show it the same wrong way round, so that it
    looks right from outside; one without biases may show anything in their place.
    """
    layer = hypothesis.switches.transposed
    if layer is not None:
        return [simulated, _mapped(simulated, lambda pairs, _: _turned_back(pairs, layer), trace)]
    if hypothesis.switches.biases == "missing":
        return [_mapped(simulated, _with_biases_of, trace)]
    return [simulated]


def _mapped(
    simulated: Trace, function: Callable[[Parameters, Parameters], Parameters], trace: Trace
) -> Trace:
    parameters = {
        step: function(pairs, trace.parameters[step])
        for step, pairs in simulated.parameters.items()
        if step in trace.parameters
    }
    gradients = function(simulated.gradients, trace.gradients)
    return dataclasses.replace(simulated, parameters=parameters, gradients=gradients)


def _turned_back(pairs: Parameters, layer: int | str) -> Parameters:
    return [
        (W.T.reshape(W.shape), b) if layer in (index, "all") else (W, b)
        for index, (W, b) in enumerate(pairs)
    ]


def _with_biases_of(pairs: Parameters, shown: Parameters) -> Parameters:
    return [(W, b) for (W, _), (_, b) in zip(pairs, shown, strict=True)]


def _shortened(experiment: Experiment, steps: int) -> Experiment:
    """The proof cut to fewer steps."""
    if experiment.training is None:
        return experiment
    return experiment.of_length(Length(steps=min(steps, experiment.steps)))


def _cut(trace: Trace, steps: int) -> Trace:
    """The same cut of a trace."""
    kept = {step: p for step, p in trace.parameters.items() if step <= steps}
    losses = None if trace.losses is None else trace.losses[: max(kept)]
    return Trace(trace.outputs, trace.gradients, kept, losses)
