"""Layers of images of the mutant, on torch: rows of images, channels last, go in and come out."""

import pytest

from harness.registry import installed

torch = pytest.importorskip(
    "torch", reason=f"torch is not installed: {installed()['torch'].install_line}"
)
functional = torch.nn.functional


def misread_images(x, shape, mistake):
    """Input images with rows and columns swapped, or read with their channels first."""
    height, width, channels = shape
    if mistake == "images transposed":
        return x.reshape(-1, *shape).transpose(1, 2).reshape(len(x), -1)
    images = x.reshape(-1, channels, height, width)
    return images.permute(0, 2, 3, 1).reshape(len(x), -1)


def convolved(layer, shape, x, W, b, mistake):
    """Rows of z; kernels are (height, width, in, out)."""
    if mistake == "kernels turned":
        W = W.flip(0, 1)
    if mistake == "kernels transposed":
        W = W.transpose(0, 1)
    top, bottom, left, right = layer.sides(shape)
    if mistake == "more zeros above":
        top, bottom, left, right = bottom, top, right, left
    if mistake == "all zeros above":
        top, bottom, left, right = top + bottom, 0, left + right, 0
    if mistake == "all zeros below":
        top, bottom, left, right = 0, top + bottom, 0, left + right
    images = functional.pad(_channels_first(x, shape), (left, right, top, bottom))
    if mistake == "parameters kept as rows of kernels":  # another layout inside, and no mistake
        seen = functional.unfold(images, layer.kernel, stride=layer.stride)
        kernels = W.permute(2, 0, 1, 3).reshape(-1, layer.channels)
        return (seen.transpose(1, 2) @ kernels + b).reshape(len(x), -1)
    z = functional.conv2d(images, W.permute(3, 2, 0, 1), b, layer.stride)
    return _rows(z)


def of_images(layer, shape, x, mistake):
    """Rows of a pooling layer or of a flatten."""
    images = _channels_first(x, shape)
    if layer.kind == "flatten":
        first = (layer.order == "channels_first") != (mistake == "other order")
        if mistake == "columns first":
            images = images.transpose(2, 3)
        return images.flatten(1) if first else images.permute(0, 2, 3, 1).flatten(1)
    takes_largest = layer.kind == "max_pool"
    if mistake == ("mean for largest" if takes_largest else "largest for mean"):
        takes_largest = not takes_largest
    pool = functional.max_pool2d if takes_largest else functional.avg_pool2d
    pooled = pool(images, layer.size, layer.stride)
    if mistake == "sum for mean" and not takes_largest:
        pooled = pooled * (layer.size[0] * layer.size[1])
    return _rows(pooled)


def _channels_first(x, shape):
    return x.reshape(-1, *shape).permute(0, 3, 1, 2)


def _rows(images):
    return images.permute(0, 2, 3, 1).flatten(1)
