"""The learning rate that falls on a plateau, as a state machine, and the validations it looks at.

The rule is that of `harness.experiment.plateau`. Validation rows are scored off the clock. The
rates of the steps after a fall are handed over with their batches, as those of a schedule are.
"""

import math
from dataclasses import replace

import numpy as np

from harness import scoring
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.plateau import Plateau
from harness.start import given_number
from harness.trainer import Array, Batches, StepTrainer
from harness.trial.evaluation import predict


class PlateauTracker:
    """Counts the validations since the last one that improved, and what the rate is now.

    Args:
        rule: of the protocol.
        rate: the learning rate at the start.
    """

    def __init__(self, rule: Plateau, rate: float) -> None:
        self.rule, self.rate = rule, rate
        self.best = math.inf if rule.watched == "loss" else -math.inf
        self.since_best = 0

    def update(self, value: float) -> bool:
        """Record the watched value of a validation; return whether the rate falls."""
        if self._improves(value):
            self.best, self.since_best = value, 0
            return False
        self.since_best += 1
        if self.since_best < self.rule.patience:
            return False
        self.since_best = 0
        lower = max(self.rate * self.rule.factor, self.rule.min_rate)
        falls, self.rate = lower < self.rate, lower
        return falls

    def _improves(self, value: float) -> bool:
        rule = self.rule
        sign = 1 if rule.watched == "loss" else -1
        if math.isinf(self.best):
            return sign * value < sign * self.best
        delta = rule.min_delta * (self.best if rule.relative else 1)
        return sign * value < sign * self.best - delta


class PlateauRates:
    """Scores the validation rows as often as the rule says, and gives batches their rates.

    Args:
        experiment: of the trial.
        rule: its `training.plateau`.
        rate: the optimizer's learning rate.
        prepared: its data.
    """

    def __init__(
        self, experiment: Experiment, rule: Plateau, rate: float, prepared: Prepared
    ) -> None:
        self.experiment, self.prepared = experiment, prepared
        self.every = rule.in_steps(experiment.steps_per_epoch)
        self.tracker = PlateauTracker(rule, rate)
        self.falls: list[tuple[int, float]] = []

    @classmethod
    def of(cls, experiment: Experiment, prepared: Prepared) -> "PlateauRates | None":
        """Return the falling rates of a trial, or None where its protocol states none."""
        training = experiment.training
        if training is None or training.plateau is None:
            return None
        return cls(experiment, training.plateau, training.optimizer.learning_rate, prepared)

    def next_stop(self, done: int, point: int) -> int:
        """Return where the next segment ends: at a validation, or at `point` before."""
        return min(point, (done // self.every + 1) * self.every)

    def with_rates(self, batches: Batches) -> Batches:
        """Return the batches with the rate of now."""
        if not self.falls:
            return batches
        rate = given_number(self.tracker.rate, self.experiment)
        return replace(batches, learning_rates=np.full(len(batches), rate))

    def validate(self, trainer: StepTrainer, step: int) -> None:
        """Score the validation rows if they are due; the rate may fall for the next step on."""
        if step % self.every:
            return
        validation, watched = self.prepared.validation, self.tracker.rule.watched
        outputs = predict(trainer, validation, self.experiment)
        loss, accuracy = scoring.score(outputs, validation, self.experiment.loss)
        value = loss if watched == "loss" else accuracy
        if value is None:
            raise TypeError(f"training.plateau needs the {watched} of validation rows")
        if self.tracker.update(value):
            self.falls.append((step, self.tracker.rate))

    def arrays(self) -> dict[str, Array]:
        """Return the steps after which the rate fell, and the rates from then on, (falls,) each."""
        return {
            "plateau_step": np.array([step for step, _ in self.falls], np.int64),
            "plateau_rate": np.array([rate for _, rate in self.falls]),
        }
