"""The table `[network]`: a stack of layers."""

import itertools
import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.experiment.activation_name import ActivationName, check_constants
from harness.experiment.fields import Frozen, PositiveNumber
from harness.experiment.image_layers import (
    AveragePool,
    Conv,
    Flatten,
    ImageLayer,
    Length,
    MaxPool,
    Shape,
)


class Dense(Frozen):
    """A dense layer: z = x W + b, output = activation(z).

    Args:
        kind: `dense`; may be left out.
        units: number of outputs, 1 to 1,000,000.
        activation: `identity`, `sigmoid`, `tanh`, `relu`, `leaky_relu`, `elu`, `swish`
            (z sigmoid(z)), `softplus`, `gelu`, `gelu_tanh`, `selu`, `softsign` (z / (1 + |z|)),
            `log_sigmoid` (-softplus(-z)), `mish`, `relu6`, `hard_tanh`, `hard_sigmoid`,
            `hard_sigmoid_fifth`, `hard_swish`, or `step` (only without training).
            `elu` is z for positive z, else alpha (exp(z) - 1) (Clevert et al. 2016). `selu` is
            1.0507... times `elu` of alpha 1.6732..., the constants of Klambauer et al. 2017.
            `gelu` is z Phi(z) with the exact normal distribution function (Hendrycks and Gimpel
            2016), and `gelu_tanh` is its approximation by tanh: libraries call either GELU.
            `mish` is z tanh(softplus(z)) (Misra 2019).
            With clip(z, low, high) = min(max(z, low), high), `relu6` is clip(z, 0, 6)
            (Krizhevsky 2010), `hard_tanh` clip(z, -1, 1), and `hard_swish` z hard_sigmoid(z)
            (Howard et al. 2019). Libraries call two functions hard sigmoid: `hard_sigmoid` is
            clip(z + 3, 0, 6) / 6 (PyTorch, JAX, Keras 3), and `hard_sigmoid_fifth` is
            clip(0.2 z + 0.5, 0, 1) (Theano, Keras 1 and 2).
            Where a kink separates two lines or curves, the derivative at the kink is that of
            negative z if the kink is at 0: 0 for ReLU, `slope` for leaky ReLU, alpha for ELU.
            Where there are two kinks, it is that of the outer side: 0, and for `hard_swish`
            0 at -3 and 1 at 3.
        bias: whether b is added; true by default.
        slope: leaky ReLU's factor for negative z, above 0; required for `leaky_relu` and not
            allowed for others. Libraries have different defaults (0.3, 0.2 and 0.01).
        alpha: ELU's factor for negative z, above 0; 1 by default, and always 1 for others.
    """

    kind: Literal["dense"] = "dense"
    units: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    activation: ActivationName
    bias: Annotated[bool, Field(strict=True)] = True
    slope: PositiveNumber | None = None
    alpha: PositiveNumber = 1.0

    @model_validator(mode="after")
    def _constants(self) -> Self:
        check_constants(self)
        return self

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of its outputs for inputs of this shape."""
        if len(shape) != 1:
            raise ValueError(f"dense takes vectors: put a flatten before it. Got images {shape}")
        return (self.units,)

    def weights_shape(self, shape: Shape) -> Shape:
        """Return the shape of its weights: (inputs, units)."""
        return (*shape, self.units)


class Dropout(Frozen):
    """A layer that drops numbers in training: each of its inputs is 0 with the probability `rate`.

    Every row of every step has a mask of its own, which the harness draws (`harness.start.masks`).
    On inputs it may be the first layer; it is never the last, and never follows another.

    Args:
        kind: `dropout`.
        rate: the probability that a number is dropped, above 0 and below 1.
        form: where the expectation is kept. `inverted`: in training numbers that are kept are
            divided by 1 - rate, and prediction changes nothing, as in Keras, PyTorch and Flax.
            `classic`: in training kept numbers stay as they are, and prediction multiplies all
            by 1 - rate (Srivastava et al. 2014, section 4, with their p = 1 - rate; Saito,
            Deep Learning from Scratch, 6.4.3).
    """

    kind: Literal["dropout"]
    rate: Annotated[PositiveNumber, Field(lt=1)]
    form: Literal["inverted", "classic"]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of its outputs for inputs of this shape."""
        return shape

    @property
    def training_scale(self) -> float:
        """What kept numbers are multiplied by in training."""
        return 1 / (1 - self.rate) if self.form == "inverted" else 1.0

    @property
    def prediction_scale(self) -> float:
        """What all numbers are multiplied by in prediction."""
        return 1.0 if self.form == "inverted" else 1 - self.rate


WeightedLayer = Dense | Conv
"""A layer with weights, and biases unless it states none."""
Layer = Dense | Dropout | Conv | MaxPool | AveragePool | Flatten
"""A layer of any kind."""


