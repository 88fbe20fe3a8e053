"""What may be wrong with an adapter's updates: the optimizer, clipping, steps that are special."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Literal

import numpy as np

from harness.experiment.optimizers import (
    SGD,
    Adagrad,
    Momentum,
    Nesterov,
    RMSprop,
)
from harness.parameters import map_arrays
from harness.parity.adam_hypotheses import adam_hypotheses
from harness.parity.around_hypotheses import around_hypotheses
from harness.parity.constant_hypotheses import OTHER_BETAS, OTHER_EPSILONS, constants, others
from harness.parity.estimates import (
    Case,
    first_wrong_step,
    named,
    norm,
    rate_ratio,
    second_update_strength,
    updates,
)
from harness.parity.hypotheses import (
    ROWS,
    RULE,
    Hypothesis,
)
from harness.parity.switches import Switches
from harness.start import float32
from harness.trainer import Parameters

USUAL_MOMENTA = (0.9, 0.99, 0.95, 0.5)
USUAL_BOUNDS = (1.0, 0.5, 5.0, 10.0, 0.1, 2.0, 3.0)
USUAL_PERIODS = (2, 3, 4, 5, 8, 10, 20, 25, 50, 100)


def update_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of updates, the plainest first."""
    if case.experiment.training is None:
        return
    yield from _rule(case)
    yield from around_hypotheses(case)
    yield from _clipping(case)
    yield from _constraints(case)
    yield from _special_steps(case)


# ---------------------------------------------------------------- the update rule


def _rule(case: Case) -> Iterator[Hypothesis]:
    training = case.experiment.training
    rule = training.optimizer if training else None
    if rule is not None and rule.name != "sgd":
        words = "the optimizer's memory is emptied between calls of advance"
        calls = Switches(reset_at=frozenset(case.trace.parameters))
        yield Hypothesis(words, RULE, calls, is_of_calls=True)
        epoch = case.experiment.steps_per_epoch
        epochs = frozenset(range(epoch, case.experiment.steps, epoch))
        words = "the optimizer's memory is emptied after every epoch"
        yield Hypothesis(words, RULE, Switches(reset_at=epochs))
    yield from adam_hypotheses(case)
    if isinstance(rule, RMSprop | Adagrad):
        yield from _divided_by_root(rule, case)
    if isinstance(rule, Momentum | Nesterov):
        yield from _momentum(rule, case)
    if isinstance(rule, SGD):
        yield from _added_momentum(case)
    words = "gradients are added to those of the steps before (no zero_grad)"
    yield Hypothesis(words, RULE, Switches(accumulated="always"))
    words = "gradients are added to those of the steps before, within a call (no zero_grad)"
    yield Hypothesis(words, RULE, Switches(accumulated="within a call"), is_of_calls=True)
    words = "gradients of kernels are centralised"
    yield Hypothesis(words, RULE, Switches(centred=True))


def _divided_by_root(rule: RMSprop | Adagrad, case: Case) -> Iterator[Hypothesis]:
    place = "inside" if rule.form == "epsilon_outside_root" else "outside"
    form = f"epsilon_{place}_root"
    yield Hypothesis(f"epsilon is {place} the root", RULE, constants(form=form))
    for epsilon, words in others("epsilon", OTHER_EPSILONS, rule.epsilon, case):
        yield Hypothesis(words, RULE, constants(epsilon=epsilon))
        if epsilon != rule.epsilon:
            both = constants(epsilon=epsilon, form=form)
            yield Hypothesis(f"{words}, and is {place} the root", RULE, both)
    if isinstance(rule, RMSprop):
        for rho, words in others("RMSprop's rho", OTHER_BETAS[1:], rule.rho, case):
            yield Hypothesis(words, RULE, constants(rho=rho))
        return
    for start in (0.0, 0.1, 1.0):
        if float32(start) != float32(rule.initial_accumulator):
            words = f"Adagrad's accumulator starts at {start:g}, not {rule.initial_accumulator:g}"
            yield Hypothesis(words, RULE, constants(initial_accumulator=case.given(start)))


def _momentum(rule: Momentum | Nesterov, case: Case) -> Iterator[Hypothesis]:
    plain = isinstance(rule, Momentum)
    words = "momentum is Nesterov's" if plain else "momentum is plain, not Nesterov's"
    yield Hypothesis(words, RULE, constants(name="nesterov" if plain else "momentum"))
    mu = case.given(rule.momentum)
    yield Hypothesis("momentum is dampened", RULE, Switches(dampening=mu))
    words = "momentum is dampened, except for the first velocity"
    yield Hypothesis(words, RULE, Switches(dampening=mu, first_velocity="whole"))
    if case.experiment.rate_changes:
        inside = not rule.rate_inside_velocity
        words = f"the learning rate is {'inside' if inside else 'outside'} the velocity"
        yield Hypothesis(words, RULE, constants(rate_inside_velocity=inside))
    for other in _other_momenta(mu, plain, case):
        words = f"momentum is {other:.6g}, not {rule.momentum:g}"
        words = "there is no momentum" if abs(other) < 1e-6 else words
        yield Hypothesis(words, RULE, constants(momentum=other), estimated=1)
    whole = Switches(dampening=1.0, first_velocity="whole")
    damped = second_update_strength(case, whole)
    if damped is not None and 1e-6 < damped <= 1:
        words = f"momentum is dampened by {damped:.6g}, except for the first velocity"
        switches = Switches(dampening=case.digits.plain(damped), first_velocity="whole")
        yield Hypothesis(words, RULE, switches, estimated=1)


