"""Whether a trainer works where it is timed: in `advance`, not before it and not after it.

`advance` is the only call that a report times as training. An adapter that trains in `stage`, or
only remembers its batches and trains when somebody asks for a result, computes the right numbers
and is called the fastest. What it does off the clock grows with the number of steps, as training
does. That is measured here: by a rule of the contract, and by a report for every timed cell.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.start import BatchPlan
from harness.trainer import Array, Batches, StepTrainer

FEW_S = 0.01
"""The smaller of two segments takes about this long."""
TIMES = 4
"""The larger segment has so many times the steps."""
FIRST_STEPS, STEPS_AT_MOST = 32, 20_000
TRIES = 3
STAGE_SHARE, LATER_SHARE = 1.0, 0.5
"""How much may be done before and after `advance`, of what is done in it."""
SLACK_S = 2e-3
"""Less than this is not told from a disturbed machine."""
SETTLE_S_AT_MOST = 0.05


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
    began = time.perf_counter()
    trainer.stage(batches)
    staged = time.perf_counter()
    losses = trainer.advance(batches)
    advanced = time.perf_counter()
    cpu_s = -time.process_time()
    time.sleep(min(advanced - began, SETTLE_S_AT_MOST))
    cpu_s += time.process_time()
    readings = []
    for _ in range(2):
        asked = time.perf_counter()
        if losses is not None:
            np.asarray(losses).sum()
        trainer.parameters()
        np.asarray(trainer.predict(inputs))
        readings.append(time.perf_counter() - asked)
    once_s = max(0.0, readings[0] - readings[1])
    return Segment(staged - began, advanced - staged, once_s + cpu_s)


def problem_with_clock(
    trainer: StepTrainer, batches_of: Callable[[int], Batches], inputs: Array
) -> str:
    """Return where a trainer works off the clock.

    Two segments are timed, one with four times the steps of the other. The growth from one to
    the other is the work. The best of three counts. The trainer is trained on by some 40,000
    steps at most, and for about a quarter of a second, so ask last.

    Args:
        trainer: any, with all that its first step compiles done.
        batches_of: number of steps to batches of the trainer's task.
        inputs: a few rows to predict, in the task's dtype.

    Returns:
        A sentence with the times; empty where `advance` does the work.
    """
    first = time_segment(trainer, batches_of(FIRST_STEPS), inputs)
    again = time_segment(trainer, batches_of(FIRST_STEPS), inputs)
    step_s = max(min(first.total_s, again.total_s) / FIRST_STEPS, 1e-7)
    steps = int(min(max(FEW_S / step_s, FIRST_STEPS), STEPS_AT_MOST / TIMES))
    few = _best(trainer, batches_of(steps), inputs)
    many = _best(trainer, batches_of(TIMES * steps), inputs)
    return _problem(
        stage_s=max(0.0, many.stage_s - few.stage_s),
        advance_s=max(0.0, many.advance_s - few.advance_s),
        later_s=max(0.0, many.later_s - few.later_s),
        steps=(TIMES - 1) * steps,
    )


def _best(trainer: StepTrainer, batches: Batches, inputs: Array) -> Segment:
    """The smallest times of some tries, each part by itself; the first one warms up."""
    tries = [time_segment(trainer, batches, inputs) for _ in range(1 + TRIES)][1:]
    return Segment(
        stage_s=min(each.stage_s for each in tries),
        advance_s=min(each.advance_s for each in tries),
        later_s=min(each.later_s for each in tries),
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
    """Return the plan's batches, repeated until there are enough steps."""
    piece = plan.segment(0, min(plan.steps, max(plan.steps_per_epoch, FIRST_STEPS)))
    times = -(-steps // len(piece))
    rows = None if piece.rows is None else np.tile(piece.rows, (times, 1))[:steps]
    return Batches(
        rows, np.tile(piece.sizes, times)[:steps], np.tile(piece.learning_rates, times)[:steps]
    )
