"""Early stopping: each rule as a state machine, and the validation rows it scores.

The rules are those of `harness.experiment.stopping`. In `Patience` iterations count from 0 and
steps from 1, so iteration i is step i + 1. Training ends after the first step s with
s - 1 >= patience. Validation rows are scored off the clock. Whenever they are the best so far, test
rows are scored too; where the best parameters are restored at the end, so is everything.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import scoring
from harness.data.prepared import Prepared, Subset
from harness.experiment.model import Experiment
from harness.experiment.stopping import NoImprovement, Patience, Stopping
from harness.parameters import first_weights
from harness.trainer import Array, StepTrainer
from harness.trial.evaluation import Scores, evaluate, predict, right_rows, score_columns


class PatienceTracker:
    """Tracks how many more steps training waits for a better validation error.

    The tracker sees steps and numbers of wrong rows only.

    Args:
        rule: of the protocol.
        every: steps between two validations.
    """

    def __init__(self, rule: Patience, every: int) -> None:
        self.rule = rule
        self.every = every
        self.patience: float = rule.patience_steps
        self.best_step = 0
        self.best_wrong = math.inf

    @property
    def last_step(self) -> int:
        """The step that training ends after, unless the validation error improves before."""
        return math.ceil(self.patience) + 1

    def next_stop(self, done: int) -> int:
        """Return the next step to validate after, or to end after, once `done` steps are made."""
        return min((done // self.every + 1) * self.every, self.last_step)

    def validates_after(self, step: int) -> bool:
        """Whether the validation error is computed after this step."""
        return step % self.every == 0

    def update(self, step: int, wrong: int) -> bool:
        """Record the number of wrong rows after a step; return whether it is the smallest."""
        if wrong >= self.best_wrong:
            return False
        if wrong < self.best_wrong * self.rule.threshold:
            self.patience = max(self.patience, (step - 1) * self.rule.growth)
        self.best_step, self.best_wrong = step, wrong
        return True

    def is_over(self, step: int) -> bool:
        """Whether training ends after this step."""
        return step - 1 >= self.patience


class ImprovementTracker:
    """Counts the validations since the last one that improved.

    Args:
        rule: of the protocol.
        every: steps between two validations.
    """

    def __init__(self, rule: NoImprovement, every: int) -> None:
        self.rule = rule
        self.every = every
        self.best = math.inf if rule.watched == "loss" else -math.inf
        self.since_best = 0

    def next_stop(self, done: int) -> int:
        """Return the next step to validate after, once `done` steps are made."""
        return (done // self.every + 1) * self.every

    def validates_after(self, step: int) -> bool:
        """Whether the validation rows are scored after this step."""
        return step % self.every == 0

    def update(self, value: float) -> bool:
        """Record the watched value of a validation; return whether it improved."""
        delta = self.rule.min_delta
        improved = (
            value + delta < self.best if self.rule.watched == "loss" else value - delta > self.best
        )
        self.since_best = 0 if improved else self.since_best + 1
        self.best = value if improved else self.best
        return improved

    def is_over(self, step: int) -> bool:
        """Whether training ends after this step."""
        return self.validates_after(step) and self.since_best >= self.rule.patience


@dataclass(frozen=True)
class Restored:
    """What the network of the best validation scores.

    Args:
        step: after which it was the best.
        scores: of every subset.
        test_outputs: (test rows, outputs), raw.
        first_weights: of its first layer.
    """

    step: int
    scores: Scores
    test_outputs: Array
    first_weights: Array


class EarlyStopping:
    """Scores the validation rows as often as the rule says, and remembers the best step.

    Args:
        experiment: of the trial.
        rule: its `training.stopping`.
        prepared: its data.
    """

    def __init__(self, experiment: Experiment, rule: Stopping, prepared: Prepared) -> None:
        self.experiment = experiment
        self.prepared = prepared
        every = rule.in_steps(experiment.steps_per_epoch)
        self.tracker: PatienceTracker | ImprovementTracker
        if isinstance(rule, Patience):
            self.tracker = PatienceTracker(rule, every)
        else:
            self.tracker = ImprovementTracker(rule, every)
        self.steps: list[int] = []
        self.accuracies: list[float] = []
        self.losses: list[float] = []
        self.best: dict[str, Array] = {}
        self.restorable: Restored | None = None

    @classmethod
    def of(cls, experiment: Experiment, prepared: Prepared) -> "EarlyStopping | None":
        """Return the early stopping of a trial, or None where its protocol states none."""
        training = experiment.training
        if training is None or training.stopping is None:
            return None
        return cls(experiment, training.stopping, prepared)

    def next_stop(self, done: int, point: int) -> int:
        """Return where the next segment ends: at a validation, the end, or `point` before."""
        return min(point, self.tracker.next_stop(done))

    def is_over(self, step: int) -> bool:
        """Whether training ends after this step."""
        return self.tracker.is_over(step)

    def validate(self, trainer: StepTrainer, step: int) -> None:
        """Score the validation rows if they are due, and the test rows if the error is the best."""
        if not self.tracker.validates_after(step):
            return
        self.steps.append(step)
        if isinstance(self.tracker, ImprovementTracker):
            self._validate_for_improvement(self.tracker, trainer, step)
            return
        right = self._right_rows(trainer, self.prepared.validation)
        self.accuracies.append(float(right.mean()))
        if self.tracker.update(step, int(right.size - right.sum())):
            test = self._right_rows(trainer, self.prepared.test)
            self.best = {
                "best_step": np.array(step),
                "best_validation_accuracy": np.array(right.mean()),
                "best_test_accuracy": np.array(test.mean()),
                "best_test_right": test,
            }

    def _validate_for_improvement(
        self, tracker: ImprovementTracker, trainer: StepTrainer, step: int
    ) -> None:
        outputs = predict(trainer, self.prepared.validation, self.experiment)
        loss, accuracy = scoring.score(outputs, self.prepared.validation, self.experiment.loss)
        self.losses += [] if loss is None else [loss]
        self.accuracies += [] if accuracy is None else [accuracy]
        watched = loss if tracker.rule.watched == "loss" else accuracy
        if watched is None:
            raise TypeError(
                f"training.stopping needs the {tracker.rule.watched} of validation rows"
            )
        if not tracker.update(watched):
            return
        scores = evaluate(trainer, self.experiment, self.prepared)
        self.best = {"best_step": np.array(step)} | {
            f"best_{name}": np.array(value)
            for name, value in score_columns(scores).items()
            if value is not None
        }
        outputs = predict(trainer, self.prepared.test, self.experiment)
        right = right_rows(trainer, self.prepared.test, self.experiment, outputs)
        if right is not None:
            self.best["best_test_right"] = right
        weights = np.array(first_weights(trainer.parameters()))
        self.restorable = Restored(step, scores, outputs, weights)

    def restored(self, steps: int) -> Restored | None:
        """Return the network whose scores count in place of the last one's, after `steps` steps."""
        rule = self.tracker.rule
        if not isinstance(rule, NoImprovement) or rule.restore == "never":
            return None
        stopped = steps < self.experiment.steps
        return self.restorable if stopped or rule.restore == "always" else None

    def _right_rows(self, trainer: StepTrainer, part: Subset) -> NDArray[np.bool_]:
        right = right_rows(trainer, part, self.experiment)
        if right is None:
            raise TypeError("training.stopping needs a dataset with classes; this one has none")
        return right

    def arrays(self) -> dict[str, Array]:
        """Return every validation as `watch_*` (validations,), and the best step as `best_*`."""
        validations: dict[str, Array] = {
            "watch_step": np.array(self.steps, dtype=np.int64),
        }
        if self.accuracies:
            validations["watch_validation_accuracy"] = np.array(self.accuracies)
        if self.losses:
            validations["watch_validation_loss"] = np.array(self.losses)
        return validations | self.best
