"""The metrics of a claim's numbers: what one trial's row and arrays say about each."""

import math
from collections.abc import Mapping

import numpy as np

from harness.claims.number import Number
from harness.claims.start_scores import score_at_start
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Purpose
from harness.results import Row
from harness.trainer import Array


def values_of(
    number: Number, experiment: Experiment, row: Row, arrays: Mapping[str, Array]
) -> list[float] | None:
    """Return the number's metric in this trial; None where the trial does not have it."""
    metric = number.metric
    if row.purpose == Purpose.MANY_STARTS:
        return _of_many_starts(number, arrays)
    if metric == "outputs":
        outputs = arrays.get("test_outputs")
        return None if outputs is None else [float(value) for value in np.ravel(outputs)]
    if metric == "epochs":
        steps = row.steps
        return None if steps is None else [float(math.ceil(steps / experiment.steps_per_epoch))]
    if metric in ("step_loss", "loss_ratio"):
        return _of_steps(number, arrays.get("loss"))
    if metric == "epoch_loss":
        return _of_an_epoch(number, experiment, row, arrays.get("loss"))
    if metric == "epoch_accuracy":
        return _of_an_epoch(number, experiment, row, arrays.get("batch_accuracy"))
    if metric == "solver_loss":
        return _of_iterations(number, arrays.get("solver_loss"))
    if metric.endswith("_error"):
        at = {"highest": "lowest", "lowest": "highest"}.get(str(number.at), number.at)
        accuracy = _at(metric.removesuffix("_error") + "_accuracy", at, experiment, row, arrays)
        return None if accuracy is None else [1 - accuracy]
    score = _at(metric, number.at, experiment, row, arrays)
    return None if score is None else [score]


def _of_many_starts(number: Number, arrays: Mapping[str, Array]) -> list[float] | None:
    """Return a value per start; a diverged start has accuracy 0."""
    stored = {"test_accuracy": "seed_accuracy", "test_loss": "seed_loss"}  # nothing else is
    scores = arrays.get(stored.get(number.metric, "")) if number.at == "last" else None
    if scores is None:
        return None
    if number.metric == "test_accuracy":
        scores = np.nan_to_num(scores)
    return [float(score) for score in scores]


def _of_steps(number: Number, losses: Array | None) -> list[float] | None:
    """Return a metric of the steps' losses, each before its update; steps count from 0."""
    if losses is None or not len(losses):
        return None
    if number.metric == "loss_ratio":
        return [float(losses[-1] / losses[0])]
    step = -1 if number.at == "last" else number.at
    if not isinstance(step, int) or step >= len(losses):
        return None
    return [float(losses[step])]


def _of_an_epoch(
    number: Number, experiment: Experiment, row: Row, values: Array | None
) -> list[float] | None:
    """Return the mean of the losses or accuracies of an epoch's batches, each before its update.

    Every batch counts alike, as in scripts that add up what batches give and divide by their
    number. A last epoch that training left early is not whole, so it does not count.
    """
    size = experiment.steps_per_epoch
    if values is None or len(values) < size or (row.steps or 0) > len(values):
        return None
    whole = np.asarray(values[: len(values) // size * size], np.float64).reshape(-1, size)
    return _of_iterations(number, whole.mean(axis=1))


def _of_iterations(number: Number, losses: Array | None) -> list[float] | None:
    """Return one of the losses of epochs or of a solver's iterations, which count from 1."""
    if losses is None or not len(losses):
        return None
    if isinstance(number.at, int):
        return [float(losses[number.at - 1])] if 1 <= number.at <= len(losses) else None
    places = {"last": -1, "highest": int(np.argmax(losses)), "lowest": int(np.argmin(losses))}
    return [float(losses[places[number.at]])] if number.at in places else None


def _at(
    metric: str, at: str | int, experiment: Experiment, row: Row, arrays: Mapping[str, Array]
) -> float | None:
    """Return a score at the end, at a step, or where it or the validation accuracy was best."""
    if at == 0:
        return score_at_start(experiment, row, metric)
    if at == "last":
        last = getattr(row, metric)
        return None if last is None else float(last)
    if at == "best_validation" and f"best_{metric}" in arrays:
        return float(arrays[f"best_{metric}"])
    curve = arrays.get(metric)
    if curve is None or not len(curve):
        return None
    if at == "best_validation":
        validation = arrays.get("validation_accuracy")
        return None if validation is None else float(curve[int(np.argmax(validation))])
    if isinstance(at, str):
        return float(np.nanmax(curve) if at == "highest" else np.nanmin(curve))
    (points,) = np.nonzero((arrays["step"] == at) & np.isfinite(curve))
    return float(curve[points[0]]) if len(points) else None
