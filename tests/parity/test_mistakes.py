"""The network with mistakes is the plain one without any, and every switch changes something."""

import ast
import dataclasses
import inspect

import numpy as np
import pytest

from harness.experiment.losses import MeanSquaredError
from harness.experiment.network import Dense
from harness.experiment.training import L2
from harness.parity import reference, reference_updates
from harness.parity.covering import covering
from harness.parity.mistaken_network import rounded_to
from harness.parity.mistakes import Mistaken
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.parity.simulation import mistaken_trace
from harness.parity.switches import Switches
from harness.parity.trace import FIRST_20_STEPS, prepared_of, record
from harness.start import initial_parameters
from tests.parity.planted import every_protocol

CASES = [(name, "float64") for name in every()] + [(name, "float32") for name in covering()]


def test_the_plain_network_has_no_switches():
    parameters = inspect.signature(Reference).parameters
    assert list(parameters) == ["experiment", "parameters", "inputs", "targets", "dtype"]
    tree = ast.parse(inspect.getsource(reference))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = {node.module for node in imports if node.module.startswith("harness.parity")}
    assert modules == {
        "harness.parity.functions",
        "harness.parity.loss_functions",
        "harness.parity.reference_images",
        "harness.parity.reference_updates",
    }
    updates = ast.parse(inspect.getsource(reference_updates))
    imports = [node.module for node in ast.walk(updates) if isinstance(node, ast.ImportFrom)]
    assert [name for name in imports if name.startswith("harness.parity")] == [
        "harness.parity.functions"
    ]


@pytest.mark.parametrize(("protocol", "dtype"), CASES)
def test_without_a_mistake_it_leaves_the_same_bits(protocol, dtype):
    experiment = every()[protocol]
    train = prepared_of(experiment).train
    start = initial_parameters(experiment, 0, dtype)

    def trace_of(network, *switches):
        def build(short):
            return network(short, start, train.inputs, train.targets, *switches, dtype=dtype)

        return record(build, experiment, prepared_of(experiment), 0, FIRST_20_STEPS)

    plain, mistaken = trace_of(Reference).to_arrays(), trace_of(Mistaken, Switches()).to_arrays()
    assert plain.keys() == mistaken.keys()
    for name, values in plain.items():
        assert values.tobytes() == mistaken[name].tobytes(), name


