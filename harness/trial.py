"""One trial: import, build, first step, train, predict, each phase timed; one row out.

Runs in a worker. What is timed is exactly what stands between `started` and `elapsed`; data,
evaluation and digests lie outside, and garbage collection is off inside.
"""

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from harness import data, scoring, start
from harness.clock.conditions import allocator, watched
from harness.clock.environment import machine
from harness.clock.process import blas_in_use
from harness.curves import Curves
from harness.data.prepared import Part, Prepared
from harness.experiment.loading import digest
from harness.experiment.model import Experiment
from harness.parity.trace import record
from harness.plan import CLOSELY, Trial, native_of
from harness.results import PROTOCOL, SCHEMA, Row
from harness.trainer import (
    Array,
    Batches,
    NativeTask,
    NativeTrainer,
    StepTrainer,
    Task,
    Trainer,
)

IDIOMATIC_SEGMENTS_AT_MOST = 10
"""An idiomatic loop pays for every segment (a `fit` call costs 45 ms), so it gets few."""
BLOCK_ROWS = 10_000
"""Rows of one `predict`: large enough to be fast, and one shape for compilers on MNIST."""
SHORTEST_CPU_CHECK_S = 0.2
"""A shorter training says nothing reliable about CPU time."""


class Unsupported(Exception):  # noqa: N818 (an outcome, not a fault)
    """The adapter cannot follow the protocol; the message says why."""


class Diverged(Exception):  # noqa: N818
    """Loss or outputs are no longer finite; the message says since when."""


@dataclass
class Outcome:
    """What a trial has found so far: columns of the row, and arrays kept beside it."""

    columns: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    untold_s: float = 0.0
    """Spent on the limit, which is no phase of the trial."""


class Stopwatch(Protocol):
    """Filled when the timed region ends."""

    seconds: float