class Network(Frozen):
    """A stack of layers.

    Args:
        inputs: number of columns that the first layer takes, 1 to 1,000,000; must be that of
            the data.
        layers: 1 to 256 layers, the first one first. Each states its `kind`, which may be left
            out for `dense`. The last one is dense.
        image: [height, width, channels] of a row of inputs that is an image, channels last; only
            with layers that take images.
    """

    inputs: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    layers: Annotated[
        tuple[Annotated[Layer, Field(discriminator="kind")], ...],
        Field(min_length=1, max_length=256),
    ]
    image: tuple[Length, Length, Length] | None = None

    @field_validator("layers", mode="before")
    @classmethod
    def _dense_by_default(cls, layers: Any) -> Any:
        if not isinstance(layers, list | tuple):
            return layers
        return [{"kind": "dense", **each} if isinstance(each, dict) else each for each in layers]

    @model_validator(mode="after")
    def _dropout_has_its_place(self) -> Self:
        if self.layers[-1].kind != "dense":
            raise ValueError(f"the last layer must be dense. Got {self.layers[-1].kind}")
        for index, (layer, below) in enumerate(itertools.pairwise(self.layers)):
            if layer.kind == below.kind == "dropout":
                raise ValueError(
                    f"dropout must not follow dropout; state one rate. Got it as "
                    f"layers {index + 1} and {index + 2}"
                )
        return self

    @model_validator(mode="after")
    def _images_fit(self) -> Self:
        takes_images = any(isinstance(layer, ImageLayer) for layer in self.layers)
        if self.image is not None and not takes_images:
            raise ValueError("image: only with layers that take images; leave it out")
        if self.image is not None and math.prod(self.image) != self.inputs:
            raise ValueError(
                f"image: height * width * channels must be the {self.inputs} inputs. "
                f"Got {list(self.image)}"
            )
        _ = self.row_shapes
        return self

    @property
    def row_shapes(self) -> tuple[Shape, ...]:
        """The shape of a row before the first layer, and behind every layer.

        (numbers,), or (height, width, channels) of an image.
        """
        shapes: list[Shape] = [self.image or (self.inputs,)]
        for index, layer in enumerate(self.layers, start=1):
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ValueError as error:
                raise ValueError(f"layer {index}: {error}") from None
        return tuple(shapes)

    @property
    def output_layer(self) -> Dense:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, Dense)
        return last

    @property
    def dense_layers(self) -> tuple[Dense, ...]:
        """The dense layers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def weighted_layers(self) -> tuple[WeightedLayer, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if isinstance(layer, WeightedLayer))

    @property
    def weight_shapes(self) -> tuple[Shape, ...]:
        """The shape of the weights of each of these."""
        layers = zip(self.layers, self.row_shapes[:-1], strict=True)
        return tuple(
            layer.weights_shape(shape)
            for layer, shape in layers
            if isinstance(layer, WeightedLayer)
        )

    @property
    def products(self) -> tuple[tuple[int, int, int], ...]:
        """(rows, inputs, outputs) of the matrix product x W of each of these, for one row.

        A convolution is a product too: a row of x is what a kernel sees in one place.
        """
        behind = zip(self.layers, self.row_shapes[1:], strict=True)
        places = [
            math.prod(shape[:-1]) for layer, shape in behind if isinstance(layer, WeightedLayer)
        ]
        return tuple(
            (rows, math.prod(shape[:-1]), shape[-1])
            for rows, shape in zip(places, self.weight_shapes, strict=True)
        )

    @property
    def takes_images(self) -> bool:
        """Whether some layer takes images."""
        return self.image is not None

    @property
    def dropout_layers(self) -> tuple[Dropout, ...]:
        """The layers that drop numbers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dropout))

    @property
    def dropout_widths(self) -> tuple[int, ...]:
        """How many numbers of a row each of these takes."""
        layers = zip(self.layers, self.shapes, strict=True)
        return tuple(width for layer, (width, _) in layers if isinstance(layer, Dropout))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its layers, each once, in the order of their first layer."""
        return tuple(dict.fromkeys(layer.kind for layer in self.layers))

    @property
    def outputs(self) -> int:
        """Number of units of the last layer."""
        return self.output_layer.units

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer; of a dense layer that is the shape of its weights."""
        return tuple(itertools.pairwise(math.prod(shape) for shape in self.row_shapes))

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        layers = zip(self.weighted_layers, self.weight_shapes, strict=True)
        return sum(math.prod(shape) + layer.bias * shape[-1] for layer, shape in layers)

    def __str__(self) -> str:
        """Return the layers as papers write them: 784-50-10, or 28x28x1-32C3-MP2-10.

        32C3 are 32 channels of kernels 3 x 3, MP2 and AP2 largest numbers and means of 2 x 2
        (Ciresan et al. 2011, "Flexible, high performance convolutional neural networks").
        """
        shown = [_by(self.image) if self.image else str(self.inputs)]
        for layer in self.layers:
            match layer:
                case Dense():
                    shown.append(str(layer.units))
                case Conv():
                    shown.append(f"{layer.channels}C{_by(layer.kernel)}")
                case MaxPool():
                    shown.append(f"MP{_by(layer.size)}")
                case AveragePool():
                    shown.append(f"AP{_by(layer.size)}")
        return "-".join(shown)


def _by(lengths: Shape) -> str:
    """Return `3` of (3, 3), or `3x5`."""
    is_square = len(lengths) == 2 and lengths[0] == lengths[1]
    return str(lengths[0]) if is_square else "x".join(map(str, lengths))
