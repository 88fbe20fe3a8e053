"""The oracle's dropout: by hand, and against finite differences."""

import numpy as np
import pytest

from harness.experiment.loading import parse
from harness.parity.reference import Reference
from harness.parity.trace import prepared_of
from harness.start import initial_parameters
from tests.conftest import protocol

PLAIN = {"kind": "dropout", "rate": 0.25, "form": "inverted"}
CLASSIC = PLAIN | {"form": "classic"}


def experiment_of(*layers):
    values = protocol(
        "iris-softmax",
        quick=None,
        native=None,
        network__layers=list(layers),
        initializers={
            "weights": {"name": "glorot_uniform"},
            "biases": {"name": "normal", "std": 0.1},
        },
    )
    return parse(values, "test")


@pytest.mark.parametrize(
    ("dropout", "in_training", "in_prediction"), [(PLAIN, 4 / 3, 1), (CLASSIC, 1, 0.75)]
)
def test_a_layer_by_hand(dropout, in_training, in_prediction):
    experiment = experiment_of(dropout, {"units": 3, "activation": "identity"})
    W = np.arange(12.0).reshape(4, 3)
    oracle = Reference(experiment, [(), (W, np.zeros(3))], np.ones((2, 4)), None)
    x, mask = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[1, 0, 0, 1]], np.uint8)
    kept = in_training * (1.0 * W[0] + 4.0 * W[3])
    np.testing.assert_allclose(oracle.predict(x, [mask]), [kept], rtol=1e-15)
    np.testing.assert_allclose(oracle.predict(x), in_prediction * (x @ W), rtol=1e-15)


@pytest.mark.parametrize("dropout", [PLAIN, CLASSIC], ids=["inverted", "classic"])
def test_gradients_are_those_of_finite_differences(dropout):
    tanh = {"units": 5, "activation": "tanh"}
    experiment = experiment_of(dropout, tanh, dropout, {"units": 3, "activation": "identity"})
    train, start = prepared_of(experiment).train, initial_parameters(experiment, 0, "float64")
    X, y = train.inputs[:9], train.targets[:9]
    generator = np.random.default_rng(2)
    masks = [generator.integers(0, 2, (9, width), np.uint8) for width in (4, 5)]

    def loss_at(parameters):
        return Reference(experiment, parameters, X, y).loss_and_gradients(X, y, 9, masks=masks)

    _, gradients = loss_at(start)
    assert [len(entry) for entry in gradients] == [0, 2, 0, 2]
    for layer, part in ((1, 0), (1, 1), (3, 0), (3, 1)):
        for position in range(0, start[layer][part].size, 3):
            losses = []
            for h in (1e-6, -1e-6):
                moved = [[np.array(v) for v in entry] for entry in start]
                moved[layer][part].ravel()[position] += h
                losses.append(loss_at(moved)[0])
            slope = (losses[0] - losses[1]) / 2e-6
            assert gradients[layer][part].ravel()[position] == pytest.approx(
                slope, rel=1e-6, abs=1e-9
            )