PENALTY = L2(strength=0.1, half=False, per_row=False, on="weights")
RELU = Dense(units=1, activation="relu")
MSE = MeanSquaredError(name="mean_squared_error", half=False, batch="mean", outputs="mean")
RELU = Dense(units=1, activation="relu")
TWICE = ((1.0, 2.0), (1.0, 2.0))
MASKS = (*("previous", "first step", "first row", "swapped", "reversed bits", "flipped", "none"),)
OF_IMAGES = {
    "kernels turned": "conv",
    "kernels transposed": "conv-padded",
    "images transposed": "conv",
    "images channels first": "conv-same",
    "more zeros above": "conv-same",
    "all zeros above": "conv-padded",
    "all zeros below": "conv-padded",
    "mean for largest": "conv",
    "largest for mean": "conv-same",
    "sum for mean": "conv-same",
    "every largest": "conv",
    "other order": "conv",
    "columns first": "conv",
}
MISTAKES = [
    ("transposed", 1, "adam-hat"),
    ("transposed", "all", "adam-hat"),
    ("biases", "missing", "adam-hat"),
    ("biases", "zero", "adam-hat"),
    ("bias_factor", 2.0, "adam-hat"),
    ("gradient_scale", "rows", "swish-l2"),
    ("loss_scale", 2.0, "swish-l2"),
    ("returned_scale", 2.0, "swish-l2"),
    ("no_penalty", True, "swish-l2"),
    ("penalty", PENALTY, "swish-l2"),
    ("penalty_rows_more", 1, "swish-l2"),
    ("decoupled", PENALTY, "swish-l2"),
    ("l1", 0.1, "swish-l2"),
    ("other_l1", None, "l1"),
    ("sign_of_zero", 1.0, "l1"),
    ("other_clipping", None, "clip-global-norm"),
    ("other_max_norm", None, "max-norm"),
    ("max_norm_first", True, "max-norm"),
    ("softmax_twice", True, "swish-l2"),
    ("softmax_over", "batch", "swish-l2"),
    ("softmax_over", "column", "swish-l2"),
    ("clipped", 1e-7, "saturated-bce"),
    ("log_epsilon", 1e-7, "saturated-bce"),
    ("pairs_all", True, "regression"),
    ("other_loss", MSE, "hinge"),
    ("loss_kink", 1.0, "hinge-at-kink"),
    ("targets", "0 and 1", "hinge"),
    ("smoothing", 0.1, "swish-l2"),
    ("targets", "next class", "swish-l2"),
    ("targets", "previous class", "saturated-bce"),
    ("targets", "flipped", "saturated-bce"),
    ("targets", "next row", "swish-l2"),
    ("targets", "previous row", "swish-l2"),
    ("class_weights", (2.0, *[1.0] * 9), "swish-l2"),
    ("divisor", "nominal", "swish-l2"),
    ("divisor_more", 1, "swish-l2"),
    ("slope_missing", "output", "mse-no-bias"),
    ("slope_missing", "hidden", "mse-no-bias"),
    ("slope_missing", "hidden biases", "adam-hat"),
    ("slope_at_outputs", True, "adam-hat"),
    ("kink", 1.0, "relu-zeros"),
    ("early_kernels", True, "adam-hat"),
    ("input_scale", 2.0, "adam-hat"),
    ("inputs", "centred", "adam-hat"),
    ("inputs", "standardised", "adam-hat"),
    ("inputs", "standardised as a whole", "adam-hat"),
    ("product_bits", 11, "adam-hat"),
    ("activation", Dense(units=1, activation="relu"), "adam-hat"),
    ("output", Dense(units=1, activation="relu"), "adam-hat"),
    ("own_rate", 0.5, "adam-hat"),
    ("rate_scale", 2.0, "adam-hat"),
    ("rate_decay", 0.9, "adam-hat"),
    ("warm_up", 5, "adam-hat"),
    ("schedule", None, "short-batch-momentum-decay"),
    ("rate_of_step", 1, "short-batch-momentum-decay"),
    ("rates_rounded", False, "short-batch-momentum-decay"),
    ("rate_factors", TWICE, "adam-hat"),
    ("gradient_factors", TWICE, "adam-hat"),
    ("clip", "values", "adam-hat"),
    ("clip", "each tensor", "adam-hat"),
    ("clip", "all", "adam-hat"),
    ("centred", True, "adam-hat"),
    ("accumulated", "always", "adam-hat"),
    ("accumulated", "within a call", "adam-hat"),
    ("max_norm", 0.5, "adam-hat"),
    ("bound", 0.1, "adam-hat"),
    ("weight_decay", 0.1, "adam-hat"),
    ("dampening", 0.9, "short-batch-momentum-decay"),
    ("added_momentum", 0.9, "swish-l2"),
    ("rule", (("name", "nesterov"),), "short-batch-momentum-decay"),
    ("rule", (("name", "momentum"),), "with-replacement-nesterov"),
    ("rule", (("rate_inside_velocity", False),), "short-batch-momentum-decay"),
    ("rule", (("form", "algorithm_1"),), "adam-hat"),
    ("rule", (("epsilon", 1e-8),), "adam-hat"),
    ("other_rule", every()["amsgrad-hat"].training.optimizer, "adam-hat"),
    ("decay_last", True, "adamw-hat"),
    ("coupled", PENALTY, "adamw-hat"),
    ("nadam", "momentum in m", "nadam"),
    ("nadam", "powers of beta1", "nadam"),
    ("nadam", "same p", "nadam"),
    ("nadam", "no correction", "nadam"),
    ("adadelta", "swapped", "adadelta"),
    ("adadelta", "epsilon outside", "adadelta"),
    ("adadelta", "rate in d", "adadelta"),
    ("bias_correction", "none", "adam-hat"),
    ("bias_correction", "first", "adam-hat"),
    ("bias_correction", "second", "adam-hat"),
    ("t_step", "tensors", "adam-hat"),
    ("t_step", "never", "adam-hat"),
    ("t_start", 1, "adam-hat"),
    ("reset_at", frozenset({3}), "adam-hat"),
    ("rows", "next", "adam-hat"),
    ("rows", "previous", "adam-hat"),
    ("rows", "in order", "adam-hat"),
    ("rows", "first batch", "adam-hat"),
    ("rows", "reversed", "adam-hat"),
    ("last_dropped", True, "swish-l2"),
    ("padding", True, "swish-l2"),
    ("dropped_row", "first", "swish-l2"),
    ("dropped_row", "last", "swish-l2"),
    ("every", 3, "adam-hat"),
    ("averaged", "mean", "adam-hat"),
    ("averaged", "previous", "adam-hat"),
    ("losses", "after", "adam-hat"),
    ("losses", "mean of a call", "adam-hat"),
    ("losses", "last of a call", "adam-hat"),
    ("losses", "mean so far", "adam-hat"),
    ("losses", "without penalty", "swish-l2"),
    ("predicts", "probabilities", "adam-hat"),
    ("predicts", "log probabilities", "adam-hat"),
    ("predicts", "reversed", "adam-hat"),
    ("predicts", "rows reversed", "adam-hat"),
    ("predicts", "negated", "adam-hat"),
    ("climbs", True, "adam-hat"),
    *(("masks", value, "dropout-equal-widths") for value in MASKS),
    ("dropout_missing", 0, "dropout"),
    *(("images", value, name) for value, name in OF_IMAGES.items()),
    ("dropout_scale", "1", "dropout"),
    ("prediction_scale", "rate", "dropout"),
    *(("dropout_slope", value, "dropout") for value in ("one", "mask", "scale")),
]
REFINED = [
    ({"bias_factor": 2.0}, {"bias_by_hand": True}, "adam-hat"),
    ({"softmax_over": "batch"}, {"by_hand": True}, "swish-l2"),
    ({"input_scale": 2.0}, {"inputs_where": "training"}, "adam-hat"),
    ({"input_scale": 2.0}, {"inputs_where": "predict"}, "adam-hat"),
    ({"product_bits": 8}, {"products_where": "forward"}, "adam-hat"),
    ({"product_bits": 8}, {"products_where": "training"}, "adam-hat"),
    ({"class_weights": (2.0, *[1.0] * 9)}, {"weights_normalised": True}, "swish-l2"),
    ({"penalty": PENALTY}, {"penalty_where": "gradient"}, "swish-l2"),
    ({"penalty": PENALTY}, {"penalty_where": "loss"}, "swish-l2"),
    ({"coupled": PENALTY}, {"coupled_where": "both"}, "adamw-hat"),
    ({"weight_decay": 0.1}, {"decay_biases": False}, "adam-hat"),
    ({"weight_decay": 0.1}, {"decay_alone": True}, "adam-hat"),
    ({"dampening": 0.9}, {"first_velocity": "whole"}, "short-batch-momentum-decay"),
    ({"added_momentum": 0.9}, {"added_momentum_is_nesterov": True}, "swish-l2"),
    ({"warm_up": 5}, {"warm_up_from": 0}, "adam-hat"),
    ({"activation": RELU}, {"activation_scale": 2.0}, "adam-hat"),
    ({"clip": "all"}, {"clip_bound": 0.01}, "adam-hat"),
    ({"max_norm": 0.5}, {"norm_axis": 1}, "adam-hat"),
    ({"averaged": "exponential"}, {"average": 0.9}, "adam-hat"),
    ({"every": 3}, {"offset": 1}, "adam-hat"),
    ({"every": 3}, {"at_those": "skipped"}, "adam-hat"),
    ({"every": 3}, {"at_those": "updated twice"}, "adam-hat"),
    ({"every": 3}, {"at_those": "trained twice, second loss"}, "adam-hat"),
]


