"""The dense layer: z = x W + b, a = f(z), and the chain rule back through it."""

import numpy as np

from harness.trainer import Array
from implementations.numpy_scratch.activations import Activation


class Dense:
    """One dense layer of a network.

    Shapes: x (rows, inputs), W (inputs, units), b (units,), z and a (rows, units).

    Forward: z[r, j] = sum_i x[r, i] W[i, j] + b[j], which is z = x W + b; a = f(z).

    Backward, from dL/da to everything before it (d is dL/dz, shape (rows, units)):

    - d = dL/da * f'(z), element by element, by the chain rule through f;
    - dL/dW[i, j] = sum_r x[r, i] d[r, j], which is x^T d: W[i, j] touches every row's z[r, j]
      with weight x[r, i];
    - dL/db[j] = sum_r d[r, j]: b[j] touches every row's z[r, j] with weight 1;
    - dL/dx[r, i] = sum_j d[r, j] W[i, j], which is d W^T.

    Both sums over rows may be taken block of rows by block of rows, and added.

    Args:
        W, b: views into the network's flat parameter buffer; b is None without bias.
        dW, db: views into its flat gradient buffer, of the same shapes.
        activation: f, in place.
        rows: the largest number of rows of one call.
        is_first: whether x is the data, so that dL/dx is not needed.
        batch_has_blocks: whether a batch comes in several blocks of rows.
    """

    def __init__(
        self,
        W: Array,
        b: Array | None,
        dW: Array,
        db: Array | None,
        activation: Activation,
        rows: int,
        is_first: bool,
        batch_has_blocks: bool,
    ) -> None:
        self.W, self.b, self.dW, self.db = W, b, dW, db
        self.activation = activation
        inputs, units = W.shape
        self.a = np.empty((rows, units), W.dtype)
        self.is_first = is_first
        self.dx = np.empty((0 if is_first else rows, inputs), W.dtype)
        self.ones = np.ones(rows, W.dtype)
        self.block_dW = np.empty_like(W if batch_has_blocks else W[:0])

    def forward(self, x: Array) -> Array:
        """Return a = f(x W + b), in this layer's buffer."""
        a = self.a[: len(x)]
        np.matmul(x, self.W, out=a)
        if self.b is not None:
            np.add(a, self.b, out=a)
        self.activation.forward(a)
        return a

    def backward(self, x: Array, da: Array, add: bool = False) -> Array:
        """Fill dW and db from dL/da, or add to them. Return dL/dx, empty in the first layer.

        dL/da is overwritten.
        """
        d = da
        self.activation.backward(self.a[: len(x)], d)
        if add:
            np.matmul(x.T, d, out=self.block_dW)
            np.add(self.dW, self.block_dW, out=self.dW)
        else:
            np.matmul(x.T, d, out=self.dW)
        if self.db is not None:
            ones = self.ones[: len(x)]
            if add:
                np.add(self.db, ones @ d, out=self.db)
            else:
                np.matmul(ones, d, out=self.db)
        if self.is_first:
            return self.dx
        dx = self.dx[: len(x)]
        np.matmul(d, self.W.T, out=dx)
        return dx
