"""Scores of a network before training, by the oracle's forward pass."""

from harness import data, scoring
from harness.experiment.model import Experiment
from harness.parity.reference import Reference
from harness.results import Row
from harness.start import initial_parameters


def score_at_start(experiment: Experiment, row: Row, metric: str) -> float | None:
    """Return a loss or an accuracy of the start that a trial was given, before its first step.

    No trial stores it. A proof shows that adapter and oracle agree on outputs of given parameters.

    Args:
        experiment: the protocol.
        row: of the trial, for its seed and its precision.
        metric: such as `test_accuracy` or `train_loss`.
    """
    prepared = data.load(experiment.data, experiment.loss, row.dtype)
    part, _, what = metric.partition("_")
    subset = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}[
        part
    ]
    start = initial_parameters(experiment, row.seed, row.dtype)
    outputs = Reference(experiment, start, subset.inputs, subset.targets).predict(subset.inputs)
    loss, accuracy = scoring.score(outputs, subset, experiment.loss)
    return accuracy if what == "accuracy" else loss
