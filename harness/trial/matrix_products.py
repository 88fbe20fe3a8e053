"""The limit of a step: its matrix products alone, in the trial's own process.

Two limits are told from it: what a framework's own library reaches (`own_gemm_fraction`), and
what the best library on this machine reaches (`gemm_fraction`), for the very same shapes.
"""

import math

import numpy as np

from harness import data
from harness.clock.conditions import watched
from harness.clock.process import blas_in_use
from harness.experiment.model import Experiment
from harness.plan import Trial
from harness.trainer import Operands, StepTrainer, Trainer
from harness.trial.measure import check_dtype, task_of
from harness.trial.outcome import Outcome, Unsupported, timed

LIMIT_TURNS = 5
LIMIT_TURN_S = 0.04
"""The step's matrix products are timed so often, each time for at least so long."""


def own_limit(trainer: Trainer, trial: Trial, experiment: Experiment, outcome: Outcome) -> None:
    """Time the matrix products of a step alone, for a step that has enough of them."""
    if not isinstance(trainer, StepTrainer) or not experiment.has_measurable_products:
        return
    multiply = trainer.matrix_products(operands_of(experiment, trial.dtype))
    if multiply is None:
        return
    multiply(1)  # compiles
    times, turns = 1, list[float]()
    while len(turns) < LIMIT_TURNS:
        with timed() as turn:
            multiply(times)
        if turn.seconds < LIMIT_TURN_S:  # a call costs up to 2 ms by itself: it must not count
            enough = math.ceil(1.1 * times * LIMIT_TURN_S / max(turn.seconds, 1e-9))
            times = min(max(enough, times + 1), 10 * times)
        else:
            turns.append(turn.seconds / times * 1e6)
    outcome.columns["gemm_us"] = float(np.median(turns))


def limit(trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome) -> None:
    """Time a framework's matrix products without training it, for the machine's limit.

    Raises:
        As `measure`.
    """
    reason = adapter.supports(experiment)
    if reason is not None or not issubclass(adapter, StepTrainer):
        raise Unsupported(reason or "its own solvers have no steps")
    check_dtype(trial, adapter)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    trainer = adapter(task_of(trial, experiment, prepared))
    outcome.columns["device"] = str(trainer.device)
    outcome.columns["blas"] = str(trainer.blas or blas_in_use() or "") or None
    with watched() as conditions:
        own_limit(trainer, trial, experiment, outcome)
    outcome.columns |= conditions.columns


def operands_of(experiment: Experiment, dtype: str) -> Operands:
    """Random matrices of the shapes that a training step multiplies."""
    rows, inputs = experiment.batch_size, experiment.network.inputs
    generator = np.random.default_rng(0)
    found = []
    for layer in experiment.network.layers:
        shapes = (rows, inputs), (inputs, layer.units), (rows, layer.units)
        x, weights, d = (generator.standard_normal(shape).astype(dtype) for shape in shapes)
        found.append((x, weights / np.sqrt(inputs, dtype=dtype), d))
        inputs = layer.units
    return found
