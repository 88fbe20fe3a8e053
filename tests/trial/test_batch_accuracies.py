"""Accuracies of training batches, before each update."""

import numpy as np
import pytest

from harness import data
from harness.start import BatchPlan
from harness.trial.batch_accuracies import batch_accuracies
from implementations.numpy_scratch import NumpyTrainer
from tests.trial.test_measure import experiment_of, measured


def test_all_rows_in_a_batch_have_the_training_accuracy_of_the_step_before():
    experiment = experiment_of(
        "iris-softmax",
        training__batches={"order": "full"},
        training__length={"steps": 12},
        training__evaluation={"every_steps": 1},
    )
    outcome, _ = measured(experiment, NumpyTrainer)
    shares = batch_accuracies(experiment, 0, "float32", 12)
    assert shares.shape == (12,)
    assert shares[1:] == pytest.approx(outcome.arrays["train_accuracy"][:-1])


def test_a_short_batch_counts_only_its_own_rows():
    """A bias predicts class 0 everywhere, and a rate of almost 0 leaves it so."""
    experiment = experiment_of(
        "iris-softmax",
        initializers__weights={"name": "zeros"},
        initializers__biases={"name": "constants", "values": [[1.0, 0.0, 0.0]]},
        training__optimizer={"name": "sgd", "learning_rate": 1e-30},
        training__batches={"order": "shuffled", "size": 50, "last": "keep"},
        training__length={"epochs": 2},
    )
    labels = data.load(experiment.data, experiment.loss, "float32").train.labels
    steps = experiment.steps
    batches = BatchPlan.of(experiment, 3).segment(0, steps)
    assert len(set(batches.sizes.tolist())) == 2
    expected = [
        np.mean(labels[rows[:size]] == 0)
        for rows, size in zip(batches.rows, batches.sizes, strict=True)
    ]
    assert batch_accuracies(experiment, 3, "float32", steps) == pytest.approx(expected)


def test_data_without_classes_have_no_accuracy():
    with pytest.raises(ValueError, match="has no classes"):
        batch_accuracies(experiment_of("diabetes-linear"), 0, "float32", 1)
