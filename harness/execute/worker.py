"""The child process: one framework, one trial at a time, talking JSON lines with its parent.

First line in: how many threads, which framework. Each later line is a request: a trial, a part
of a check or an inspection. Each line out is the answer; of a trial it is the row, and the
arrays are on disk already. At the end of the input the child exits. Whatever libraries print
goes to the log, never between the lines.

Affinity and threads are set before anything heavy is imported, so this file imports the
standard library only, until `main` has done so.
"""

import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from harness.clock.environment import END_OF_TRIAL, allowed_cpus, pin
from harness.clock.process_state import IS_SPENT, ProcessState
from harness.experiment.vocabulary import Purpose, Status

if TYPE_CHECKING:
    from harness.experiment.model import Experiment
    from harness.plan import Trial
    from harness.registry import Framework
    from harness.trainer import StepTrainer, Trainer
    from harness.trial.outcome import Outcome

OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "ResourceExhaustedError")
"""Exception names by which Python and the frameworks say that memory ran out."""


class Interrupts:
    """Remembers that SIGINT came, because a library may swallow KeyboardInterrupt.

    scikit-learn's `MLPClassifier.fit` does so, and returns a half-trained model.
    """

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


def main() -> None:
    """Serve trials until standard input ends."""
    channel = _own_channel()
    _die_with_parent()
    interrupts = Interrupts()
    messages = _messages()
    setup = messages.get()
    cpus, lane = setup.get("cpus") or allowed_cpus(), setup.get("lane", 0)
    affinity_problem = pin(setup["threads"], lane, cpus)
    as_given = ProcessState.now()

    began = perf_counter()
    import numpy  # noqa: F401  (every framework needs it; its import counts as theirs)

    import_s = perf_counter() - began
    from harness.registry import Framework

    described: dict[str, Any] = setup["framework"]
    lists = {name: tuple(value) for name, value in described.items() if isinstance(value, list)}
    framework = Framework(**(described | lists))
    first = True
    while True:
        message = messages.get()
        if message.get("lane", lane) != lane:
            lane = message["lane"]
            affinity_problem = pin(setup["threads"], lane, cpus)
            as_given = ProcessState.now()
        row, keep_serving = _serve(message, framework, first, import_s, interrupts)
        gc.collect()  # a trainer that refers to itself would hold its data until much later
        if affinity_problem and row.get("status") == "ok":
            row["status_detail"] = row["status_detail"] or affinity_problem
        changes = ProcessState.now().changes_since(as_given)
        if changes and "trial" in message:
            row[IS_SPENT] = True
            why = f"changed its process: {', '.join(changes)}"
            row["status_detail"] = "; ".join(filter(None, [row["status_detail"], why]))
        sys.stderr.flush()
        os.write(2, END_OF_TRIAL)
        channel.write(json.dumps(row) + "\n")
        channel.flush()
        first = False
        if not keep_serving:
            sys.exit(130)


def _serve(
    message: dict[str, Any],
    framework: "Framework",
    first: bool,
    import_s: float,
    interrupts: Interrupts,
) -> tuple[dict[str, Any], bool]:
    """Run one trial, part of a check or inspection; return the answer, and whether to go on."""
    if "rule" in message or "full" in message:
        from harness.execute import check_worker

        ask = check_worker.check_rule if "rule" in message else check_worker.choose_protocols
        return ask(message, framework), not interrupts.came
    if "inspect" in message:
        return _inspect(message, framework, import_s), not interrupts.came
    import dataclasses

    from harness.clock.process import peak_rss_mb
    from harness.experiment.loading import parse
    from harness.plan import TRIAL
    from harness.results import clean, write_arrays
    from harness.trial.outcome import Outcome, blank_row

    trial = TRIAL.validate_python(message["trial"])
    experiment = parse(message["experiment"], trial.experiment)
    outcome = Outcome()
    began = perf_counter()
    blank = blank_row(trial, message["run"], framework.version, experiment, Status.OK, None)
    is_timed = message["timed"]
    status, detail = _attempt(trial, experiment, framework, first, import_s, outcome, is_timed)
    if interrupts.came:
        status, detail = Status.INTERRUPTED, "SIGINT"
    total_s = perf_counter() - began + (import_s if first else 0)
    outcome.columns.total_s = total_s - outcome.not_counted_s
    if first and outcome.columns.peak_rss_mb is None:
        outcome.columns.peak_rss_mb = peak_rss_mb()
    if not is_timed:
        outcome.columns.forget_times()
        outcome.arrays.pop("train_s", None)
    if status == Status.OK and outcome.arrays:
        try:
            write_arrays(Path(message["arrays"]), outcome.arrays)
        except OSError as error:  # a full disk
            why = error.strerror or error
            status, detail = Status.ERROR, f"its arrays cannot be written ({why})"
    row = dataclasses.replace(blank, status=status, **outcome.columns.measured())
    if detail:
        row = dataclasses.replace(row, status_detail=detail)
    return clean(dataclasses.asdict(row)), not interrupts.came


