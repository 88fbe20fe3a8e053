"""What a trace shows by sight, where no known mistake reproduces it: factors, norms, places."""

import numpy as np

from harness.parity.estimates import (
    Case,
    differ,
    factors,
    first_wrong_loss,
    first_wrong_step,
    named,
    norm,
    one_factor,
    updates,
)
from harness.parity.functions import Floats
from harness.parity.judgement import Judgement
from harness.parity.mistaken_network import rounded_to
from harness.parity.rungs import compare, equal_tolerances
from harness.parity.simulation import cut
from harness.parity.trace import Trace
from harness.trainer import Parameters

SAME_RUN = 1e-9
"""How far two runs of one adapter may differ."""
WORTH_A_NOTE = 1e-8
"""Smaller differences have no notes: nothing can be read off them."""


def draws_random_numbers(trace: Trace, other: Trace | None) -> str:
    """Return where two runs of one adapter differ, up to the second update; "" if nowhere.

    Up to there both runs have the same calls of `advance`.
    """
    if other is None or _same_bits(cut(trace, 2), cut(other, 2)):
        return ""
    for rung in compare(cut(trace, 2), cut(other, 2), equal_tolerances(SAME_RUN)):
        if not rung.passed and not (np.isnan(rung.difference) and rung.name == "losses"):
            return rung.name
    return ""


def _same_bits(trace: Trace, other: Trace) -> bool:
    """Whether two runs left the same numbers, those that are not finite too."""
    one, two = trace.to_arrays(), other.to_arrays()
    common = one.keys() & two.keys()
    return all(np.array_equal(one[name], two[name], equal_nan=True) for name in common)


def float32_throughout(trace: Trace, expected: Trace) -> bool:
    """Whether every parameter after an update is a float32 number, which the oracle's are not.

    Numbers of few digits, such as a bound, prove nothing.
    """

    def rounded(trace: Trace, bits: int) -> bool:
        arrays = [v for step, pairs in trace.parameters.items() if step for _, v in named(pairs)]
        return all(np.array_equal(v, rounded_to(v, bits)) for v in arrays)

    return rounded(trace, 24) and not rounded(trace, 12) and not rounded(expected, 24)


def notes(case: Case) -> list[str]:
    """Return what can be seen of single tensors and of the losses."""
    trace, expected = case.trace, case.expected
    found = [_of_outputs(case)]
    gradient = _of_tensors(trace.gradients, expected.gradients, "the gradient")
    found.append(gradient)
    if not gradient and not differ(trace.gradients, expected.gradients):
        update = _of_tensors(updates(trace, 0, 1), updates(expected, 0, 1), "the first update")
        found.append(update)
    found.append(_of_losses(case))
    return [note for note in found if note]


def _of_tensors(found: Parameters | None, right: Parameters | None, what: str) -> str:
    """`the gradient is 0.2 times the right one`, or the same of single tensors."""
    if not found or not right or not differ(found, right, WORTH_A_NOTE):
        return ""
    whole = one_factor(found, right)
    if whole is not None:
        size = f", and of norm {norm(found):.6g}" if what == "the gradient" else ""
        return f"{what} is {whole:.6g} times the right one in all tensors{size if whole else ''}"
    single: list[str] = []
    right_names: list[str] = []
    for (layer, part), b in named(right):
        name = f"{('weights', 'biases')[part]} of layer {layer + 1}"
        a = dict(named(found)).get((layer, part))
        factor = None if a is None or a.size == 1 else factors([(a, None)], [(b, None)])
        if factor is None:
            continue
        value = factor[0][0]
        (right_names if value == 1 else single).append(
            name if value == 1 else f"that of {name} is {value:.6g} times the right one"
        )
    parts = single + ([f"that of {' and '.join(right_names)} is right"] if right_names else [])
    largest = max(float(np.abs(v).max(initial=0)) for _, v in named(found))
    if not parts:
        return ""
    at_bound = f"; its largest number is {largest:.6g}" if what == "the gradient" else ""
    return f"of {what}, {', '.join(parts)}{at_bound}"


def _of_outputs(case: Case) -> str:
    found, right = case.trace.outputs, case.expected.outputs
    if found is None or right is None:
        return ""
    if found.shape != right.shape or not np.isfinite(found).all():
        return ""
    rows = np.abs(found - right).max(axis=1) > WORTH_A_NOTE * np.abs(right).max()
    if not rows.any():
        return ""
    if np.allclose(_sorted_rows(right), _sorted_rows(found), rtol=0, atol=WORTH_A_NOTE):
        return "outputs are the right ones in another order of rows"
    if rows.all():
        factor = one_factor([(found, None)], [(right, None)])
        return "" if factor is None else f"outputs are {factor:.6g} times the right ones"
    return f"outputs of {int(rows.sum())} of {len(rows)} rows differ"


def _sorted_rows(values: Floats) -> Floats:
    return values[np.lexsort(values.T)]


def _of_losses(case: Case) -> str:
    found, right = case.trace.losses, case.expected.losses
    if found is None or right is None or found.shape != right.shape:
        return ""
    if len(found) > 1 and np.ptp(found) == 0 and np.ptp(right) > 0:
        return "all losses are one number"
    factor = one_factor([(found, None)], [(right, None)])
    if factor is not None and abs(factor - 1) < WORTH_A_NOTE:
        return ""
    return "" if factor is None else f"every loss is {factor:.6g} times the right one"


def where_to_look(judgement: Judgement, case: Case) -> str:
    """Return the advice where nothing known reproduces the trace."""
    trace, expected = case.trace, case.expected
    names = {rung.name: rung.passed for rung in compare(trace, expected)}
    failed = judgement.first_failure
    if not names.get("start", True):
        return "look at how the start is taken over"
    outputs, gradients = names.get("outputs", True), names.get("gradients", True)
    first_loss = _first_loss_is_right(case)
    parameters = all(ok for name, ok in names.items() if name not in ("outputs", "losses"))
    if not outputs and (first_loss or (parameters and first_loss is None)):
        return "training's own forward pass is right; look at predict"
    if not outputs:
        return "look at the forward pass: start and inputs are as they should be, or not yet"
    if parameters and failed is not None:
        return "all parameters are right; return the loss of every step, before its update"
    if not gradients and first_loss:
        return (
            "the forward pass, the rows and the loss of the first step are right; look at the "
            "backward pass, and at what is done to gradients before they are used"
        )
    if not gradients:
        return (
            "the forward pass is right in predict; look at the rows and targets taken, the loss "
            "and its gradient, and at what the network does in training only"
        )
    return _later(case)


def _later(case: Case) -> str:
    """The advice where the first gradient is right."""
    step, loss = first_wrong_step(case), first_wrong_loss(case)
    if loss == step > 1:
        before = f"all that is seen up to step {step - 1} is right"
        return f"{before}; look at the rows, and the loss, of step {step}"
    if step == 1:
        return "the first gradient is right; look at the optimizer's first update"
    return (
        f"all that is seen before the update of step {step} is right; look at the optimizer's "
        "memory, the learning rate of that step, and at what is done in some steps only"
    )


def _first_loss_is_right(case: Case) -> bool | None:
    """Whether it is; None without losses."""
    if case.trace.losses is None or case.expected.losses is None or not len(case.trace.losses):
        return None
    return first_wrong_loss(case) != 1
