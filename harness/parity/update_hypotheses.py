"""What may be wrong with an adapter's updates: the optimizer, its rate, penalties, clipping."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal

import numpy as np

from harness.experiment.optimizers import Adagrad, Adam, Momentum, Nesterov, RMSprop
from harness.experiment.training import L2
from harness.parity.estimates import (
    Case,
    Evidence,
    decay_of,
    factors,
    first_wrong_step,
    gradient_evidence,
    named,
    norm,
    one_factor,
    plain_number,
    rate_ratio,
    second_update_strength,
    update_evidence,
    updates,
)
from harness.parity.hypotheses import (
    ALL_PARAMETERS,
    LOSSES,
    PENALTY,
    RATES,
    ROWS,
    RULE,
    Hypothesis,
)
from harness.parity.switches import Factors, Switches
from harness.start import float32
from harness.trainer import Parameters

OTHER_EPSILONS = (1e-7, 1e-8, 1e-6, 1e-10, 1e-16, 1e-5, 1e-4, 1e-3)
OTHER_BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999)
USUAL_BOUNDS = (1.0, 0.5, 5.0, 10.0, 0.1, 2.0, 3.0)
USUAL_PERIODS = (2, 3, 4, 5, 8, 10, 20, 25, 50, 100)
LINEAR = ("sgd", "momentum", "nesterov")
"""Optimizers whose first update is a multiple of the gradient."""


def update_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of updates, the plainest first."""
    if case.experiment.training is None:
        return
    yield from _rule(case)
    yield from _tensors(case)
    yield from _rates(case)
    yield from _penalties(case)
    yield from _decay(case)
    yield from _clipping(case)
    yield from _constraints(case)
    yield from _special_steps(case)


# ---------------------------------------------------------------- the update rule


def _rule(case: Case) -> Iterator[Hypothesis]:
    training = case.experiment.training
    rule = training.optimizer if training else None
    if rule is not None and rule.name != "sgd":
        words = "the optimizer's memory is emptied between calls of advance"
        yield Hypothesis(words, RULE, Switches(reset_at=frozenset(case.trace.parameters)))
        epoch = case.experiment.steps_per_epoch
        epochs = frozenset(range(epoch, case.experiment.steps, epoch))
        words = "the optimizer's memory is emptied after every epoch"
        yield Hypothesis(words, RULE, Switches(reset_at=epochs))
    if isinstance(rule, Adam):
        yield from _adam(rule)
    if isinstance(rule, RMSprop | Adagrad):
        yield from _divided_by_root(rule)
    if isinstance(rule, Momentum | Nesterov):
        yield from _momentum(rule, case)
    words = "gradients are added to those of the steps before (no zero_grad)"
    yield Hypothesis(words, RULE, Switches(accumulated="always"))
    words = "gradients are added to those of the steps before, within a call (no zero_grad)"
    yield Hypothesis(words, RULE, Switches(accumulated="within a call"))
    words = "gradients of kernels are centralised"
    yield Hypothesis(words, RULE, Switches(centred=True))


def _adam(rule: Adam) -> Iterator[Hypothesis]:
    other, words = "epsilon_hat", "the epsilon-hat form (epsilon outside the bias correction)"
    if rule.form == "epsilon_hat":
        other, words = "algorithm_1", "the form of algorithm 1 (epsilon after the bias correction)"
    yield Hypothesis(f"Adam has {words}", RULE, _constants(form=other))
    yield Hypothesis("Adam has no bias correction", RULE, Switches(bias_correction="none"))
    for moment in ("first", "second"):
        missing = f"Adam has a bias correction of its {moment} moment only"
        yield Hypothesis(missing, RULE, Switches(bias_correction=moment))
    for epsilon, differs in _others("Adam's epsilon", OTHER_EPSILONS, rule.epsilon):
        yield Hypothesis(differs, RULE, _constants(epsilon=epsilon))
        both = _constants(epsilon=epsilon, form=other)
        yield Hypothesis(f"{differs}, and has {words}", RULE, both)
    yield from _betas(rule)
    yield Hypothesis("Adam is AMSGrad", RULE, Switches(amsgrad="raw"))
    corrected = "Adam is AMSGrad, of the corrected second moment"
    yield Hypothesis(corrected, RULE, Switches(amsgrad="corrected"))
    yield Hypothesis("Adam's t counts tensors, not steps", RULE, Switches(t_step="tensors"))
    yield Hypothesis("Adam's t stays at 1", RULE, Switches(t_step="never"))
    yield Hypothesis("Adam's t starts at 2, not at 1", RULE, Switches(t_start=1))


