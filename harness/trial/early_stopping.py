"""Early stopping by patience: the rule as a state machine, and the validation rows it looks at.

The rule is that of `harness.experiment.stopping.Patience`. Iteration i is the one that made
step i + 1, so training ends after the first step s with s - 1 >= patience. Validation rows are
scored off the clock; the test rows are scored whenever the validation error is the best so far.
"""

import math

import numpy as np
from numpy.typing import NDArray

from harness.data.prepared import Part, Prepared
from harness.experiment.model import Experiment
from harness.experiment.stopping import Patience
from harness.trainer import Array, StepTrainer
from harness.trial.evaluation import right_rows


class PatienceTracker:
    """How long training still waits for a better validation error.

    Args:
        rule: the protocol's.
        every: steps between two looks at the validation rows.
    """

    def __init__(self, rule: Patience, every: int) -> None:
        self.rule = rule
        self.every = every
        self.patience: float = rule.patience_steps
        self.best_step = 0
        self.best_wrong = math.inf

    @property
    def last_step(self) -> int:
        """The step that training ends after, unless validation gets better before."""
        return math.ceil(self.patience) + 1

    def next_stop(self, done: int) -> int:
        """The next step to look after, or to end after, once `done` steps are made."""
        return min((done // self.every + 1) * self.every, self.last_step)

    def looks_after(self, step: int) -> bool:
        """Whether the validation error is taken after this step."""
        return step % self.every == 0

    def take(self, step: int, wrong: int) -> bool:
        """Take note of so many wrong validation rows after a step; whether that is the best."""
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
    """Looks at the validation rows as often as the rule says.

    Args:
        experiment: of the trial.
        rule: its `training.stopping`.
        prepared: its data.
    """

    def __init__(self, experiment: Experiment, rule: Patience, prepared: Prepared) -> None:
        self.experiment = experiment
        self.prepared = prepared
        self.waiting = PatienceTracker(rule, rule.in_steps(experiment.steps_per_epoch))
        self.steps: list[int] = []
        self.accuracies: list[float] = []
        self.best: dict[str, Array] = {}

    @classmethod
    def of(cls, experiment: Experiment, prepared: Prepared) -> "EarlyStopping | None":
        """The watch of a trial, or None where nothing ends it early."""
        training = experiment.training
        if training is None or training.stopping is None:
            return None
        return cls(experiment, training.stopping, prepared)

    def next_stop(self, done: int, point: int) -> int:
        """Where the next segment ends: at the next look, the end, or at `point` before."""
        return min(point, self.waiting.next_stop(done))

    def is_over(self, step: int) -> bool:
        """Whether training ends after this step."""
        return self.waiting.is_over(step)

    def look(self, trainer: StepTrainer, step: int) -> None:
        """Score the validation rows, if it is time; the test rows, if they are the best."""
        if not self.waiting.looks_after(step):
            return
        right = self._right(trainer, self.prepared.validation)
        self.steps.append(step)
        self.accuracies.append(float(right.mean()))
        if self.waiting.take(step, int(right.size - right.sum())):
            test = self._right(trainer, self.prepared.test)
            self.best = {
                "best_step": np.array(step),
                "best_validation_accuracy": np.array(right.mean()),
                "best_test_accuracy": np.array(test.mean()),
                "best_test_right": test,
            }

    def _right(self, trainer: StepTrainer, part: Part) -> NDArray[np.bool_]:
        right = right_rows(trainer, part, self.experiment)
        if right is None:
            raise TypeError("training.stopping needs classes")
        return right

    def arrays(self) -> dict[str, Array]:
        """The looks, `watch_*` (looks,), and what was found at the best of them, `best_*`."""
        looks: dict[str, Array] = {
            "watch_step": np.array(self.steps, dtype=np.int64),
            "watch_validation_accuracy": np.array(self.accuracies),
        }
        return looks | self.best
