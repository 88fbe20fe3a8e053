"""What may be wrong with rates and penalties: factors of tensors, warm-up, weight decay.

Most of their numbers are read off the first gradient or update that differs (`estimates`).
"""

from collections.abc import Iterator
from itertools import product
from typing import Literal

from harness.experiment.training import L2
from harness.parameters import named_arrays
from harness.parity.estimates import (
    Case,
    Evidence,
    decay_of,
    factors,
    gradient_evidence,
    one_factor,
    rate_ratio,
    update_evidence,
    updates,
)
from harness.parity.hypotheses import (
    ALL_PARAMETERS,
    LOSSES,
    PENALTY,
    RATES,
    RULE,
    Hypothesis,
)
from harness.parity.switches import Factors, Switches

LINEAR = ("sgd", "momentum", "nesterov")
"""Optimizers whose first update is a multiple of the gradient."""


def rate_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of rates, penalties and decay, the plainest first."""
    if case.experiment.training is None:
        return
    yield from _tensors(case)
    yield from _rates(case)
    yield from _penalties(case)
    yield from _decay(case)


# ---------------------------------------------------------------- rates


def _tensors(case: Case) -> Iterator[Hypothesis]:
    """Tensors that move at a rate of their own, or never, or whose gradient has a factor."""
    linear = case.optimizer in LINEAR
    seen = [evidence(case) for evidence in (gradient_evidence, update_evidence)]
    for found in dict.fromkeys(factors(e.found, e.right, e.digits) for e in seen if e is not None):
        if found is None or len({factor for pair in found for factor in pair}) < 2:
            continue
        count = len({factor for pair in found for factor in pair} - {1.0, 0.0})
        words = factors_in_words(found, case, "{} move at {:.6g} times the rate")
        line = RATES if count else ALL_PARAMETERS
        yield Hypothesis(words, line, Switches(rate_factors=found), estimated=count)
        if not linear:
            words = factors_in_words(
                found, case, "the gradient of {} is {:.6g} times the right one"
            )
            switches = Switches(gradient_factors=found)
            yield Hypothesis(words, RULE, switches, estimated=count + 1)


def factors_in_words(found: Factors, case: Case, moves: str) -> str:
    """Return `biases move at 2 times the rate`, `layer 2 is never updated`."""
    start = case.expected.parameters[0]
    named_factors: dict[float, list[str]] = {}
    layers = [
        (number, pair, entry[1] is not None)
        for number, (pair, entry) in enumerate(zip(found, start, strict=True), start=1)
        if entry
    ]
    of_biases = {pair[1] for _, pair, bias in layers if bias}
    of_weights = {pair[0] for _, pair, _ in layers}
    if len(of_biases) == len(of_weights) == 1:
        named_factors.setdefault(of_weights.pop(), []).append("weights")
        named_factors.setdefault(of_biases.pop(), []).append("biases")
    else:
        for number, pair, bias in layers:
            if not bias or pair[0] == pair[1]:
                named_factors.setdefault(pair[0], []).append(f"parameters of layer {number}")
                continue
            for name, factor in zip(("weights", "biases"), pair, strict=True):
                named_factors.setdefault(factor, []).append(f"{name} of layer {number}")
    named_factors.pop(1.0, None)
    parts = []
    for factor, names in named_factors.items():
        who = " and ".join(names)
        if factor:
            parts.append(moves.format(who, factor))
        elif who.startswith("parameters of layer") and len(names) == 1:
            parts.append(f"{who.removeprefix('parameters of ')} is never updated")
        else:
            none = who == "biases" and _start_at_zero(case)
            parts.append(f"{who} are never updated{' (or there are none)' if none else ''}")
    return ", ".join(parts)


def _start_at_zero(case: Case) -> bool:
    arrays = named_arrays(case.expected.parameters[0])
    return not any(array.values.any() for array in arrays if array.name == "biases")


def _rates(case: Case) -> Iterator[Hypothesis]:
    """The rate that the first updates show, if it is another."""
    given = case.rate
    first = rate_ratio(case, 0, 1)
    who = "the learning rate (or the gradient)" if case.optimizer in LINEAR else "the learning rate"
    if first is not None and abs(first - 1) > 1e-6:
        first = case.digits.plain(first)
        words = f"{who} is {first:.6g} times the given one"
        yield Hypothesis(words, RATES, Switches(rate_scale=first), estimated=1)
        own_rate = case.digits.plain(first * given)
        words = f"the learning rate is {own_rate:.6g} whatever is given"
        yield Hypothesis(words, RATES, Switches(own_rate=own_rate), estimated=1)
        if 0 < first <= 0.51 and abs(1 / first - round(1 / first)) < 1e-6:
            yield from _warm_up(round(1 / first), 1)
    training = case.experiment.training
    if training is not None and (training.clipping or training.max_norm):
        # an update there is no multiple of the gradient, which is shown by a step without them
        of_gradient = one_factor(case.trace.gradients, case.expected.gradients, case.digits)
        if of_gradient is not None:
            words = f"{who} is {of_gradient:.6g} times the given one"
            yield Hypothesis(words, RATES, Switches(rate_scale=of_gradient), estimated=1)
    stated = _stated_rate(case)
    for own in dict.fromkeys((given, case.given(stated), stated)):
        words = f"the learning rate is {own:g} whatever is given"
        if own != given and not case.experiment.rate_changes:
            words = f"the learning rate is {own:g} exactly, not rounded to float32 as given"
        yield Hypothesis(words, RATES, Switches(own_rate=own))
    second = rate_ratio(case, 1, 2)
    if first is not None and abs(first) < 1e-9:
        sizes = updates(case.trace, 1, 2), updates(case.expected, 0, 1)
        part = one_factor(*sizes, case.digits)
        if part and abs(1 / part - round(1 / part)) < 1e-6:
            yield from _warm_up(round(1 / part), 0)
        for steps in (5, 10, 20, 50, 100, 1000):
            yield from _warm_up(steps, 0)
    for decay in dict.fromkeys((second, 0.9, 0.95, 0.96, 0.99, 0.999)):
        if decay is not None and 0 < decay < 1 - 1e-9:
            words = f"the learning rate decays by itself, by {decay:.6g} a step"
            switches = Switches(rate_decay=case.digits.plain(decay))
            yield Hypothesis(words, RATES, switches, estimated=1)


def _stated_rate(case: Case) -> float:
    """The learning rate as the protocol states it, not rounded to float32."""
    training = case.experiment.training
    return training.optimizer.learning_rate if training else 0.0


def _warm_up(steps: int, start: Literal[0, 1]) -> Iterator[Hypothesis]:
    words = f"the learning rate warms up over {steps} steps"
    yield Hypothesis(words, RATES, Switches(warm_up=steps, warm_up_from=start), estimated=1)


# ---------------------------------------------------------------- penalties and decay


def _penalties(case: Case) -> Iterator[Hypothesis]:
    """Other readings of the protocol's own penalty."""
    training = case.experiment.training
    given = training.l2 if training else None
    if given is None:
        return
    strength = case.given(given.strength)
    yield Hypothesis("the penalty is missing", PENALTY, Switches(no_penalty=True))
    words = "the penalty is missing in the returned loss"
    yield Hypothesis(words, LOSSES, Switches(losses="without penalty"))
    ways: tuple[Literal["both", "gradient"], ...] = ("both", "gradient")
    for half, per_row, on, where in product((True, False), (True, False), ("weights", "all"), ways):
        l2 = L2.model_construct(strength=strength, half=half, per_row=per_row, on=on)
        readings = (
            (half != given.half, "is halved" if half else "is not halved"),
            (per_row != given.per_row, f"is {'' if per_row else 'not '}divided by the rows"),
            (on != given.on, f"is on {'the weights only' if on == 'weights' else 'biases too'}"),
            (where == "gradient", "is missing in the returned loss"),
        )
        differs = [words for changed, words in readings if changed]
        if differs:
            switches = Switches(no_penalty=True, penalty=l2, penalty_where=where)
            yield Hypothesis(f"the penalty {' and '.join(differs)}", PENALTY, switches)
    if case.optimizer == "sgd":  # there a decoupled decay is the same as one in the gradient
        return
    for half, per_row in product((True, False), (True, False)):
        l2 = L2.model_construct(strength=strength, half=half, per_row=per_row, on=given.on)
        for in_loss in (True, False):
            switches = Switches(
                no_penalty=True,
                penalty=given if in_loss else None,
                penalty_where="loss",
                decoupled=l2,
            )
            yield Hypothesis("the penalty is a decoupled weight decay", PENALTY, switches)


