"""What was not handed back, and what it would show, in words about the protocol at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Momentum,
    Nadam,
    Nesterov,
    RMSprop,
)
from harness.parity.estimates import Case, differ
from harness.parity.trace import Trace
from harness.trainer import Parameters


@dataclass(frozen=True)
class Missing:
    """A part that was not handed back.

    Args:
        part: "losses", "outputs before training", "parameters after step 1" and so on.
        shows: what it would show, a phrase after "it would show".
    """

    part: str
    shows: str


LOSSES, OUTPUTS, START = "losses", "outputs before training", "parameters at the start"
GRADIENTS = "gradients of the first batch"


def missing_parts(trace: Trace, experiment: Experiment) -> tuple[Missing, ...]:
    """Return what a trace lacks, in the order of the ladder.

    Gradients are named only where the first update does not show them.
    """
    training, steps = experiment.training, experiment.steps
    missing = []
    if 0 not in trace.parameters:
        shows = "whether the loop starts where it should, with no kernel turned round"
        missing.append(Missing(START, shows))
    if trace.outputs is None:
        shows = "whether the forward pass is right before anything is trained"
        missing.append(Missing(OUTPUTS, shows))
    if training is None:
        return tuple(missing)
    rule = training.optimizer
    if not trace.gradients and not isinstance(rule, SGD | Momentum | Nesterov):
        shows = f"the gradient that {rule.name} hides in the first update: its scale, its rows"
        missing.append(Missing(GRADIENTS, shows))
    for step, shows in ((1, _first_update(rule)), (2, _second_update(rule))):
        if step not in trace.parameters and step < steps:
            missing.append(Missing(_after(step), shows))
    if steps not in trace.parameters:
        shows = "whether it stays right to the end"
        missing.append(Missing(_after(steps), shows))
    if trace.losses is None:
        shows = "at which step the loop leaves the protocol, and how the loss is reduced"
        missing.append(Missing(LOSSES, shows))
    elif trace.unknown_losses is not None:
        known = int((~trace.unknown_losses).sum())
        shows = "at which step the loop leaves the protocol"
        missing.append(Missing(f"losses of {steps - known} of {steps} steps", shows))
    return tuple(missing)


def _after(step: int) -> str:
    return f"parameters after step {step}"


def _first_update(rule: object) -> str:
    match rule:
        case AdamW():
            return "the decay, epsilon's size and place, the bias corrections, the learning rate"
        case Adam() | AMSGrad() | Nadam() | Adamax():
            return "epsilon's size and place, the bias corrections and the learning rate"
        case Adadelta():
            return "epsilon's size and place, and the learning rate"
        case RMSprop() | Adagrad():
            return "epsilon's size and place, where the accumulator starts, the learning rate"
    return "the first gradient of every tensor: rows, learning rate, weight decay"


def _second_update(rule: object) -> str:
    match rule:
        case Momentum() | Nesterov():
            return "the momentum and its form"
        case Adam() | AdamW() | AMSGrad() | Nadam() | Adamax():
            return "beta1 and beta2"
        case Adadelta():
            return "rho, and what the average of steps takes"
        case RMSprop() | Adagrad():
            return "how the accumulator grows"
    return "what one step leaves to the next, such as gradients that were not set to zero"


# ---------------------------------------------------------------- what tells causes apart


def telling_parts(
    traces: Sequence[Trace], case: Case, missing: Sequence[Missing]
) -> tuple[str, ...]:
    """Return the missing parts in which the traces of some two causes differ, the best first.

    Args:
        traces: what the oracle leaves with each cause.
        case: what was handed back.
        missing: what was not.
    """
    pairs = list(combinations(traces, 2))
    told = {each.part: sum(_tells(each.part, a, b, case) for a, b in pairs) for each in missing}
    names = [name for name, count in told.items() if count]
    return tuple(sorted(names, key=lambda name: -told[name]))


def _tells(part: str, a: Trace, b: Trace, case: Case) -> bool:
    """Whether two traces differ in a part by more than rounding."""
    rounding = max(100 * case.digits.insignificant, 1e-9)
    if part.startswith(LOSSES):
        return _losses_differ(a, b, rounding)
    first, second = _part_of(part, a, case), _part_of(part, b, case)
    return bool(first) and bool(second) and differ(first, second, rounding)


def _part_of(part: str, trace: Trace, case: Case) -> Parameters:
    """A part of a trace, by its name here; empty where the trace has none."""
    if part == OUTPUTS:
        return trace.output_pairs
    if part == GRADIENTS:
        return trace.gradients
    steps = {_after(step): step for step in (1, 2, case.experiment.steps)}
    return trace.parameters.get(steps.get(part, 0), [])


def _losses_differ(a: Trace, b: Trace, rounding: float) -> bool:
    if a.losses is None or b.losses is None:
        return False
    scale = float(np.nanmax(np.abs(b.losses), initial=1e-300))
    return bool((np.abs(a.losses - b.losses) > rounding * scale).any())
