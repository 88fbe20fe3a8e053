"""Runs the trials of commands: a folder handed over, the program run, its answer read.

A measured trial hands over the whole training, a proof its first steps, both in the folder of the
trial: `commands/<trial>` in the folder of the run. The folder is removed afterwards, except where a
proof failed: `samestep check` may then be asked about it.
"""

import contextlib
import dataclasses
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from harness.clock.environment import has_gpu, lane_cpus
from harness.command_line import Command
from harness.data.fetching import DataMissingError
from harness.execute import handed_back
from harness.execute.command_process import CommandProcess, environment_of
from harness.execute.left_processes import mark_of_folder
from harness.execute.worker_process import Death
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Device, Purpose, Status
from harness.handover import answer, folder, judging, writing
from harness.handover.folder import Handover, HandoverError
from harness.handover.layout import ANSWER, place_of
from harness.parity.answer import AnswerError
from harness.parity.judgement import Judgement, Verdict
from harness.plan import Trial
from harness.results import Row, RunFolder, write_arrays
from harness.trial.outcome import Diverged, Outcome

CANNOT_STOP = (
    "a command is handed the rows and rates of every step before it begins, so it cannot follow "
    "training.stopping or training.plateau"
)


class Commands:
    """The commands of one run.

    Args:
        folder: of the run.
        timeout_s: limit for one run of a program; None for no limit.
        timed: whether the run has times.
    """

    def __init__(self, folder: RunFolder, timeout_s: float | None, timed: bool) -> None:
        self.folder, self.timeout_s, self.timed = folder, timeout_s, timed
        self._running: set[CommandProcess] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def measure(
        self, trial: Trial, experiment: Experiment, command: Command, blank: Row, lane: int
    ) -> tuple[Row, list[str]]:
        """Return the row of a trial, and the end of what its program printed.

        Args:
            trial: what to run.
            experiment: its protocol, whole.
            command: the program.
            blank: the row of the trial, with nothing measured.
            lane: whose CPUs it may use.
        """
        if experiment.depends_on_validation:
            return _ended(blank, Status.UNSUPPORTED, CANNOT_STOP), []
        whole = {"native": (), "quick": None, "constants": "exact"}
        experiment = experiment.model_copy(update=whole)
        tail: list[str] = []
        outcome = Outcome()
        outcome.columns.device = _device(trial)
        with self._exported(trial, experiment) as exported:
            death = self._run(trial, command, exported, lane, tail)
            status, detail = (death.status, death.detail) if death else (Status.OK, None)
            if death is None:
                status, detail = _read(exported, trial, experiment, outcome)
        if not self.timed:
            outcome.columns.forget_times()
        if status == Status.OK:
            write_arrays(self.folder.trials / f"{trial.id}.npz", outcome.arrays)
        row = dataclasses.replace(blank, status=status, **outcome.columns.measured())
        return (_ended(row, status, detail) if detail else row), tail

    def judge(
        self,
        proof: Trial,
        experiment: Experiment,
        command: Command,
        lane: int = 0,
        keep: bool = True,
    ) -> tuple[Judgement, list[str]]:
        """Run a proof, and judge the answer as `samestep check FOLDER` does.

        Args:
            proof: which proof, in float64 or as timed.
            experiment: the protocol, whole.
            command: the program.
            lane: whose CPUs it may use.
            keep: whether the folder of a proof that failed stays.

        Returns:
            The judgement, its reason in the words of `check`, and the end of what was printed.
        """
        short = proof_of(experiment, proof.purpose == Purpose.PROOF_AS_TIMED)
        short = short.model_copy(update={"constants": "exact"})
        tail: list[str] = []
        with self._exported(proof, short, keep) as exported:
            handover = folder.read(exported)  # before the program may write another one
            death = self._run(proof, command, exported, lane, tail)
            judgement = _not_run(death) if death else _judged(exported, handover)
            if judgement.proven or (death and death.status == Status.INTERRUPTED):
                shutil.rmtree(exported, ignore_errors=True)
            elif keep:
                kept = f"its files: {exported.relative_to(self.folder.path.resolve())}"
                reason = "; ".join(filter(None, [judgement.reason, kept]))
                judgement = dataclasses.replace(judgement, reason=reason)
        return judgement, tail

    def kill(self) -> None:
        """End every command at once, for good."""
        with self._lock:
            self._ended.set()
            for process in tuple(self._running):  # a lane may take its own away
                process.kill()

    # ------------------------------------------------------------ one run of a program

    @contextlib.contextmanager
    def _exported(self, trial: Trial, experiment: Experiment, keep: bool = False) -> Iterator[Path]:
        """Write the protocol into the folder of a trial, and remove the folder in the end."""
        exported = self.folder.path.resolve() / "commands" / trial.id
        shutil.rmtree(exported, ignore_errors=True)  # what a run left that was killed
        exported.parent.mkdir(parents=True, exist_ok=True)
        try:
            writing.write(exported, experiment, trial.seed, str(trial.dtype))
            yield exported
        except BaseException:
            keep = False
            raise
        finally:
            if not keep:
                shutil.rmtree(exported, ignore_errors=True)
            with contextlib.suppress(OSError):  # another is in it
                exported.parent.rmdir()

    def _run(
        self, trial: Trial, command: Command, exported: Path, lane: int, tail: list[str]
    ) -> Death | None:
        """Run the program; return why it has no answer, or None."""
        with self._lock:
            if self._ended.is_set():
                return Death(Status.INTERRUPTED, "Ctrl-C")
            process = CommandProcess(
                command.words_for(exported),
                environment_of(os.environ, trial.threads, trial.device),
                lane_cpus(trial.threads, lane),
                self.folder.logs / f"{trial.id}.log",
                mark_of_folder(self.folder.path),
            )
            self._running.add(process)
        try:
            death = process.wait(self.timeout_s)
        finally:
            self._running.discard(process)
            process.kill()
        tail += process.log_tail
        if self._ended.is_set():
            return Death(Status.INTERRUPTED, "Ctrl-C")
        return Death(death.status, _without_folder(death.detail, exported)) if death else None


