"""What may be wrong with Adam and its relatives: AdamW, AMSGrad, Nadam, Adamax and Adadelta."""

from collections.abc import Iterator
from typing import Any, Literal, cast

from harness.experiment.optimizers import (
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Nadam,
    Optimizer,
    RMSprop,
)
from harness.experiment.training import L2
from harness.parity.constant_hypotheses import OTHER_BETAS, OTHER_EPSILONS, constants, others
from harness.parity.estimates import Case
from harness.parity.hypotheses import RULE, Hypothesis
from harness.parity.reference_updates import Moments
from harness.parity.switches import Switches
from harness.start import given

NAMES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "amsgrad": "AMSGrad",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "adadelta": "Adadelta",
}
COUPLED_PLACES: tuple[tuple[Literal["gradient", "both"], str], ...] = (
    ("gradient", "in the gradient"),
    ("both", "in loss and gradient"),
)
OTHER_DECAYS = (0.01, 0.004, 1e-4, 1e-3, 0.05, 0.1, 5e-4)
OTHER_MOMENTUM_DECAYS = (1.0, 0.004, 0.04, 0.4)


def adam_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of the protocol's rule, if it is one of these, the plainest first."""
    training = case.experiment.training
    rule = given(training.optimizer, case.experiment) if training else None
    if isinstance(rule, Adadelta):
        yield from _adadelta(rule, case)
    if not isinstance(rule, Adam | AdamW | AMSGrad | Nadam | Adamax):
        return
    match rule:
        case AdamW():
            yield from _adamw(rule, case)
        case AMSGrad():
            yield from _amsgrad(rule)
        case Nadam():
            yield from _nadam(rule, case)
        case Adamax():
            yield from _adamax(rule)
    yield from _moments(rule, case)
    yield from _relatives(rule)


# ---------------------------------------------------------------- what all of them have


def _moments(rule: Moments, case: Case) -> Iterator[Hypothesis]:
    """Epsilon's place and size, the bias corrections, betas and the count of steps."""
    name = NAMES[rule.name]
    other, words = _other_form(rule)
    if other:
        yield Hypothesis(f"{name} has {words}", RULE, constants(form=other))
    yield Hypothesis(f"{name} has no bias correction", RULE, Switches(bias_correction="none"))
    if not isinstance(rule, Adamax):  # Adamax corrects its first moment alone, Nadam by mu
        for moment in ("first", "second"):
            missing = f"{name} has a bias correction of its {moment} moment only"
            yield Hypothesis(missing, RULE, Switches(bias_correction=moment))
    stated = case.experiment.training
    stated_rule = cast(Moments, stated.optimizer if stated else rule)
    # so small a one is none, which is a mistake of Adamax by itself
    epsilons = (
        OTHER_EPSILONS
        if not isinstance(rule, Adamax)
        else tuple(each for each in OTHER_EPSILONS if each > 1e-12)
    )
    for epsilon, differs in others(f"{name}'s epsilon", epsilons, stated_rule.epsilon, case):
        yield Hypothesis(differs, RULE, constants(epsilon=epsilon))
        if other and epsilon != stated_rule.epsilon:
            both = constants(epsilon=epsilon, form=other)
            yield Hypothesis(f"{differs}, and has {words}", RULE, both)
    swapped = constants(beta1=rule.beta2, beta2=rule.beta1)
    yield Hypothesis(f"{name}'s beta1 and beta2 are swapped", RULE, swapped)
    for beta in ("beta1", "beta2"):
        value = getattr(stated_rule, beta)
        for number, differs in others(f"{name}'s {beta}", OTHER_BETAS, value, case):
            yield Hypothesis(differs, RULE, constants(**{beta: number}))
    yield Hypothesis(f"{name}'s t counts tensors, not steps", RULE, Switches(t_step="tensors"))
    yield Hypothesis(f"{name}'s t stays at 1", RULE, Switches(t_step="never"))
    yield Hypothesis(f"{name}'s t starts at 2, not at 1", RULE, Switches(t_start=1))


