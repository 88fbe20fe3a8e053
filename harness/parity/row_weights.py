"""Which rows a gradient is made of: it is the sum of the rows' own gradients, each with a weight.

Where the network, the start and the loss are right, a first gradient of other rows than the given
ones is a sum over few of all training rows, with equal weights. Such a sum is found by
non-negative least squares; that its residual is 0 and its weights are equal proves it.
"""

from collections import Counter

import numpy as np

from harness.parity.estimates import Case, flat
from harness.parity.functions import Floats
from harness.parity.reference import Reference
from harness.parity.trace import prepared_of
from harness.start import BatchPlan

ROWS_AT_MOST = 2_000
ENTRIES_AT_MOST = 1_200


def other_rows(case: Case) -> str:
    """Return `its first batch has 100 rows, 7 of them the given ones`, or "" if that is not so."""
    training = case.experiment.training
    if training is None or training.l2 is not None or training.batches.order == "full":
        return ""
    train = prepared_of(case.experiment).train
    if train.targets is None or len(train.inputs) > ROWS_AT_MOST:
        return ""
    found, matrix = flat(case.trace.gradients), _gradients_of_rows(case)
    if found.shape != (matrix.shape[0],) or not np.isfinite(found).all():
        return ""
    entries = np.random.default_rng(0).permutation(len(found))[:ENTRIES_AT_MOST]
    counts = _counts(found[entries], matrix[entries])
    if counts is None:
        return ""
    given = Counter(BatchPlan.of(case.experiment, case.seed).segment(0, 1).rows[0].tolist())  # type: ignore[index]
    taken = Counter({row: int(n) for row, n in enumerate(counts) if n})
    common = sum((given & taken).values())
    if given == taken:
        return ""
    return (
        f"it draws rows of its own: its first batch has {sum(taken.values())} rows, "
        f"{common} of them among the {sum(given.values())} given ones"
    )


def _gradients_of_rows(case: Case) -> Floats:
    """(numbers, rows): the gradient of the loss of each training row alone."""
    train = prepared_of(case.experiment).train
    network = Reference(case.experiment, case.expected.parameters[0], train.inputs, train.targets)
    X, y = np.asarray(train.inputs, np.float64), np.asarray(train.targets)
    columns = [
        flat(network.loss_and_gradients(X[r : r + 1], y[r : r + 1], 1)[1]) for r in range(len(X))
    ]
    return np.stack(columns, axis=1)


def _counts(found: Floats, matrix: Floats) -> Floats | None:
    """How often each row is in the sum; None where it is no sum of whole rows."""
    from scipy.optimize import nnls

    scale = float(np.abs(found).max()) or 1.0
    try:
        weights, residual = nnls(matrix / scale, found / scale)
    except RuntimeError:  # too many iterations
        return None
    used = weights > 1e-7 * weights.max(initial=0)
    if not used.any() or residual > 1e-7 or used.sum() > len(found) / 2:
        return None
    counts = np.where(used, weights / weights[used].min(), 0)
    return np.round(counts) if np.abs(counts - np.round(counts)).max() < 1e-4 else None
