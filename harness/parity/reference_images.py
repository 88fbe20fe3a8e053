"""What the oracle does to images: what a kernel sees, pooling, flatten, and the ways back.

Rows (rows, height * width * channels) go in and come out; their shape says what they are. Nothing
here is fast, and everything is on whole arrays.
"""

from collections.abc import Iterator

import numpy as np

from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool, Shape, Sides
from harness.parity.functions import Floats

Pool = MaxPool | AveragePool


def matrix(W: Floats) -> Floats:
    """Return weights as the W of a product: kernels (height * width * in, out)."""
    return W.reshape(-1, W.shape[-1])


def seen(layer: Conv, a: Floats, shape: Shape, sides: Sides | None = None) -> Floats:
    """Return what the kernel sees in every place (rows * places, height * width * in).

    Place (i, j) has pixel (i s + u, j t + v) of the padded image at (u, v), with stride (s, t).

    Args:
        layer: the convolution.
        a: (rows, numbers).
        shape: (height, width, in) of a row.
        sides: zeros around the image, by default the layer's.
    """
    padded = _padded(a.reshape(len(a), *shape), sides or layer.sides(shape))
    windows = _windows(padded, layer.kernel, layer.stride, layer.output_shape(shape))
    return windows.reshape(-1, windows.shape[3] * windows.shape[4])


def unseen(layer: Conv, dx: Floats, shape: Shape, sides: Sides | None = None) -> Floats:
    """Return dL/da (rows, numbers) from dL/dx of what `seen` returns: each pixel adds up.

    A pixel that is seen in several places has the sum of its gradients there.
    """
    sides = sides or layer.sides(shape)
    places = layer.output_shape(shape)
    windows = dx.reshape(-1, places[0], places[1], layer.kernel[0] * layer.kernel[1], shape[2])
    padded_shape = (shape[0] + sides.top + sides.bottom, shape[1] + sides.left + sides.right)
    padded = _put_back(windows, (*padded_shape, shape[2]), layer.kernel, layer.stride)
    inside = padded[:, sides.top : sides.top + shape[0], sides.left : sides.left + shape[1]]
    return inside.reshape(len(inside), -1)


def pool_factors(layer: Pool, a: Floats, shape: Shape) -> Floats:
    """Return what each number of a window counts (rows, height, width, window, channels).

    Of a mean 1 / window; of the largest number 1 where it first stands, row by row, else 0.
    """
    windows = pool_windows(layer, a, shape)
    if isinstance(layer, AveragePool):
        return np.full_like(windows, 1 / windows.shape[3])
    first = windows.argmax(axis=3)[:, :, :, np.newaxis]
    factors = np.zeros_like(windows)
    np.put_along_axis(factors, first, 1, axis=3)
    return factors


def pool_windows(layer: Pool, a: Floats, shape: Shape) -> Floats:
    """Return the numbers of every window (rows, height, width, window, channels)."""
    images = a.reshape(len(a), *shape)
    return _windows(images, layer.size, layer.stride, layer.output_shape(shape))


def pooled(layer: Pool, a: Floats, shape: Shape, factors: Floats) -> Floats:
    """Return (rows, numbers): the sum over each window of its numbers times these factors."""
    sums: Floats = (pool_windows(layer, a, shape) * factors).sum(axis=3)
    return sums.reshape(len(a), -1)


def unpooled(layer: Pool, da: Floats, shape: Shape, factors: Floats) -> Floats:
    """Return dL/da of what is pooled, from that of the result: times the factors, added up."""
    gradients = da.reshape(len(da), *layer.output_shape(shape))[:, :, :, np.newaxis]
    images = _put_back(gradients * factors, shape, layer.size, layer.stride)
    return images.reshape(len(da), -1)


def flattened(layer: Flatten, a: Floats, shape: Shape) -> Floats:
    """Return images as vectors, in the layer's order."""
    if layer.order == "channels_last":
        return a
    return a.reshape(len(a), *shape).transpose(0, 3, 1, 2).reshape(len(a), -1)


def unflattened(layer: Flatten, da: Floats, shape: Shape) -> Floats:
    """Return the gradient of images from that of vectors in the layer's order."""
    if layer.order == "channels_last":
        return da
    height, width, channels = shape
    images = da.reshape(len(da), channels, height, width).transpose(0, 2, 3, 1)
    return images.reshape(len(da), -1)


def _padded(images: Floats, sides: Sides) -> Floats:
    around = ((0, 0), (sides.top, sides.bottom), (sides.left, sides.right), (0, 0))
    return np.pad(images, around)


def _windows(images: Floats, window: Shape, stride: Shape, places: Shape) -> Floats:
    """Return (rows, height, width of places, numbers of a window, channels)."""
    slices = _slices(window, stride, places)
    return np.stack([images[:, rows, columns] for rows, columns in slices], axis=3)


def _put_back(windows: Floats, image: Shape, window: Shape, stride: Shape) -> Floats:
    """Return images (rows, *image) with what the windows have added to their pixels."""
    images = np.zeros((len(windows), *image), windows.dtype)
    places = windows.shape[1:3]
    for number, (rows, columns) in enumerate(_slices(window, stride, places)):
        images[:, rows, columns] += windows[:, :, :, number]
    return images


def _slices(window: Shape, stride: Shape, places: Shape) -> Iterator[tuple[slice, slice]]:
    """Yield, for each number of a window, its rows and columns of an image in all places."""
    for u in range(window[0]):
        for v in range(window[1]):
            rows = slice(u, u + (places[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(v, v + (places[1] - 1) * stride[1] + 1, stride[1])
            yield rows, columns