def _other_form(rule: Moments) -> tuple[str, str]:
    """The other form of a rule whose forms are places of epsilon, and its words."""
    match rule.form:
        case "algorithm_1":
            return "epsilon_hat", "the epsilon-hat form (epsilon outside the bias correction)"
        case "epsilon_hat":
            return "algorithm_1", "the form of algorithm 1 (epsilon after the bias correction)"
        case "epsilon_inside_maximum":
            return "epsilon_outside_maximum", "epsilon outside the maximum, added in the division"
        case "epsilon_outside_maximum":
            return "epsilon_inside_maximum", "epsilon inside the maximum, added to the gradient"
    return "", ""


def _relatives(rule: Moments) -> Iterator[Hypothesis]:
    """Another rule of the family in place of the protocol's, with its numbers."""
    name = NAMES[rule.name]
    form = rule.form if rule.form in ("algorithm_1", "epsilon_hat") else "algorithm_1"
    maxima = {"before_correction": "", "after_correction": ", of the corrected second moment"}
    if not isinstance(rule, Adam | AdamW):  # without its decay AdamW is Adam
        yield _replaced(f"{name} is plain Adam", as_rule(Adam, rule, form=form))
    if not isinstance(rule, AMSGrad | AdamW):
        for maximum, words in maxima.items():
            other = as_rule(AMSGrad, rule, form=form, maximum=maximum)
            yield _replaced(f"{name} is AMSGrad{words}", other)
    if not isinstance(rule, Nadam | AdamW):
        plain = as_rule(Nadam, rule, form="constant_momentum", momentum_decay=None)
        yield _replaced(f"{name} has Nesterov's momentum (Nadam)", plain)
    if not isinstance(rule, Adamax | AdamW):
        other = as_rule(Adamax, rule, form="epsilon_inside_maximum")
        yield _replaced(f"{name} is Adamax", other)


def as_rule(kind: Any, rule: Any, **fields: Any) -> Optimizer:
    """Return another rule with the numbers of one, and with its own fields."""
    same = {
        name: getattr(rule, name)
        for name in kind.model_fields
        if name not in ("name", *fields) and hasattr(rule, name)
    }
    made: Optimizer = kind.model_construct(name=kind.__name__.lower(), **same, **fields)
    return made


def _replaced(words: str, rule: Optimizer) -> Hypothesis:
    return Hypothesis(words, RULE, Switches(other_rule=rule))


# ---------------------------------------------------------------- what single ones have


def _adamw(rule: AdamW, case: Case) -> Iterator[Hypothesis]:
    """The decay: in the gradient, missing, with or without the rate, on other parameters."""
    adam, decay = as_rule(Adam, rule), rule.weight_decay
    for half, words in ((False, ""), (True, ", halved"), (None, ", doubled")):
        strength = decay / (4 if half else 1 if half is None else 2)
        l2 = L2.model_construct(strength=strength, half=False, per_row=False, on=rule.decay_on)
        for where, place in COUPLED_PLACES:
            coupled = Switches(other_rule=adam, coupled=l2, coupled_where=where)
            text = f"the weight decay is coupled, {place}{words}: not AdamW's, but an L2 penalty"
            yield Hypothesis(text, RULE, coupled)
    yield _replaced("the weight decay is missing", adam)
    times = not rule.decay_times_rate
    words = "" if times else "not "
    text = f"the weight decay is {words}multiplied by the learning rate"
    yield Hypothesis(text, RULE, constants(decay_times_rate=times))
    on = "weights" if rule.decay_on == "all" else "all"
    words = "on the weights alone, not on biases" if on == "weights" else "on biases too"
    yield Hypothesis(f"the weight decay is {words}", RULE, constants(decay_on=on))
    both = constants(decay_times_rate=times, decay_on=on)
    yield Hypothesis(f"{text}, and is {words}", RULE, both)
    last = "the weights decay after Adam's step, not before it"
    yield Hypothesis(last, RULE, Switches(decay_last=True))
    stated = cast(AdamW, case.experiment.training.optimizer) if case.experiment.training else rule
    for number, words in others("the weight decay", OTHER_DECAYS, stated.weight_decay, case):
        yield Hypothesis(words, RULE, constants(weight_decay=number))
    rate = case.rate
    if rule.decay_times_rate and case.experiment.rate_changes:
        own = constants(weight_decay=decay * rate, decay_times_rate=False)
        yield Hypothesis("the weight decay takes the first learning rate in every step", RULE, own)


