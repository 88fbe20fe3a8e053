"""Moves what workers left in attempts to its place in the run. Done by the command alone.

The arrays of a trial come first, then its row, by a rename inside the run's folder: a row on disk
says that the rest is there. Of a trial that two machines ran to the end the first stays.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import TypeVar

from harness import merging
from harness.cluster.session import Attempt
from harness.experiment.vocabulary import Status
from harness.parity import verdicts
from harness.parity.judgement import Judgement
from harness.plan import Plan, Trial
from harness.results import Row, RunFolder
from harness.untrusted import read_plain

Found = TypeVar("Found")
SEEN_AFTER_S = 5.0
"""A shared file system may show a new file so much later on another machine."""


class Publisher:
    """Takes over rows, verdicts and limits into a run's folder.

    Args:
        folder: of the run.
        plan: what is run.

    Attributes:
        twice: ids of trials that were run to the end once more than was needed.
    """

    def __init__(self, folder: RunFolder, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.twice: list[str] = []
        self._judged: dict[str, Judgement] = {}

    def take_row(self, attempt: Attempt, trial: Trial) -> Row | None:
        """Move the row of a trial, and what belongs to it; return the row that stands there now.

        None where the attempt has no row that can be read.
        """
        row = _row(attempt, trial)
        if row is None:
            return None
        earlier = next(iter(self.folder.rows([trial.id])), None)
        if earlier is not None and earlier.status.done:
            self.twice.append(trial.id)
            return earlier
        arrays = self.folder.trials / f"{trial.id}.npz"
        if row.status == Status.OK:
            with contextlib.suppress(FileNotFoundError):  # a trial that leaves none
                (attempt.trials / arrays.name).replace(arrays)
        else:
            arrays.unlink(missing_ok=True)
        (attempt.trials / f"{trial.id}.json").replace(self.folder.trials / f"{trial.id}.json")
        return row

    def take_rerun(self, attempt: Attempt, trial: Trial, row: Row, number: int) -> None:
        """Replace a trial's row and arrays by those of a calmer rerun."""
        arrays = self.folder.trials / f"{trial.id}.npz"
        with contextlib.suppress(FileNotFoundError):
            (attempt.trials / arrays.name).replace(arrays)
        self.folder.write_row(dataclasses.replace(row, attempt=number))

    def row_of(self, attempt: Attempt, trial: Trial) -> Row | None:
        """Return the row that an attempt left of a trial; None where it left none."""
        return _row(attempt, trial)

    def take_verdict(self, attempt: Attempt, proof: Trial) -> Judgement | None:
        """Store the verdict of a proof with the run; of two machines' verdicts the worse stays.

        Return the verdict that stands; None where the attempt has none.
        """
        judgement = _waited_for(lambda: verdicts.read_one(attempt, proof))
        return None if judgement is None else self.store_verdict(proof, judgement)

    def store_verdict(self, proof: Trial, judgement: Judgement) -> Judgement:
        """Store a verdict with the run, unless an earlier one of this session is worse."""
        earlier = self._judged.get(proof.id)
        if earlier is not None and merging.goodness(earlier) <= merging.goodness(judgement):
            return earlier
        self._judged[proof.id] = judgement
        verdicts.store(self.folder, proof, judgement, in_cache=False)
        return judgement

    def take_limits(self, attempt: Attempt) -> None:
        """Copy the times of matrix products alone, one row for every kind of machine."""
        merging.merge_limits(self.plan, [attempt], self.folder)

    def take_log(self, attempt: Attempt) -> None:
        """Append what the processes of an attempt printed to the run's logs."""
        for log in sorted(attempt.logs.glob("*.log")):
            with contextlib.suppress(OSError, ValueError):  # a log is no result
                content = read_plain(log)
                self.folder.logs.mkdir(exist_ok=True)
                with (self.folder.logs / log.name).open("ab") as file:
                    file.write(content)

    def take_whole(self, attempt: Attempt) -> None:
        """Take over the rows of an attempt that is whole, which nobody waited for any more."""
        trials = {trial.id: trial for trial in self.plan.trials}
        for name in attempt.done():
            if name in trials and (attempt.trials / f"{name}.json").exists():
                self.take_row(attempt, trials[name])


def _row(attempt: Attempt, trial: Trial) -> Row | None:
    return _waited_for(lambda: next(iter(attempt.rows([trial.id])), None))


def _waited_for(read: Callable[[], Found | None]) -> Found | None:
    """Return what is read, once the file system shows it; None if that takes too long."""
    deadline = time.monotonic() + SEEN_AFTER_S
    while (found := read()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
