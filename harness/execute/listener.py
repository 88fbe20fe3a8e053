"""What a run reports while it goes on."""

from collections.abc import Sequence

from harness.parity.judgement import Judgement
from harness.plan import Trial
from harness.results import Row


class Listener:
    """Hears what happens while a plan runs; a method that is not overridden does nothing."""

    def resumed(self, done: Sequence[Trial]) -> None:
        """These trials have good rows already."""

    def fetching(self, dataset: str) -> None:
        """A dataset is about to be fetched."""

    def fetched(self, dataset: str, outcome: str) -> None:
        """A dataset was fetched, or `outcome` says why not."""

    def started(self, trial: Trial) -> None:
        """A trial starts."""

    def finished(self, trial: Trial, row: Row, log_tail: list[str]) -> None:
        """A trial has its row; `log_tail` matters only if the trial failed."""

    def lost(self, trial: Trial, why: str) -> None:
        """A trial is run again, because its process was ended from outside.

        Unlike the others this may be called by several lanes at once.
        """

    def rerunning(self, trials: Sequence[Trial]) -> None:
        """These trials were measured on a disturbed machine and are run again."""

    def reran(self, trial: Trial, row: Row, kept: bool) -> None:
        """A trial was run again; `kept` says whether its earlier row stays, being calmer."""

    def gave_up(self, count: int, why: str) -> None:
        """So many disturbed trials are not run again, for this reason."""

    def proved(self, trial: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        """A proof has its verdict."""