def _betas(rule: Adam) -> Iterator[Hypothesis]:
    swapped = _constants(beta1=float32(rule.beta2), beta2=float32(rule.beta1))
    yield Hypothesis("Adam's beta1 and beta2 are swapped", RULE, swapped)
    for name in ("beta1", "beta2"):
        for beta, words in _others(f"Adam's {name}", OTHER_BETAS, getattr(rule, name)):
            yield Hypothesis(words, RULE, _constants(**{name: beta}))


def _divided_by_root(rule: RMSprop | Adagrad) -> Iterator[Hypothesis]:
    place = "inside" if rule.form == "epsilon_outside_root" else "outside"
    form = f"epsilon_{place}_root"
    yield Hypothesis(f"epsilon is {place} the root", RULE, _constants(form=form))
    for epsilon, words in _others("epsilon", OTHER_EPSILONS, rule.epsilon):
        yield Hypothesis(words, RULE, _constants(epsilon=epsilon))
        both = _constants(epsilon=epsilon, form=form)
        yield Hypothesis(f"{words}, and is {place} the root", RULE, both)
    if isinstance(rule, RMSprop):
        for rho, words in _others("RMSprop's rho", OTHER_BETAS[1:], rule.rho):
            yield Hypothesis(words, RULE, _constants(rho=rho))
        return
    for start in (0.0, 0.1, 1.0):
        if float32(start) != float32(rule.initial_accumulator):
            words = f"Adagrad's accumulator starts at {start:g}, not {rule.initial_accumulator:g}"
            yield Hypothesis(words, RULE, _constants(initial_accumulator=float32(start)))


def _others(who: str, numbers: tuple[float, ...], given: float) -> Iterator[tuple[float, str]]:
    """Yield other values of a constant, each rounded to float32 or not, and the words for it."""
    for number in dict.fromkeys((*numbers, given)):
        for value in dict.fromkeys((float32(number), number)):
            if value == float32(given):
                continue
            if float32(number) == float32(given):
                yield value, f"{who} is {number:g} exactly, not rounded to float32 as in the task"
            else:
                yield value, f"{who} is {number:g}, not {given:g}"


def _momentum(rule: Momentum | Nesterov, case: Case) -> Iterator[Hypothesis]:
    plain = isinstance(rule, Momentum)
    words = "momentum is Nesterov's" if plain else "momentum is plain, not Nesterov's"
    yield Hypothesis(words, RULE, _constants(name="nesterov" if plain else "momentum"))
    mu = float32(rule.momentum)
    yield Hypothesis("momentum is dampened", RULE, Switches(dampening=mu))
    words = "momentum is dampened, except for the first velocity"
    yield Hypothesis(words, RULE, Switches(dampening=mu, first_velocity="whole"))
    if case.experiment.decay is not None:
        inside = not rule.rate_inside_velocity
        words = f"the learning rate is {'inside' if inside else 'outside'} the velocity"
        yield Hypothesis(words, RULE, _constants(rate_inside_velocity=inside))
    missing = second_update_strength(case, _constants(momentum=0.0))
    if missing is not None and abs(missing) > 1e-6:
        other = plain_number(mu * (1 - missing))
        words = f"momentum is {other:.6g}, not {rule.momentum:g}"
        words = "there is no momentum" if abs(other) < 1e-6 else words
        yield Hypothesis(words, RULE, _constants(momentum=other), estimated=1)
    whole = Switches(dampening=1.0, first_velocity="whole")
    damped = second_update_strength(case, whole)
    if damped is not None and 1e-6 < damped <= 1:
        words = f"momentum is dampened by {damped:.6g}, except for the first velocity"
        switches = Switches(dampening=plain_number(damped), first_velocity="whole")
        yield Hypothesis(words, RULE, switches, estimated=1)


def _constants(**changes: Any) -> Switches:
    return Switches(rule=tuple(changes.items()))


# ---------------------------------------------------------------- rates


def _tensors(case: Case) -> Iterator[Hypothesis]:
    """Tensors that move at a rate of their own, or never, or whose gradient has a factor."""
    linear = _optimizer(case) in LINEAR
    seen = [evidence(case) for evidence in (gradient_evidence, update_evidence)]
    for found in dict.fromkeys(factors(e.found, e.right) for e in seen if e is not None):
        if found is None or len({factor for pair in found for factor in pair}) < 2:
            continue
        count = len({factor for pair in found for factor in pair} - {1.0, 0.0})
        words = _factors_in_words(found, case, "{} move at {:.6g} times the rate")
        line = RATES if count else ALL_PARAMETERS
        yield Hypothesis(words, line, Switches(rate_factors=found), estimated=count)
        if not linear:
            words = _factors_in_words(
                found, case, "the gradient of {} is {:.6g} times the right one"
            )
            switches = Switches(gradient_factors=found)
            yield Hypothesis(words, RULE, switches, estimated=count + 1)