def _inspect(message: dict[str, Any], framework: "Framework", import_s: float) -> dict[str, Any]:
    """Describe this process after its first computation, or return the `problem` with that."""
    from harness.doctor import probe

    facts: dict[str, Any] = {}
    try:
        if message["inspect"] == "numpy":
            return probe.numpy_product()
        began = perf_counter()
        adapter = framework.load()
        facts["import_s"] = import_s + perf_counter() - began
        from harness.trial.measure import products_library

        dtype = "float32" if "float32" in framework.dtypes else framework.dtypes[0]
        trainer, facts["lacks"] = _most_compiled(adapter, framework.loops, dtype)
        facts |= {"device": str(trainer.device), "precision": str(trainer.precision or dtype)}
        facts |= probe.speed_of(trainer.matrix_products(probe.operands(dtype)))
        facts["blas"] = products_library(trainer)
        return facts | probe.threads_and_pools()
    except BaseException as error:
        traceback.print_exc()
        return facts | probe.describe_error(error)


def _most_compiled(
    adapter: Any, loops: Sequence[str], dtype: str
) -> tuple["StepTrainer", dict[str, str]]:
    """Return a trainer of the last loop that can be made, and what each later one needs."""
    from harness.parity.subject import Subject
    from harness.trainer import ToolMissingError

    lacks: dict[str, str] = {}
    for loop in reversed(loops[1:]):
        subject = Subject(adapter, loop, dtype, "auto")
        try:
            return subject.build(subject.supported()), lacks
        except ToolMissingError as error:
            lacks[loop] = str(error)
    subject = Subject(adapter, loops[0], dtype, "auto")
    return subject.build(subject.supported()), lacks


def _attempt(
    trial: "Trial",
    experiment: "Experiment",
    framework: "Framework",
    first: bool,
    import_s: float,
    outcome: "Outcome",
    is_timed: bool,
) -> tuple[Status, str | None]:
    """(status, detail) of one trial; nothing that an adapter raises gets past here."""
    from harness.data.fetching import DataMissingError
    from harness.execute.adapter_errors import describe_exception
    from harness.trainer import DeviceUnavailableError, ToolMissingError
    from harness.trial.outcome import Diverged, GivenChanged, Unsupported

    try:
        began = perf_counter()
        adapter = framework.load()
        if first:
            outcome.columns.import_s = import_s + perf_counter() - began
            _freeze()
        _run(trial, experiment, adapter, first, outcome, is_timed)
    except Unsupported as reason:
        return Status.UNSUPPORTED, str(reason)
    except (DeviceUnavailableError, ToolMissingError) as reason:
        return Status.MISSING, str(reason)
    except Diverged as reason:
        return Status.DIVERGED, str(reason)
    except GivenChanged as reason:
        return Status.ERROR, str(reason)
    except DataMissingError as reason:
        return Status.MISSING, str(reason)
    except ModuleNotFoundError as error:
        traceback.print_exc()
        return Status.MISSING, describe_exception(error, framework)
    except KeyboardInterrupt:
        return Status.INTERRUPTED, "SIGINT"
    except BaseException as error:
        traceback.print_exc()
        status = Status.OOM if _is_out_of_memory(error) else Status.ERROR
        return status, describe_exception(error, framework)
    return Status.OK, None


def _run(
    trial: "Trial",
    experiment: "Experiment",
    adapter: type["Trainer"],
    first: bool,
    outcome: "Outcome",
    is_timed: bool,
) -> None:
    """Do what the trial is for."""
    from harness.trial.many_starts import train_many_starts
    from harness.trial.matrix_products import measure_limit
    from harness.trial.measure import measure, prove

    match trial.purpose:
        case Purpose.MEASURE:
            trainer = measure(trial, experiment, adapter, outcome)
            if is_timed:
                _time_products(trainer, trial, experiment, first, outcome)
        case Purpose.LIMIT:
            measure_limit(trial, experiment, adapter, outcome)
        case Purpose.MANY_STARTS:
            train_many_starts(trial, experiment, adapter, outcome)
        case Purpose.PROOF | Purpose.PROOF_IN_DETAIL | Purpose.PROOF_AS_TIMED:
            prove(trial, experiment, adapter, outcome)


def _time_products(
    trainer: "Trainer", trial: "Trial", experiment: "Experiment", first: bool, outcome: "Outcome"
) -> None:
    """Time the step's matrix products; the trial stays whole if that fails."""
    from harness.clock.process import peak_rss_mb
    from harness.trial.matrix_products import time_matrix_products

    if first:  # before the products, whose operands would count
        outcome.columns.peak_rss_mb = peak_rss_mb()
    began = perf_counter()
    try:
        time_matrix_products(trainer, trial, experiment, outcome)
    except Exception as error:
        traceback.print_exc()
        why = f"its matrix products could not be timed: {type(error).__name__}: {error}"
        details = filter(None, [outcome.columns.status_detail, why])
        outcome.columns.status_detail = "; ".join(details)
    outcome.not_counted_s += perf_counter() - began


def _is_out_of_memory(error: BaseException) -> bool:
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & set(OUT_OF_MEMORY)) or "RESOURCE_EXHAUSTED" in str(error)


def _freeze() -> None:
    """Hide what a framework's import left behind from the garbage collector."""
    gc.collect()
    gc.freeze()


def _own_channel() -> TextIO:
    """Reserve standard output for rows; send what libraries print there to the log."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import faulthandler

    faulthandler.enable()
    return channel


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, and to have what its children leave.

    A process that one of them detached is then a child of this one, and ends with it.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig, pr_set_child_subreaper = 1, 36
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1)


def _messages() -> "queue.SimpleQueue[dict[str, Any]]":
    """Return a queue of the messages on standard input; exit when the input ends."""
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            messages.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="parent").start()
    return messages


if __name__ == "__main__":
    main()
