"""The dropout layer: every number is kept or dropped, by masks that are given."""

import numpy as np

from harness.trainer import Array
from harness.trainer import Dropout as Specification


class Dropout:
    """One dropout layer of a network.

    Shapes: x and a (rows, width), mask (rows, ceil(width / 8)) bits.

    Forward: a[r, j] = x[r, j] m[r, j]. In training m is 0 where a number is dropped, and the scale
    s where it is kept: 1 / (1 - rate) of inverted dropout, 1 of classic. In prediction m is 1 of
    inverted dropout, 1 - rate of classic. Either way the mean of a over many masks is what
    prediction gives: with p = 1 - rate, p (1 / p) x = x and p 1 x = p x.

    Backward: m does not depend on x, so dL/dx[r, j] = dL/da[r, j] m[r, j]. The same m.

    A byte of the mask stands for eight numbers of a row. The table has their eight m for each of
    the 256 bytes, so that one `take` writes all m of a batch.

    Args:
        specification: the layer, with rate and form.
        width: how many numbers a row has.
        rows: the largest number of rows of one call.
        dtype: "float32" or "float64".
        is_first: whether x is the data, so that dL/dx is not needed.

    Attributes:
        mask: of the rows of the next call, or None in prediction.
    """

    def __init__(
        self, specification: Specification, width: int, rows: int, dtype: str, is_first: bool
    ) -> None:
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], 1, bitorder="little")
        self.table = (bits * specification.training_scale).astype(dtype)
        self.prediction_scale = specification.prediction_scale
        self.is_first = is_first
        self.mask: Array | None = None
        self.m = np.empty((rows, -(-width // 8), 8), dtype)
        self.a = np.empty((rows, width), dtype)

    def forward(self, x: Array) -> Array:
        """Return a = x m, in this layer's buffer, or x itself where m is 1."""
        if self.mask is None:
            if self.prediction_scale == 1:
                return x
            return np.multiply(x, self.prediction_scale, out=self.a[: len(x)])
        # with mode="clip" NumPy writes straight into `out`, without a buffer in between
        self.table.take(self.mask, axis=0, out=self.m[: len(x)], mode="clip")
        return np.multiply(x, self._m(x), out=self.a[: len(x)])

    def backward(self, x: Array, da: Array, add: bool = False) -> Array:
        """Return dL/dx = dL/da m, which overwrites dL/da; in the first layer dL/da as it is."""
        if self.is_first:
            return da
        return np.multiply(da, self._m(x), out=da)

    def _m(self, x: Array) -> Array:
        """The m of the rows of x, as `forward` left them."""
        rows, width = x.shape
        return self.m[:rows].reshape(rows, -1)[:, :width]
