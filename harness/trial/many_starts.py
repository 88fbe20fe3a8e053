"""Success rates: from which of many starts does a protocol learn?

All starts are trained side by side. Nothing is timed.
"""

import math

import numpy as np

from harness import data, scoring
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.parity.reference import Reference
from harness.plan import Trial
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Parameters, StepTrainer, Trainer
from harness.trial.given import data_left_alone
from harness.trial.measure import (
    check_dtype,
    check_loop,
    check_protocol,
    describe_device,
    task_of,
)
from harness.trial.outcome import Diverged, Outcome, Unsupported


def train_many_starts(
    trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome
) -> None:
    """Train from the starts of `trial.starts` seeds, `trial.seed` the first; score every end.

    Fills the arrays `seeds`, `seed_accuracy` and `seed_loss`, each (starts,), of the test set.
    They are NaN where there is no such score, and for a start that diverged. The column
    `test_accuracy` is the mean over all others; `steps` and `samples` are those of one start.

    Raises:
        harness.trial.outcome.Unsupported: not full batch, stops early, or has no `many_seeds`.
        harness.trial.outcome.Diverged: every start did.
        ValueError: `trial.starts` is not positive, or `many_seeds` returned another number.
        As `harness.trial.measure.measure`.
    """
    if trial.starts < 1:
        raise ValueError(f"`starts` must be a positive int. Got {trial.starts}.")
    check_protocol(experiment, adapter)
    if not issubclass(adapter, StepTrainer):
        raise Unsupported("a native solver draws its own start, and cannot take a given one")
    check_loop(trial, adapter)
    check_dtype(trial, adapter)
    _check_shared_batches(experiment)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    seeds = np.arange(trial.seed, trial.seed + trial.starts)
    starts = [initial_parameters(experiment, int(seed), trial.dtype) for seed in seeds]
    batches = BatchPlan.of(experiment, trial.seed).segment(0, experiment.steps)
    with data_left_alone(prepared, outcome):
        trainer = adapter(task_of(trial, experiment, prepared))
        ends = trainer.many_seeds(starts, batches)
    if ends is None:
        raise Unsupported("has no many_seeds for this protocol: run it seed by seed")
    if len(ends) != trial.starts:
        raise ValueError(
            f"many_seeds must return {trial.starts} ends, one per start. Got {len(ends)}"
        )
    scores = np.array([_score(end, experiment, prepared) for end in ends])
    diverged = int(np.isnan(scores[:, 0]).sum())
    if diverged == trial.starts:
        raise Diverged(f"outputs of all {trial.starts} starts are not finite")
    outcome.arrays = {"seeds": seeds, "seed_loss": scores[:, 0], "seed_accuracy": scores[:, 1]}
    columns = outcome.columns
    describe_device(trainer, trial, columns)
    columns.data_digest = prepared.digest
    columns.steps, columns.samples = len(batches), int(batches.sizes.sum())
    columns.test_loss, columns.test_accuracy = _mean(scores[:, 0]), _mean(scores[:, 1])
    if diverged:
        columns.status_detail = f"{diverged} of {trial.starts} starts diverged"


def _check_shared_batches(experiment: Experiment) -> None:
    """Refuse a protocol whose batches or length differ from seed to seed."""
    if experiment.training is None:
        raise Unsupported("trains nothing")
    if experiment.training.batches.order != "full":
        raise Unsupported("is not full batch: every seed has batches of its own")
    if experiment.network.dropout_layers:
        raise Unsupported("has dropout: every seed has masks of its own")
    if experiment.training.stopping is not None:
        raise Unsupported("stops early: every seed after a step of its own")
    if experiment.training.plateau is not None:
        raise Unsupported("has a rate that falls on a plateau: in every seed at another step")


def _score(end: Parameters, experiment: Experiment, prepared: Prepared) -> tuple[float, float]:
    """(loss, accuracy) on the test set, by the oracle's forward pass in float64.

    To predict with the adapter itself would take one trainer per start, and minutes of compiling.
    A proof shows that adapter and oracle agree on outputs.
    """
    test = prepared.test
    outputs = Reference(experiment, end, test.inputs, test.targets).predict(test.inputs)
    if not np.isfinite(outputs).all():
        return math.nan, math.nan
    loss, accuracy = scoring.score(outputs, test, experiment.loss)
    return math.nan if loss is None else loss, math.nan if accuracy is None else accuracy


def _mean(values: np.ndarray) -> float | None:
    """The mean of all values that are not NaN."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else None
