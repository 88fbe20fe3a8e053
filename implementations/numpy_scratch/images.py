"""Layers of images: convolution, pooling, flatten, and the chain rule back through them.

Rows of numbers go in and come out. A row of an image is (height, width, channels), channels
fastest, so that an image of rows is a view.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness.trainer import Array, AveragePool, Flatten, MaxPool
from harness.trainer import Conv as Specification
from implementations.numpy_scratch.activations import Activation

PATCH_NUMBERS = 2**18
"""Numbers of the buffer for what kernels see, at most, or one row: in float32 1 MB, which stays in
a cache between the copy and the product."""

Shape = tuple[int, ...]


class Conv:
    """One convolution of a network.

    Shapes: x (rows, height, width, in), K (kernel height, kernel width, in, out), b (out,),
    z and a (rows, places down, places across, out). Stride (s, t).

    Forward: z[r, i, j, o] = b[o] + sum_(u, v, c) x[r, i s + u, j t + v, c] K[u, v, c, o], where x
    has zeros around it if there is padding; a = f(z). What the kernel sees in one place is a row
    of P: P[(r, i, j), (u, v, c)] = x[r, i s + u, j t + v, c]. So z = P K + b, one product, with K
    as a matrix (kernel height * kernel width * in, out).

    Backward, from dL/da to everything before it (d is dL/dz, shape (rows * places, out)): as in a
    dense layer

    - d = dL/da * f'(z), dL/dK = P^T d, dL/db[o] = the sum of d[., o], and dL/dP = d K^T;
    - pixel x[r, p, q, c] is seen as P[(r, i, j), (u, v, c)] in every place with i s + u = p and
      j t + v = q, so dL/dx[r, p, q, c] is the sum of dL/dP over these. For each (u, v) that adds
      one slice of dL/dP to a slice of dL/dx with steps s and t.

    P is kernel height * kernel width times as large as x. It is copied from a view of x, some rows
    of the batch at a time, and again on the way back: a copy takes less time than its product.

    Args:
        specification: stride and padding.
        shape: (height, width, in) of a row of x.
        W, b: views into the network's flat parameter buffer; b is None without bias.
        dW, db: views into its flat gradient buffer, of the same shapes.
        activation: f, in place.
        rows: the largest number of rows of one call.
        is_first: whether x is the data, so that dL/dx is not needed.
    """

    def __init__(
        self,
        specification: Specification,
        shape: Shape,
        W: Array,
        b: Array | None,
        dW: Array,
        db: Array | None,
        activation: Activation,
        rows: int,
        is_first: bool,
    ) -> None:
        self.W, self.b, self.dW, self.db = W, b, dW, db
        self.activation, self.is_first = activation, is_first
        self.shape, self.stride = shape, specification.stride
        self.window, (*_, channels_in, self.channels) = W.shape[:2], W.shape
        self.K, self.dK = W.reshape(-1, self.channels), dW.reshape(-1, self.channels)
        self.places = specification.output_shape(shape)[:2]
        top, bottom, left, right = specification.sides(shape)
        self.is_padded = any((top, bottom, left, right))
        self.inside = (slice(top, top + shape[0]), slice(left, left + shape[1]))
        padded = (shape[0] + top + bottom, shape[1] + left + right, channels_in)
        numbers = self.places[0] * self.places[1] * len(self.K)
        self.rows_of_P = max(1, min(rows, PATCH_NUMBERS // numbers))
        self.P = np.empty((self.rows_of_P, *self.places, *self.window, channels_in), W.dtype)
        self.padded_x = np.zeros((rows if self.is_padded else 0, *padded), W.dtype)
        self.padded_dx = np.empty((0 if is_first else rows, *padded), W.dtype)
        self.a = np.empty((rows, *self.places, self.channels), W.dtype)
        self.dx = np.empty((rows if self.is_padded and not is_first else 0, *shape), W.dtype)
        self.ones = np.ones(rows * self.places[0] * self.places[1], W.dtype)
        self.block_dK = np.empty_like(self.K)

    def forward(self, x: Array) -> Array:
        """Return a = f(P K + b), in this layer's buffer."""
        a = self.a[: len(x)]
        for first, seen in self._seen(x):
            P = self._copied(seen)
            z = a[first : first + len(seen)].reshape(-1, self.channels)
            np.matmul(P, self.K, out=z)
            if self.b is not None:
                np.add(z, self.b, out=z)
        flat = a.reshape(len(x), -1)
        self.activation.forward(flat)
        return flat

    def backward(self, x: Array, da: Array, add: bool = False) -> Array:
        """Fill dW and db from dL/da, or add to them. Return dL/dx, empty in the first layer.

        dL/da is overwritten.
        """
        self.activation.backward(self.a[: len(x)].reshape(len(x), -1), da)
        d = da.reshape(len(x), -1, self.channels)
        dx = self.padded_dx[: len(x)]
        dx[...] = 0
        for first, seen in self._seen(x):
            of_block = d[first : first + len(seen)].reshape(-1, self.channels)
            if add or first:
                np.matmul(self._copied(seen).T, of_block, out=self.block_dK)
                np.add(self.dK, self.block_dK, out=self.dK)
            else:
                np.matmul(self._copied(seen).T, of_block, out=self.dK)
            if not self.is_first:
                self._put_back(of_block, dx[first : first + len(seen)])
        if self.db is not None:
            flat = d.reshape(-1, self.channels)
            ones = self.ones[: len(flat)]
            if add:
                np.add(self.db, ones @ flat, out=self.db)
            else:
                np.matmul(ones, flat, out=self.db)
        if self.is_first:
            return dx
        if not self.is_padded:
            return dx.reshape(len(x), -1)
        inside = self.dx[: len(x)]
        inside[...] = dx[:, *self.inside]
        return inside.reshape(len(x), -1)

    def _seen(self, x: Array) -> Any:
        """Yield (first row, view (rows, *places, *window, in) of x), some rows at a time."""
        images = x.reshape(len(x), *self.shape)
        if self.is_padded:
            self.padded_x[: len(x), *self.inside] = images
            images = self.padded_x[: len(x)]
        s, t = self.stride
        seen = sliding_window_view(images, self.window, axis=(1, 2))[:, ::s, ::t]
        seen = seen.transpose(0, 1, 2, 4, 5, 3)
        for first in range(0, len(x), self.rows_of_P):
            yield first, seen[first : first + self.rows_of_P]

    def _copied(self, seen: Array) -> Array:
        """Return P of these rows, in its buffer."""
        P = self.P[: len(seen)]
        np.copyto(P, seen)
        return P.reshape(-1, len(self.K))

    def _put_back(self, d: Array, dx: Array) -> None:
        """Add dL/dP = d K^T to the pixels that were seen; it overwrites P."""
        dP = self.P[: len(dx)]
        np.matmul(d, self.K.T, out=dP.reshape(-1, len(self.K)))
        for u, v in np.ndindex(*self.window):
            pixels = dx[:, *_steps(u, v, self.stride, self.places)]
            np.add(pixels, dP[:, :, :, u, v], out=pixels)


