"""Whether a trainer works where it is timed: in `advance`, not before it and not after it.

`advance` is the only call that a report times as training. An adapter that trains in `stage`, or
only remembers its batches and trains when somebody asks for a result, computes the right numbers
and is called the fastest. What it does off the clock grows with the number of steps, as training
does. That is measured here: by a rule of the contract, and by a report for every timed cell.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from harness.start import BatchPlan
from harness.trainer import Array, Batches, StepTrainer

FEW_S, LONG_S = 0.01, 0.1
"""The smaller of two segments takes about `FEW_S`, and is not made longer beyond `LONG_S`."""
TIMES = 4
"""The larger segment has so many times the steps."""
STEPS_AT_LEAST, STEPS_AT_MOST = 32, 5_000
"""Steps of the smaller segment; fewer where these would take longer than `LONG_S`."""
TRIES = 3
"""So often short segments are timed; long ones once, since little disturbs them."""
STAGE_SHARE, LATER_SHARE = 1.0, 0.5
"""How much may be done before and after `advance`, of what is done in it."""
SLACK_S = 2e-3
"""Less than this is not told from a disturbed machine."""
SETTLE_S_AT_MOST = 0.05
TINY = 2.0**-20
"""A power of two, so that a rate that float32 holds stays one."""


@dataclass(frozen=True)
class Segment:
    """Seconds that consecutive steps took, inside and outside of `advance`.

    Args:
        stage_s: of `stage`.
        advance_s: of `advance`.
        later_s: of what is done once after it: the CPU time that passes while nobody asks for
            anything, and the first reading of losses, parameters and predictions, minus a second
            reading.
    """

    stage_s: float
    advance_s: float
    later_s: float

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.stage_s + self.advance_s + self.later_s


def time_segment(trainer: StepTrainer, batches: Batches, inputs: Array) -> Segment:
    """Train on these batches, and time what happens before, in and after `advance`.

    Args:
        trainer: goes on from where it is.
        batches: the steps.
        inputs: rows to predict, in the task's dtype.
    """
    began = perf_counter()
    trainer.stage(batches)
    staged = perf_counter()
    losses = trainer.advance(batches)
    advanced = perf_counter()
    cpu_s = -time.process_time()
    time.sleep(min(advanced - began, SETTLE_S_AT_MOST))
    cpu_s += time.process_time()
    readings = []
    for _ in range(2):
        asked = perf_counter()
        if losses is not None:
            np.asarray(losses).sum()
        trainer.parameters()
        np.asarray(trainer.predict(inputs))
        readings.append(perf_counter() - asked)
    once_s = max(0.0, readings[0] - readings[1])
    return Segment(staged - began, advanced - staged, once_s + cpu_s)


def problem_with_clock(
    trainer: StepTrainer, batches_of: Callable[[int], Batches], inputs: Array
) -> str:
    """Return where a trainer works off the clock.

    Two segments are timed, one with four times the steps of the other. The growth from one to
    the other is the work. What seems wrong is measured a second time, because another process
    may have disturbed the first. The trainer trains on: by some 100,000 steps where a step takes
    a microsecond, by some 30 where it takes a tenth of a second, and for a second or three in
    all. So ask last.

    Args:
        trainer: any, before or after training.
        batches_of: number of steps to batches of the trainer's task; `repeated` makes them.
        inputs: a few rows to predict, in the task's dtype.

    Returns:
        A sentence with the times; empty where `advance` does the work.
    """
    problem = ""
    for _ in range(2):
        problem = _measured_problem(trainer, batches_of, inputs)
        if not problem:
            break
    return problem


def _measured_problem(
    trainer: StepTrainer, batches_of: Callable[[int], Batches], inputs: Array
) -> str:
    steps, step_s = _choose_steps(trainer, batches_of, inputs)
    tries = TRIES if step_s * steps * TIMES < LONG_S else 1
    few = _best(trainer, batches_of(steps), inputs, tries)
    many = _best(trainer, batches_of(TIMES * steps), inputs, tries)
    return _problem(
        stage_s=max(0.0, many.stage_s - few.stage_s),
        advance_s=max(0.0, many.advance_s - few.advance_s),
        later_s=max(0.0, many.later_s - few.later_s),
        steps=(TIMES - 1) * steps,
    )


def _choose_steps(
    trainer: StepTrainer, batches_of: Callable[[int], Batches], inputs: Array
) -> tuple[int, float]:
    """Steps of the smaller segment, and the seconds of a step, work off the clock included.

    A call may cost much whatever it does, so that steps are first told from a difference.
    """
    two_s, six_s = (_compiled_s(trainer, batches_of(steps), inputs) for steps in (2, 6))
    step_s = max((six_s - two_s) / 4, 1e-7)
    at_least = int(min(max(LONG_S / step_s, 2), STEPS_AT_LEAST))
    step_s = max(time_segment(trainer, batches_of(at_least), inputs).total_s / at_least, 1e-7)
    return int(min(max(FEW_S / step_s, at_least), STEPS_AT_MOST)), step_s


def _compiled_s(trainer: StepTrainer, batches: Batches, inputs: Array) -> float:
    """The seconds of a segment in all, the second time: the first one may compile."""
    time_segment(trainer, batches, inputs)
    return time_segment(trainer, batches, inputs).total_s


def _best(trainer: StepTrainer, batches: Batches, inputs: Array, tries: int) -> Segment:
    """The smallest times of some tries, each part by itself; one before them warms up."""
    segments = [time_segment(trainer, batches, inputs) for _ in range(1 + tries)][1:]
    return Segment(
        stage_s=min(each.stage_s for each in segments),
        advance_s=min(each.advance_s for each in segments),
        later_s=min(each.later_s for each in segments),
    )


def _problem(stage_s: float, advance_s: float, later_s: float, steps: int) -> str:
    """What is wrong with how times grow with the steps."""
    times = f"{steps:,} more steps take {advance_s * 1e3:.1f} ms longer in advance"
    if stage_s > STAGE_SHARE * advance_s + SLACK_S:
        return f"{times} and {stage_s * 1e3:.1f} ms in stage: stage trains, off the clock"
    if later_s > LATER_SHARE * advance_s + SLACK_S:
        return (
            f"{times} and {later_s * 1e3:.1f} ms when results are read: advance returns before "
            "its steps are done"
        )
    return ""


def repeated(plan: BatchPlan, steps: int) -> Batches:
    """Return the plan's batches, repeated until there are enough steps, at a tiny learning rate.

    The work is that of training, but nothing moves far, so that nothing diverges.
    """
    part = plan.segment(0, min(plan.steps, max(plan.steps_per_epoch, STEPS_AT_LEAST)))
    order = np.arange(steps) % len(part)
    rows = None if part.rows is None else part.rows[order]
    rates = np.full(steps, part.learning_rates[0] * TINY)
    masks = tuple(of_layer[order] for of_layer in part.masks)
    return Batches(rows, part.sizes[order], rates, masks)
