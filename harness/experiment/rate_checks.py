"""What a schedule must be in its protocol: it fits the optimizer's rate and the length.

The checks raise ValueError, as those of `consistency` do.
"""

import math
from typing import TYPE_CHECKING

from harness.experiment.schedules import (
    Constant,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    PowerDecay,
    Schedule,
    StepDecay,
)

if TYPE_CHECKING:
    from harness.experiment.model import Experiment

SMALLEST_RATE = 2.0**-126
"""The smallest float32 of full precision: a smaller learning rate would become 0."""


def check_schedule(experiment: "Experiment") -> None:
    """Check that the schedule fits the optimizer, and that float32 can hold every rate."""
    training = experiment.training
    if training is None or training.schedule is None:
        return
    schedule, rate = training.schedule, training.optimizer.learning_rate
    if getattr(training.optimizer, "rate_inside_velocity", True) is None:
        raise ValueError(
            "training.optimizer.rate_inside_velocity: state it (true or false) where the "
            "rate changes; libraries differ"
        )
    end_rate = getattr(schedule, "end_rate", 0.0)
    if end_rate >= rate:
        raise ValueError(
            f"training.schedule.end_rate: must be below the optimizer's learning_rate, {rate:g}. "
            f"Got {end_rate:g}"
        )
    epoch = experiment.steps_per_epoch
    if isinstance(schedule, OneCycle) and schedule.turns(_length(schedule, epoch))[0] <= 0:
        raise ValueError(
            "training.schedule.rising: the rate must rise for more than one "
            f"{schedule.by}. Got {schedule.rising:g} of {_length(schedule, epoch)}"
        )
    lowest = lowest_rate(schedule, rate, epoch, experiment.steps)
    if lowest < SMALLEST_RATE:
        raise ValueError(
            f"training.schedule: every learning rate must be 0 or at least {SMALLEST_RATE:.2g}, "
            f"which float32 can hold. They fall to {lowest or 5e-324:.2g}; let the rate decay "
            "later or less, or train for fewer steps"
        )


def check_warm_up(experiment: "Experiment") -> None:
    """Check that the warm-up is over when training ends.

    It is asked of what people write, not of a proof, which is cut to its first steps.
    """
    training = experiment.training
    if training is None or training.schedule is None or training.schedule.warm_up is None:
        return
    length = training.schedule.warm_up.in_steps(experiment.steps_per_epoch)
    if length > experiment.steps:
        raise ValueError(
            "training.schedule.warm_up: must be over when training ends, after "
            f"{experiment.steps:,} steps. Got {length:,}"
        )


def lowest_rate(schedule: Schedule, rate: float, steps_per_epoch: int, steps: int) -> float:
    """Return a bound that no learning rate above 0 of so many steps is below.

    It is the lowest rate itself, but for cycles that do not end with a step and for warm-ups.
    """
    lowest = _lowest_without_warm_up(schedule, rate, steps_per_epoch, steps)
    warm_up = schedule.warm_up
    if warm_up is None:
        return lowest
    n = warm_up.epochs if warm_up.by == "epoch" else warm_up.in_steps(steps_per_epoch)
    return lowest * (warm_up.start or 1 / (n or 1))


def _length(schedule: Schedule, steps_per_epoch: int) -> int:
    """The n of a schedule in what its t counts."""
    if isinstance(schedule, Constant | PiecewiseConstant):
        return 1
    return schedule.in_steps(1 if schedule.by == "epoch" else steps_per_epoch)


def _lowest_without_warm_up(
    schedule: Schedule, rate: float, steps_per_epoch: int, steps: int
) -> float:
    if isinstance(schedule, Constant):
        return rate
    if isinstance(schedule, PiecewiseConstant):
        return min(rate, *schedule.rates)
    n = _length(schedule, steps_per_epoch)
    t = (steps - 1) // steps_per_epoch if schedule.by == "epoch" else steps - 1
    t += schedule.first == "changed"
    match schedule:
        case StepDecay():
            return float(rate * schedule.factor ** (t // n))
        case ExponentialDecay():
            return float(rate * schedule.factor ** (t / n))
        case InverseTimeDecay():
            return rate / (1 + schedule.factor * t / n)
        case PowerDecay():
            return float(rate / (1 + t / n) ** schedule.power)
        case PolynomialDecay():
            return schedule.end_rate or float(rate * (1 / n) ** schedule.power)
        case CosineDecay():
            return schedule.end_rate or rate * _last_of_cosine(n)
        case CosineRestarts():
            return schedule.end_rate or rate * _last_of_cycles(schedule, n, t)
        case OneCycle():
            return rate / schedule.start_divisor / schedule.end_divisor


def _last_of_cosine(n: float) -> float:
    """(1 + cos(pi (n - 1) / n)) / 2, the last part above 0 of a cycle."""
    return math.sin(math.pi / (2 * n)) ** 2


def _last_of_cycles(schedule: CosineRestarts, n: int, t: int) -> float:
    """The last part above 0 of the cycle that t is in."""
    growth = schedule.growth
    cycle = t / n if growth == 1 else math.log(1 + t * (growth - 1) / n) / math.log(growth)
    cycle = math.floor(cycle)
    return schedule.peak_factor**cycle * _last_of_cosine(n * growth**cycle)