class Pool:
    """One pooling layer of a network.

    Shapes: x (rows, height, width, channels), a (rows, places down, places across, channels).
    Window and stride (s, t); x[r, i s + u, j t + v, c] is number (u, v) of window (i, j).

    Forward: a[r, i, j, c] is the largest number of the window, or the mean of its n numbers.

    Backward: the largest number is x[r, p, q, c] itself, so da/dx is 1 there and 0 elsewhere. Where
    several are the largest, it is 1 at the first of them, row by row. Of a mean it is 1 / n at
    every number. A pixel in several windows has the sum of its gradients, one in none has 0.

    Args:
        specification: its kind, size and stride.
        shape: (height, width, channels) of a row of x.
        rows: the largest number of rows of one call.
        dtype: "float32" or "float64".
        is_first: whether x is the data, so that dL/dx is not needed.
    """

    def __init__(
        self,
        specification: MaxPool | AveragePool,
        shape: Shape,
        rows: int,
        dtype: str,
        is_first: bool,
    ) -> None:
        self.takes_largest = isinstance(specification, MaxPool)
        self.shape, self.is_first = shape, is_first
        size, stride = specification.size, specification.stride
        of_result = specification.output_shape(shape)
        self.slices = [_steps(u, v, stride, of_result[:2]) for u, v in np.ndindex(*size)]
        self.part = np.asarray(1 / len(self.slices), dtype)
        self.overlaps = size[0] > stride[0] or size[1] > stride[1]
        self.a = np.empty((rows, *of_result), dtype)
        self.dx = np.zeros((0 if is_first else rows, *shape), dtype)
        self.work = np.empty(self.a.shape if self.overlaps else (0,), dtype)
        self.is_largest = np.empty(self.a.shape, np.bool_)
        self.is_left = np.empty(self.a.shape, np.bool_)

    def forward(self, x: Array) -> Array:
        """Return the largest numbers or the means, in this layer's buffer."""
        images, a = x.reshape(len(x), *self.shape), self.a[: len(x)]
        first, *others = self.slices
        a[...] = images[:, *first]
        combine = np.maximum if self.takes_largest else np.add
        for each in others:
            combine(a, images[:, *each], out=a)
        if not self.takes_largest:
            np.multiply(a, self.part, out=a)
        return a.reshape(len(x), -1)

    def backward(self, x: Array, da: Array, add: bool = False) -> Array:
        """Return dL/dx, in the first layer dL/da as it is; dL/da may be overwritten."""
        if self.is_first:
            return da
        images, a, dx = x.reshape(len(x), *self.shape), self.a[: len(x)], self.dx[: len(x)]
        da = da.reshape(a.shape)
        hit, left = self.is_largest[: len(x)], self.is_left[: len(x)]
        left[...] = True
        if self.overlaps:
            dx[...] = 0
        if not self.takes_largest:
            np.multiply(da, self.part, out=da)
        for each in self.slices:
            counts: Array | bool = True
            if self.takes_largest:
                np.equal(images[:, *each], a, out=hit)
                np.logical_and(hit, left, out=hit)
                np.logical_xor(left, hit, out=left)
                counts = hit
            pixels = dx[:, *each]
            if self.overlaps:
                np.multiply(da, counts, out=self.work[: len(x)])
                np.add(pixels, self.work[: len(x)], out=pixels)
            else:
                np.multiply(da, counts, out=pixels)
        return dx.reshape(len(x), -1)


