"""The accuracy of every training batch before its update, as training loops print it.

No adapter returns it, so the oracle trains once more from the same start on the same batches. A
proof shows that oracle and adapter compute the same. Dropout drops, as it does there.
"""

import numpy as np

from harness import data, scoring
from harness.experiment.model import Experiment
from harness.parity.reference import Reference, masks_of
from harness.start import BatchPlan, initial_parameters, piece
from harness.trainer import Array, Batches


def batch_accuracies(experiment: Experiment, seed: int, dtype: str, steps: int) -> Array:
    """Return (steps,) the share of each batch whose class is right before the batch's update.

    Args:
        experiment: the protocol; it trains, on data with classes.
        seed: of the trial.
        dtype: of the trial.
        steps: how many updates the trial took.
    """
    prepared = data.load(experiment.data, experiment.loss, dtype)
    train = prepared.train
    if train.labels is None:
        raise ValueError(f"{experiment.name}: {experiment.data.name} has no classes")
    start = initial_parameters(experiment, seed, dtype)
    network = Reference(experiment, start, train.inputs, train.targets, dtype)
    plan = BatchPlan.of(experiment, seed)
    meaning = scoring.meaning_of(experiment.loss)
    shares = []
    for first in range(0, steps, experiment.steps_per_epoch):
        epoch = plan.segment(first, min(first + experiment.steps_per_epoch, steps))
        for batch in _one_by_one(epoch):
            rows = slice(None) if batch.rows is None else batch.rows[0, : batch.sizes[0]]
            masks = masks_of(batch, 0, experiment)
            masks = None if masks is None else [mask[: batch.sizes[0]] for mask in masks]
            outputs = np.asarray(network.predict(train.inputs[rows], masks), np.float64)
            shares.append(scoring.accuracy_of(outputs, train.labels[rows], meaning, train.middle))
            network.advance(batch)
    return np.array(shares)


def _one_by_one(batches: Batches) -> list[Batches]:
    """Return the batches of one step each."""
    return [piece(batches, step, step + 1) for step in range(len(batches))]
