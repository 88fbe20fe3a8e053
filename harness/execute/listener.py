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

    def run_again(self, trial: Trial, why: str) -> None:
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

    # ------------------------------------------------------------ on a cluster only

    def waiting_for_workers(self) -> None:
        """There is work, and no worker has come yet."""

    def refused(self, worker: str, why: str) -> None:
        """A worker may not take part, for this reason."""

    def sent(self, trials: Sequence[Trial], worker: str) -> None:
        """A worker runs these trials or proofs now."""

    def lost(self, trials: Sequence[Trial], worker: str, why: str) -> None:
        """What a worker was running is lost, for this reason, and runs again elsewhere."""

    def ran_twice(self, trials: Sequence[str]) -> None:
        """The trials with these ids ran once more than was needed; the first rows stay."""