def _decay(case: Case) -> Iterator[Hypothesis]:
    """A decay, if the first gradient or update that differs has a part along the parameters."""
    places: dict[Literal["weights", "all"], str] = {
        "weights": "weights",
        "all": "weights and biases",
    }
    gradient, update = gradient_evidence(case), update_evidence(case)
    for on, place in places.items():
        for strength in dict.fromkeys(_strengths((gradient, update), on)):
            yield from _coupled(strength, on, place)
        for strength in _strengths((update,), on):
            if case.optimizer != "sgd":  # there it is the same as in the gradient
                words = f"a weight decay of {strength:.6g} is added on {_the(place)} (decoupled)"
                switches = Switches(weight_decay=strength, decay_biases=on == "all")
                yield Hypothesis(words, PENALTY, switches, estimated=1)
            alone = case.digits.plain(strength * (update.rate if update else 1.0))
            words = f"{place} lose {alone:.6g} of themselves in every step, whatever the rate"
            switches = Switches(weight_decay=alone, decay_biases=on == "all", decay_alone=True)
            yield Hypothesis(words, PENALTY, switches, estimated=2)
    for strength in _strengths((gradient,), "weights", sign_only=True):
        words = f"an L1 penalty of {strength:.6g} is added on the weights"
        yield Hypothesis(words, PENALTY, Switches(l1=strength), estimated=1)


def _the(place: str) -> str:
    return "the weights" if place == "weights" else place


def _strengths(
    seen: tuple[Evidence | None, ...], on: Literal["weights", "all"], sign_only: bool = False
) -> Iterator[float]:
    """Yield the strength of a decay as each evidence shows it, if it shows one."""
    for evidence in seen:
        if evidence is not None:
            strength = decay_of(evidence, on, sign_only)
            if strength > 1e-9:
                yield evidence.digits.plain(strength)


def _coupled(strength: float, on: Literal["weights", "all"], place: str) -> Iterator[Hypothesis]:
    words = f"a weight decay of {strength:.6g} is added on {_the(place)}"
    penalty = L2.model_construct(strength=strength / 2, half=False, per_row=False, on=on)
    added = Switches(penalty=penalty)
    yield Hypothesis(f"{words} (in loss and gradient)", PENALTY, added, estimated=1)
    in_gradient = Switches(penalty=penalty, penalty_where="gradient")
    yield Hypothesis(f"{words} (in the gradient)", PENALTY, in_gradient, estimated=1)
