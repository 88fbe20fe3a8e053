"""Features and scaling: the transformations of the inputs between file and network."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.experiment.data import Data

Floats = NDArray[np.floating]
Scale = Callable[[NDArray[np.generic]], Floats]
"""A function that scales rows of inputs."""


def features(name: str, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
    """Map inputs (rows, 2) to features (rows, columns); `none` returns the inputs unchanged."""
    if name == "none":
        return inputs
    x1, x2 = inputs.T
    if name == "flipped_and":
        return np.stack([(1 - x1) & x2, x1 & (1 - x2)], axis=1)
    if name == "interaction":
        return np.stack([np.ones_like(x1), x1, x2, x1 * x2], axis=1)
    return np.stack([x1, x2, x1 * x1, x1 * x2, x2 * x2], axis=1)


def fit_scale(data: Data, rows: NDArray[np.generic], dtype: str) -> Scale:
    """Return the function by which `data.scale` maps inputs.

    Division by a constant is done in `dtype`, which rounds once. Everything else is computed in
    float64 and rounded at the end.

    Args:
        data: states the scale.
        rows: (rows, columns), to which `min_max` and `standardize` are fitted.
        dtype: of the scaled inputs.
    """
    if data.scale == "none":
        return lambda inputs: inputs.astype(dtype)
    if data.scale.startswith("divide_by_"):
        return partial(_divide, int(data.scale.removeprefix("divide_by_")), dtype)
    if data.scale == "minus_one_to_one":
        return lambda inputs: ((inputs.astype(np.float64) / 255 - 0.5) * 2).astype(dtype)
    if data.scale == "hundredth_to_one":
        return lambda inputs: (inputs.astype(np.float64) / 255 * 0.99 + 0.01).astype(dtype)
    exact = rows.astype(np.float64)
    if data.scale == "min_max":
        shift, width = exact.min(axis=0), np.ptp(exact, axis=0)
    else:
        shift, width = exact.mean(axis=0), exact.std(axis=0)
    width[width == 0] = 1
    return lambda inputs: ((inputs.astype(np.float64) - shift) / width).astype(dtype)


def _divide(divisor: int, dtype: str, inputs: NDArray[np.generic]) -> Floats:
    scaled = inputs.astype(dtype)
    scaled /= scaled.dtype.type(divisor)
    return scaled
