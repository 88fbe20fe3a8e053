"""The oracle is proven on its own: finite differences, one step by hand, golden numbers."""

import math

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters
from tests.implementations.tasks import experiment_of

LOSSES = [
    {"name": "softmax_cross_entropy", "batch": "mean"},
    {"name": "softmax_cross_entropy", "batch": "sum"},
    {"name": "binary_cross_entropy", "batch": "mean", "outputs": "sum"},
    {"name": "binary_cross_entropy", "batch": "sum", "outputs": "mean"},
    {"name": "mean_squared_error", "half": False, "batch": "mean", "outputs": "mean"},
    {"name": "mean_squared_error", "half": True, "batch": "sum", "outputs": "sum"},
]
ACTIVATIONS = [
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "swish",
    "softplus",
    "gelu",
    "gelu_tanh",
    "selu",
    "softsign",
    "log_sigmoid",
    "mish",
    "relu6",
    "hard_tanh",
    "hard_sigmoid",
    "hard_sigmoid_fifth",
    "hard_swish",
]


def reference_of(experiment, seed=0):
    prepared = data.load(experiment.data, experiment.loss, "float64")
    parameters = initial_parameters(experiment, seed, "float64")
    return Reference(experiment, parameters, prepared.train.inputs, prepared.train.targets)