def _amsgrad(rule: AMSGrad) -> Iterator[Hypothesis]:
    after = rule.maximum == "before_correction"
    other = "after_correction" if after else "before_correction"
    words = f"AMSGrad takes its maximum {'after' if after else 'before'} the bias correction"
    yield Hypothesis(words, RULE, constants(maximum=other))
    _, form = _other_form(rule)
    both = constants(maximum=other, form=_other_form(rule)[0])
    yield Hypothesis(f"{words}, and has {form}", RULE, both)


def _nadam(rule: Nadam, case: Case) -> Iterator[Hypothesis]:
    if rule.momentum_decay is None:
        for number in OTHER_MOMENTUM_DECAYS:
            words = f"Nadam's momentum has a schedule, with momentum_decay {number:g}"
            yield Hypothesis(words, RULE, constants(momentum_decay=number))
        yield from _nadam_of_p()
        return
    words = "Nadam's momentum has no schedule (it is beta1 in every step)"
    yield Hypothesis(words, RULE, constants(momentum_decay=None))
    for number, differs in others(
        "Nadam's momentum_decay",
        OTHER_MOMENTUM_DECAYS,
        rule.momentum_decay,
        case,
    ):
        yield Hypothesis(differs, RULE, constants(momentum_decay=number))
    words = "Nadam's m is taken with the momentum of the schedule, not with beta1"
    yield Hypothesis(words, RULE, Switches(nadam="momentum in m"))
    words = "Nadam corrects by powers of beta1, not by the product of its schedule"
    yield Hypothesis(words, RULE, Switches(nadam="powers of beta1"))
    yield from _nadam_of_p()


def _nadam_of_p() -> Iterator[Hypothesis]:
    words = "Nadam corrects m by this step's product of momenta, not by the next step's"
    yield Hypothesis(words, RULE, Switches(nadam="same p"))
    words = "Nadam has no bias correction of its momentum"
    yield Hypothesis(words, RULE, Switches(nadam="no correction"))


def _adamax(rule: Adamax) -> Iterator[Hypothesis]:
    yield Hypothesis("Adamax has no epsilon", RULE, constants(epsilon=0.0))
    yield Hypothesis("Adamax's largest gradient never decays", RULE, constants(beta2=1.0))


def _adadelta(rule: Adadelta, case: Case) -> Iterator[Hypothesis]:
    words = "Adadelta's averages are swapped: of steps for gradients, of gradients for steps"
    yield Hypothesis(words, RULE, Switches(adadelta="swapped"))
    words = "Adadelta's epsilon is outside the roots"
    yield Hypothesis(words, RULE, Switches(adadelta="epsilon outside"))
    words = "Adadelta's average of steps takes them times the learning rate"
    yield Hypothesis(words, RULE, Switches(adadelta="rate in d"))
    stated = case.experiment.training
    stated_rule = cast(Adadelta, stated.optimizer if stated else rule)
    for epsilon, words in others("Adadelta's epsilon", OTHER_EPSILONS, stated_rule.epsilon, case):
        yield Hypothesis(words, RULE, constants(epsilon=epsilon))
    for rho, words in others("Adadelta's rho", OTHER_BETAS, stated_rule.rho, case):
        yield Hypothesis(words, RULE, constants(rho=rho))
    forms = {"epsilon_inside_root": "inside the root", "epsilon_outside_root": "outside the root"}
    for form, place in forms.items():
        rmsprop = as_rule(RMSprop, rule, form=form)
        yield _replaced(f"Adadelta is RMSprop, epsilon {place}", rmsprop)
