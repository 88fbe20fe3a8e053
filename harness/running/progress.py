"""What is printed while a plan runs: a bar with an estimate on a terminal, lines elsewhere."""

import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from harness.execute.listener import Listener
from harness.experiment.vocabulary import Purpose
from harness.parity.findings import exception_in
from harness.parity.judgement import Judgement
from harness.plan import Plan, Trial
from harness.report import trial_durations
from harness.report.text import count_text, plain, seconds
from harness.results import Row
from harness.running.time_left import TimeLeft

TRACEBACK = "Traceback (most recent call last)"
LOG_LINES = 15
"""So much of the log is printed of a trial that failed, unless all of it is asked for."""


class Announcer(Listener):
    """Writes what happens while a plan runs to standard error.

    Args:
        plan: what runs.
        console: where to write.
        traceback: whether to print the whole of what an adapter raises.
        estimates_s: seconds of every trial and proof; by default those of one lane.
    """

    def __init__(
        self,
        plan: Plan,
        console: Console,
        traceback: bool = False,
        estimates_s: Mapping[str, float] | None = None,
    ) -> None:
        self.plan = plan
        self.traceback = traceback
        self.raised: Counter[str] = Counter()
        """How often each exception came, by its place and type."""
        self.console = console
        self.left = TimeLeft(
            trial_durations.estimates_s(plan) if estimates_s is None else estimates_s
        )
        self.count = self.proofs = self.reruns = self.reruns_planned = 0
        self.bar: Progress | None = None
        if console.is_terminal and not os.environ.get("CI"):
            self.bar = Progress(
                BarColumn(),
                TextColumn("{task.description}"),
                console=console,
                transient=True,
                refresh_per_second=2,
            )

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
            total = len(self.plan.trials) + len(self.plan.proofs)
            self.task = self.bar.add_task("starting", total=total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()
        for exception, count in self.raised.items():
            if count > 1:
                self._say(f"{exception}: {count - 1} more time{'s' * (count > 2)}")

    def resumed(self, done: Sequence[Trial]) -> None:
        """Say how many trials are not run again."""
        if not done:
            return
        self.count += len(done)
        for trial in done:
            self.left.end(trial)
        if self.bar:
            self.bar.advance(self.task, len(done))
        self._say(f"{len(done)} of {len(self.plan.trials)} done already, --fresh to run again")

    def fetching(self, dataset: str) -> None:
        """Say that a download starts."""
        self._say(f"fetching {dataset} (once) …")

    def fetched(self, dataset: str, outcome: str) -> None:
        """Say where a dataset came from, or why it is missing."""
        self._say(f"{dataset}: {outcome}")

    def started(self, trial: Trial) -> None:
        """Show what runs and how long the rest may take."""
        self.left.begin(trial)
        is_rerun = self.reruns < self.reruns_planned
        place = self._rerun_place(1) if is_rerun else self._trial_place(1)
        self._show(place, self._label(trial))

    def run_again(self, trial: Trial, why: str) -> None:
        """Say that a trial is run again."""
        self._say(f"{self._label(trial)}: ended from outside ({why}); running again")

    def rerunning(self, trials: Sequence[Trial]) -> None:
        """Say how many trials run again; the bar grows by them."""
        count = len(trials)
        rows = f"{count} row{'s were' if count > 1 else ' was'}"
        self._say(f"{rows} measured on a disturbed machine; running again")
        self.reruns_planned += count
        self.left.plan_reruns(trials)
        self._lengthen(count)

    def reran(self, trial: Trial, row: Row, kept: bool) -> None:
        """Print a line; say so where the rerun was disturbed more."""
        self.reruns += 1
        self.left.end_rerun(trial)
        outcome = "disturbed more; the earlier row stays" if kept else self._outcome(row)
        self._say(f"{self._rerun_place()} {self._label(trial)}: {outcome}")
        if self.bar:
            self.bar.advance(self.task)

    def gave_up(self, count: int, why: str) -> None:
        """Say how many disturbed trials are not run again."""
        rows = f"{count} disturbed row{'s stay' if count > 1 else ' stays'}"
        self._say(f"{rows} as {'they are' if count > 1 else 'it is'}: {why}")
        self.reruns_planned -= count
        self._lengthen(-count)
        self.left.drop_reruns()

    def _lengthen(self, count: int) -> None:
        if self.bar:
            total = self.bar.tasks[0].total or 0
            self.bar.update(self.task, total=total + count)

    def finished(self, trial: Trial, row: Row, log_tail: list[str]) -> None:
        """Print a line; for a failure also its reason and the end of its log."""
        self.count += 1
        self.left.end(trial, is_typical=row.status == "ok")
        label = f"{self._trial_place()} {self._label(trial)}"
        if row.failed and row.status != "interrupted":
            self._say_failure(label, self._outcome(row), log_tail)
        else:
            self._say_routine(f"{label}: {self._outcome(row)}")
        if self.bar:
            self.bar.advance(self.task)

    def proved(self, trial: Trial, judgement: Judgement, log_tail: list[str]) -> None:
        """Print a line; for a proof that failed also the end of its log."""
        self.proofs += 1
        reason = f": {judgement.reason}" if judgement.reason else ""
        place = f"[proof {self.proofs}/{len(self.plan.proofs)}]"
        label = f"{trial.experiment} {trial.framework} {trial.loop}"
        if judgement.verdict == "not comparable":
            self._say_failure(f"{place} {label}", f"{judgement.verdict}{reason}", log_tail)
        else:
            say = self._say_routine if judgement.proven else self._say
            say(f"{place} {label}: {judgement.verdict}{reason}")
        self.left.end(trial)
        if self.bar:
            self.bar.advance(self.task)
        self._show(place, label)

    def waiting_for_workers(self) -> None:
        """Say that workers have to be started."""
        self._say("no worker yet; waiting for the first, Ctrl-C ends it")

    def refused(self, worker: str, why: str) -> None:
        """Say which worker gets nothing to do."""
        self._say(f"{worker} takes no part: {why}")

    def sent(self, trials: Sequence[Trial], worker: str) -> None:
        """Show what began last, and where."""
        self._show(self._trial_place(), f"{self._label(trials[0])} on {worker}")

    def lost(self, trials: Sequence[Trial], worker: str, why: str) -> None:
        """Say what has to run again."""
        others = f" and {len(trials) - 1} more" if len(trials) > 1 else ""
        self._say(f"{worker}: {self._label(trials[0])}{others} lost, because {why}")

    def ran_twice(self, trials: Sequence[str]) -> None:
        """Say how many results were not needed."""
        self._say(f"{count_text(len(trials), 'trial')} ran twice; the first rows stay")

    def _trial_place(self, ahead: int = 0) -> str:
        """`[3/82]`, as in the lines; of the trial that runs, one is ahead."""
        return f"[{self.count + ahead}/{len(self.plan.trials)}]"

    def _rerun_place(self, ahead: int = 0) -> str:
        return f"[rerun {self.reruns + ahead}/{self.reruns_planned}]"

    def _show(self, place: str, label: str) -> None:
        """Show beside the bar what runs, counted as in the lines, and how long the rest takes."""
        if self.bar:
            left = seconds(max(1.0, self.left.seconds))
            text = f"{place} {label}, about {left} left"
            self.bar.update(self.task, description=plain(text).plain)

    def _say_failure(self, label: str, outcome: str, log_tail: Sequence[str]) -> None:
        """Print why something failed; of an exception of the adapter only the first time.

        The end of the log says more. The traceback that it ends with is printed if asked for.
        """
        exception = exception_in(outcome)
        if exception:
            self.raised[exception] += 1
            if self.raised[exception] > 1:
                return
        self._say(f"{label}: {outcome}")
        lines = list(log_tail)
        if not self.traceback:
            is_printed = itertools.takewhile(lambda line: not line.startswith(TRACEBACK), lines)
            lines = list(is_printed if exception else lines)[-LOG_LINES:]
        for line in lines:
            self._say(f"    {line}", dim=True)

    def _label(self, trial: Trial) -> str:
        """`xor-mlp jax fused seed 0`, with the threads where the plan has several numbers."""
        many = trial.purpose == Purpose.MANY_STARTS
        parts = [trial.experiment, trial.framework, trial.loop]
        parts.append(f"{trial.starts} seeds" if many else f"seed {trial.seed}")
        if len(self.plan.request.threads) > 1:
            parts.append(count_text(trial.threads, "thread"))
        return " ".join(parts)

    def _outcome(self, row: Row) -> str:
        keeps_test_rows = self.plan.experiments[row.experiment].data.keeps_test_rows
        part = "test" if keeps_test_rows else "training"
        if row.status != "ok":
            return f"{row.status} ({row.status_detail})" if row.status_detail else row.status
        parts = ["ok"]
        if row.test_accuracy is not None:
            parts.append(f"{part} accuracy {row.test_accuracy:.4f}")
        elif row.test_loss is not None:
            parts.append(f"{part} loss {row.test_loss:.6g}")
        if row.train_s is not None:
            parts.append(f"train {seconds(row.train_s)}")
        if row.step_us is not None:
            parts.append(f"step {seconds(row.step_us * 1e-6)}")
        return ", ".join(parts)

    def _say_routine(self, line: str) -> None:
        """Print what nobody needs to read again: a trial or a proof that went well."""
        self._say(line)

    def _say(self, line: str, dim: bool = False) -> None:
        text = Text("\n").join(plain(part) for part in line.splitlines())
        text.stylize("dim" if dim else "")
        self.console.print(text, soft_wrap=True, highlight=False)
