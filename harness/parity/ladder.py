"""The ladder: the judgement of a trace, rung by rung, against the oracle's."""

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.judgement import Judgement, Rung, Verdict, first_failure
from harness.parity.rounding import judge_with_growth, rounding_tolerances
from harness.parity.rungs import FIRST_RUNGS, compare, rung_name
from harness.parity.trace import Trace, expected_trace

EPS32 = float(np.finfo(np.float32).eps)


def judge(trace: Trace, experiment: Experiment, seed: int, dtype: str = "float64") -> Judgement:
    """Climb the ladder with a trace of a proof.

    Args:
        trace: of the adapter.
        experiment: of a proof's length.
        seed: of the trace's start.
        dtype: of the trace; float32 traces get a measured tolerance.
    """
    expected = expected_trace(experiment, seed)
    if dtype != "float64":
        return _judge_float32(trace, expected, experiment, seed, dtype)
    rungs = compare(trace, expected)
    failed = first_failure(rungs)
    if failed is None:
        return Judgement(Verdict.SAME, _where_it_diverges(expected), rungs)
    growth = None
    if failed.name not in FIRST_RUNGS:
        growth = judge_with_growth(trace, expected, experiment, seed)
    return growth or _different(failed, rungs)


def _judge_float32(
    trace: Trace, expected: Trace, experiment: Experiment, seed: int, dtype: str
) -> Judgement:
    rungs = compare(trace, expected, rounding_tolerances(experiment, seed, dtype), EPS32)
    failed = first_failure(rungs)
    if failed is None:
        return Judgement(Verdict.SAME_TO_FLOAT32, _where_it_diverges(expected), rungs)
    if _is_relu_fork(rungs, experiment):
        fork = "after step 2 a ReLU's input lies on the other side of 0, by rounding"
        return Judgement(Verdict.SAME_TO_FLOAT32, fork, rungs)
    return _different(failed, rungs)


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
    kinks = any(layer.activation in ("relu", "leaky_relu") for layer in experiment.network.layers)
    early = {*FIRST_RUNGS, rung_name(2)}
    failed = [rung for rung in rungs if not rung.passed]
    return kinks and all(rung.name not in early and rung.difference < 0.1 for rung in failed)
