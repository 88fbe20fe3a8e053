"""The limit of a step: its matrix products alone, timed in the trial's own process.

Two limits follow: what the framework's own library reaches (`own_gemm_fraction`), and what the
best library on this machine reaches (`gemm_fraction`), both for the very same shapes.
"""

import math

import numpy as np

from harness import data
from harness.clock.conditions import record_conditions
from harness.clock.stopwatch import timed
from harness.experiment.model import Experiment
from harness.plan import Trial
from harness.trainer import Operands, StepTrainer, Trainer
from harness.trial.given import data_left_alone
from harness.trial.measure import check_dtype, check_protocol, products_library, task_of
from harness.trial.outcome import Outcome, Unsupported

TURNS = 5
SHORTEST_TURN_S = 0.04
"""A call costs up to 2 ms by itself, so each of the five timed turns takes at least this long."""


def time_matrix_products(
    trainer: Trainer, trial: Trial, experiment: Experiment, outcome: Outcome
) -> None:
    """Time the matrix products of a step alone, if the step has enough of them."""
    if not isinstance(trainer, StepTrainer) or not experiment.has_measurable_products:
        return
    multiply = trainer.matrix_products(operands_of(experiment, trial.dtype))
    if multiply is None:
        return
    multiply(1)  # compiles
    times, turns_us = 1, list[float]()
    while len(turns_us) < TURNS:
        with timed() as turn:
            multiply(times)
        if turn.seconds < SHORTEST_TURN_S:
            enough = math.ceil(1.1 * times * SHORTEST_TURN_S / max(turn.seconds, 1e-9))
            times = min(max(enough, times + 1), 10 * times)
        else:
            turns_us.append(turn.seconds / times * 1e6)
    outcome.columns.gemm_us = float(np.median(turns_us))


def measure_limit(
    trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome
) -> None:
    """Time a framework's matrix products without training, for the machine's limit.

    Raises:
        As `harness.trial.measure.measure`.
    """
    check_protocol(experiment, adapter)
    if not issubclass(adapter, StepTrainer):
        raise Unsupported("a native solver has no steps")
    check_dtype(trial, adapter)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    with data_left_alone(prepared, outcome):
        trainer = adapter(task_of(trial, experiment, prepared))
        outcome.columns.device = str(trainer.device)
        outcome.columns.blas = products_library(trainer)
        with record_conditions() as conditions:
            time_matrix_products(trainer, trial, experiment, outcome)
    outcome.columns.set_conditions(conditions)


def operands_of(experiment: Experiment, dtype: str) -> Operands:
    """Return random matrices of the shapes that a training step multiplies.

    Those of a convolution are of its form as a product: a row of x is what a kernel sees in one
    place. Libraries that convolve without it may be faster than this limit.
    """
    generator = np.random.default_rng(0)
    operands = []
    for places, inputs, units in experiment.network.products:
        rows = experiment.batch_size * places
        shapes = (rows, inputs), (inputs, units), (rows, units)
        x, weights, d = (generator.standard_normal(shape).astype(dtype) for shape in shapes)
        operands.append((x, weights / np.sqrt(inputs, dtype=dtype), d))
    return operands
