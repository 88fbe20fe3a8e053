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
    per row a short batch has a call of its own. The masks of dropout layers go with the rows, as
    further inputs of the model.

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
    if (
        batches.masks
        and batches.rows is None
        and len(batches) * task.inputs.nbytes > REPEATED_BYTES
    ):
        cuts = list(range(len(batches)))  # an epoch of `fit` has one set of masks
    calls = []
    for first, last in zip(cuts, [*cuts[1:], len(batches)], strict=True):
        rate, steps = float(batches.learning_rates[first]), last - first
        sizes = batches.sizes[first:last]
        if batches.rows is not None:
            rows = _in_order(batches.rows[first:last], sizes)
        elif steps * task.inputs.nbytes <= REPEATED_BYTES:
            rows = np.tile(np.arange(len(task.inputs), dtype=np.int32), steps)
        else:  # a full batch of much data: an epoch of `fit` is a step
            rows = None
        x, y = (inputs, targets) if rows is None else (take(inputs, rows), take(targets, rows))
        if batches.masks:
            x = (x, *(_in_order(of_layer[first:last], sizes) for of_layer in batches.masks))
        epochs = steps if rows is None else 1
        calls.append(FitCall(x, y, task.batch_size, epochs, rate))
    return calls


def _in_order(values: Array, sizes: Array) -> Array:
    """Return what counts of (steps, rows, ...), one step after another: (all rows, ...)."""
    return np.concatenate([of_step[:size] for of_step, size in zip(values, sizes, strict=True)])


def fit(model: keras.Model, calls: list[FitCall], task: Task) -> None:
    """Train a compiled model by these calls."""
    for x, y, batch_size, epochs, rate in calls:
        model.optimizer.learning_rate = rate
        penalties = [each for each in (task.l2, task.l1) if each is not None]
        for each, factor in zip(penalties, model.penalty_factors, strict=True):
            factor.assign(each.coefficient(min(batch_size, len(y))))
        model.fit(x, y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