def _factors_in_words(found: Factors, case: Case, moves: str) -> str:
    """`biases move at 2 times the rate`, `layer 2 is never updated`."""
    has_bias = [layer.bias for layer in case.experiment.network.layers]
    named_factors: dict[float, list[str]] = {}
    layers = list(enumerate(zip(found, has_bias, strict=True), start=1))
    of_biases = {pair[1] for _, (pair, bias) in layers if bias}
    of_weights = {pair[0] for _, (pair, _) in layers}
    if len(of_biases) == len(of_weights) == 1:
        named_factors.setdefault(of_weights.pop(), []).append("weights")
        named_factors.setdefault(of_biases.pop(), []).append("biases")
    else:
        for number, (pair, bias) in layers:
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
    return all(b is None or not b.any() for _, b in case.expected.parameters[0])


def _optimizer(case: Case) -> str:
    training = case.experiment.training
    return training.optimizer.name if training else ""


def _rates(case: Case) -> Iterator[Hypothesis]:
    """The rate that the first updates show, if it is another."""
    given = case.rate
    first = rate_ratio(case, 0, 1)
    who = (
        "the learning rate (or the gradient)" if _optimizer(case) in LINEAR else "the learning rate"
    )
    if first is not None and abs(first - 1) > 1e-6:
        first = plain_number(first)
        words = f"{who} is {first:.6g} times the given one"
        yield Hypothesis(words, RATES, Switches(rate_scale=first), estimated=1)
        own_rate = first * given
        words = f"the learning rate is {own_rate:.6g} whatever is given"
        yield Hypothesis(words, RATES, Switches(own_rate=own_rate), estimated=1)
        if 0 < first <= 0.51 and abs(1 / first - round(1 / first)) < 1e-6:
            yield from _warm_up(round(1 / first), 1)
    stated = case.experiment.training.optimizer.learning_rate if case.experiment.training else 0.0
    if stated != given:
        words = f"the learning rate is {stated:g} exactly, not rounded to float32 as given"
        yield Hypothesis(words, RATES, Switches(own_rate=stated))
    second = rate_ratio(case, 1, 2)
    if first is not None and abs(first) < 1e-9:
        sizes = updates(case.trace, 1, 2), updates(case.expected, 0, 1)
        part = one_factor(*sizes)
        if part and abs(1 / part - round(1 / part)) < 1e-6:
            yield from _warm_up(round(1 / part), 0)
        for steps in (5, 10, 20, 50, 100, 1000):
            yield from _warm_up(steps, 0)
    for decay in dict.fromkeys((second, 0.9, 0.95, 0.96, 0.99, 0.999)):
        if decay is not None and 0 < decay < 1 - 1e-9:
            words = f"the learning rate decays by itself, by {decay:.6g} a step"
            switches = Switches(rate_decay=plain_number(decay))
            yield Hypothesis(words, RATES, switches, estimated=1)
    if case.experiment.decay is not None:
        words = f"the learning rate stays at {given:g} and does not follow the schedule"
        yield Hypothesis(words, RATES, Switches(own_rate=given))


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
    yield Hypothesis("the penalty is missing", PENALTY, Switches(no_penalty=True))
    words = "the penalty is missing in the returned loss"
    yield Hypothesis(words, LOSSES, Switches(losses="without penalty"))
    ways: tuple[Literal["both", "gradient"], ...] = ("both", "gradient")
    for half, per_row, on, where in product((True, False), (True, False), ("weights", "all"), ways):
        l2 = L2.model_construct(strength=float32(given.strength), half=half, per_row=per_row, on=on)
        differs = [
            words
            for changed, words in (
                (half != given.half, f"is {'halved' if half else 'not halved'}"),
                (per_row != given.per_row, "is divided by the rows" if per_row else "is not divided by the rows"),
                (on != given.on, f"is on {'the weights only' if on == 'weights' else 'the biases too'}"),
                (where == "gradient", "is missing in the returned loss"),
            )
            if changed
        ]  # fmt: skip
        if differs:
            switches = Switches(no_penalty=True, penalty=l2, penalty_where=where)
            yield Hypothesis(f"the penalty {' and '.join(differs)}", PENALTY, switches)
    for factor, on in product((1.0, 2.0), ("weights", "all")):
        strength = float32(given.strength) * factor * (0.5 if given.half else 1.0) * 2
        decoupled = Switches(no_penalty=True, weight_decay=strength, decay_biases=on == "all")
        yield Hypothesis("the penalty is a decoupled weight decay", PENALTY, decoupled)


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
            if _optimizer(case) != "sgd":  # there it is the same as in the gradient
                words = f"a weight decay of {strength:.6g} is added on {_the(place)} (decoupled)"
                switches = Switches(weight_decay=strength, decay_biases=on == "all")
                yield Hypothesis(words, PENALTY, switches, estimated=1)
            alone = plain_number(strength * (update.rate if update else 1.0))
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
                yield plain_number(strength)


