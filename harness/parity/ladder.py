"""The ladder: the judgement of a trace, rung by rung, against the oracle's."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.clipped import are_clipped
from harness.parity.functions import kinks_of
from harness.parity.judgement import Judgement, Rung, Verdict, first_failure
from harness.parity.rounding import (
    expected_in,
    first_allowances,
    gradients_at_the_end,
    judge_with_growth,
    outputs_beyond_rounding,
    rounding_tolerances,
)
from harness.parity.rungs import FIRST_RUNGS, compare, rung_name
from harness.parity.trace import Trace, expected_trace, is_finite, kept_steps, predicted_rows

EPS32 = float(np.finfo(np.float32).eps)
FINAL_OUTPUTS = "outputs after training"
FINAL_TOLERANCE: Mapping[str, float] = {"float64": 1e-12, "float32": 32 * EPS32}
"""How far outputs may lie beyond rounding from the forward pass of the same parameters."""
CANCELS = "terms cancel here, and rounding with them: compared as far as it allows"
CLIPPED = (
    "the losses it returns are those of clipped probabilities; judged by outputs, gradients and "
    "parameters"
)


def judge(trace: Trace, experiment: Experiment, seed: int, dtype: str = "float64") -> Judgement:
    """Climb the ladder with a trace of a proof.

    Args:
        trace: of the adapter.
        experiment: of a proof's length.
        seed: of the trace's start.
        dtype: of the trace; float32 traces get a measured tolerance.
    """
    kept = kept_steps(trace, experiment)
    climb, expected = _climb, expected_trace(experiment, seed, kept)
    if dtype != "float64":
        climb, expected = _climb_in_float32, expected_in(experiment, seed, dtype, kept)
    judgement = climb(trace, expected, experiment, seed)
    wrong_losses = any(rung.name == "losses" and not rung.passed for rung in judgement.rungs)
    if wrong_losses and _are_clipped(trace, experiment, seed, dtype):
        unclipped = dataclasses.replace(trace, losses=None)
        judgement = climb(unclipped, expected, experiment, seed)
        judgement = _remarked(judgement, CLIPPED)
    return _with_final_outputs(judgement, trace, expected, experiment, dtype)


def _are_clipped(trace: Trace, experiment: Experiment, seed: int, dtype: str) -> bool:
    grown = rounding_tolerances(experiment, seed, dtype).get("losses", 0.0)
    return trace.losses is not None and are_clipped(trace.losses, experiment, seed, dtype, grown)


def _climb(trace: Trace, expected: Trace, experiment: Experiment, seed: int) -> Judgement:
    """In float64: strictly, then as far as rounding of terms that cancel allows, then growth."""
    diverges = _where_it_diverges(expected)
    rungs = compare(trace, expected)
    failed = first_failure(rungs)
    if failed is None:
        return Judgement(Verdict.SAME, diverges, rungs)
    if failed.name == "start":
        return _different(failed, rungs)
    allowed = first_allowances(experiment, seed)
    rungs = compare(trace, expected, allowed=allowed)
    failed = first_failure(rungs)
    if failed is None:
        return _remarked(Judgement(Verdict.SAME, diverges, rungs), CANCELS)
    growth = None
    if failed.name not in FIRST_RUNGS:
        growth = judge_with_growth(trace, expected, experiment, seed, allowed)
    return growth or _different(failed, rungs)


def _climb_in_float32(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int
) -> Judgement:
    tolerances = rounding_tolerances(experiment, seed, "float32")
    if trace.gradient_step and expected.sums is not None:
        gradients, added_up, tolerance = gradients_at_the_end(trace, experiment, seed, "float32")
        sums = dataclasses.replace(expected.sums, gradients=added_up)
        expected = dataclasses.replace(expected, gradients=gradients, sums=sums)
        tolerances = tolerances | {"gradients": tolerance}
    rungs = compare(trace, expected, tolerances, EPS32)
    failed = first_failure(rungs)
    if failed is None:
        return Judgement(Verdict.SAME_TO_FLOAT32, _where_it_diverges(expected), rungs)
    if _is_relu_fork(rungs, experiment):
        fork = "after step 2 a ReLU's input lies on the other side of 0, by rounding"
        return Judgement(Verdict.SAME_TO_FLOAT32, fork, rungs)
    return _different(failed, rungs)


def _with_final_outputs(
    judgement: Judgement, trace: Trace, expected: Trace, experiment: Experiment, dtype: str
) -> Judgement:
    """Add the rung of the outputs after training: are they those of the adapter's parameters?"""
    last = max(trace.parameters, default=0)
    if trace.final_outputs is None or not judgement.proven or last == 0:
        return judgement
    parameters = trace.parameters[last]
    if not is_finite(parameters) or last not in expected.parameters:
        return judgement
    rows, outputs = predicted_rows(experiment), trace.final_outputs
    beyond = outputs_beyond_rounding(experiment, parameters, rows, outputs, dtype)
    tolerance = FINAL_TOLERANCE[dtype]
    where = "" if beyond <= tolerance else f"{FINAL_OUTPUTS} are not those of its own parameters"
    rung = Rung(FINAL_OUTPUTS, beyond, tolerance, where)
    rungs = (*judgement.rungs, rung)
    if rung.passed:
        return dataclasses.replace(judgement, rungs=rungs)
    reason = f"{where}; they differ by {beyond:.1e}"
    return Judgement(Verdict.DIFFERENT, reason, rungs)


def _remarked(judgement: Judgement, remark: str) -> Judgement:
    """The judgement with a remark before its reason."""
    reason = "; ".join(filter(None, [remark, judgement.reason]))
    return dataclasses.replace(judgement, reason=reason)


def _different(failed: Rung, rungs: tuple[Rung, ...]) -> Judgement:
    reason = f"{failed.where} by {failed.difference:.1e}"
    return Judgement(Verdict.DIFFERENT, reason, rungs)


def _where_it_diverges(expected: Trace) -> str:
    """How many steps were compared, if the protocol itself diverges; "" if not."""
    if expected.losses is None or not np.isnan(expected.losses).any():
        return ""
    steps = int(np.isnan(expected.losses).argmax())
    return f"the protocol diverges, in the oracle too; compared for {steps} steps"


def _is_relu_fork(rungs: tuple[Rung, ...], experiment: Experiment) -> bool:
    """Whether it is right up to two updates and then parts by less than a tenth, with kinks.

    Rounding then put the input of a ReLU on the other side of its kink.
    """
    kinks = any(kinks_of(layer) for layer in experiment.network.weighted_layers)
    early = {*FIRST_RUNGS, rung_name(2)}
    failed = [rung for rung in rungs if not rung.passed]
    if experiment.steps <= 2:
        return False
    return kinks and all(rung.name not in early and rung.difference < 0.1 for rung in failed)
