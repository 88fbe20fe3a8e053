"""Usual mistakes of somebody's own loop, with usual numbers, where a part of a trace shows none.

An adapter leaves a whole trace, from which rates and strengths are read. A loop may hand back its
losses alone. So the numbers that people write are tried.
"""

from collections.abc import Iterator

from harness.experiment.training import L2
from harness.parameters import named_arrays
from harness.parity.estimates import Case
from harness.parity.hypotheses import ALL_PARAMETERS, PENALTY, RATES, Hypothesis
from harness.parity.rate_hypotheses import LINEAR, factors_in_words
from harness.parity.switches import Factors, Switches

RATE_FACTORS = (0.5, 2.0, 0.1, 10.0, 0.01, 100.0)
OWN_RATES = (0.1, 0.01, 0.001, 0.05, 0.005, 0.5, 1.0)
DECAYS = (0.01, 1e-4, 5e-4, 1e-3, 0.1, 1e-5)


def usual_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield the mistakes, the plainest first."""
    training = case.experiment.training
    if training is None:
        return
    yield from _never_updated(case)
    yield from _rates(case)
    for decay in DECAYS:
        yield from _decays(case, decay)


def _never_updated(case: Case) -> Iterator[Hypothesis]:
    start = case.expected.parameters[0]
    if any(array.name == "biases" for array in named_arrays(start)):
        yield _with_factors(case, tuple((1.0, 0.0) if entry else () for entry in start))
    trained = [layer for layer, entry in enumerate(start) if entry]
    if len(trained) > 1:
        for still in trained:
            one = tuple(
                tuple(float(layer != still) for _ in entry) for layer, entry in enumerate(start)
            )
            yield _with_factors(case, one)


def _with_factors(case: Case, factors: Factors) -> Hypothesis:
    words = factors_in_words(factors, case, "{} move at {:.6g} times the rate")
    return Hypothesis(words, ALL_PARAMETERS, Switches(rate_factors=factors))


def _rates(case: Case) -> Iterator[Hypothesis]:
    who = "the learning rate (or the gradient)" if case.optimizer in LINEAR else "the learning rate"
    rows = case.experiment.batch_size
    for factor in dict.fromkeys((*RATE_FACTORS, float(rows), 1 / rows)):
        if factor != 1:
            words = f"{who} is {factor:.6g} times the given one"
            yield Hypothesis(words, RATES, Switches(rate_scale=factor))
    for rate in OWN_RATES:
        if abs(rate / case.rate - 1) > 1e-6:
            words = f"the learning rate is {rate:g} whatever is given"
            yield Hypothesis(words, RATES, Switches(own_rate=rate))


def _decays(case: Case, decay: float) -> Iterator[Hypothesis]:
    words = f"a weight decay of {decay:g} is added on"
    for on, place in (("all", "weights and biases"), ("weights", "the weights")):
        penalty = L2.model_construct(strength=decay / 2, half=False, per_row=False, on=on)
        in_gradient = Switches(penalty=penalty, penalty_where="gradient")
        yield Hypothesis(f"{words} {place} (in the gradient)", PENALTY, in_gradient)
        in_both = Switches(penalty=penalty)
        yield Hypothesis(f"{words} {place} (in loss and gradient)", PENALTY, in_both)
        if case.optimizer != "sgd":  # there it is the same as in the gradient
            apart = Switches(weight_decay=decay, decay_biases=on == "all")
            yield Hypothesis(f"{words} {place} (decoupled)", PENALTY, apart)
