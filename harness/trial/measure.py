"""One trial: import, build, first step, train, predict, each phase timed; one row out.

Runs in a worker. What is timed is exactly what stands inside `timed()`. Data, evaluation and
digests lie outside, and garbage collection is off inside.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from harness import data, start
from harness.adapter_source import imported_packages
from harness.clock.conditions import allocator, record_conditions
from harness.clock.process import blas_in_use
from harness.clock.stopwatch import timed
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Dtype, Purpose
from harness.parameters import first_weights
from harness.parity.trace import FIRST_20_STEPS, KEPT_STEPS, ShownBy, record
from harness.plan import Trial, native_of
from harness.results import MeasuredColumns
from harness.trainer import NativeTask, NativeTrainer, StepTrainer, Task, Trainer
from harness.trial import training
from harness.trial.contradictions import Contradictions
from harness.trial.early_stopping import Restored
from harness.trial.evaluation import evaluate, predict, right_rows, score_columns
from harness.trial.given import arrays_of_start, data_left_alone, left_alone
from harness.trial.outcome import Diverged, Outcome, Unsupported

COMPUTE_BY_NUMPY = frozenset({"numpy", "scipy", "sklearn", "autograd", "numba"})
"""Packages whose matrix products are those of NumPy's library."""


def measure(
    trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome
) -> Trainer:
    """Run the trial and fill `outcome` as far as the trial gets; return its trainer.

    Raises:
        Unsupported: the adapter cannot follow the protocol.
        Diverged: loss or outputs are not finite.
        GivenChanged: the adapter wrote into what it was given.
        harness.data.fetching.DataMissingError: the dataset is not on this machine.
        harness.trainer.DeviceUnavailableError: the adapter sees no such device.
        Exception: whatever the adapter or its framework raises.
    """
    check_protocol(experiment, adapter)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    absent = prepared.absent_classes(experiment.data)
    outcome.columns.set(
        data_digest=prepared.digest,
        allocator=allocator() or None,
        absent_classes=json.dumps(absent, ensure_ascii=False) if absent else None,
    )
    contradictions = Contradictions(experiment, prepared, trial.dtype)
    with data_left_alone(prepared, outcome):
        if issubclass(adapter, NativeTrainer):
            trainer: Trainer = _fit_native(trial, experiment, adapter, prepared, outcome)
        elif issubclass(adapter, StepTrainer):
            check_loop(trial, adapter)
            check_dtype(trial, adapter)
            training.check_can_follow(experiment, trial.loop)
            trainer = _train(trial, experiment, adapter, prepared, outcome, contradictions)
        else:
            raise TypeError(f"{adapter.__name__} must be a StepTrainer or a NativeTrainer")
        describe_device(trainer, trial, outcome.columns)
        _finish(trainer, experiment, prepared, outcome, contradictions)
        if isinstance(trainer, StepTrainer) and experiment.training is not None:
            began = perf_counter()
            contradictions.look_at_clock(trainer, start.BatchPlan.of(experiment, trial.seed))
            outcome.not_counted_s += perf_counter() - began
    outcome.columns.contradiction = contradictions.found
    return trainer


def check_protocol(experiment: Experiment, adapter: type[Trainer]) -> None:
    """Refuse a protocol that the adapter cannot follow, before anything is built.

    Raises:
        Unsupported: with the adapter's own reason.
    """
    reason = adapter.refuses(experiment)
    if reason is not None:
        raise Unsupported(reason)


def check_loop(trial: Trial, adapter: type[StepTrainer]) -> None:
    """Refuse a loop that the adapter does not have.

    Raises:
        Unsupported: the adapter's `loops` lack the trial's.
    """
    if trial.loop not in adapter.loops:
        raise Unsupported(f"has no {trial.loop} loop; it has {', '.join(adapter.loops)}")


def check_dtype(trial: Trial, adapter: type[StepTrainer]) -> None:
    """Refuse a precision that the adapter does not have.

    Raises:
        Unsupported: the adapter's `dtypes` lack the trial's.
    """
    if trial.dtype not in adapter.dtypes:
        raise Unsupported(f"has no {trial.dtype}; it has {', '.join(adapter.dtypes)}")


def describe_device(trainer: Trainer, trial: Trial, columns: MeasuredColumns) -> None:
    """Put what the trainer says about its device into the row."""
    columns.device = str(trainer.device)
    columns.precision = str(trainer.precision or trial.dtype)
    columns.blas = products_library(trainer)
    columns.framework_version = str(trainer.version) or None


def products_library(trainer: Trainer) -> str | None:
    """Return the library of a trainer's matrix products: the stated one, or else NumPy's.

    NumPy's is not taken for that of an adapter which imports something else to compute with.
    """
    if trainer.blas:
        return str(trainer.blas)
    file = getattr(sys.modules.get(type(trainer).__module__), "__file__", None)
    imported = imported_packages(Path(file)) if file else ()
    return blas_in_use() if set(imported) <= COMPUTE_BY_NUMPY else None


