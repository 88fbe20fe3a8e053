"""The network with mistakes is the plain one without any, and every switch changes something."""

import ast
import dataclasses
import inspect

import numpy as np
import pytest

from harness.experiment.network import Layer
from harness.experiment.training import L2
from harness.parity import reference
from harness.parity.covering import covering
from harness.parity.diagnosis import mistaken_trace
from harness.parity.mistakes import Mistaken, Switches
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.parity.trace import expected_trace, prepared_of, record
from harness.start import initial_parameters

CASES = [(name, "float64") for name in every()] + [(name, "float32") for name in covering()]


def test_the_plain_network_has_no_switches():
    parameters = inspect.signature(Reference).parameters
    assert list(parameters) == ["experiment", "parameters", "inputs", "targets", "dtype"]
    tree = ast.parse(inspect.getsource(reference))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = {node.module for node in imports if node.module.startswith("harness.parity")}
    assert modules == {"harness.parity.functions"}


@pytest.mark.parametrize(("protocol", "dtype"), CASES)
def test_without_a_mistake_it_leaves_the_same_bits(protocol, dtype):
    experiment = every()[protocol]
    train = prepared_of(experiment).train
    start = initial_parameters(experiment, 0, dtype)

    def trace_of(network, *switches):
        def build(short):
            return network(short, start, train.inputs, train.targets, *switches, dtype=dtype)

        return record(build, experiment, prepared_of(experiment), 0, keep_first_20_steps=True)

    plain, mistaken = trace_of(Reference).to_arrays(), trace_of(Mistaken, Switches()).to_arrays()
    assert plain.keys() == mistaken.keys()
    for name, values in plain.items():
        assert values.tobytes() == mistaken[name].tobytes(), name


SGD_PENALTY = L2(strength=0.1, half=False, per_row=False, on="weights")
MISTAKES = [
    ("transposed", 1, "adam-hat"),
    ("transposed", "all", "adam-hat"),
    ("biases", "missing", "adam-hat"),
    ("biases", "frozen", "adam-hat"),
    ("biases", "zero", "adam-hat"),
    ("frozen", 0, "adam-hat"),
    ("gradient_scale", "rows", "swish-l2"),
    ("loss_scale", 2.0, "swish-l2"),
    ("penalty", SGD_PENALTY, "swish-l2"),
    ("softmax_twice", True, "swish-l2"),
    ("clipped", True, "saturated-bce"),
    ("input_scale", 2.0, "adam-hat"),
    ("activation", Layer(units=1, activation="relu"), "adam-hat"),
    ("own_rate", 0.5, "adam-hat"),
    ("rate_scale", 2.0, "adam-hat"),
    ("rate_decay", 0.9, "adam-hat"),
    ("weight_decay", 0.1, "adam-hat"),
    ("dampening", True, "short-batch-momentum-decay"),
    ("nesterov", True, "short-batch-momentum-decay"),
    ("nesterov", False, "with-replacement-nesterov"),
    ("rate_inside_velocity", False, "short-batch-momentum-decay"),
    ("form", "algorithm_1", "adam-hat"),
    ("epsilon", 1e-8, "adam-hat"),
    ("bias_correction", False, "adam-hat"),
    ("reset_at", frozenset({3}), "adam-hat"),
    ("rows", "next", "adam-hat"),
    ("rows", "previous", "adam-hat"),
    ("rows", "in order", "adam-hat"),
    ("rows", "first batch", "adam-hat"),
    ("rows", "reversed", "adam-hat"),
    ("last_dropped", True, "swish-l2"),
    ("padding", True, "swish-l2"),
    ("predicts", "probabilities", "adam-hat"),
    ("predicts", "reversed", "adam-hat"),
    ("climbs", True, "adam-hat"),
]


@pytest.mark.parametrize(("switch", "value", "protocol"), MISTAKES)
def test_every_switch_changes_the_trace(switch, value, protocol):
    experiment = every()[protocol]
    right = expected_trace(experiment, 0).to_arrays()
    wrong = mistaken_trace(experiment, 0, Switches(**{switch: value})).to_arrays()
    assert any(not np.array_equal(right[name], wrong.get(name)) for name in right)


def test_decay_may_spare_the_biases():
    experiment = every()["adam-hat"]
    traces = [
        mistaken_trace(experiment, 0, Switches(weight_decay=0.1, decay_biases=on)).to_arrays()
        for on in (True, False)
    ]
    assert not np.array_equal(traces[0]["1/0/b"], traces[1]["1/0/b"])


def test_no_switch_is_left_out():
    switches = {field.name for field in dataclasses.fields(Switches)} - {"decay_biases"}
    assert {switch for switch, _, _ in MISTAKES} == switches
