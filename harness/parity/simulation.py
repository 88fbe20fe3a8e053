"""The trace that the oracle leaves with a mistake, and how far rounding parts it from itself."""

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.training import Length
from harness.parameters import map_arrays
from harness.parity.mistakes import Mistaken
from harness.parity.rungs import compare, equal_tolerances
from harness.parity.switches import Switches
from harness.parity.trace import KEPT_STEPS, Trace, prepared_of, record
from harness.start import initial_parameters
from harness.trainer import Parameters

MOVED = 4 * float(np.finfo(np.float64).eps)
NEAR_ZERO = 1.0
"""Parameters that start nearer to 0 than this are moved as if they were this large."""


def mistaken_trace(
    experiment: Experiment,
    seed: int,
    switches: Switches,
    start: Parameters | None = None,
    kept: tuple[int, ...] = KEPT_STEPS,
) -> Trace:
    """Return the oracle's trace with mistakes, from the protocol's start or another."""
    prepared = prepared_of(experiment)
    if start is None:
        start = initial_parameters(experiment, seed, "float64")

    def build(protocol: Experiment) -> Mistaken:
        train = prepared.train
        return Mistaken(protocol, start, train.inputs, train.targets, switches)

    with np.errstate(all="ignore"):  # a mistake may well diverge
        return finite_part(record(build, experiment, prepared, seed, kept))


def growth(
    experiment: Experiment,
    seed: int,
    switches: Switches,
    start: Parameters | None,
    kept: tuple[int, ...],
) -> dict[str, float]:
    """Return per rung how far the last bits of the start move the trace with mistakes."""
    start = initial_parameters(experiment, seed, "float64") if start is None else start
    plain = mistaken_trace(experiment, seed, switches, start, kept)
    worst: dict[str, float] = {}
    for eps in (-MOVED, MOVED):
        moved = map_arrays(lambda v, eps=eps: v + eps * np.maximum(np.abs(v), NEAR_ZERO), start)
        trace = mistaken_trace(experiment, seed, switches, moved, kept)
        for rung in compare(trace, plain, equal_tolerances(np.inf)):
            difference = np.inf if np.isnan(rung.difference) else rung.difference
            worst[rung.name] = max(worst.get(rung.name, 0.0), difference)
    return worst


def shortened(experiment: Experiment, steps: int) -> Experiment:
    """Return the protocol cut to so many steps."""
    if experiment.training is None:
        return experiment
    return experiment.of_length(Length(steps=min(steps, experiment.steps)))


def cut(trace: Trace, steps: int) -> Trace:
    """Return a trace cut to the steps that it holds up to `steps`."""
    kept = {step: pairs for step, pairs in trace.parameters.items() if step <= steps}
    losses = None if trace.losses is None else trace.losses[:steps]
    unknown = None if trace.unknown_losses is None else trace.unknown_losses[:steps]
    return Trace(trace.outputs, trace.gradients, kept, losses, unknown_losses=unknown)


def finite_part(trace: Trace) -> Trace:
    """Return a trace as far as it is finite; losses are NaN from there on."""
    finite = {
        step: pairs
        for step, pairs in trace.parameters.items()
        if all(np.isfinite(v).all() for pair in pairs for v in pair if v is not None)
    }
    losses = trace.losses
    if losses is not None:
        lost = np.isinf(losses)
        if len(finite) < len(trace.parameters):
            lost = lost | (np.arange(len(losses)) >= max(finite, default=0))
        losses = np.where(np.logical_or.accumulate(lost), np.nan, losses)
    unknown = trace.unknown_losses
    return Trace(trace.outputs, trace.gradients, finite, losses, unknown_losses=unknown)
