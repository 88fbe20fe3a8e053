"""Layers by their kind: what may be written, and what is said of the rest."""

import pytest

from harness.experiment.loading import ProtocolError, parse
from harness.trainer import Dense, Dropout
from implementations.numpy_scratch import NumpyTrainer
from tests.conftest import protocol

HIDDEN, OUTPUT = {"units": 5, "activation": "tanh"}, {"units": 3, "activation": "identity"}
DROPOUT = {"kind": "dropout", "rate": 0.5, "form": "inverted"}


def parsed(*layers, **changes):
    values = protocol("iris-softmax", quick=None, native=None, network__layers=list(layers))
    return parse(values | changes, "test")


def test_a_layer_is_dense_if_it_does_not_say():
    plain, stated = parsed(HIDDEN, OUTPUT), parsed(HIDDEN | {"kind": "dense"}, OUTPUT)
    assert plain == stated
    assert plain.digest == stated.digest
    assert isinstance(plain.network.layers[0], Dense)


def test_dropout_has_no_parameters_and_keeps_the_width():
    network = parsed(DROPOUT, HIDDEN, DROPOUT, OUTPUT).network
    assert network.layers[0] == Dropout(kind="dropout", rate=0.5, form="inverted")
    assert network.shapes == ((4, 4), (4, 5), (5, 5), (5, 3))
    assert network.weight_shapes == ((4, 5), (5, 3))
    assert network.dropout_widths == (4, 5)
    assert network.parameter_count == 4 * 5 + 5 + 5 * 3 + 3
    assert str(network) == "4-5-3"


def test_rate_and_form_change_the_digest():
    changes = ({}, {"rate": 0.25}, {"form": "classic"})
    digests = {parsed(HIDDEN, DROPOUT | change, OUTPUT).digest for change in changes}
    assert len(digests | {parsed(HIDDEN, OUTPUT).digest}) == 4


WRONG = [
    ((HIDDEN, OUTPUT, DROPOUT), "network: the last layer must be dense. Got dropout"),
    ((DROPOUT, DROPOUT, OUTPUT), "dropout must not follow dropout"),
    ((HIDDEN, DROPOUT | {"rate": 0.0}, OUTPUT), r"network.layers\[1\].rate: .*greater than 0"),
    ((HIDDEN, DROPOUT | {"rate": 1.0}, OUTPUT), r"network.layers\[1\].rate: .*less than 1"),
    ((HIDDEN, DROPOUT | {"units": 3}, OUTPUT), r"network.layers\[1\].units: unknown field"),
    ((HIDDEN, {"kind": "dropout", "rate": 0.5}, OUTPUT), r"layers\[1\].form: missing.*'classic'"),
    ((HIDDEN, DROPOUT | {"kind": "dropuot"}, OUTPUT), r"layers\[1\].kind: 'dropuot' .*'dropout'"),
]


@pytest.mark.parametrize(("layers", "words"), WRONG)
def test_what_may_not_be_is_said(layers, words):
    with pytest.raises(ProtocolError, match=words):
        parsed(*layers)


def test_an_initializer_is_listed_for_each_layer_with_weights():
    he, zeros = {"name": "he_normal"}, {"name": "zeros"}
    listed = {"weights": [he, zeros], "biases": zeros}
    assert (
        parsed(HIDDEN, DROPOUT, OUTPUT, initializers=listed).initializers.of("weights", 1).name
        == "zeros"
    )
    with pytest.raises(ProtocolError, match=r"one per layer with weights, 2\. Got 3"):
        parsed(HIDDEN, DROPOUT, OUTPUT, initializers=listed | {"weights": [he, he, he]})


def test_an_adapter_is_not_asked_for_layers_that_it_does_not_list():
    class Plain(NumpyTrainer):
        layer_kinds = ("dense",)

        @classmethod
        def supports(cls, experiment):
            raise AssertionError("must not be asked")

    experiment = parsed(HIDDEN, DROPOUT, OUTPUT)
    assert Plain.refuses(experiment) == "has no dropout layers; its `layer_kinds` are dense"
    assert NumpyTrainer.refuses(experiment) is None
