"""An exported folder, and the whole answer that the oracle gives to it."""

import dataclasses

import numpy as np
import pytest

from harness.experiment.loading import load, parse
from harness.handover import writing
from harness.handover.folder import protocol_of_steps
from harness.parameters import named_arrays
from harness.parity.simulation import mistaken_trace
from harness.parity.switches import Switches
from harness.parity.trace import FIRST_20_STEPS
from tests.conftest import protocol

SIGMOID = [{"units": 5, "activation": "sigmoid"}, {"units": 3, "activation": "identity"}]
BATCHES = {"order": "shuffled", "size": 25, "last": "keep"}
NORMAL = {"weights": {"name": "glorot_uniform"}, "biases": {"name": "normal", "std": 0.1}}
SGD = {"name": "sgd", "learning_rate": 0.1}
ADAM = {"name": "adam", "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
MOMENTUM = {"name": "momentum", "learning_rate": 0.1, "momentum": 0.9}


def experiment_of(name, steps=8):
    """A protocol of the catalogue, or a network like that of the posts, on the irises."""
    optimizers = {
        "small-sgd": SGD,
        "small-adam": ADAM | {"form": "algorithm_1"},
        "small-momentum": MOMENTUM,
    }
    if name in optimizers:
        changes = {"training__optimizer": optimizers[name], "training__batches": BATCHES}
        network = {"network__layers": SIGMOID, "initializers": NORMAL}
        values = protocol("iris-softmax", name=name, **changes, **network)
        experiment = parse(values, name)
    else:
        experiment = load(name)
    return protocol_of_steps(experiment, steps)


@pytest.fixture
def export(tmp_path):
    """Export a protocol: `export("xor-mlp")` returns the folder."""

    def write(name, folder="d", seed=0, dtype="float64", steps=8):
        writing.write(tmp_path / folder, experiment_of(name, steps), seed, dtype)
        return tmp_path / folder

    return write


def answer_of(experiment, seed=0, **switches):
    """All that a program may hand back, of the oracle with mistakes, by name."""
    if switches.pop("rounded", False):
        experiment = experiment.model_copy(update={"constants": "float32"})
    start = switches.pop("start", None)
    trace = mistaken_trace(experiment, seed, Switches(**switches), start, FIRST_20_STEPS)
    trace = dataclasses.replace(trace, gradients=[])
    arrays = {"outputs_before": trace.outputs}
    if trace.losses is not None:
        arrays["losses"] = trace.losses
    for step, parameters in trace.parameters.items():
        if step in (0, 1, 2, experiment.steps):
            for layer, name, values in named_arrays(parameters):
                arrays[f"parameters_after_step_{step}/{name}_{layer + 1}"] = values
    return arrays


def hand_back(folder, arrays):
    """Write an answer as one archive."""
    np.savez(folder / "answer.npz", **arrays)
