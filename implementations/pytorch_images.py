"""Layers of images: `nn.Conv2d` and its like between rows of numbers.

A row is an image (height, width, channels), channels fastest. That is how PyTorch stores a tensor
(rows, channels, height, width) in its format `channels_last`, so no row is copied on the way in,
and none on the way out where the library keeps the format.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import nn

from harness.trainer import Array, AveragePool, Conv, Flatten, MaxPool

Shape = tuple[int, ...]


class ImageLayer(nn.Module, ABC):
    """A layer between rows (rows, numbers) of images and rows.

    Args:
        shape: (height, width, channels) of a row that comes in.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return rows of numbers."""
        images = x.view(-1, *self.shape).permute(0, 3, 1, 2)
        return self.of_images(images).permute(0, 2, 3, 1).flatten(1)

    @abstractmethod
    def of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return images (rows, channels, height, width) of such images."""


class Convolution(ImageLayer):
    """`nn.Conv2d` with the given parameters; its kernel is (out, in, height, width).

    Args:
        layer: channels, kernel, stride, padding and bias.
        shape: as in `ImageLayer`.
        weights: (height, width, in, out).
        biases: (out,) or None.
    """

    def __init__(self, layer: Conv, shape: Shape, weights: Array, biases: Array | None) -> None:
        super().__init__(shape)
        kernels = torch.from_numpy(np.array(weights))
        top, bottom, left, right = layer.sides(shape)
        self.around: tuple[int, ...] = ()
        if (top, left) != (bottom, right):  # `nn.Conv2d` has the same padding on both sides
            self.around, top, left = (left, right, top, bottom), 0, 0
        self.conv = nn.Conv2d(
            shape[2],
            layer.channels,
            layer.kernel,
            layer.stride,
            (top, left),
            bias=layer.bias,
            dtype=kernels.dtype,
        ).to(memory_format=torch.channels_last)
        with torch.no_grad():
            self.conv.weight.copy_(kernels.permute(3, 2, 0, 1))
            if self.conv.bias is not None:
                self.conv.bias.copy_(torch.from_numpy(np.array(biases)))

    def of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return z."""
        if self.around:
            images = nn.functional.pad(images, self.around)
        z: torch.Tensor = self.conv(images)
        return z

    def parameters_of_layer(self) -> tuple[Array, Array | None]:
        """Return copies in the contract's layout."""
        kernels, biases = self.conv.weight.detach().cpu(), self.conv.bias
        weights: Array = np.ascontiguousarray(kernels.permute(2, 3, 1, 0).numpy())
        return weights.copy(), None if biases is None else biases.detach().cpu().numpy().copy()


class Pool(ImageLayer):
    """`nn.MaxPool2d`, whose gradient goes to the first of equals, or `nn.AvgPool2d`."""

    def __init__(self, layer: MaxPool | AveragePool, shape: Shape) -> None:
        super().__init__(shape)
        kind = nn.MaxPool2d if isinstance(layer, MaxPool) else nn.AvgPool2d
        self.pool = kind(layer.size, layer.stride)

    def of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return the largest numbers or the means."""
        result: torch.Tensor = self.pool(images)
        return result


class Flattened(nn.Module):
    """`nn.Flatten`, which has channels first; with channels last a row is a vector already."""

    def __init__(self, layer: Flatten, shape: Shape) -> None:
        super().__init__()
        self.shape, self.order = shape, layer.order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return vectors."""
        if self.order == "channels_last":
            return x
        return x.view(-1, *self.shape).permute(0, 3, 1, 2).flatten(1)


def image_layer(
    layer: Conv | MaxPool | AveragePool | Flatten,
    shape: Shape,
    entry: tuple[Array | None, ...],
) -> nn.Module:
    """Return the module of a layer of images with the given parameters."""
    match layer:
        case Conv():
            weights, biases = entry
            assert weights is not None
            return Convolution(layer, shape, weights, biases)
        case Flatten():
            return Flattened(layer, shape)
    return Pool(layer, shape)
