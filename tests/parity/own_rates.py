# ruff: noqa: E501
"""Learning rates that an adapter computes itself, rightly or with a mistake.

PyTorch's schedulers compute them, so that no line is shared with the hypotheses. Their numbers are
those of `SCHEDULES`, on protocols of which an epoch has `EPOCH` steps.
"""

import math

import pytest

torch = pytest.importorskip("torch")
schedulers = torch.optim.lr_scheduler

EPOCH = 5
WARM_UP = {"steps": 4, "start": 0.1, "by": "step", "first": "unchanged", "schedule_waits": True}
FIRST = {"first": "unchanged"}
SCHEDULES = {
    "steps of epochs": {"name": "step_decay", "factor": 0.5, "every_epochs": 2},
    "exponential by epoch": {"name": "exponential_decay", "factor": 0.3, "every_epochs": 4, "by": "epoch", **FIRST},
    "inverse time": {"name": "inverse_time_decay", "factor": 0.5, "every_steps": 5, "staircase": False, "by": "step", **FIRST},
    "line": {"name": "polynomial_decay", "steps": 40, "end_rate": 0.0, "power": 1.0, "by": "step", **FIRST},
    "warm cosine": {"name": "cosine_decay", "steps": 120, "end_rate": 0.0, "by": "step", "warm_up": WARM_UP, **FIRST},
    "restarts": {"name": "cosine_restarts", "steps": 7, "end_rate": 0.0, "growth": 2.0, "peak_factor": 1.0, "by": "step", **FIRST},
    "cycle": {"name": "one_cycle", "steps": 120, "rising": 0.25, "start_divisor": 10.0, "end_divisor": 100.0, "annealing": "cosine", "three_phases": False, "by": "step", **FIRST},
    "pieces": {"name": "piecewise_constant", "at_steps": [6, 20], "rates": [0.04, 0.01], **FIRST},
}  # fmt: skip
"""Every schedule but two that have the formula of another."""


def course(rate, steps, make, per_epoch=False, calls_before=0):
    """The rates of so many steps: `scheduler.step()` comes after each, or after each epoch.

    Args:
        make: from an optimizer to a scheduler.
        per_epoch: whether the scheduler is called after epochs.
        calls_before: how often it is called before the first step.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    scheduler = make(optimizer)
    optimizer.step()  # else PyTorch warns of the order
    for _ in range(calls_before):
        scheduler.step()
    rates = []
    for step in range(1, steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        if not per_epoch or step % EPOCH == 0:
            scheduler.step()
    return rates


def _multiplied(function):
    return lambda optimizer: schedulers.LambdaLR(optimizer, function)


def _steps(size):
    return lambda optimizer: schedulers.StepLR(optimizer, size, 0.5)


def _cosine(optimizer):
    return schedulers.CosineAnnealingLR(optimizer, 120)


def _warm(steps, start=0.1):
    return lambda optimizer: schedulers.LinearLR(optimizer, start, total_iters=steps)


def _one_after_the_other(optimizer):
    parts = [_warm(4)(optimizer), _cosine(optimizer)]
    return schedulers.SequentialLR(optimizer, parts, milestones=[4])


def _together(optimizer):
    return schedulers.ChainedScheduler([_warm(4)(optimizer), _cosine(optimizer)])


def _warm_up_early(step):
    """The warm-up one step too early; the cosine begins when the protocol says."""
    return 0.1 + 0.9 * min((step + 1) / 4, 1)


def _cycle(**changes):
    given = {"total_steps": 120, "pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}
    given |= {"cycle_momentum": False} | changes
    return lambda optimizer: schedulers.OneCycleLR(optimizer, _rate(optimizer), **given)


def _pieces(optimizer):
    rates = {0: _rate(optimizer), 6: 0.04, 20: 0.01}
    return _multiplied(lambda t: rates[max(begin for begin in rates if begin <= t)] / rates[0])(
        optimizer
    )


def _rate(optimizer):
    return optimizer.param_groups[0]["lr"]


RIGHT = {
    "steps of epochs": (_steps(2), True),
    "exponential by epoch": (_multiplied(lambda t: 0.3 ** (t / 4)), True),
    "inverse time": (_multiplied(lambda t: 1 / (1 + 0.5 * t / 5)), False),
    "line": (lambda o: schedulers.LinearLR(o, 1.0, 0.0, 40), False),
    "warm cosine": (_one_after_the_other, False),
    "restarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 7, 2), False),
    "cycle": (_cycle(), False),
    "pieces": (_pieces, False),
}
"""The schedules of the protocols, in PyTorch's words, and whether they are called after epochs."""


MISTAKEN = {
    "per step": {
        "steps of epochs": (_steps(2), False),
        "exponential by epoch": (_multiplied(lambda t: 0.3 ** (t / 4)), False),
    },
    "per epoch": {
        "inverse time": (_multiplied(lambda t: 1 / (1 + 0.5 * t / 5)), True),
        "line": (lambda o: schedulers.LinearLR(o, 1.0, 0.0, 40), True),
        "restarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 7, 2), True),
        "pieces": (_pieces, True),
    },
    "continuous": {
        "steps of epochs": (_multiplied(lambda step: 0.5 ** (step / (2 * EPOCH))), False),
        "exponential by epoch": (_multiplied(lambda step: 0.3 ** (step / (4 * EPOCH))), False),
    },
    "staircase": {
        "exponential by epoch": (_multiplied(lambda epoch: 0.3 ** (epoch // 4)), True),
        "inverse time": (_multiplied(lambda step: 1 / (1 + 0.5 * (step // 5))), False),
    },
    "no warm-up": {"warm cosine": (_cosine, False)},
    "early warm-up": {
        "warm cosine": (
            lambda o: schedulers.SequentialLR(
                o, [_multiplied(_warm_up_early)(o), _cosine(o)], milestones=[4]
            ),
            False,
        )
    },
    "chained": {"warm cosine": (_together, False)},
    "no restarts": {
        "restarts": (
            _multiplied(lambda t: (1 + math.cos(math.pi * min(t / 7, 1))) / 2),
            False,
        )
    },
    "equal cycles": {
        "restarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 7, 1), False)
    },
    "linear cycle": {"cycle": (_cycle(anneal_strategy="linear"), False)},
    "three phases": {"cycle": (_cycle(three_phase=True), False)},
}
"""By mistake and protocol, what is called in place of the protocol's own."""


def can_be_made(mistake, name):
    """Whether a mistake can be made in a protocol."""
    return name in MISTAKEN.get(mistake, SCHEDULES)


def own_rates(mistake, name, rate, given):
    """The learning rates of an adapter with this mistake.

    Args:
        mistake: its name.
        name: of the schedule.
        rate: of the optimizer, as the task has it.
        given: the right learning rates of all steps, and of one more.
    """
    steps = len(given) - 1
    match mistake:
        case "constant":
            return [rate] * steps
        case "of the step after":
            return given[1:]
        case "of the step before":
            return [given[0], *given[:-2]]
        case "late":
            right = course(rate, steps, *RIGHT[name])
            return [right[0], *right[:-1]]
        case "early":
            return course(rate, steps, *RIGHT[name], calls_before=1)
        case "its own":
            return course(rate, steps, *RIGHT[name])
    return course(rate, steps, *MISTAKEN[mistake][name])
