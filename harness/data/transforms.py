"""Features and scaling: what happens to the inputs between file and network."""

import numpy as np
from numpy.typing import NDArray

from harness.experiment.data import Data

Floats = NDArray[np.floating]


def features(name: str, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
    """(rows, 2) to (rows, columns); `none` leaves the inputs as they are."""
    if name == "none":
        return inputs
    x1, x2 = inputs.T
    if name == "flipped_and":
        return np.stack([(1 - x1) & x2, x1 & (1 - x2)], axis=1)
    if name == "interaction":
        return np.stack([np.ones_like(x1), x1, x2, x1 * x2], axis=1)
    return np.stack([x1, x2, x1 * x1, x1 * x2, x2 * x2], axis=1)


def scale(data: Data, inputs: NDArray[np.generic], train: NDArray[np.int64], dtype: str) -> Floats:
    """Scale all rows by `data.scale`, fitted on the rows `train` where it is a fit.

    Division by a constant is done in `dtype`, which rounds once; the rest is done in float64 and
    rounded at the end.
    """
    if data.scale == "none":
        return inputs.astype(dtype)
    if data.scale.startswith("divide_by_"):
        scaled = inputs.astype(dtype)
        scaled /= scaled.dtype.type(int(data.scale.removeprefix("divide_by_")))
        return scaled
    exact = inputs.astype(np.float64)
    if data.scale == "minus_one_to_one":
        return ((exact / 255 - 0.5) * 2).astype(dtype)
    fitted = exact[train]
    if data.scale == "min_max":
        shift, width = fitted.min(axis=0), np.ptp(fitted, axis=0)
    else:
        shift, width = fitted.mean(axis=0), fitted.std(axis=0)
    width[width == 0] = 1
    fit: Floats = ((exact - shift) / width).astype(dtype)
    return fit
