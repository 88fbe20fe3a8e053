"""How long the rest of a run may take: estimates, corrected by the pace of the trials so far."""

import time
from collections.abc import Callable, Mapping, Sequence

from harness.plan import Trial

TRUSTED_S = 20.0
"""Until trials of about so many seconds have ended, the estimates count more than the pace."""
SLOWEST, FASTEST = 3.0, 0.3


class TimeLeft:
    """The seconds that are left of a run.

    Args:
        estimates_s: seconds of every trial and proof, by id.
        now: returns the time, seconds.
    """

    def __init__(
        self, estimates_s: Mapping[str, float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._estimates_s, self._now = estimates_s, now
        self._waiting = dict(estimates_s)
        self._reruns: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._expected_s = self._spent_s = TRUSTED_S

    def begin(self, trial: Trial) -> None:
        """A trial starts."""
        self._began[trial.id] = self._now()

    def end(self, trial: Trial, is_typical: bool = False) -> None:
        """A trial or a proof is over.

        Args:
            trial: which.
            is_typical: whether its time says something about the others'.
        """
        self._waiting.pop(trial.id, None)
        began = self._began.pop(trial.id, None)
        if is_typical and began is not None:
            self._expected_s += self._estimates_s[trial.id]
            self._spent_s += self._now() - began

    def plan_reruns(self, trials: Sequence[Trial]) -> None:
        """These trials run once more."""
        self._reruns |= {trial.id: self._estimates_s[trial.id] for trial in trials}

    def end_rerun(self, trial: Trial) -> None:
        """A rerun is over."""
        self._reruns.pop(trial.id, None)
        self._began.pop(trial.id, None)

    def drop_reruns(self) -> None:
        """The reruns that wait are not made."""
        self._reruns.clear()

    @property
    def seconds(self) -> float:
        """Seconds until the end, as far as is known."""
        pace = self._spent_s / self._expected_s
        expected_s = sum(self._waiting.values()) + sum(self._reruns.values())
        running = [*self._began][-1:]  # what runs has run for a while already
        gone_s = sum(self._now() - self._began[trial] for trial in running)
        of_running = sum(self._estimates_s[trial] for trial in running)
        pace = min(max(pace, FASTEST), SLOWEST)
        return max(expected_s * pace - min(gone_s, of_running * pace), 0.0)