def _coupled(strength: float, on: Literal["weights", "all"], place: str) -> Iterator[Hypothesis]:
    words = f"a weight decay of {strength:.6g} is added on {_the(place)}"
    penalty = L2.model_construct(strength=strength / 2, half=False, per_row=False, on=on)
    added = Switches(penalty=penalty)
    yield Hypothesis(f"{words} (in loss and gradient)", PENALTY, added, estimated=1)
    in_gradient = Switches(penalty=penalty, penalty_where="gradient")
    yield Hypothesis(f"{words} (in the gradient)", PENALTY, in_gradient, estimated=1)


# ---------------------------------------------------------------- clipping and constraints


def _clipping(case: Case) -> Iterator[Hypothesis]:
    """Gradients clipped to a bound: the one that the trace shows, or a usual one."""
    for kind, words, sizes in (
        ("clip_global", "gradients are clipped to a norm of {:.6g}, that of all together", norms),
        ("clip_tensor", "gradients are clipped to a norm of {:.6g}, each tensor alone", tensor_norms),
        ("clip_value", "gradients are clipped to values of at most {:.6g}", largest_values),
    ):  # fmt: skip
        shown = [size for pairs in _gradients_seen(case) for size in sizes(pairs)]
        of_first = sizes(case.trace.gradients)
        for bound in dict.fromkeys((*of_first, max(shown, default=1.0), *USUAL_BOUNDS)):
            if bound > 0:
                exact = plain_number(bound)
                guessed = bound in USUAL_BOUNDS
                switches = Switches(**{kind: exact})
                yield Hypothesis(words.format(bound), RULE, switches, estimated=1 - guessed)


def _gradients_seen(case: Case) -> list[Parameters]:
    """The first gradient, and those that the updates of plain SGD show."""
    seen = [case.trace.gradients]
    if _optimizer(case) != "sgd" or case.experiment.decay is not None:
        return seen
    for step in range(1, max(case.trace.parameters) + 1):
        moved = updates(case.trace, step - 1, step)
        if moved is not None:
            seen.append([(W / case.rate, None if b is None else b / case.rate) for W, b in moved])
    return seen


def norms(pairs: Parameters) -> list[float]:
    return [norm(pairs)]


def tensor_norms(pairs: Parameters) -> list[float]:
    return sorted((float(np.linalg.norm(v)) for _, v in named(pairs)), reverse=True)[:4]


def largest_values(pairs: Parameters) -> list[float]:
    return [max((float(np.abs(v).max(initial=0)) for _, v in named(pairs)), default=0.0)]


def _constraints(case: Case) -> Iterator[Hypothesis]:
    """Parameters kept below a bound: their largest numbers are the bound."""
    steps = sorted(case.trace.parameters)
    for pairs in (
        case.trace.parameters[steps[-1]],
        case.trace.parameters[steps[min(1, len(steps) - 1)]],
    ):
        kernels = [np.asarray(W, np.float64) for W, _ in pairs]
        for axis, who in ((0, "unit"), (1, "input")):
            bound = max(float(np.sqrt((W**2).sum(axis=axis)).max()) for W in kernels)
            words = f"the weights of each {who} are kept at a norm of at most {bound:.6g}"
            switches = Switches(max_norm=plain_number(bound), norm_axis=axis)
            yield Hypothesis(words, RULE, switches, estimated=1)
        bound = max(largest_values(pairs))
        words = f"parameters are clipped to values of at most {bound:.6g}"
        yield Hypothesis(words, RULE, Switches(bound=plain_number(bound)), estimated=1)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    teens = 10 < number % 100 < 20
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _special_steps(case: Case) -> Iterator[Hypothesis]:
    """A batch trained twice, or skipped: the first wrong step shows which is the first."""
    first = first_wrong_step(case)
    if not first:
        return
    ways = {
        "trained twice": "is trained twice",
        "trained twice, second loss": "is trained twice",
        "updated twice": "is updated twice with one gradient",
        "skipped": "is skipped",
    }
    epoch = case.experiment.steps_per_epoch
    periods = dict.fromkeys((first, epoch, *USUAL_PERIODS, 1))
    for period, (way, words) in product(periods, ways.items()):
        if not 1 <= period <= case.experiment.steps or (period == 1 and way == "updated twice"):
            continue
        who = "every batch" if period == 1 else f"every {ordinal(period)} batch"
        if period not in (1, first):
            who = f"{who}, from step {first} on,"
        switches = Switches(every=period, offset=first, at_those=way)
        yield Hypothesis(f"{who} {words}", ROWS, switches, estimated=period != 1)