@pytest.mark.parametrize("l2", [None, "weights", "all"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: "-".join(map(str, loss.values())))
def test_gradients_are_finite_differences(loss, activation, l2):
    slope = {"slope": 0.25} if activation == "leaky_relu" else {}
    penalty = {"strength": 0.5, "half": False, "per_row": True, "on": l2}
    experiment = experiment_of(
        "digits-mlp",
        network__layers=[
            {"units": 5, "activation": activation, **slope},
            {"units": 4, "activation": activation, "bias": False, **slope},
            {"units": 10, "activation": "identity"},
        ],
        training__loss=loss,
        training__l2=penalty if l2 else None,
    )
    reference = reference_of(experiment)
    x, y = np.asarray(reference.inputs[:9]), reference.targets[:9]
    counted = 7  # two rows of padding
    _, gradients = reference.loss_and_gradients(x, y, counted)
    generator = np.random.default_rng(1)
    for pair, slopes in zip(reference.pairs, gradients, strict=True):
        for values, gradient in zip(pair, slopes, strict=True):
            if values is None:
                assert gradient is None
                continue
            for position in generator.choice(values.size, min(4, values.size), replace=False):
                found = []
                for shift in (1e-6, -1e-6):
                    values.ravel()[position] += shift
                    found.append(reference.loss_and_gradients(x, y, counted)[0])
                    values.ravel()[position] -= shift
                slope_ = (found[0] - found[1]) / 2e-6
                assert gradient.ravel()[position] == pytest.approx(slope_, rel=2e-5, abs=1e-8)


def test_one_step_by_hand():
    """AND, 2-1, all zeros: p = 1/2, dz = (1/2 - y) / 4 = [1, 1, 1, -1] / 8.

    dW = x^T dz = [(1 - 1) / 8, (1 - 1) / 8] = [0, 0]; db = 1/4; L = log 2; b = -0.1 / 4.
    """
    zeros = {"weights": {"name": "zeros"}, "biases": {"name": "zeros"}}
    experiment = experiment_of("and", initializers=zeros)
    reference = reference_of(experiment)
    (loss,) = reference.advance(BatchPlan.of(experiment, 0).segment(0, 1))
    assert loss == pytest.approx(math.log(2), rel=1e-15)
    weights, biases = reference.parameters()[0]
    np.testing.assert_allclose(weights, 0, atol=1e-17)
    np.testing.assert_allclose(biases, -float(np.float32(0.1)) / 4, rtol=1e-15)


def test_the_golden_forward_pass():
    experiment = load("fixed-forward")
    outputs = reference_of(experiment).predict(np.array([[1.0, 0.5]]))
    np.testing.assert_allclose(outputs, [[0.31682708, 0.69627909]], atol=5e-9)


BETAS = {"beta1": 0.5, "beta2": 0.75, "epsilon": 0.5}
MU = [0.5 * (1 - 0.96 ** (2 * t) / 2) for t in range(4)]
"""Nadam's momentum after t steps, with beta1 = 1/2 and momentum_decay = 2."""
OPTIMIZERS = {
    "sgd": ({"name": "sgd"}, lambda g: [0.1 * g[0], 0.1 * g[1]]),
    "momentum": (
        {"name": "momentum", "momentum": 0.5},
        lambda g: [0.1 * g[0], 0.1 * (0.5 * g[0] + g[1])],
    ),
    "nesterov": (
        {"name": "nesterov", "momentum": 0.5},
        lambda g: [0.1 * 1.5 * g[0], 0.1 * (g[1] + 0.5 * (0.5 * g[0] + g[1]))],
    ),
    "rmsprop-outside": (
        {"name": "rmsprop", "rho": 0.75, "epsilon": 0.5, "form": "epsilon_outside_root"},
        lambda g: [
            0.1 * g[0] / (math.sqrt(0.25 * g[0] ** 2) + 0.5),
            0.1 * g[1] / (math.sqrt(0.75 * 0.25 * g[0] ** 2 + 0.25 * g[1] ** 2) + 0.5),
        ],
    ),
    "rmsprop-inside": (
        {"name": "rmsprop", "rho": 0.75, "epsilon": 0.5, "form": "epsilon_inside_root"},
        lambda g: [
            0.1 * g[0] / math.sqrt(0.25 * g[0] ** 2 + 0.5),
            0.1 * g[1] / math.sqrt(0.75 * 0.25 * g[0] ** 2 + 0.25 * g[1] ** 2 + 0.5),
        ],
    ),
    "adagrad": (
        {
            "name": "adagrad",
            "initial_accumulator": 0.25,
            "epsilon": 0.5,
            "form": "epsilon_outside_root",
        },
        lambda g: [
            0.1 * g[0] / (math.sqrt(0.25 + g[0] ** 2) + 0.5),
            0.1 * g[1] / (math.sqrt(0.25 + g[0] ** 2 + g[1] ** 2) + 0.5),
        ],
    ),
    "adam": (
        {"name": "adam", "beta1": 0.5, "beta2": 0.75, "epsilon": 0.5, "form": "algorithm_1"},
        lambda g: [
            0.1 * g[0] / (abs(g[0]) + 0.5),
            0.1
            * ((0.25 * g[0] + 0.5 * g[1]) / 0.75)
            / (math.sqrt((0.1875 * g[0] ** 2 + 0.25 * g[1] ** 2) / 0.4375) + 0.5),
        ],
    ),
    "adam-hat": (
        {"name": "adam", "beta1": 0.5, "beta2": 0.75, "epsilon": 0.5, "form": "epsilon_hat"},
        lambda g: [
            0.1 * 0.5 / 0.5 * 0.5 * g[0] / (0.5 * abs(g[0]) + 0.5),
            0.1
            * math.sqrt(0.4375)
            / 0.75
            * (0.25 * g[0] + 0.5 * g[1])
            / (math.sqrt(0.1875 * g[0] ** 2 + 0.25 * g[1] ** 2) + 0.5),
        ],
    ),
    "amsgrad": (
        BETAS | {"name": "amsgrad", "form": "algorithm_1", "maximum": "before_correction"},
        lambda g: [  # v = 2.25, then 1.9375: the largest stays 2.25
            0.1 * g[0] / (math.sqrt(2.25 / 0.25) + 0.5),
            0.1 * (0.25 * g[0] + 0.5 * g[1]) / 0.75 / (math.sqrt(2.25 / 0.4375) + 0.5),
        ],
    ),
    "amsgrad-corrected": (
        BETAS | {"name": "amsgrad", "form": "algorithm_1", "maximum": "after_correction"},
        lambda g: [  # v / c2 = 9, then 4.43: the largest stays 9
            0.1 * g[0] / (math.sqrt(9) + 0.5),
            0.1 * (0.25 * g[0] + 0.5 * g[1]) / 0.75 / (math.sqrt(9) + 0.5),
        ],
    ),
    "amsgrad-hat": (
        BETAS | {"name": "amsgrad", "form": "epsilon_hat", "maximum": "before_correction"},
        lambda g: [
            0.1 * 0.5 / 0.5 * 0.5 * g[0] / (math.sqrt(2.25) + 0.5),
            0.1 * math.sqrt(0.4375) / 0.75 * (0.25 * g[0] + 0.5 * g[1]) / (math.sqrt(2.25) + 0.5),
        ],
    ),
    "amsgrad-corrected-hat": (
        BETAS | {"name": "amsgrad", "form": "epsilon_hat", "maximum": "after_correction"},
        lambda g: [
            0.1 * 0.5 / 0.5 * 0.5 * g[0] / (math.sqrt(0.25 * 9) + 0.5),
            0.1
            * math.sqrt(0.4375)
            / 0.75
            * (0.25 * g[0] + 0.5 * g[1])
            / (math.sqrt(0.4375 * 9) + 0.5),
        ],
    ),
    "nadam": (
        BETAS | {"name": "nadam", "form": "constant_momentum"},
        lambda g: [  # mu is 1/2, p is 1/2, 1/4, 1/8; m is g0 / 2, then g0 / 4 + g1 / 2
            0.1 * (0.5 * 0.5 * g[0] / 0.75 + 0.5 * g[0] / 0.5) / (abs(g[0]) + 0.5),
            0.1
            * (0.5 * (0.25 * g[0] + 0.5 * g[1]) / 0.875 + 0.5 * g[1] / 0.75)
            / (math.sqrt((0.1875 * g[0] ** 2 + 0.25 * g[1] ** 2) / 0.4375) + 0.5),
        ],
    ),
    "nadam-scheduled": (
        BETAS | {"name": "nadam", "form": "scheduled_momentum", "momentum_decay": 2.0},
        lambda g: [
            0.1
            * (MU[2] * 0.5 * g[0] / (1 - MU[1] * MU[2]) + (1 - MU[1]) * g[0] / (1 - MU[1]))
            / (abs(g[0]) + 0.5),
            0.1
            * (
                MU[3] * (0.25 * g[0] + 0.5 * g[1]) / (1 - MU[1] * MU[2] * MU[3])
                + (1 - MU[2]) * g[1] / (1 - MU[1] * MU[2])
            )
            / (math.sqrt((0.1875 * g[0] ** 2 + 0.25 * g[1] ** 2) / 0.4375) + 0.5),
        ],
    ),
    "adamax": (
        BETAS | {"name": "adamax", "form": "epsilon_inside_maximum"},
        lambda g: [  # u is 3.5, then max(0.75 * 3.5, 1.5)
            0.1 * g[0] / 3.5,
            0.1 / 0.75 * (0.25 * g[0] + 0.5 * g[1]) / 2.625,
        ],
    ),
    "adamax-outside": (
        BETAS | {"name": "adamax", "form": "epsilon_outside_maximum"},
        lambda g: [  # u is 3, then max(0.75 * 3, 1)
            0.1 * g[0] / 3.5,
            0.1 / 0.75 * (0.25 * g[0] + 0.5 * g[1]) / 2.75,
        ],
    ),
    "adadelta": (
        {"name": "adadelta", "rho": 0.75, "epsilon": 0.5},
        lambda g: [  # v is 2.25, then 1.9375; d is 0, then a quarter of the first step squared
            0.1 * math.sqrt(0.5 / 2.75) * g[0],
            0.1 * math.sqrt((0.25 * 0.5 / 2.75 * g[0] ** 2 + 0.5) / 2.4375) * g[1],
        ],
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_steps_of_every_optimizer_on_one_number(name):
    """One weight, one row: the gradients 3 and -1 are fed in, the steps are those of the paper."""
    rule, expected = OPTIMIZERS[name]
    experiment = experiment_of(
        "diabetes-linear", training__optimizer={"learning_rate": 0.125, **rule}
    )
    reference = reference_of(experiment)
    gradients = [3.0, -1.0]
    steps = [1.25 * step for step in expected(gradients)]  # the rate is 0.125, not 0.1
    for gradient, step in zip(gradients, steps, strict=True):
        before = reference.parameters()[0][0]
        reference._update([(np.full((10, 1), gradient), np.full(1, gradient))], 0.125)
        np.testing.assert_allclose(before - reference.parameters()[0][0], step, rtol=1e-12)


@pytest.mark.parametrize("on", ["weights", "all"])
@pytest.mark.parametrize(("times", "decay"), [(True, 0.125 * 0.25), (False, 0.25)])
def test_the_decay_of_adamw_is_of_the_parameters_before_the_step(times, decay, on):
    """w = 2 and g = 3: the first step of Adam is rate * 3 / (3 + epsilon), whatever w is."""
    decays = {"weight_decay": 0.25, "decay_times_rate": times, "decay_on": on}
    rule = BETAS | {"name": "adamw", "learning_rate": 0.125, "form": "algorithm_1", **decays}
    reference = reference_of(experiment_of("diabetes-linear", training__optimizer=rule))
    reference.pairs = [(np.full((10, 1), 2.0), np.full(1, 2.0))]
    reference._update([(np.full((10, 1), 3.0), np.full(1, 3.0))], 0.125)
    step = 0.125 * 3 / 3.5
    W, b = reference.pairs[0]
    np.testing.assert_allclose(W, 2 - decay * 2 - step, rtol=1e-14)
    np.testing.assert_allclose(b, 2 - (decay * 2 if on == "all" else 0) - step, rtol=1e-14)
