"""Batches as calls of `fit`, which takes no order of ours."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from harness.trainer import Array, Batches, Task

Tensor = Any
"""A tensor of the backend, or an array."""

REPEATED_BYTES = 256 * 2**20
"""Full batches are repeated up to this size, because an epoch of `fit` costs 22 ms by itself."""


class FitCall(NamedTuple):
    """The arguments of one call of `fit`."""

    x: Tensor
    y: Tensor
    batch_size: int
    epochs: int
    rate: float


def fit_calls(
    task: Task,
    batches: Batches,
    inputs: Tensor,
    targets: Tensor,
    take: Callable[[Tensor, Array], Tensor],
) -> list[FitCall]:
    """Return the fewest calls of `fit` that train on these batches.

    A call has one learning rate and one coefficient of the penalty, and only its last batch
    can be short. So a new rate begins a call, a short batch ends a call, and under a penalty
    per row a short batch has a call of its own.

    Args:
        task: the batch size and the penalty.
        batches: what to train on.
        inputs: those of the training set, as `fit` takes them.
        targets: the targets of the same rows.
        take: returns rows of either, in the order of their numbers.
    """
    short = batches.sizes < task.batch_size
    alone = any(each is not None and each.per_row for each in (task.l2, task.l1))
    cuts = [0]
    for step in range(1, len(batches)):
        new_rate = batches.learning_rates[step] != batches.learning_rates[step - 1]
        if new_rate or short[step - 1] or (alone and short[step]):
            cuts.append(step)
    calls = []
    for first, last in zip(cuts, [*cuts[1:], len(batches)], strict=True):
        rate, steps = float(batches.learning_rates[first]), last - first
        if batches.rows is not None:
            steps_rows = zip(batches.rows[first:last], batches.sizes[first:last], strict=True)
            rows = np.concatenate([numbers[:size] for numbers, size in steps_rows])
        elif steps * task.inputs.nbytes <= REPEATED_BYTES:
            rows = np.tile(np.arange(len(task.inputs), dtype=np.int32), steps)
        else:  # a full batch of much data: an epoch of `fit` is a step
            calls.append(FitCall(inputs, targets, task.batch_size, steps, rate))
            continue
        calls.append(FitCall(take(inputs, rows), take(targets, rows), task.batch_size, 1, rate))
    return calls


def fit(model: keras.Model, calls: list[FitCall], task: Task) -> None:
    """Train a compiled model by these calls."""
    for x, y, batch_size, epochs, rate in calls:
        model.optimizer.learning_rate = rate
        penalties = [each for each in (task.l2, task.l1) if each is not None]
        for each, factor in zip(penalties, model.penalty_factors, strict=True):
            factor.assign(each.coefficient(min(batch_size, len(x))))
        model.fit(x, y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
