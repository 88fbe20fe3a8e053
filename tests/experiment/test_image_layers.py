"""Layers of images in a protocol: shapes, padding, and what is refused."""

import pytest

from harness.experiment.image_layers import Conv, MaxPool
from harness.experiment.loading import load, parse
from tests.conftest import protocol

CONV = {"kind": "conv", "channels": 3, "kernel": [3, 3], "padding": "same", "activation": "relu"}
POOL = {"kind": "max_pool", "size": [2, 2], "stride": [2, 2]}
FLATTEN = {"kind": "flatten", "order": "channels_last"}
OUTPUT = {"units": 10, "activation": "identity"}


def parsed(*layers, image=(8, 8, 1), **changes):
    values = protocol("digits-mlp", quick=None, network__layers=list(layers), **changes)
    if image is not None:
        values["network"]["image"] = list(image)
    return parse(values, "test")


def test_shapes_of_the_network_of_the_example_of_keras():
    network = load("mnist-cnn").network
    images = [(28, 28, 1), (26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64)]
    assert network.row_shapes == (*images, (1600,), (10,))
    assert network.weight_shapes == ((3, 3, 1, 32), (3, 3, 32, 64), (1600, 10))
    assert network.parameter_count == 34_826  # as the example prints
    assert str(network) == "28x28x1-32C3-MP2-64C3-MP2-10"
    assert network.products == ((676, 9, 32), (121, 288, 64), (1, 1600, 10))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "zeros"),
    [(8, 3, 1, (1, 1)), (8, 4, 1, (1, 2)), (8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (6, 1, 4, (0, 0))],
)
def test_same_padding_is_that_of_tensorflow(size, kernel, stride, zeros):
    layer = Conv.model_validate(CONV | {"kernel": [kernel, 1], "stride": [stride, 1]})
    assert layer.sides((size, 5, 1)) == (*zeros, 0, 0)
    assert layer.output_shape((size, 5, 1)) == (-(-size // stride), 5, 3)


def test_pooling_leaves_out_what_fills_no_window():
    assert MaxPool.model_validate(POOL).output_shape((7, 4, 3)) == (3, 2, 3)


def test_protocols_without_images_keep_their_digests():
    assert load("mnist-mlp").digest == "3d3d6174d7ea982a"


@pytest.mark.parametrize(
    ("layers", "image", "message"),
    [
        ((CONV, FLATTEN, OUTPUT), None, "layer 1: conv takes images: state network.image"),
        ((OUTPUT,), (8, 8, 1), "image: only with layers that take images"),
        ((CONV, FLATTEN, OUTPUT), (8, 4, 1), "must be the 64 inputs. Got \\[8, 4, 1\\]"),
        ((CONV, OUTPUT), (8, 8, 1), "layer 2: dense takes vectors: put a flatten before it"),
        ((CONV, FLATTEN, POOL, OUTPUT), (8, 8, 1), "layer 3: pooling takes images"),
        (
            (CONV | {"kernel": [9, 1], "padding": "valid"}, FLATTEN, OUTPUT),
            (8, 8, 1),
            "its window must fit into the image of 8 x 8 pixels. Got 9 x 1",
        ),
        ((CONV | {"padding": [3, 0]}, FLATTEN, OUTPUT), (8, 8, 1), "must be smaller than the"),
        ((CONV, FLATTEN), (8, 8, 1), "the last layer must be dense. Got flatten"),
    ],
)
def test_what_does_not_fit_is_refused(layers, image, message):
    with pytest.raises(ValueError, match=message):
        parsed(*layers, image=image)


def test_norms_of_kernels_are_not_bounded():
    bound = {"bound": 1.0, "of": "units", "epsilon": 0.0, "form": "beyond_bound"}
    with pytest.raises(ValueError, match="max_norm: not with layers of images"):
        parsed(CONV, FLATTEN, OUTPUT, training__max_norm=bound)