def protocol_named(name):
    if name == "dropout-equal-widths":
        return every_protocol()["dropout"]
    return every_protocol()["xor"] if name == "relu-zeros" else every()[name]


def differs(experiment, one, other):
    first, second = (mistaken_trace(experiment, 0, Switches(**s)).to_arrays() for s in (one, other))
    return any(not np.array_equal(first[name], second.get(name)) for name in first)


@pytest.mark.parametrize(("switch", "value", "protocol"), MISTAKES)
def test_every_switch_changes_the_trace(switch, value, protocol):
    assert differs(protocol_named(protocol), {}, {switch: value})


@pytest.mark.parametrize(("switches", "more", "protocol"), REFINED)
def test_every_second_switch_changes_the_mistake(switches, more, protocol):
    assert differs(protocol_named(protocol), switches, switches | more)


def test_no_switch_is_left_out():
    planted = {switch for switch, _, _ in MISTAKES} | {
        name for _, more, _ in REFINED for name in more
    }
    assert planted == {field.name for field in dataclasses.fields(Switches)}


def test_rounded_to_is_the_rounding_of_the_formats():
    values = np.random.default_rng(0).normal(size=1000)
    assert np.array_equal(rounded_to(values, 24), values.astype(np.float32).astype(np.float64))
    assert np.array_equal(rounded_to(values, 11), values.astype(np.float16).astype(np.float64))
