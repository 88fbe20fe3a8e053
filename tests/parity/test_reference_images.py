"""The oracle's layers of images: by hand, against plain loops, and against finite differences."""

import itertools

import numpy as np
import pytest

from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool
from harness.parity import diagnosis, ladder
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.parity.reference_images import flattened, pool_factors, pooled, seen, unpooled
from harness.parity.trace import prepared_of
from harness.start import initial_parameters
from tests.parity.planted import images, trace_of

PROTOCOLS = [name for name in every() if name.startswith("conv")]


@pytest.mark.parametrize("padding", ["valid", "same", [1, 0]], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)], ids=str)
def test_a_convolution_is_the_sum_of_its_definition(padding, stride):
    values = {"kind": "conv", "channels": 2, "kernel": [3, 2], "activation": "identity"}
    layer = Conv.model_validate(values | {"padding": padding, "stride": list(stride)})
    random, shape = np.random.default_rng(0), (5, 6, 3)
    x, K = random.normal(size=(2, *shape)), random.normal(size=(3, 2, 3, 2))
    down, across, channels = layer.output_shape(shape)
    top, _, left, _ = layer.sides(shape)
    z = np.zeros((2, down, across, channels))
    for i, j, u, v in itertools.product(range(down), range(across), range(3), range(2)):
        p, q = i * stride[0] + u - top, j * stride[1] + v - left
        if 0 <= p < shape[0] and 0 <= q < shape[1]:
            z[:, i, j] += x[:, p, q] @ K[u, v]
    product = seen(layer, x.reshape(2, -1), shape) @ K.reshape(-1, 2)
    np.testing.assert_allclose(product.reshape(z.shape), z, atol=1e-14)


def test_pooling_by_hand():
    x = np.array([[1.0, 3, 3, 0, 2, 3, 5, 5, 9]])  # 3 x 3; windows of 2 x 2 overlap
    window = {"size": [2, 2], "stride": [1, 1]}
    largest = MaxPool.model_validate({"kind": "max_pool", **window})
    factors = pool_factors(largest, x, (3, 3, 1))
    assert pooled(largest, x, (3, 3, 1), factors).tolist() == [[3, 3, 5, 9]]
    da = np.array([[1.0, 10, 100, 1000]])  # both 3s of the second window: to the first of them
    below = unpooled(largest, da, (3, 3, 1), factors)
    assert below.tolist() == [[0, 11, 0, 0, 0, 0, 100, 0, 1000]]
    mean = AveragePool.model_validate({"kind": "average_pool", **window})
    factors = pool_factors(mean, x, (3, 3, 1))
    assert pooled(mean, x, (3, 3, 1), factors).tolist() == [[1.5, 2.75, 3, 4.75]]


def test_flatten_by_hand():
    x = np.arange(12.0)[np.newaxis]  # 2 x 3 pixels of two channels
    first = Flatten(kind="flatten", order="channels_first")
    assert flattened(first, x, (2, 3, 2)).tolist() == [[0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_gradients_are_those_of_finite_differences(name):
    experiment, random = every()[name], np.random.default_rng(0)
    train, start = prepared_of(experiment).train, initial_parameters(experiment, 0, "float64")
    X, y = train.inputs[:9] + 1e-3 * random.normal(size=(9, 64)), train.targets[:9]
    oracle = Reference(experiment, start, X, y)
    _, gradients = oracle.loss_and_gradients(X, y, 9)
    for entry, of_entry in zip(oracle.pairs, gradients, strict=True):
        for values, gradient in zip(entry, of_entry, strict=True):
            if values is None:
                continue
            for position in random.integers(0, values.size, 5):
                given, losses = values.ravel()[position], []
                for h in (1e-6, -1e-6):
                    values.ravel()[position] = given + h
                    losses.append(oracle.loss_and_gradients(X, y, 9)[0])
                values.ravel()[position] = given
                slope = (losses[0] - losses[1]) / 2e-6
                assert gradient.ravel()[position] == pytest.approx(slope, rel=1e-6, abs=2e-9)


@pytest.mark.parametrize("mistake", ["", "parameters kept as rows of kernels", "batch in pieces"])
@pytest.mark.parametrize("name", images())
def test_other_ways_to_compute_the_same_are_not_accused(name, mistake):
    experiment = images()[name]
    judgement = ladder.judge(trace_of(experiment, mistake), experiment, 0)
    assert judgement.verdict == "same", judgement.reason


@pytest.mark.parametrize(
    ("name", "mistake", "words"),
    [
        ("valid", "kernels turned", "a true convolution"),
        ("same", "more zeros above", "padding has its odd zeros above"),
        ("zeros", "other order", "flatten has its channels in the other order"),
    ],
)
def test_a_mistake_is_named(name, mistake, words):
    experiment = images()[name]
    trace = trace_of(experiment, mistake, keep_first_20_steps=True)
    judgement = ladder.judge(trace, experiment, 0)
    assert not judgement.proven
    assert words in diagnosis.with_cause(judgement, trace, experiment, 0, trace).reason
