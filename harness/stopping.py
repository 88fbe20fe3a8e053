"""Early stopping by patience: a state machine that only sees steps and numbers of wrong rows.

The rule is that of `harness.experiment.stopping.Patience`. Iteration i is the one that made
step i + 1, so training ends after the first step s with s - 1 >= patience.
"""

import math

from harness.experiment.stopping import Patience


class Waiting:
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