def prove(trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome) -> None:
    """Leave the trace of a short run of the same adapter and the same loop.

    Raises:
        As `measure`.
    """
    check_protocol(experiment, adapter)
    if not issubclass(adapter, StepTrainer):
        raise TypeError(f"{adapter.__name__} must be a StepTrainer")
    check_loop(trial, adapter)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)

    def build(protocol: Experiment) -> StepTrainer:
        return adapter(task_of(trial, protocol, prepared))

    kept = FIRST_20_STEPS if trial.purpose == Purpose.PROOF_IN_DETAIL else KEPT_STEPS
    shown_by = how_gradients_are_shown(trial.purpose, trial.dtype)
    with data_left_alone(prepared, outcome):
        trace = record(build, experiment, prepared, trial.seed, kept, shown_by)
    outcome.arrays = trace.to_arrays()


def how_gradients_are_shown(purpose: str, dtype: str) -> ShownBy:
    """Return what shows the gradients in a proof: as little more compiling as is exact enough.

    A diagnosis compares them with other causes, at the start. In float32 the first update would
    hide products of few bits.
    """
    if purpose == Purpose.PROOF_IN_DETAIL:
        return "own trainer"
    if dtype == Dtype.FLOAT64:
        return "first update"
    return "further step" if purpose == Purpose.PROOF_AS_TIMED else "own trainer"


def task_of(trial: Trial, experiment: Experiment, prepared: Prepared) -> Task:
    """Return what the adapter of a trial is given."""
    return start.task_of(
        experiment,
        prepared,
        seed=trial.seed,
        loop=trial.loop,
        dtype=trial.dtype,
        device=trial.device,
        threads=trial.threads,
    )


def _fit_native(
    trial: Trial,
    experiment: Experiment,
    adapter: type[NativeTrainer],
    prepared: Prepared,
    outcome: Outcome,
) -> NativeTrainer:
    """The native track: one fit, timed as a whole."""
    task = NativeTask(
        native=native_of(experiment, trial.loop),
        network=experiment.network,
        loss=experiment.loss,
        inputs=prepared.train.inputs,
        targets=prepared.train.targets,
        dtype=str(trial.dtype),
        device=str(trial.device),
        threads=trial.threads,
    )
    with timed() as build:
        trainer = adapter(task)
    with record_conditions() as conditions, timed() as fit:
        trainer.fit(trial.seed)
    outcome.columns.set_conditions(conditions)
    outcome.columns.build_s = build.seconds
    outcome.columns.train_s = fit.seconds
    outcome.columns.steps = trainer.iterations
    outcome.columns.status_detail = trainer.remark or None
    if trainer.losses is not None:
        outcome.arrays["solver_loss"] = np.asarray(trainer.losses, dtype=np.float64)
    return trainer


def _train(
    trial: Trial,
    experiment: Experiment,
    adapter: type[StepTrainer],
    prepared: Prepared,
    outcome: Outcome,
    contradictions: Contradictions,
) -> StepTrainer:
    """The identical track: build, first step, then segments between evaluation points."""
    plan = start.BatchPlan.of(experiment, trial.seed) if experiment.training else None
    task = task_of(trial, experiment, prepared)
    outcome.columns.start_digest = start.start_digest(task.parameters, plan)
    with left_alone(arrays_of_start(task.parameters), outcome):
        with timed() as build:
            trainer = adapter(task)
        outcome.columns.build_s = build.seconds
        if plan is not None:
            with record_conditions() as conditions:
                training.train(trainer, experiment, plan, prepared, task, outcome, contradictions)
            outcome.columns.set_conditions(conditions)
    return trainer


def _finish(
    trainer: Trainer,
    experiment: Experiment,
    prepared: Prepared,
    outcome: Outcome,
    contradictions: Contradictions,
) -> None:
    """Predict the test set, timed, and compute the scores that training did not compute."""
    columns = outcome.columns
    if columns.test_loss is None:  # else the last evaluation was a first prediction
        predict(trainer, prepared.test, experiment)
    with timed() as second:
        outputs = predict(trainer, prepared.test, experiment)
    columns.predict_s = second.seconds
    outcome.arrays["test_outputs"] = outputs
    right = right_rows(trainer, prepared.test, experiment, outputs)
    if right is not None:
        outcome.arrays["test_right"] = right
    if isinstance(trainer, StepTrainer):
        parameters = trainer.parameters()
        outcome.arrays["first_weights"] = np.asarray(first_weights(parameters))
        contradictions.look_at_outputs(parameters, outputs)
    if not np.isfinite(outputs).all():
        raise Diverged("outputs are not finite")
    if columns.train_loss is None:
        columns.set(**score_columns(evaluate(trainer, experiment, prepared)))
    if outcome.restored is not None:
        _restore(outcome, outcome.restored, trainer, experiment, prepared)


def _restore(
    outcome: Outcome,
    restored: Restored,
    trainer: Trainer,
    experiment: Experiment,
    prepared: Prepared,
) -> None:
    """Put the scores and test outputs of the best validation in place of the last ones."""
    columns = outcome.columns
    columns.set(**score_columns(restored.scores))
    columns.restored_step = restored.step
    outcome.arrays["test_outputs"] = restored.test_outputs
    outcome.arrays["first_weights"] = restored.first_weights
    right = right_rows(trainer, prepared.test, experiment, restored.test_outputs)
    if right is not None:
        outcome.arrays["test_right"] = right
