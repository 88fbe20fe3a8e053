"""The loop of the identical track: segments of steps on the clock, everything else off it."""

from dataclasses import dataclass, field
from time import process_time

import numpy as np

from harness import start
from harness.clock.stopwatch import timed
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Loop
from harness.results import MeasuredColumns
from harness.trainer import Array, Batches, Parameters, StepTrainer, Task
from harness.trial.contradictions import Contradictions
from harness.trial.curves import Curves
from harness.trial.early_stopping import EarlyStopping
from harness.trial.evaluation import evaluate, score_columns
from harness.trial.outcome import Diverged, GivenChanged, Outcome, Unsupported
from harness.trial.plateau import PlateauRates
from harness.trial.recompiling import Segment, recompile_s

IDIOMATIC_SEGMENTS_AT_MOST = 10
"""An idiomatic loop pays for every segment (a `fit` call costs 45 ms), so it gets few."""
READ_SHARE, SHORTEST_ELSEWHERE_S = 0.5, 0.01
"""Reading parameters takes less than this share of training, or than a hundredth of a second."""
SHORTEST_CPU_CHECK_S = 0.2
"""A shorter training says nothing reliable about CPU time."""


@dataclass
class Clock:
    """Timed seconds so far. The first segment includes compiling, so it is stored separately.

    Args:
        first: the first segment, which is one step.
        later: all later ones, in order.
        staged_s, read_s: what `stage` and the first reading of parameters took, off the clock, in
            later segments.
    """

    first: Segment | None = None
    later: list[Segment] = field(default_factory=list)
    staged_s: float = 0.0
    read_s: float = 0.0

    def advance(self, trainer: StepTrainer, batches: Batches) -> Array | None:
        """Train on one segment, timed; overwrite it, and return its losses.

        Raises:
            GivenChanged: the adapter wrote into the batches.
        """
        before = start.checksum(batches)
        with timed() as staging:
            trainer.stage(batches)
        cpu_began = process_time()
        with timed() as region:
            losses = trainer.advance(batches)
        segment = Segment(len(batches), region.seconds, process_time() - cpu_began)
        if start.checksum(batches) != before:
            raise GivenChanged("wrote into the batches. Copy what you want to change")
        batches.overwrite()
        losses = None if losses is None else np.array(losses)
        if self.first is None:
            self.first = segment
            return losses
        self.later.append(segment)
        self.staged_s += staging.seconds
        return losses

    def read(self, trainer: StepTrainer) -> Parameters:
        """Return the parameters, and remember how long that took."""
        with timed() as reading:
            parameters = trainer.parameters()
        if self.later:
            self.read_s += reading.seconds
        return parameters

    @property
    def first_step_s(self) -> float:
        """Seconds of the first step."""
        return self.first.seconds if self.first else 0.0

    @property
    def trained_s(self) -> float:
        """Seconds of all later steps."""
        return sum(segment.seconds for segment in self.later)

    @property
    def seems_elsewhere(self) -> bool:
        """Whether so much time passed outside of `advance` that training may be done there."""
        before, after = self.staged_s, self.read_s / READ_SHARE
        return max(before, after) > max(self.trained_s, SHORTEST_ELSEWHERE_S)

    @property
    def since_start_s(self) -> float:
        """Seconds of training, the first step included."""
        return self.first_step_s + self.trained_s


