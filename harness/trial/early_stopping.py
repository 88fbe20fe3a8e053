"""Early stopping by patience: the rule as a state machine, and the validation rows it scores.

The rule is that of `harness.experiment.stopping.Patience`. Iterations count from 0 and steps from
1, so iteration i is step i + 1. Training ends after the first step s with s - 1 >= patience.
Validation rows are scored off the clock. Test rows are scored whenever the validation error is the
best so far.
"""

import math

import numpy as np
from numpy.typing import NDArray

from harness.data.prepared import Prepared, Subset
from harness.experiment.model import Experiment
from harness.experiment.stopping import Patience
from harness.trainer import Array, StepTrainer
from harness.trial.evaluation import right_rows


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


class EarlyStopping:
    """Scores the validation rows as often as the rule says, and remembers the best step.

    Args:
        experiment: of the trial.
        rule: its `training.stopping`.
        prepared: its data.
    """

    def __init__(self, experiment: Experiment, rule: Patience, prepared: Prepared) -> None:
        self.experiment = experiment
        self.prepared = prepared
        self.tracker = PatienceTracker(rule, rule.in_steps(experiment.steps_per_epoch))
        self.steps: list[int] = []
        self.accuracies: list[float] = []
        self.best: dict[str, Array] = {}

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
        right = self._right_rows(trainer, self.prepared.validation)
        self.steps.append(step)
        self.accuracies.append(float(right.mean()))
        if self.tracker.update(step, int(right.size - right.sum())):
            test = self._right_rows(trainer, self.prepared.test)
            self.best = {
                "best_step": np.array(step),
                "best_validation_accuracy": np.array(right.mean()),
                "best_test_accuracy": np.array(test.mean()),
                "best_test_right": test,
            }

    def _right_rows(self, trainer: StepTrainer, part: Subset) -> NDArray[np.bool_]:
        right = right_rows(trainer, part, self.experiment)
        if right is None:
            raise TypeError("training.stopping needs a dataset with classes; this one has none")
        return right

    def arrays(self) -> dict[str, Array]:
        """Return every validation as `watch_*` (validations,), and the best step as `best_*`."""
        validations: dict[str, Array] = {
            "watch_step": np.array(self.steps, dtype=np.int64),
            "watch_validation_accuracy": np.array(self.accuracies),
        }
        return validations | self.best