def _read(
    exported: Path, trial: Trial, experiment: Experiment, outcome: Outcome
) -> tuple[Status, str | None]:
    """Read an answer into an outcome; (status, detail) of the trial."""
    try:
        handed = answer.read(exported, experiment)
        handed_back.fill(outcome, handed, trial, experiment)
    except HandoverError as error:
        return Status.ERROR, _without_folder(str(error), exported)
    except AnswerError as error:
        return Status.ERROR, f"{ANSWER}/{place_of(error.part)}: {error}"
    except Diverged as reason:
        return Status.DIVERGED, str(reason)
    except DataMissingError as reason:
        return Status.MISSING, str(reason)
    except Exception as error:  # whatever a strange answer does, the other trials go on
        return Status.ERROR, f"the answer cannot be scored: {type(error).__name__}: {error}"
    return Status.OK, None


def _judged(exported: Path, handover: Handover) -> Judgement:
    try:
        finding, remarks = judging.judge(exported, handover)
    except HandoverError as error:
        reason = _without_folder(str(error), exported)
        return Judgement(Verdict.NOT_COMPARABLE, reason, (), Status.ERROR)
    except Exception as error:  # whatever a strange answer does to the judge, rows stay
        reason = f"the answer cannot be judged: {type(error).__name__}: {error}"
        return Judgement(Verdict.NOT_COMPARABLE, reason, (), Status.ERROR)
    assert finding.judgement is not None
    said = [finding.remark, *(remarks if finding.is_undecided else ())]
    reason = _without_folder("; ".join(filter(None, said)), exported)
    return dataclasses.replace(finding.judgement, reason=reason)


def _not_run(death: Death) -> Judgement:
    reason = f"the proof gave no answer: {death.status} ({death.detail})"
    return Judgement(Verdict.NOT_COMPARABLE, reason, (), death.status)


def _ended(row: Row, status: Status, detail: str) -> Row:
    return dataclasses.replace(row, status=status, status_detail=detail)


def _without_folder(text: str, exported: Path) -> str:
    """The text with places in the folder, whose own path says nothing about the program."""
    return text.replace(f"{exported}/", "").replace(str(exported), "the folder")


def _device(trial: Trial) -> str:
    """What the program computes on, as far as that is known."""
    return Device.CPU if trial.device == Device.AUTO and not has_gpu() else trial.device