def train(
    trainer: StepTrainer,
    experiment: Experiment,
    plan: start.BatchPlan,
    prepared: Prepared,
    task: Task,
    outcome: Outcome,
    contradictions: Contradictions,
) -> None:
    """Train from point to point; everything but `advance` is off the clock.

    Raises:
        Diverged: a loss is not finite.
        GivenChanged: the adapter wrote into the batches.
        ValueError: the losses are not one per step.
    """
    columns = outcome.columns
    curves, clock = Curves(experiment.network), Clock()
    stopping = EarlyStopping.of(experiment, prepared)
    plateau = PlateauRates.of(experiment, prepared)
    points = _points(experiment, task.loop)
    steps_done, samples, over = 0, 0, False
    parameters, parameters_of = task.parameters, 0
    while not over:
        stop = next(point for point in points if point > steps_done)
        stop = stopping.next_stop(steps_done, stop) if stopping else stop
        stop = plateau.next_stop(steps_done, stop) if plateau else stop
        batches = plan.segment(steps_done, stop)
        batches = plateau.with_rates(batches) if plateau else batches
        samples += int(batches.sizes.sum())
        losses = clock.advance(trainer, batches)
        columns.first_step_s = clock.first_step_s
        if losses is None and task.loop != Loop.IDIOMATIC:
            raise ValueError(f"advance of a {task.loop} loop must return its losses. Got None")
        _check_losses(losses, stop - steps_done, steps_done)
        curves.add_losses(losses)
        if steps_done == parameters_of and (steps_done == 0 or stop == points[-1]):
            first = plan.segment(steps_done, steps_done + 1)
            contradictions.look_at_loss(parameters, first, losses, steps_done)
        steps_done = stop
        over = steps_done == points[-1]
        if stopping:
            stopping.validate(trainer, steps_done)
            over = over or stopping.is_over(steps_done)
        if plateau:
            plateau.validate(trainer, steps_done)
        if over or steps_done in points:
            parameters, parameters_of = clock.read(trainer), steps_done
            is_start = steps_done == 1 and not over  # where the batch says what all rows say
            scores = evaluate(trainer, experiment, prepared, briefly=is_start)
            curves.add_point(steps_done, clock.trained_s, scores, parameters)
            columns.set(train_s=clock.trained_s, steps=steps_done, samples=samples)
            columns.set(**score_columns(scores))
            if columns.target_s is None and _reaches_target(experiment, columns):
                columns.target_s = clock.since_start_s
            if not np.isfinite(columns.train_loss or 0.0):
                raise Diverged(f"training loss is not finite after step {steps_done}")
    contradictions.clock_is_suspect = clock.seems_elsewhere
    outcome.arrays = curves.arrays() | (stopping.arrays() if stopping else {})
    outcome.arrays |= plateau.arrays() if plateau else {}
    outcome.restored = stopping.restored(steps_done) if stopping else None
    _summarise(clock, task, columns)


def _summarise(clock: Clock, task: Task, columns: MeasuredColumns) -> None:
    """Put the time of a step into the row, and say what is odd about the later segments."""
    if clock.first is None or not clock.later:
        return
    columns.recompile_s = recompile_s(clock.first, clock.later)
    cpu_s = sum(segment.cpu_s for segment in clock.later)
    if clock.trained_s > SHORTEST_CPU_CHECK_S and cpu_s > 1.1 * task.threads * clock.trained_s:
        columns.status_detail = (
            f"used {cpu_s / clock.trained_s:.1f} CPUs in training, {task.threads} allowed"
        )
    step_us = [segment.seconds / segment.steps * 1e6 for segment in clock.later]
    low, middle, high = np.percentile(step_us, [25, 50, 75])
    columns.set(step_us=float(middle), step_us_low=float(low), step_us_high=float(high))


def check_can_follow(experiment: Experiment, loop: str) -> None:
    """Refuse an idiomatic loop, which pays for every segment, where validations decide.

    Raises:
        Unsupported: training may end early or change its rate, and the loop is idiomatic.
    """
    if loop == Loop.IDIOMATIC and experiment.training and experiment.depends_on_validation:
        rule = "stopping" if experiment.training.stopping else "plateau"
        raise Unsupported(
            f"an idiomatic loop has at most {IDIOMATIC_SEGMENTS_AT_MOST} segments and cannot "
            f"follow training.{rule}; take the stepwise or the fused loop"
        )


def _points(experiment: Experiment, loop: str) -> list[int]:
    """Steps to evaluate after: step 1, and for an idiomatic loop at most ten later ones."""
    points = list(experiment.evaluation_points)
    if loop != Loop.IDIOMATIC or len(points) <= 2:
        return points
    chosen = [points[-1]]
    for point in reversed(points[1:-1]):  # at most one segment per epoch, counted from the end
        if chosen[-1] - point >= experiment.steps_per_epoch:
            chosen.append(point)
    later = chosen[::-1]
    if len(later) > IDIOMATIC_SEGMENTS_AT_MOST:
        spread = np.linspace(0, len(later) - 1, IDIOMATIC_SEGMENTS_AT_MOST)
        later = [later[index] for index in spread.round().astype(int)]
    return [points[0], *later]


def _reaches_target(experiment: Experiment, columns: MeasuredColumns) -> bool:
    accuracy = columns.test_accuracy or 0.0
    return experiment.target is not None and accuracy >= experiment.target


def _check_losses(losses: Array | None, steps: int, done: int) -> None:
    if losses is None:
        return
    if np.shape(losses) != (steps,):
        raise ValueError(
            f"advance must return one loss per step, shape ({steps},). Got {np.shape(losses)}"
        )
    finite = np.isfinite(losses)
    if not finite.all():
        raise Diverged(f"loss is not finite at step {done + int(finite.argmin()) + 1}")
