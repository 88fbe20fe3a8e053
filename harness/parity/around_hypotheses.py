"""What may be wrong around the update rule: an L1 penalty, clipped gradients, bounded norms."""

from collections.abc import Iterator
from typing import Any

from harness.experiment.gradients import L1, Clipping, MaxNorm, NormClipping, ValueClipping
from harness.experiment.training import L2
from harness.parity.constant_hypotheses import others
from harness.parity.estimates import Case
from harness.parity.hypotheses import LOSSES, Hypothesis
from harness.parity.switches import Switches
from harness.start import given

L1_LINE = "Task.l1: c times the sum of |w|, in the loss; its gradient is 0 where w is 0"
CLIPPING = "Task.clipping: what is done to gradients before the update rule"
MAX_NORM = "Task.max_norm: what is done to weights after every update"
OTHER_EPSILONS = (0.0, 1e-6, 1e-7, 1e-8, 1e-3)
OTHER_BOUNDS = (1.0, 0.5, 5.0, 10.0, 0.1, 2.0, 3.0, 4.0)
KINDS = {
    "value": "number by number",
    "array_norm": "to the norm of each array",
    "global_norm": "to the norm of all arrays together",
}


def around_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of what the protocol states of these, the plainest first."""
    training = case.experiment.training
    if training is None:
        return
    if training.l1 is not None:
        yield from _l1(given(training.l1, case.experiment), case)
    if training.clipping is not None:
        yield from _clipping(given(training.clipping, case.experiment), training.clipping, case)
    if training.max_norm is not None:
        yield from _max_norm(given(training.max_norm, case.experiment), training.max_norm, case)


def _l1(l1: L1, case: Case) -> Iterator[Hypothesis]:
    def other(**changes: Any) -> Switches:
        return Switches(other_l1=l1.model_copy(update=changes))

    yield Hypothesis("the L1 penalty is missing", L1_LINE, Switches(other_l1=None))
    if case.experiment.training and case.experiment.training.l2 is None:
        words = "the L1 penalty is missing in the returned loss"
        yield Hypothesis(words, LOSSES, Switches(losses="without penalty"))
    on = "weights" if l1.on == "all" else "all"
    words = f"the L1 penalty is on {'the weights only' if on == 'weights' else 'biases too'}"
    yield Hypothesis(words, L1_LINE, other(on=on))
    words = f"the L1 penalty is {'not ' if l1.per_row else ''}divided by the rows"
    yield Hypothesis(words, L1_LINE, other(per_row=not l1.per_row))
    for factor, words in ((0.5, "halved"), (2.0, "doubled")):
        switches = other(strength=factor * l1.strength)
        yield Hypothesis(f"the L1 penalty is {words}", L1_LINE, switches)
    for half, words in ((False, "an L2 penalty"), (True, "an L2 penalty, halved")):
        l2 = L2.model_construct(strength=l1.strength, half=half, per_row=l1.per_row, on=l1.on)
        squares = Switches(other_l1=None, penalty=l2)
        yield Hypothesis(f"the L1 penalty is {words}", L1_LINE, squares)
    for slope in (1.0, -1.0):
        words = f"the gradient of |w| at 0 is {slope:g}, not 0"
        yield Hypothesis(words, L1_LINE, Switches(sign_of_zero=slope))


def _clipping(clipping: Clipping, stated: Clipping, case: Case) -> Iterator[Hypothesis]:
    def other(changed: Clipping | None) -> Switches:
        return Switches(other_clipping=changed)

    yield Hypothesis("gradients are not clipped", CLIPPING, other(None))
    sides = {
        True: "the penalty's gradient is clipped too",
        False: "the penalty's gradient is added after the clipping",
    }
    includes = clipping.includes_penalty
    if includes is not None:
        turned = clipping.model_copy(update={"includes_penalty": not includes})
        yield Hypothesis(sides[not includes], CLIPPING, other(turned))
    for kind, words in KINDS.items():
        if kind != clipping.name:
            yield Hypothesis(
                f"gradients are clipped {words}, not {KINDS[clipping.name]}",
                CLIPPING,
                other(_of_kind(clipping, kind)),
            )
    if isinstance(clipping, NormClipping) and isinstance(stated, NormClipping):
        who = "the epsilon that is added to the norm of gradients"
        for epsilon, words in others(who, OTHER_EPSILONS, stated.epsilon, case):
            switches = other(clipping.model_copy(update={"epsilon": epsilon}))
            yield Hypothesis(words, CLIPPING, switches)
    for bound, words in others("the bound of gradients", OTHER_BOUNDS, stated.bound, case):
        switches = other(clipping.model_copy(update={"bound": bound}))
        yield Hypothesis(words, CLIPPING, switches, estimated=1)  # a bound never met is none


def _of_kind(clipping: Clipping, kind: str) -> Clipping:
    numbers: dict[str, Any] = {
        "bound": clipping.bound,
        "includes_penalty": clipping.includes_penalty,
    }
    if kind == "value":
        return ValueClipping.model_construct(name="value", **numbers)
    epsilon = clipping.epsilon if isinstance(clipping, NormClipping) else 0.0
    return NormClipping.model_construct(name=kind, epsilon=epsilon, **numbers)


def _max_norm(max_norm: MaxNorm, stated: MaxNorm, case: Case) -> Iterator[Hypothesis]:
    def other(**changes: Any) -> Switches:
        return Switches(other_max_norm=max_norm.model_copy(update=changes))

    words = "the norms of weights are not bounded"
    yield Hypothesis(words, MAX_NORM, Switches(other_max_norm=None))
    words = "the norms of weights are bounded before the update, not after it"
    yield Hypothesis(words, MAX_NORM, Switches(max_norm_first=True))
    of = "inputs" if max_norm.of == "units" else "units"
    words = (
        f"the norms that are bounded are those of each {of[:-1]}, not of each {max_norm.of[:-1]}"
    )
    yield Hypothesis(words, MAX_NORM, other(of=of))
    beyond = max_norm.form == "every_norm"
    form = "beyond_bound" if beyond else "every_norm"
    words = f"{'only norms beyond the bound' if beyond else 'all norms'} are divided by"
    yield Hypothesis(f"{words} norm + epsilon", MAX_NORM, other(form=form))
    who = "the epsilon that is added to the norm of weights"
    for epsilon, words in others(who, OTHER_EPSILONS, stated.epsilon, case):
        yield Hypothesis(words, MAX_NORM, other(epsilon=epsilon))
    for bound, words in others("the bound of norms", OTHER_BOUNDS, stated.bound, case):
        yield Hypothesis(words, MAX_NORM, other(bound=bound), estimated=1)
