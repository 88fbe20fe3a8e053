"""scikit-learn's `train_test_split`, row for row: for protocols that repeat its draws.

The harness imports no framework, so its algorithm stands here in our words; tests compare with
the library's function. Source: `ShuffleSplit` and `StratifiedShuffleSplit` in
sklearn/model_selection/_split.py and `_approximate_mode` in sklearn/utils/extmath.py, on NumPy's
legacy `RandomState`, whose streams NumPy keeps as they are (NEP 19).
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def draw(
    rows: int, test_rows: int, seed: int, labels: NDArray[np.generic] | None = None
) -> tuple[Rows, Rows]:
    """(train, test) row numbers, in scikit-learn's order.

    Args:
        rows: how many there are.
        test_rows: how many of them test; the others train.
        seed: its `random_state`.
        labels: (rows,), for a stratified draw; None for a plain one.

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
    """First how many rows of each class train and test, then which, then in which order."""
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
    for members, kept, tested in zip(of_class, to_train, to_test, strict=True):
        shuffled = members[random.permutation(len(members))]
        train.append(shuffled[:kept])
        test.append(shuffled[kept : kept + tested])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _shares(counts: Rows, wanted: int, random: np.random.RandomState) -> Rows:
    """`wanted` rows shared among classes by their counts: largest remainders, ties by lot."""
    exact = counts / counts.sum() * wanted
    shares = np.floor(exact)
    left = int(wanted - shares.sum())
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