@dataclass
class _Elapsed:
    seconds: float = math.nan


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time a region with garbage collection off."""
    elapsed = _Elapsed()
    gc.disable()
    began = time.perf_counter_ns()
    try:
        yield elapsed
    finally:
        elapsed.seconds = (time.perf_counter_ns() - began) * 1e-9
        gc.enable()


def blank_row(
    trial: Trial, run: str, version: str, experiment: Experiment, status: str, detail: str | None
) -> Row:
    """The row of a trial that gave no numbers."""
    return Row(
        schema=SCHEMA,
        protocol=PROTOCOL,
        run=run,
        trial=trial.id,
        purpose=trial.purpose,
        experiment=trial.experiment,
        experiment_digest=digest(experiment),
        framework=trial.framework,
        framework_version=version,
        loop=trial.loop,
        track=trial.track,
        seed=trial.seed,
        repeat=trial.repeat,
        device=trial.device,
        dtype=trial.dtype,
        precision=None,
        threads=trial.threads,
        status=status,
        status_detail=detail,
        machine=machine(),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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
        trainer = _train(trial, experiment, adapter, prepared, outcome)
    else:
        raise TypeError(f"{adapter.__name__} must be a StepTrainer or a NativeTrainer")
    outcome.columns["device"] = str(trainer.device)
    outcome.columns["precision"] = str(trainer.precision or trial.dtype)
    outcome.columns["blas"] = str(trainer.blas or blas_in_use() or "") or None
    _finish(trainer, experiment, prepared, outcome)
    return trainer


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

    trace = record(build, experiment, prepared, trial.seed, closely=trial.purpose == CLOSELY)
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
            _advance(trainer, experiment, plan, prepared, task, outcome)
        outcome.columns |= conditions.columns
    return trainer


def task_of(trial: Trial, experiment: Experiment, prepared: Prepared) -> Task:
    """What the adapter is given: the neutral start, every number rounded to float32."""
    training = experiment.training
    plan = start.BatchPlan.of(experiment, trial.seed) if training else None
    return Task(
        network=start.rounded_network(experiment.network),
        loss=experiment.loss,
        l2=start.rounded(training.l2) if training else None,
        optimizer=start.rounded(training.optimizer) if training else None,
        parameters=start.initial_parameters(experiment, trial.seed, trial.dtype),
        inputs=prepared.train.inputs,
        targets=prepared.train.targets,
        batch_size=experiment.batch_size,
        has_short_batch=plan is not None and plan.has_short_batch,
        loop=trial.loop,
        dtype=trial.dtype,
        device=trial.device,
        threads=trial.threads,
    )


def _points(experiment: Experiment, loop: str) -> list[int]:
    """Steps to evaluate after; an idiomatic loop has at most ten segments, one per epoch."""
    points = list(experiment.evaluation_points)
    if loop != "idiomatic" or len(points) <= 2:
        return points
    kept = [points[-1]]
    for point in reversed(points[1:-1]):  # at most one segment per epoch, counted from the end
        if kept[-1] - point >= experiment.steps_per_epoch:
            kept.append(point)
    later = kept[::-1]
    if len(later) > IDIOMATIC_SEGMENTS_AT_MOST:
        chosen = np.linspace(0, len(later) - 1, IDIOMATIC_SEGMENTS_AT_MOST).round().astype(int)
        later = [later[index] for index in chosen]
    return [points[0], *later]


def _advance(
    trainer: StepTrainer,
    experiment: Experiment,
    plan: start.BatchPlan,
    prepared: Prepared,
    task: Task,
    outcome: Outcome,
) -> None:
    """Train from point to point; everything but `advance` is off the clock."""
    curves = Curves(experiment.network)
    done, trained_s, cpu_s, step_us, samples = 0, 0.0, 0.0, [], 0
    for point in _points(experiment, task.loop):
        batches = plan.segment(done, point)
        trainer.stage(batches)
        cpu_began = time.process_time()
        with timed() as advance:
            losses = trainer.advance(batches)
        cpu_s += time.process_time() - cpu_began
        if losses is None and task.loop != "idiomatic":
            raise ValueError(f"advance of a {task.loop} loop must return its losses. Got None")
        if done == 0:
            outcome.columns["first_step_s"] = advance.seconds
            cpu_s = 0.0
        else:
            trained_s += advance.seconds
            step_us.append(advance.seconds / len(batches) * 1e6)
        samples += int(batches.sizes.sum())
        _check_losses(losses, batches, done)
        done = point
        scores = evaluate(trainer, experiment, prepared)
        curves.take(done, trained_s, scores, trainer.parameters(), losses)
        outcome.columns |= {"steps": done, "samples": samples, "train_s": trained_s, **scores}
        if _reached(experiment, scores) and "target_s" not in outcome.columns:
            outcome.columns["target_s"] = outcome.columns["first_step_s"] + trained_s
        if not np.isfinite(scores["train_loss"] or 0.0):
            raise Diverged(f"training loss is not finite after step {done}")
    outcome.arrays = curves.arrays()
    if trained_s > SHORTEST_CPU_CHECK_S and cpu_s > 1.1 * task.threads * trained_s:
        outcome.columns["status_detail"] = (
            f"used {cpu_s / trained_s:.1f} CPUs in training, {task.threads} asked"
        )
    if step_us:
        low, middle, high = np.percentile(step_us, [25, 50, 75])
        outcome.columns |= {
            "step_us": float(middle),
            "step_us_low": float(low),
            "step_us_high": float(high),
        }


def _reached(experiment: Experiment, scores: dict[str, float | None]) -> bool:
    accuracy = scores.get("test_accuracy")
    return experiment.target is not None and (accuracy or 0.0) >= experiment.target


def _check_losses(losses: Array | None, batches: Batches, done: int) -> None:
    if losses is None:
        return
    if np.shape(losses) != (len(batches),):
        raise ValueError(
            f"advance must return one loss per step, shape ({len(batches)},). "
            f"Got {np.shape(losses)}"
        )
    finite = np.isfinite(losses)
    if not finite.all():
        raise Diverged(f"loss is not finite at step {done + int(finite.argmin()) + 1}")


def _finish(trainer: Trainer, experiment: Experiment, prepared: Prepared, outcome: Outcome) -> None:
    """Predict the test set on the clock; score what training has not scored already."""
    predict(trainer, prepared.test, experiment)
    with timed() as second:
        outputs = predict(trainer, prepared.test, experiment)
    outcome.columns["predict_s"] = second.seconds
    outcome.arrays["test_outputs"] = outputs
    if isinstance(trainer, StepTrainer):
        outcome.arrays["first_weights"] = np.asarray(trainer.parameters()[0][0])
    if not np.isfinite(outputs).all():
        raise Diverged("outputs are not finite")
    if "train_loss" not in outcome.columns:
        outcome.columns |= evaluate(trainer, experiment, prepared)


def evaluate(
    trainer: Trainer, experiment: Experiment, prepared: Prepared
) -> dict[str, float | None]:
    """Loss and accuracy of every part that has rows, as columns of the row."""
    parts = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    scores: dict[str, float | None] = {}
    meaning = trainer.outputs if isinstance(trainer, NativeTrainer) else None
    for name, part in parts.items():
        if len(part):
            outputs = predict(trainer, part, experiment)
            loss, accuracy = scoring.score(outputs, part, experiment.loss, meaning)
            scores |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
    return scores


def predict(trainer: Trainer, part: Part, experiment: Experiment) -> Array:
    """Raw outputs (rows, outputs) of one part, in blocks of at most 10,000 rows."""
    blocks = [
        np.asarray(trainer.predict(part.inputs[first : first + BLOCK_ROWS]))
        for first in range(0, len(part), BLOCK_ROWS)
    ]
    outputs = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    wanted = (len(part), experiment.network.outputs)
    if outputs.shape != wanted:
        raise ValueError(f"predict must return shape {wanted}. Got {outputs.shape}")
    return outputs
