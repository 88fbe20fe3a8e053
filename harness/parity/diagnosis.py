"""Why a trace differs: the oracle is rerun with known mistakes to find those that reproduce it.

A hypothesis is accepted only if it reproduces everything the trace holds: outputs, gradients,
parameters at every kept step and losses. Hypotheses that this protocol cannot tell apart are
named together. Where none does, only the first differing tensor is named.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.training import Length
from harness.parity.hypotheses import NETWORK, Hypothesis, hypotheses
from harness.parity.judgement import Judgement, first_failure
from harness.parity.mistakes import Mistaken, Switches
from harness.parity.rungs import compare, equal_tolerances
from harness.parity.trace import Trace, expected_trace, prepared_of, record
from harness.start import initial_parameters
from harness.trainer import Parameters

REPRODUCED = 1e-9
"""Differences of a trace from the mistake that explains it: rounding only."""
SCREENED_STEPS, BEGINNING = 2, 8
NAMED_AT_MOST = 4


def with_cause(judgement: Judgement, trace: Trace, experiment: Experiment, seed: int) -> Judgement:
    """Return the judgement with the cause in words, and where it is seen first.

    Args:
        judgement: that the trace differs.
        trace: of the adapter, with its first 20 steps where they could be kept.
        experiment: of a proof's length.
        seed: of the trace's start.
    """
    seen = first_difference(trace, experiment, seed) or judgement.reason
    obvious = _obvious_cause(trace, experiment, seed)
    if obvious:
        return dataclasses.replace(judgement, reason=f"{obvious}; {seen}")
    causes = diagnose(trace, experiment, seed)
    if not causes:
        return dataclasses.replace(judgement, reason=f"{seen}; {_where_to_look(judgement)}")
    # that the start is the adapter's own is said only where no mistake explains the start
    causes = [cause for cause in causes if not cause.own_start] or causes
    words = list(dict.fromkeys(cause.words for cause in causes))[:NAMED_AT_MOST]
    reason = f"{', or '.join(words)} (contract: {causes[0].line}); {seen}"
    return dataclasses.replace(judgement, reason=reason)


def diagnose(trace: Trace, experiment: Experiment, seed: int) -> list[Hypothesis]:
    """Return the hypotheses that reproduce the trace, the plainest first.

    A mistake may make a run chaotic, so that rounding alone parts it from its own repetition
    before the end. If nothing reproduces the whole, what reproduces its beginning is returned,
    provided that the beginning is wrong already.
    """
    expected = expected_trace(experiment, seed, trace.has_first_20_steps)
    first_steps = _cut(trace, SCREENED_STEPS)
    screened = [
        hypothesis
        for hypothesis in hypotheses(experiment, trace, expected)
        if _reproduces(hypothesis, first_steps, _shortened(experiment, SCREENED_STEPS), seed)
    ]
    complete = [h for h in screened if _reproduces(h, trace, experiment, seed)]
    beginning, shortened = _cut(trace, BEGINNING), _shortened(experiment, BEGINNING)
    if complete or first_failure(compare(beginning, expected)) is None:
        return complete
    return [h for h in screened if _reproduces(h, beginning, shortened, seed)]


def first_difference(trace: Trace, experiment: Experiment, seed: int) -> str:
    """Return `seen first in 3 steps: weights of layer 1 differ by 1e-3`, or "" without any."""
    expected = expected_trace(experiment, seed, trace.has_first_20_steps)
    failed = first_failure(compare(trace, expected))
    return "" if failed is None else f"seen first in {failed.where} by {failed.difference:.1e}"


def _where_to_look(judgement: Judgement) -> str:
    """The advice where nothing known reproduces the trace."""
    failed = judgement.first_failure
    places = {
        "start": "look at how the start is taken over",
        "outputs": "look at the forward pass: start and inputs are as they should be, or not yet",
        "gradients": "the forward pass is right; look at the rows taken, the loss and its gradient",
        "losses": "all parameters are right; return the loss of every step, before its update",
    }
    later = "the first gradient is right; look at the optimizer and at the rows of later steps"
    where = places.get(failed.name, later) if failed else later
    return f"no known mistake reproduces it; {where}"


def _obvious_cause(trace: Trace, experiment: Experiment, seed: int) -> str:
    """What needs no rerun: other shapes, numbers that are not finite, float32. "" without."""
    expected = expected_trace(experiment, seed)
    if compare(trace, expected)[0].difference == float("inf"):
        start, expected_start = trace.parameters[0], expected.parameters[0]
        kernels = [W.shape for W, _ in start] == [W.shape for W, _ in expected_start]
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
    """Whether the oracle with this mistake leaves the same trace, but for rounding."""
    start = trace.parameters[0] if hypothesis.own_start else None
    detailed = trace.has_first_20_steps
    simulated = mistaken_trace(experiment, seed, hypothesis.switches, start, detailed)
    return any(
        first_failure(compare(trace, variant, equal_tolerances(REPRODUCED))) is None
        for variant in _as_shown(simulated, hypothesis, trace)
    )


def mistaken_trace(
    experiment: Experiment,
    seed: int,
    switches: Switches,
    start: Parameters | None = None,
    keep_first_20_steps: bool = False,
) -> Trace:
    """Return the oracle's trace with mistakes, from the protocol's start or another."""
    prepared = prepared_of(experiment)
    if start is None:
        start = initial_parameters(experiment, seed, "float64")

    def build(protocol: Experiment) -> Mistaken:
        train = prepared.train
        return Mistaken(protocol, start, train.inputs, train.targets, switches)

    with np.errstate(all="ignore"):  # a mistake may well diverge
        return record(build, experiment, prepared, seed, keep_first_20_steps)


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


def _with_biases_of(pairs: Parameters, others: Parameters) -> Parameters:
    return [(W, b) for (W, _), (_, b) in zip(pairs, others, strict=True)]


def _shortened(experiment: Experiment, steps: int) -> Experiment:
    """The proof cut to fewer steps."""
    if experiment.training is None:
        return experiment
    return experiment.of_length(Length(steps=min(steps, experiment.steps)))


def _cut(trace: Trace, steps: int) -> Trace:
    """The same cut of a trace."""
    kept = {step: pairs for step, pairs in trace.parameters.items() if step <= steps}
    losses = None if trace.losses is None else trace.losses[: max(kept)]
    return Trace(trace.outputs, trace.gradients, kept, losses)