def _added_momentum(case: Case) -> Iterator[Hypothesis]:
    """Momentum where there is to be none: a usual one, or the one that the first updates show."""
    whole = Switches(added_momentum=1.0)
    nesterov = rate_ratio(case, 0, 1)
    shown = (second_update_strength(case, whole), None if nesterov is None else nesterov - 1)
    for seen, name in zip(shown, ("momentum", "nesterov"), strict=True):
        who = "a momentum" if name == "momentum" else "Nesterov's momentum"
        usual = [value for mu in USUAL_MOMENTA for value in (mu, float32(mu))]
        read_off = [case.digits.plain(seen)] if seen is not None and 1e-6 < seen < 1 else []
        for mu in dict.fromkeys((*usual, *read_off)):
            switches = Switches(added_momentum=mu, added_momentum_is_nesterov=name == "nesterov")
            words = f"{who} of {mu:.6g} is added"
            yield Hypothesis(words, RULE, switches, estimated=int(mu not in usual))


def _other_momenta(mu: float, plain: bool, case: Case) -> Iterator[float]:
    """Yield another momentum, as the second update shows it, or the first one of Nesterov's."""
    missing = second_update_strength(case, constants(momentum=0.0))
    if missing is not None and abs(missing) > 1e-6:
        yield case.digits.plain(mu * (1 - missing))
    first = rate_ratio(case, 0, 1)
    if not plain and first is not None and abs(first - 1) > 1e-6:
        yield case.digits.plain(first * (1 + mu) - 1)


# ---------------------------------------------------------------- clipping and constraints


def _norms(pairs: Parameters) -> list[float]:
    return [norm(pairs)]


def _tensor_norms(pairs: Parameters) -> list[float]:
    return sorted((float(np.linalg.norm(v)) for _, v in named(pairs)), reverse=True)[:4]


def _largest_values(pairs: Parameters) -> list[float]:
    return [max((float(np.abs(v).max(initial=0)) for _, v in named(pairs)), default=0.0)]


CLIPPINGS: tuple[
    tuple[Literal["all", "each tensor", "values"], str, Callable[[Parameters], list[float]]],
    ...,
] = (
    ("all", "gradients are clipped to a norm of {:.6g}, that of all together", _norms),
    ("each tensor", "gradients are clipped to a norm of {:.6g}, each tensor alone", _tensor_norms),
    ("values", "gradients are clipped to values of at most {:.6g}", _largest_values),
)
"""Each kind of clipping, its words, and the sizes of gradients that may be its bound."""


def _clipping(case: Case) -> Iterator[Hypothesis]:
    """Gradients clipped to a bound: the one that the trace shows, or a usual one."""
    for kind, words, sizes in CLIPPINGS:
        shown = [size for pairs in _gradients_seen(case) for size in sizes(pairs)]
        of_first = sizes(case.trace.gradients)
        for bound in dict.fromkeys((*of_first, max(shown, default=1.0), *USUAL_BOUNDS)):
            if bound > 0:
                exact = case.digits.plain(bound)
                guessed = bound in USUAL_BOUNDS
                switches = Switches(clip=kind, clip_bound=exact)
                yield Hypothesis(words.format(exact), RULE, switches, estimated=1 - guessed)


def _gradients_seen(case: Case) -> list[Parameters]:
    """The first gradient, and those that the updates of plain SGD show."""
    seen = [case.trace.gradients]
    if case.optimizer != "sgd" or case.experiment.rate_changes:
        return seen
    for step in range(1, max(case.trace.parameters) + 1):
        moved = updates(case.trace, step - 1, step)
        if moved is not None:
            seen.append(map_arrays(lambda v: v / case.rate, moved))
    return seen


def _constraints(case: Case) -> Iterator[Hypothesis]:
    """Parameters kept below a bound: their largest numbers are the bound."""
    steps = sorted(case.trace.parameters)
    for pairs in (
        case.trace.parameters[steps[-1]],
        case.trace.parameters[steps[min(1, len(steps) - 1)]],
    ):
        kernels = [np.asarray(entry[0], np.float64) for entry in pairs if entry]
        for axis, who in ((0, "unit"), (1, "input")):
            norms = (float(np.sqrt((W**2).sum(axis=axis)).max()) for W in kernels)
            bound = case.digits.plain(max(norms))
            words = f"the weights of each {who} are kept at a norm of at most {bound:.6g}"
            switches = Switches(max_norm=bound, norm_axis=axis)
            yield Hypothesis(words, RULE, switches, estimated=1)
        bound = case.digits.plain(max(_largest_values(pairs)))
        words = f"parameters are clipped to values of at most {bound:.6g}"
        yield Hypothesis(words, RULE, Switches(bound=bound), estimated=1)


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
