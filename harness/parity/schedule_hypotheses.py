"""What may be wrong with learning rates that change: another reading of the schedule.

Each is a mistake of an adapter that computes the rates itself, or takes them of another step. Both
precisions are tried: rates rounded to float32, as those given are, and rates that are not.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment.schedules import (
    Constant,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    Schedule,
    StepDecay,
    WarmUp,
)
from harness.parity.estimates import Case
from harness.parity.hypotheses import RATES, Hypothesis
from harness.parity.switches import Switches
from harness.start.rates import learning_rates

Reading = tuple[str, Schedule | None]
"""What the adapter does, in words, and the schedule that it follows; None is a constant rate."""


def schedule_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every other reading of the protocol's schedule, the plainest first."""
    training = case.experiment.training
    if training is None or training.schedule is None:
        return
    given, epoch = training.schedule, case.experiment.steps_per_epoch
    units = {1: "step", epoch: "epoch"} if epoch > 1 else {1: "step"}
    readings: list[tuple[str, Schedule | None, int]] = [
        (f"the learning rate is that of the {unit} {place}", given, sign * steps)
        for steps, unit in units.items()
        for sign, place in ((1, "after"), (-1, "before"))
    ]
    readings += [(words, schedule, 0) for words, schedule in _readings(given)]
    right = _rates(case, given, 0)
    for words, schedule, shift in readings:
        if np.array_equal(_rates(case, schedule, shift), right):
            continue  # in the steps of this proof it is no mistake
        for rounded in (True, False):
            switches = Switches(schedule=schedule, rate_of_step=shift, rates_rounded=rounded)
            yield Hypothesis(words, RATES, switches)
    words = "the learning rates are its own: they are not rounded to float32 as the given ones"
    yield Hypothesis(words, RATES, Switches(rates_rounded=False))


def _rates(case: Case, schedule: Schedule | None, shift: int) -> NDArray[np.float64]:
    """The learning rates of the proof's steps, or of steps so much later, under a schedule."""
    training = case.experiment.training
    rate = training.optimizer.learning_rate if training else 0.0
    steps = np.maximum(np.arange(case.experiment.steps) + shift, 0)
    return learning_rates(schedule, rate, case.experiment.steps_per_epoch, steps)


def _readings(given: Schedule) -> Iterator[Reading]:
    yield "the schedule is left out: the learning rate is that of the optimizer in every step", None
    if not isinstance(given, Constant):
        yield from _of_counting(given)
        yield from _of_course(given)
    if given.warm_up is not None:
        yield from _of_warm_up(given, given.warm_up)


def _of_counting(given: Any) -> Iterator[Reading]:
    """The first change one step or epoch sooner or later; steps for epochs and epochs for steps."""
    later = given.first == "changed"
    other = _other(given, first="unchanged" if later else "changed")
    alone = ", the warm-up is not" if given.warm_up else ""
    moment = "late" if later else "early"
    yield f"the schedule changes one {given.by} too {moment}{alone}", other
    steps, epochs = _names_of_length(given)
    has_by = "by" in type(given).model_fields
    if getattr(given, epochs):
        counted = {steps: getattr(given, epochs), epochs: None}
        words = "the schedule counts steps, where the protocol counts epochs"
        yield words, _other(given, **counted, **({"by": "step"} if has_by else {}))
    else:
        counted = {epochs: getattr(given, steps), steps: None}
        words = "the schedule counts epochs, where the protocol counts steps"
        yield words, _other(given, **counted, **({"by": "epoch"} if has_by else {}))
    if has_by and getattr(given, epochs):
        words = "the learning rate changes only between epochs, not in every step"
        if given.by == "epoch":
            words = "the learning rate changes in every step, not only between epochs"
        yield words, _other(given, by="step" if given.by == "epoch" else "epoch")


