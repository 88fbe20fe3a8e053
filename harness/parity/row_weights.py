"""Which rows a gradient is made of: it is the sum of the rows' own gradients, each with a weight.

Where the network, the start and the loss are right, a first gradient of other rows than the given
ones is a sum over few of all training rows, with equal weights. Such a sum is found by
non-negative least squares; that its residual is 0 and its weights are equal proves it.
"""

from collections import Counter

import numpy as np

from harness.parameters import map_arrays
from harness.parity.estimates import Case, first_wrong_step, flat, updates
from harness.parity.functions import Floats
from harness.parity.reference import Reference
from harness.parity.trace import prepared_of
from harness.start import BatchPlan
from harness.trainer import Parameters

ROWS_AT_MOST = 2_000
ENTRIES_AT_MOST = 1_200
ITERATIONS_AT_MOST = 3_000
"""A few for each row that is in the sum."""


def other_rows(case: Case) -> str:
    """Return in words that the first wrong step takes other rows, and how many; "" if not so."""
    training, step = case.experiment.training, first_wrong_step(case)
    if getattr(case.experiment.loss, "class_weights", None):
        return ""  # rows have weights of their own
    if training is None or not step or training.batches.order == "full":
        return ""
    if case.experiment.network.dropout_layers:  # a row has another mask in another place
        return ""
    gradient = _gradient_of(case, step)
    train = prepared_of(case.experiment).train
    if gradient is None or train.targets is None or len(train.inputs) > ROWS_AT_MOST:
        return ""
    batch = BatchPlan.of(case.experiment, case.seed).segment(step - 1, step)
    matrix, penalty = _gradients_of_rows(case, step, int(batch.sizes[0]))
    found = flat(gradient)
    if found.shape != penalty.shape or not np.isfinite(found).all():
        return ""
    found = found - penalty
    entries = np.random.default_rng(0).permutation(len(found))[:ENTRIES_AT_MOST]
    mean = training.loss.batch == "mean"
    weight = 1 / int(batch.sizes[0]) if mean else 1.0
    counts = _counts(found[entries], weight * matrix[entries])
    if counts is None or batch.rows is None:
        return ""
    given = Counter(batch.rows[0, : batch.sizes[0]].tolist())
    taken = Counter({row: int(n) for row, n in enumerate(counts) if n})
    if given == taken or given.total() != taken.total():
        return ""
    return (
        f"it takes other rows than the given ones: of the {given.total()} rows of step {step} "
        f"{(given & taken).total()} are among the given ones"
    )


def _gradient_of(case: Case, step: int) -> Parameters | None:
    """The gradient of the first wrong step; of a later one it is known in plain SGD alone."""
    if step == 1:
        return case.trace.gradients
    moved = updates(case.trace, step - 1, step) if step else None
    training = case.experiment.training
    if moved is None or training is None or training.optimizer.name != "sgd":
        return None
    rate = float(BatchPlan.of(case.experiment, case.seed).segment(step - 1, step).learning_rates[0])
    if not rate:
        return None
    return map_arrays(lambda v: -v / rate, moved)


def _gradients_of_rows(case: Case, step: int, counted: int) -> tuple[Floats, Floats]:
    """The gradients before a step: (numbers, rows) of each row's loss alone, and of the penalty."""
    train, start = prepared_of(case.experiment).train, case.expected.parameters[step - 1]
    network = Reference(case.experiment, start, train.inputs, train.targets)
    X, y = np.asarray(train.inputs, np.float64), np.asarray(train.targets)
    _, whole = network.loss_and_gradients(X[:counted], y[:counted], counted)
    network.penalties = []
    _, without = network.loss_and_gradients(X[:counted], y[:counted], counted)
    columns = [
        flat(network.loss_and_gradients(X[r : r + 1], y[r : r + 1], 1)[1]) for r in range(len(X))
    ]
    return np.stack(columns, axis=1), flat(whole) - flat(without)


def _counts(found: Floats, matrix: Floats) -> Floats | None:
    """How often each row is in the sum; None where it is no sum of whole rows."""
    from scipy.optimize import nnls

    scale = float(np.abs(found).max()) or 1.0
    try:
        weights, residual = nnls(matrix / scale, found / scale, maxiter=ITERATIONS_AT_MOST)
    except RuntimeError:  # too many iterations
        return None
    used = weights > 1e-7 * weights.max(initial=0)
    if not used.any() or residual > 1e-7 or used.sum() > len(found) / 2:
        return None
    return np.round(weights) if np.abs(weights - np.round(weights)).max() < 1e-4 else None
