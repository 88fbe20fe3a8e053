"""What may be wrong with layers of images: kernels, padding, pooling, order of a flatten."""

from collections.abc import Iterator

from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool, Shape
from harness.experiment.network import Layer
from harness.parity.estimates import Case
from harness.parity.hypotheses import Hypothesis
from harness.parity.switches import ImageMistake, Switches

LAYERS = "Task.network: layers of images, with kernel, stride, padding and order"
ROWS_OF_IMAGES = "Task.inputs: image (height, width, channels), channels fastest"

WORDS: dict[ImageMistake, str] = {
    "kernels turned": "kernels are turned by 180 degrees: a true convolution, not a correlation",
    "kernels transposed": "rows and columns of kernels are swapped",
    "images transposed": "rows and columns of the input images are swapped",
    "images channels first": "input images are read as (channels, height, width)",
    "more zeros above": "padding has its odd zeros above and to the left, not below and right",
    "all zeros above": "all zeros of the padding are above and to the left",
    "all zeros below": "all zeros of the padding are below and to the right",
    "mean for largest": "max pooling takes means",
    "largest for mean": "average pooling takes the largest number",
    "sum for mean": "average pooling does not divide by the numbers of a window",
    "every largest": "the gradient of max pooling goes to every largest number, not the first",
    "other order": "flatten has its channels in the other order",
    "columns first": "flatten goes through an image column by column, not row by row",
}


def image_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield the mistakes of a network with layers of images."""
    network = case.experiment.network
    if not network.takes_images:
        return
    possible: set[ImageMistake] = set()
    for layer, shape in zip(network.layers, network.row_shapes, strict=False):
        possible |= _of_layer(layer, shape)
    possible |= _of_inputs(network.row_shapes[0])
    for mistake, words in WORDS.items():
        if mistake in possible:
            line = ROWS_OF_IMAGES if mistake.startswith("images") else LAYERS
            yield Hypothesis(words, line, Switches(images=mistake))


def _of_inputs(shape: Shape) -> set[ImageMistake]:
    height, width, channels = shape
    possible: set[ImageMistake] = set()
    if height == width > 1:
        possible.add("images transposed")
    if channels > 1:
        possible.add("images channels first")
    return possible


def _of_layer(layer: Layer, shape: Shape) -> set[ImageMistake]:
    """The mistakes that change what a layer computes."""
    match layer:
        case Conv():
            return _of_convolution(layer, shape)
        case MaxPool():
            return {"mean for largest", "every largest"}
        case AveragePool():
            return {"largest for mean", "sum for mean"}
        case Flatten():
            return _of_flatten(shape)
    return set()


def _of_convolution(layer: Conv, shape: Shape) -> set[ImageMistake]:
    possible: set[ImageMistake] = set()
    if layer.kernel != (1, 1):
        possible.add("kernels turned")
    if layer.kernel[0] == layer.kernel[1] > 1:
        possible.add("kernels transposed")
    top, bottom, left, right = layer.sides(shape)
    if (top, left) != (bottom, right):
        possible.add("more zeros above")
    if top + left:
        possible.add("all zeros below")
    if bottom + right:
        possible.add("all zeros above")
    return possible


def _of_flatten(shape: Shape) -> set[ImageMistake]:
    height, width, channels = shape
    possible: set[ImageMistake] = set()
    if channels > 1 and height * width > 1:
        possible.add("other order")
    if height > 1 and width > 1:
        possible.add("columns first")
    return possible