def _names_of_length(given: Schedule) -> tuple[str, str]:
    """The fields that state n of a schedule, in steps and in epochs."""
    for names in (("every_steps", "every_epochs"), ("at_steps", "at_epochs")):
        if names[0] in type(given).model_fields:
            return names
    return "steps", "epochs"


def _of_course(given: Schedule) -> Iterator[Reading]:
    """Another course of the rate between its ends."""
    continuous, staircase = "the decay is continuous, not a staircase", "the decay is a staircase"
    match given:
        case StepDecay():
            parts = {**dict(given), "name": "exponential_decay"}
            for by in dict.fromkeys(("step", given.by)):
                yield continuous, ExponentialDecay.model_construct(**parts | {"by": by})
        case ExponentialDecay():
            yield staircase, StepDecay.model_construct(**{**dict(given), "name": "step_decay"})
        case InverseTimeDecay():
            words = continuous if given.staircase else staircase
            yield words, _other(given, staircase=not given.staircase)
        case PolynomialDecay():
            if given.power != 1:
                yield "the decay is a straight line", _other(given, power=1.0)
            if given.end_rate:
                yield "the decay ends at 0", _other(given, end_rate=0.0)
        case CosineDecay():
            if given.end_rate:
                yield "the decay ends at 0", _other(given, end_rate=0.0)
            restarted = {**dict(given), "name": "cosine_restarts", "growth": 1.0}
            restarts = CosineRestarts.model_construct(**restarted, peak_factor=1.0)
            yield "the cosine begins again when it is over", restarts
        case CosineRestarts():
            once = {**dict(given), "name": "cosine_decay"}
            yield (
                "restarts are left out: the rate stays at its end",
                CosineDecay.model_construct(**once),
            )
            if given.growth != 1:
                yield "all cycles are as long as the first", _other(given, growth=1.0)
            if given.peak_factor != 1:
                yield "every cycle begins at the first rate", _other(given, peak_factor=1.0)
        case OneCycle():
            shape = "linear" if given.annealing == "cosine" else "cosine"
            yield f"the cycle is {shape}, not {given.annealing}", _other(given, annealing=shape)
            phases = not given.three_phases
            words = f"the cycle has {'three' if phases else 'two'} phases"
            if given.rising <= 0.5:
                yield words, _other(given, three_phases=phases)
        case PiecewiseConstant():
            return


def _of_warm_up(given: Schedule, warm_up: WarmUp) -> Iterator[Reading]:
    missing = "the warm-up is left out"
    yield missing, None if isinstance(given, Constant) else _other(given, warm_up=None)
    if warm_up.schedule_waits:
        yield missing, _other(given, warm_up=_other(warm_up, start=1.0))
    later = warm_up.first == "changed"
    other = _other(warm_up, first="unchanged" if later else "changed")
    words = f"the warm-up is one {warm_up.by} too {'late' if later else 'early'}"
    yield words, _other(given, warm_up=other)
    if warm_up.by == "epoch":
        words = "the warm-up grows in every step, not only between epochs"
        yield words, _other(given, warm_up=_other(warm_up, by="step"))
        counted = _other(warm_up, by="step", steps=warm_up.epochs, epochs=None)
        yield "the warm-up counts steps, not epochs", _other(given, warm_up=counted)
    elif warm_up.epochs:
        words = "the warm-up grows only between epochs, not in every step"
        yield words, _other(given, warm_up=_other(warm_up, by="epoch"))
    if warm_up.start:
        yield "the warm-up begins at 0", _other(given, warm_up=_other(warm_up, start=0.0))
    if warm_up.schedule_waits is not None:
        waits = not warm_up.schedule_waits
        words = "the schedule begins after the warm-up, not with it"
        if not waits:
            words = "the schedule begins with the warm-up, not after it"
        yield words, _other(given, warm_up=_other(warm_up, schedule_waits=waits))


def _other(part: Any, **changes: Any) -> Any:
    """A copy with other fields, which are not checked: a mistake need not be a valid protocol."""
    return part.model_copy(update=changes)
