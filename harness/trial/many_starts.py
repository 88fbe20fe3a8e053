"""Success rates: which of many starts does a protocol learn from? Trained at once, not timed."""

import math

import numpy as np

from harness import data, scoring
from harness.clock.process import blas_in_use
from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.parity.reference import Reference
from harness.plan import Trial
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Parameters, StepTrainer, Trainer
from harness.trial.measure import check_dtype, task_of
from harness.trial.outcome import Diverged, Outcome, Unsupported


def train(
    trial: Trial, experiment: Experiment, adapter: type[Trainer], outcome: Outcome, seeds: int
) -> None:
    """Train from the starts of so many seeds, `trial.seed` the first, and score every end.

    Fills the arrays `seeds`, `seed_accuracy` and `seed_loss`, each (seeds,), of the test set;
    NaN where there is no such thing, and for a start that diverged. The column `test_accuracy`
    is the mean over all others; `steps` and `samples` are those of one start.

    Raises:
        harness.trial.outcome.Unsupported: not full batch, stops early, or has no `many_seeds`.
        harness.trial.outcome.Diverged: every start did.
        As `harness.trial.measure.measure`.
    """
    if seeds < 1:
        raise ValueError(f"`seeds` must be a positive int. Got {seeds}.")
    reason = _refused(trial, experiment, adapter)
    if reason is not None or not issubclass(adapter, StepTrainer):
        raise Unsupported(reason or "its own solvers start where they like")
    check_dtype(trial, adapter)
    prepared = data.load(experiment.data, experiment.loss, trial.dtype)
    trainer = adapter(task_of(trial, experiment, prepared))
    numbers = np.arange(trial.seed, trial.seed + seeds)
    starts = [initial_parameters(experiment, int(seed), trial.dtype) for seed in numbers]
    batches = BatchPlan.of(experiment, trial.seed).segment(0, experiment.steps)
    ends = trainer.many_seeds(starts, batches)
    if ends is None:
        raise Unsupported("has no many_seeds for this protocol: run it seed by seed")
    if len(ends) != seeds:
        raise ValueError(f"many_seeds must return {seeds} ends, one per start. Got {len(ends)}")
    scores = np.array([_score(end, experiment, prepared) for end in ends])
    diverged = int(np.isnan(scores[:, 0]).sum())
    if diverged == seeds:
        raise Diverged(f"outputs of all {seeds} starts are not finite")
    outcome.arrays = {"seeds": numbers, "seed_loss": scores[:, 0], "seed_accuracy": scores[:, 1]}
    outcome.columns |= {
        "data_digest": prepared.digest,
        "device": str(trainer.device),
        "precision": str(trainer.precision or trial.dtype),
        "blas": str(trainer.blas or blas_in_use() or "") or None,
        "steps": len(batches),
        "samples": int(batches.sizes.sum()),
        "test_loss": _mean(scores[:, 0]),
        "test_accuracy": _mean(scores[:, 1]),
    }
    if diverged:
        outcome.columns["status_detail"] = f"{diverged} of {seeds} starts diverged"


def _refused(trial: Trial, experiment: Experiment, adapter: type[Trainer]) -> str | None:
    """Why this cannot be done, as far as that is known before anything is built."""
    reason = adapter.supports(experiment)
    if reason is not None or not issubclass(adapter, StepTrainer):
        return reason
    if trial.loop not in adapter.loops:
        return f"has no {trial.loop} loop; it has {', '.join(adapter.loops)}"
    if experiment.training is None:
        return "trains nothing"
    if experiment.training.batches.order != "full":
        return "is not full batch: every seed has batches of its own"
    if experiment.training.stopping is not None:
        return "stops early: every seed after a step of its own"
    return None


def _score(end: Parameters, experiment: Experiment, prepared: Prepared) -> tuple[float, float]:
    """(loss, accuracy) on the test set: the oracle's forward pass, in float64.

    To predict with the adapter itself would take one trainer per start, and a compiler's
    minutes; that adapter and oracle agree on outputs is what a proof shows.
    """
    test = prepared.test
    outputs = Reference(experiment, end, test.inputs, test.targets).predict(test.inputs)
    if not np.isfinite(outputs).all():
        return math.nan, math.nan
    loss, accuracy = scoring.score(outputs, test, experiment.loss)
    return math.nan if loss is None else loss, math.nan if accuracy is None else accuracy


def _mean(values: np.ndarray) -> float | None:
    """The mean of all numbers that are any."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else None
