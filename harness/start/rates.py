"""The learning rate of every step: the formulas of `harness.experiment.schedules` on whole arrays.

Arrays have shape (steps,), in float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment.schedules import (
    By,
    Constant,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    First,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    PowerDecay,
    Schedule,
    StepDecay,
)

Rates = NDArray[np.float64]
Counts = NDArray[np.int64]


def learning_rates(
    schedule: Schedule | None, rate: float, steps_per_epoch: int, steps: Counts
) -> Rates:
    """Return the learning rates of these steps, not rounded.

    Args:
        schedule: of the protocol; None for a constant rate.
        rate: the optimizer's learning rate.
        steps_per_epoch: number of updates in one pass over the rows.
        steps: numbers of steps, counted from 0, in any order.
    """
    if schedule is None:
        return np.full(len(steps), rate)
    warm_up = schedule.warm_up
    if warm_up is None:
        return _scheduled(schedule, rate, steps_per_epoch, steps)
    length = warm_up.in_steps(steps_per_epoch)
    n = warm_up.epochs if warm_up.by == "epoch" else length
    t = _over(steps, warm_up.by, warm_up.first, steps_per_epoch)
    share = warm_up.start + (1 - warm_up.start) * np.minimum(t / (n or 1), 1)
    if not warm_up.schedule_waits:
        return share * _scheduled(schedule, rate, steps_per_epoch, steps)
    later = _scheduled(schedule, rate, steps_per_epoch, np.maximum(steps - length, 0))
    return np.where(steps < length, share * rate, later)


def _over(steps: Counts, by: By, first: First, steps_per_epoch: int) -> Counts:
    """t of each step: the steps or epochs that are over, and one more where the first counts."""
    over: Counts = steps // steps_per_epoch if by == "epoch" else steps
    return over + 1 if first == "changed" else over


def _scheduled(schedule: Schedule, rate: float, steps_per_epoch: int, steps: Counts) -> Rates:
    """The rates without a warm-up."""
    if isinstance(schedule, Constant):
        return np.full(len(steps), rate)
    t = _over(steps, schedule.by, schedule.first, steps_per_epoch)
    if isinstance(schedule, PiecewiseConstant):
        after = np.searchsorted(schedule.boundaries, t, side="right")
        return np.array([rate, *schedule.rates])[after]
    # by epoch, an epoch is the unit of n, too
    n = schedule.in_steps(1 if schedule.by == "epoch" else steps_per_epoch)
    match schedule:
        case StepDecay():
            result: NDArray[Any] = rate * schedule.factor ** (t // n)
        case ExponentialDecay():
            result = rate * schedule.factor ** (t / n)
        case InverseTimeDecay():
            result = rate / (1 + schedule.factor * (t // n if schedule.staircase else t / n))
        case PowerDecay():
            result = rate / (1 + t / n) ** schedule.power
        case PolynomialDecay():
            left = (1 - np.minimum(t / n, 1)) ** schedule.power
            result = schedule.end_rate + (rate - schedule.end_rate) * left
        case CosineDecay():
            left = _half_cosine(np.minimum(t / n, 1))
            result = schedule.end_rate + (rate - schedule.end_rate) * left
        case CosineRestarts():
            result = schedule.end_rate + (rate - schedule.end_rate) * _restarted(schedule, n, t)
        case OneCycle():
            result = _one_cycle(schedule, rate, n, t)
    return result


def _half_cosine(part: Rates) -> Rates:
    """(1 + cos(pi part)) / 2: from 1 at 0 to 0 at 1."""
    left: Rates = (1 + np.cos(np.pi * part)) / 2
    return left


def _restarted(schedule: CosineRestarts, n: int, t: Counts) -> Rates:
    """peak_factor^i (1 + cos(pi u / length)) / 2 of cycle i and its u."""
    if schedule.growth == 1:
        cycle, u = np.divmod(t, n)
        return schedule.peak_factor ** cycle.astype(np.float64) * _half_cosine(u / n)
    starts, length = [0.0], float(n)
    while starts[-1] + length <= t.max(initial=0):
        starts.append(starts[-1] + length)
        length *= schedule.growth
    cycle = np.searchsorted(starts, t, side="right") - 1
    u = t - np.array(starts)[cycle]
    peaks: Rates = schedule.peak_factor ** cycle.astype(np.float64)
    return peaks * _half_cosine(u / (n * schedule.growth**cycle))


def _one_cycle(schedule: OneCycle, rate: float, n: int, t: Counts) -> Rates:
    """Between the turns of the cycle linear in t, or half a cosine; after it the last rate."""
    low = rate / schedule.start_divisor
    turns = np.array([0.0, *schedule.turns(n)])
    falling = [low] if schedule.three_phases else []
    values = np.array([low, rate, *falling, low / schedule.end_divisor])
    phase = np.clip(np.searchsorted(turns, t, side="left") - 1, 0, len(turns) - 2)
    part = np.minimum((t - turns[phase]) / (turns[phase + 1] - turns[phase]), 1)
    start, end = values[phase], values[phase + 1]
    left = _half_cosine(part) if schedule.annealing == "cosine" else 1 - part
    rates: Rates = end + (start - end) * left
    return rates
