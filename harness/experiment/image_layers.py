"""Layers of images: convolution, pooling, flatten.

Between layers the rows of a batch are images (height, width, channels), channels last, until a
`flatten` makes vectors of them. Stored as one row of numbers, an image has its channels fastest,
then its columns, then its rows: pixel (i, j) of channel c is number (i * width + j) * channels + c.
"""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from harness.experiment.activation_name import ActivationName, check_constants
from harness.experiment.fields import Frozen, PositiveNumber

Shape = tuple[int, ...]
"""Of a row: (numbers,), or of an image (height, width, channels)."""
Length = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Zeros = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Both = tuple[Length, Length]
"""Of rows and of columns of an image."""


class Sides(NamedTuple):
    """How many zeros stand around an image."""

    top: int
    bottom: int
    left: int
    right: int


class Conv(Frozen):
    """A layer that slides kernels over an image: z = x * K + b, output = activation(z).

    z[i, j, o] = b[o] + sum over u, v, c of x[i s + u - top, j t + v - left, c] K[u, v, c, o], with
    the stride (s, t), and 0 where x has no such pixel. That is cross-correlation, which all
    libraries call convolution; a true convolution would have the kernel turned by 180 degrees
    (Goodfellow et al. 2016, section 9.1).

    Args:
        kind: `conv`.
        channels: channels of its output.
        kernel: [height, width] of the kernels, which are (height, width, channels in, channels).
        padding: `valid`: none. `same`: zeros so that the output has ceil(size / stride) places,
            `(places - 1) * stride + kernel - size` of them, where they are odd one more below and
            to the right (TensorFlow, Keras, JAX, Flax). [rows, columns]: so many zeros on both
            sides (PyTorch).
        activation: as of a dense layer.
        stride: [rows, columns], 1 by default.
        bias: whether b is added, one number for each channel; true by default.
        slope: as of a dense layer.
        alpha: as of a dense layer.
    """

    kind: Literal["conv"]
    channels: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    kernel: Both
    padding: Literal["valid", "same"] | tuple[Zeros, Zeros]
    activation: ActivationName
    stride: Both = (1, 1)
    bias: Annotated[bool, Field(strict=True)] = True
    slope: PositiveNumber | None = None
    alpha: PositiveNumber = 1.0

    @model_validator(mode="after")
    def _constants(self) -> Self:
        check_constants(self)
        if isinstance(self.padding, tuple) and (
            self.padding[0] >= self.kernel[0] or self.padding[1] >= self.kernel[1]
        ):
            raise ValueError(
                "padding: must be smaller than the kernel, or some outputs see zeros alone. "
                f"Got {list(self.padding)} with kernel {list(self.kernel)}"
            )
        return self

    def sides(self, shape: Shape) -> Sides:
        """Return the zeros around an image of this shape."""
        if self.padding == "valid":
            return Sides(0, 0, 0, 0)
        if self.padding != "same":
            rows, columns = self.padding
            return Sides(rows, rows, columns, columns)
        sides: list[int] = []
        for size, length, step in zip(shape, self.kernel, self.stride, strict=False):
            zeros = max((-(-size // step) - 1) * step + length - size, 0)
            sides += [zeros // 2, zeros - zeros // 2]
        return Sides(*sides)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of its outputs for inputs of this shape."""
        _require_image("conv", shape)
        top, bottom, left, right = self.sides(shape)
        padded = (shape[0] + top + bottom, shape[1] + left + right)
        return (*_places("conv", padded, self.kernel, self.stride), self.channels)

    def weights_shape(self, shape: Shape) -> Shape:
        """Return the shape of its kernels: (height, width, channels in, channels)."""
        return (*self.kernel, shape[-1], self.channels)


class _Pool(Frozen):
    """What both kinds of pooling have in common.

    There is no padding: pixels at the lower and right edge that fill no whole window are left out.
    """

    size: Both
    stride: Both

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of its outputs for inputs of this shape."""
        _require_image("pooling", shape)
        return (*_places("pooling", shape[:2], self.size, self.stride), shape[2])


class MaxPool(_Pool):
    """A layer that takes the largest number of each window, channel by channel.

    In training the gradient goes to that number. Where several are the largest it goes to the
    first, row by row of the window, as in TensorFlow, Keras, JAX, Flax and PyTorch.

    Args:
        kind: `max_pool`.
        size: [height, width] of the window.
        stride: [rows, columns] from window to window; the size in most networks, and must be
            stated, because Flax's default is 1.
    """

    kind: Literal["max_pool"]


class AveragePool(_Pool):
    """A layer that takes the mean of each window, channel by channel.

    Args:
        kind: `average_pool`.
        size: [height, width] of the window.
        stride: [rows, columns] from window to window.
    """

    kind: Literal["average_pool"]


class Flatten(Frozen):
    """A layer that makes a vector of an image.

    Args:
        kind: `flatten`.
        order: `channels_last`: row by row, pixel by pixel, channel by channel, as in TensorFlow,
            Keras, JAX and Flax. `channels_first`: channel by channel, row by row, pixel by pixel,
            as in PyTorch. It says which row of the next kernel belongs to which number.
    """

    kind: Literal["flatten"]
    order: Literal["channels_last", "channels_first"]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of its outputs for inputs of this shape."""
        _require_image("flatten", shape)
        return (shape[0] * shape[1] * shape[2],)


ImageLayer = Conv | MaxPool | AveragePool | Flatten
"""A layer that takes images."""


def _require_image(kind: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ValueError(
            f"{kind} takes images: state network.image, and no flatten before it. "
            f"Got rows of {shape[0]} numbers"
        )


def _places(kind: str, image: Shape, window: Shape, stride: Shape) -> Shape:
    """Return how many rows and columns of places a window has in an image."""
    if window[0] > image[0] or window[1] > image[1]:
        raise ValueError(
            f"{kind}: its window must fit into the image of {image[0]} x {image[1]} pixels. "
            f"Got {window[0]} x {window[1]}"
        )
    return tuple((a - b) // s + 1 for a, b, s in zip(image, window, stride, strict=True))
