"""One trial: import, build, first step, train, predict, each phase timed; one row out.

Runs in a worker. What is timed is exactly what stands inside `timed()`; data, evaluation and
digests lie outside, and garbage collection is off inside.
"""

import numpy as np

from harness import data, start
from harness.clock.conditions import allocator, watched
from harness.clock.process import blas_in_use
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Purpose
from harness.parity.trace import record
from harness.plan import Trial, native_of
from harness.trainer import (
    NativeTask,
    NativeTrainer,
    StepTrainer,
    Task,
    Trainer,
)
from harness.trial import training
from harness.trial.evaluation import evaluate, predict, right_rows
from harness.trial.outcome import Diverged, Outcome, Unsupported, timed


def measure(
    trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome
) -> Trainer:
    """Run the trial and fill `outcome`, as far as it gets; the trainer, for its limit.

    Raises:
        Unsupported, Diverged: outcomes with a status of their own.
        harness.data.fetching.DataMissingError: the dataset is not on this machine.
        harness.trainer.DeviceUnavailableError: no such device.
        Exception: whatever the adapter or its framework raises.
    """
    reason = adapter.supports(experiment)
    if reason is not None:
        raise Unsupported(reason)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    outcome.columns |= {"data_digest": prepared.digest, "allocator": allocator() or None}
    if issubclass(adapter, NativeTrainer):
        trainer: Trainer = _fit_native(trial, experiment, adapter, prepared, outcome)
    elif issubclass(adapter, StepTrainer):
        if trial.loop not in adapter.loops:
            raise Unsupported(f"has no {trial.loop} loop; it has {', '.join(adapter.loops)}")
        check_dtype(trial, adapter)
        training.check_loop(experiment, trial.loop)
        trainer = _train(trial, experiment, adapter, prepared, outcome)
    else:
        raise TypeError(f"{adapter.__name__} must be a StepTrainer or a NativeTrainer")
    outcome.columns["device"] = str(trainer.device)
    outcome.columns["precision"] = str(trainer.precision or trial.dtype)
    outcome.columns["blas"] = str(trainer.blas or blas_in_use() or "") or None
    _finish(trainer, experiment, prepared, outcome)
    return trainer


def check_dtype(trial: Trial, adapter: type[StepTrainer]) -> None:
    """A precision that an adapter does not have is not asked of it.

    Raises:
        Unsupported: the adapter's `dtypes` lack the trial's.
    """
    if trial.dtype not in adapter.dtypes:
        raise Unsupported(f"has no {trial.dtype}; it has {', '.join(adapter.dtypes)}")


def prove(trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome) -> None:
    """Leave the trace of a short run of the same adapter and the same loop.

    Raises:
        As `measure`.
    """
    reason = adapter.supports(experiment)
    if reason is not None:
        raise Unsupported(reason)
    if not issubclass(adapter, StepTrainer):
        raise TypeError(f"{adapter.__name__} must be a StepTrainer")
    if trial.loop not in adapter.loops:
        raise Unsupported(f"has no {trial.loop} loop; it has {', '.join(adapter.loops)}")
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)

    def build(protocol: Experiment) -> StepTrainer:
        return adapter(task_of(trial, protocol, prepared))

    trace = record(
        build, experiment, prepared, trial.seed, closely=trial.purpose == Purpose.PROOF_IN_DETAIL
    )
    outcome.arrays = trace.to_arrays()


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
        dtype=trial.dtype,
        device=trial.device,
        threads=trial.threads,
    )
    with timed() as build:
        trainer = adapter(task)
    with watched() as conditions, timed() as fit:
        trainer.fit(trial.seed)
    outcome.columns |= conditions.columns
    outcome.columns |= {
        "build_s": build.seconds,
        "train_s": fit.seconds,
        "steps": trainer.iterations,
        "status_detail": trainer.remark or None,
    }
    return trainer


def _train(
    trial: Trial,
    experiment: Experiment,
    adapter: type[StepTrainer],
    prepared: Prepared,
    outcome: Outcome,
) -> StepTrainer:
    """The identical track: build, first step, then segments between evaluation points."""
    plan = start.BatchPlan.of(experiment, trial.seed) if experiment.training else None
    task = task_of(trial, experiment, prepared)
    outcome.columns["start_digest"] = start.start_digest(task.parameters, plan)
    with timed() as build:
        trainer = adapter(task)
    outcome.columns["build_s"] = build.seconds
    if plan is not None:
        with watched() as conditions:
            training.advance(trainer, experiment, plan, prepared, task, outcome)
        outcome.columns |= conditions.columns
    return trainer


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


def _finish(trainer: Trainer, experiment: Experiment, prepared: Prepared, outcome: Outcome) -> None:
    """Predict the test set on the clock; score what training has not scored already."""
    if "test_loss" not in outcome.columns:  # else the last score was of a first prediction
        predict(trainer, prepared.test, experiment)
    with timed() as later:
        outputs = predict(trainer, prepared.test, experiment)
    outcome.columns["predict_s"] = later.seconds
    outcome.arrays["test_outputs"] = outputs
    right = right_rows(trainer, prepared.test, experiment, outputs)
    if right is not None:
        outcome.arrays["test_right"] = right
    if isinstance(trainer, StepTrainer):
        outcome.arrays["first_weights"] = np.asarray(trainer.parameters()[0][0])
    if not np.isfinite(outputs).all():
        raise Diverged("outputs are not finite")
    if "train_loss" not in outcome.columns:
        outcome.columns |= evaluate(trainer, experiment, prepared)
