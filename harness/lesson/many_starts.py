"""XOR with one hidden layer from many starts at once, in float64.

The same formulas as the oracle's, with a first axis for the starts: W1 (starts, inputs, units),
W2 (starts, units, 1). A test holds both against each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.experiment.model import Experiment
from harness.parity.functions import Floats, sigmoid
from harness.parity.trace import prepared_of
from harness.scoring import TIE
from harness.start.parameters import initial_parameters


@dataclass(frozen=True, eq=False)
class ManyStarts:
    """What many trainings left.

    Args:
        losses: (steps, starts), each before its update.
        right: (starts,) whether all rows are right at the end.
    """

    losses: Floats
    right: NDArray[np.bool_]


def train_many(experiment: Experiment, starts: int, steps: int) -> ManyStarts:
    """Train from the starts of seeds 0, 1, 2, ...

    Args:
        experiment: one hidden layer of sigmoids, one output, mean binary cross-entropy, plain
            steps on all rows, such as `xor-mlp`.
        starts: how many.
        steps: how many updates.
    """
    training = experiment.training
    rows = prepared_of(experiment).train
    assert training is not None
    assert rows.targets is not None
    drawn = [initial_parameters(experiment, seed, "float64") for seed in range(starts)]
    W1, b1, W2, b2 = (
        np.array([start[layer][part] for start in drawn]) for layer in (0, 1) for part in (0, 1)
    )
    b1, b2 = b1[:, np.newaxis], b2[:, np.newaxis]
    X, y = np.asarray(rows.inputs, np.float64), np.asarray(rows.targets, np.float64)
    rate, losses = training.optimizer.learning_rate, np.empty((steps, starts))
    for step in range(steps):
        a1 = sigmoid(X @ W1 + b1)
        z2 = a1 @ W2 + b2
        losses[step] = (np.logaddexp(0, z2) - y * z2).mean(axis=(1, 2))
        dz2 = (sigmoid(z2) - y) / len(X)
        dz1 = dz2 @ W2.transpose(0, 2, 1) * a1 * (1 - a1)
        W2 = W2 - rate * a1.transpose(0, 2, 1) @ dz2
        b2 = b2 - rate * dz2.sum(axis=1, keepdims=True)
        W1 = W1 - rate * X.T @ dz1
        b1 = b1 - rate * dz1.sum(axis=1, keepdims=True)
    answers = sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2)
    right = (answers > 0.5 + TIE) == (y > 0.5)
    return ManyStarts(losses, right.all(axis=(1, 2)))
