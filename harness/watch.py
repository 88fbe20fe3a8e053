"""A stopping rule at work: validation rows scored off the clock, the best parameters' test kept."""

import numpy as np
from numpy.typing import NDArray

from harness.data.prepared import Part, Prepared
from harness.evaluation import right_rows
from harness.experiment.model import Experiment
from harness.experiment.stopping import Patience
from harness.stopping import Waiting
from harness.trainer import Array, StepTrainer


class Watch:
    """Looks at the validation rows as often as the rule says.

    Args:
        experiment: of the trial.
        rule: its `training.stopping`.
        prepared: its data.
    """

    def __init__(self, experiment: Experiment, rule: Patience, prepared: Prepared) -> None:
        self.experiment = experiment
        self.prepared = prepared
        self.waiting = Waiting(rule, rule.in_steps(experiment.steps_per_epoch))
        self.steps: list[int] = []
        self.accuracies: list[float] = []
        self.best: dict[str, Array] = {}

    @classmethod
    def of(cls, experiment: Experiment, prepared: Prepared) -> "Watch | None":
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