class Flattened:
    """The flatten layer of a network.

    Forward: channels last, an image is a vector already. Channels first, number
    (c height + p) width + q of the vector is x[p, q, c]. Backward: the same numbers go back.

    Args:
        specification: the order.
        shape: (height, width, channels) of a row of x.
        rows: the largest number of rows of one call.
        dtype: "float32" or "float64".
    """

    def __init__(self, specification: Flatten, shape: Shape, rows: int, dtype: str) -> None:
        self.is_vector = specification.order == "channels_last"
        self.shape = shape
        height, width, channels = shape
        rows = 0 if self.is_vector else rows
        self.a = np.empty((rows, channels, height, width), dtype)
        self.dx = np.empty((rows, *shape), dtype)

    def forward(self, x: Array) -> Array:
        """Return the vectors."""
        if self.is_vector:
            return x
        a = self.a[: len(x)]
        a[...] = x.reshape(len(x), *self.shape).transpose(0, 3, 1, 2)
        return a.reshape(len(x), -1)

    def backward(self, x: Array, da: Array, add: bool = False) -> Array:
        """Return dL/dx."""
        if self.is_vector:
            return da
        dx = self.dx[: len(x)]
        dx[...] = da.reshape(len(x), *self.a.shape[1:]).transpose(0, 2, 3, 1)
        return dx.reshape(len(x), -1)


def _steps(u: int, v: int, stride: Shape, places: Shape) -> tuple[slice, slice]:
    """Return the rows and columns of an image that are number (u, v) of the windows."""
    (s, t), (down, across) = stride, places
    return slice(u, u + (down - 1) * s + 1, s), slice(v, v + (across - 1) * t + 1, t)
