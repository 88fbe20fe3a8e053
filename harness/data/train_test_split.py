"""scikit-learn's `train_test_split`, row for row, for protocols that repeat its draws.

The harness imports no framework, so the algorithm is written again here; tests compare it with
the library's function. Source: `ShuffleSplit` and `StratifiedShuffleSplit` in
sklearn/model_selection/_split.py and `_approximate_mode` in sklearn/utils/extmath.py, on NumPy's
legacy `RandomState`, whose streams NumPy never changes (NEP 19).
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def draw(
    rows: int, test_rows: int, seed: int, labels: NDArray[np.generic] | None = None
) -> tuple[Rows, Rows]:
    """Return (train, test) row numbers, in scikit-learn's order.

    Args:
        rows: number of rows.
        test_rows: number of rows that test; the others train.
        seed: the function's `random_state`.
        labels: (rows,) classes, for a stratified draw; None for a plain draw.

    Raises:
        ValueError: a class has fewer than two rows, or a part fewer rows than there are classes.
    """
    random = np.random.RandomState(seed)
    if labels is None:
        order = random.permutation(rows)
        return order[test_rows:], order[:test_rows]
    return _stratified(labels, test_rows, random)


def _stratified(
    labels: NDArray[np.generic], test_rows: int, random: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Draw the number of rows of each class in each part, then the rows, then their order."""
    _, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    train_rows = len(labels) - test_rows
    if counts.min() < 2 or min(train_rows, test_rows) < len(counts):
        raise ValueError(
            "split: a stratified draw needs two rows of every class, and in each part as many "
            f"rows as classes. Got {counts.min()} rows of a class, {train_rows} rows to train "
            f"and {test_rows} to test for {len(counts)} classes"
        )
    of_class = np.split(np.argsort(which, kind="stable"), np.cumsum(counts)[:-1])
    to_train = _shares(counts, train_rows, random)
    to_test = _shares(counts - to_train, test_rows, random)
    train, test = [], []
    for members, train_count, test_count in zip(of_class, to_train, to_test, strict=True):
        shuffled = members[random.permutation(len(members))]
        train.append(shuffled[:train_count])
        test.append(shuffled[train_count : train_count + test_count])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _shares(counts: Rows, total: int, random: np.random.RandomState) -> Rows:
    """Share `total` rows among classes by `counts`: largest remainders, ties broken by lot."""
    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    left = int(total - shares.sum())
    remainders = exact - shares
    for remainder in np.sort(np.unique(remainders))[::-1]:
        if left <= 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = random.choice(tied, size=min(len(tied), left), replace=False)
        shares[chosen] += 1
        left -= len(chosen)
    whole: Rows = shares.astype(np.int64)
    return whole
