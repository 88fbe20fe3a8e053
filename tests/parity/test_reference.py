"""The oracle is proven on its own: finite differences, one step by hand, golden numbers."""

import itertools
import math

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness import data
from harness.experiment.gradients import MaxNorm
from harness.experiment.loading import load
from harness.experiment.losses import Loss
from harness.parity.loss_functions import of_values
from harness.parity.reference import Reference
from harness.parity.reference_updates import clipped, constrained
from harness.scoring import loss_of
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
LATER_LOSSES = [
    {
        "name": "softmax_cross_entropy",
        "batch": "mean",
        "label_smoothing": {"amount": 0.2, "shared_by": "other_classes"},
    },
    {
        "name": "softmax_cross_entropy",
        "batch": "mean",
        "class_weights": {"values": [0.5 + k / 4 for k in range(10)], "mean_over": "weights"},
    },
    {
        "name": "binary_cross_entropy",
        "batch": "mean",
        "outputs": "mean",
        "label_smoothing": {"amount": 0.2, "shared_by": "all_classes"},
    },
    {"name": "mean_absolute_error", "batch": "sum", "outputs": "mean"},
    {"name": "huber", "delta": 0.25, "over_delta": False, "batch": "mean", "outputs": "sum"},
    {"name": "huber", "delta": 0.25, "over_delta": True, "batch": "mean", "outputs": "mean"},
    {"name": "log_cosh", "batch": "sum", "outputs": "sum"},
    {"name": "hinge", "batch": "mean", "outputs": "mean"},
    {"name": "squared_hinge", "batch": "mean", "outputs": "sum"},
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
@pytest.mark.parametrize(
    ("loss", "activation"),
    [*itertools.product(LOSSES, ACTIVATIONS), *((loss, "tanh") for loss in LATER_LOSSES)],
    ids=lambda part: "-".join(map(str, part.values())) if isinstance(part, dict) else part,
)
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
        **({"data__target_values": [-1.0, 1.0]} if "hinge" in loss["name"] else {}),
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


OF_VALUES = [
    # y, a, and what each loss and its derivative by a are there
    ({"name": "mean_absolute_error"}, 2.0, 0.5, 1.5, -1),
    ({"name": "mean_absolute_error"}, 2.0, 2.0, 0, 0),
    ({"name": "huber", "delta": 0.5, "over_delta": False}, 2.0, 2.25, 0.03125, 0.25),
    ({"name": "huber", "delta": 0.5, "over_delta": False}, 2.0, 4.0, 0.875, 0.5),
    ({"name": "huber", "delta": 0.5, "over_delta": True}, 2.0, 4.0, 1.75, 1),
    ({"name": "log_cosh"}, 0.0, math.log(2), math.log(1.25), 0.6),
    ({"name": "hinge"}, -1.0, 0.5, 1.5, 1),
    ({"name": "hinge"}, 1.0, 1.0, 0, 0),
    ({"name": "hinge"}, 1.0, 0.75, 0.25, -1),
    ({"name": "squared_hinge"}, 1.0, 0.5, 0.25, -1),
    ({"name": "squared_hinge"}, -1.0, -2.0, 0, 0),
]


@pytest.mark.parametrize(("stated", "y", "a", "value", "slope"), OF_VALUES)
def test_losses_of_values_by_hand(stated, y, a, value, slope):
    loss = TypeAdapter(Loss).validate_python(stated | {"batch": "mean", "outputs": "mean"})
    outputs, targets = np.array([[a]]), np.array([[y]])
    losses, slopes = of_values(loss, outputs, targets)
    assert losses.item() == pytest.approx(value, abs=1e-15)
    assert slopes.item() == pytest.approx(slope, abs=1e-15)
    assert loss_of(outputs, targets, loss) == pytest.approx(value, abs=1e-15)


THREE = {"name": "softmax_cross_entropy", "batch": "mean"}
Z, LABELS = np.log([[1.0, 1.0, 2.0], [1.0, 3.0, 4.0]]), np.array([2, 0])
"""Softmax: (1/4, 1/4, 1/2) and (1/8, 3/8, 1/2)."""
TO_ALL, TO_OTHERS = ({"amount": 0.3, "shared_by": f"{who}_classes"} for who in ("all", "other"))
LOG = math.log
WEIGHTS = [5.0, 1.0, 3.0]
OF_CLASSES = [
    (
        {"label_smoothing": TO_ALL},
        (0.2 * LOG(4) + 0.9 * LOG(2) + 0.8 * LOG(8) + 0.1 * LOG(8 / 3)) / 2,
    ),
    (
        {"label_smoothing": TO_OTHERS},
        (0.3 * LOG(4) + 0.85 * LOG(2) + 0.7 * LOG(8) + 0.15 * LOG(8 / 3)) / 2,
    ),
    (
        {"class_weights": {"values": WEIGHTS, "mean_over": "weights"}},
        (3 * LOG(2) + 5 * LOG(8)) / 8,
    ),
    (
        {"class_weights": {"values": WEIGHTS, "mean_over": "rows"}},
        (3 * LOG(2) + 5 * LOG(8)) / 2,
    ),
    ({"class_weights": {"values": WEIGHTS}, "batch": "sum"}, 3 * LOG(2) + 5 * LOG(8)),
]


@pytest.mark.parametrize(("stated", "value"), OF_CLASSES)
def test_smoothed_labels_and_weights_by_hand(stated, value):
    experiment = experiment_of("iris-softmax", training__loss=THREE | stated, constants="exact")
    found, _ = reference_of(experiment)._output_loss(Z, LABELS, 2)
    assert found == pytest.approx(value, rel=1e-14)
    assert loss_of(Z, LABELS, experiment.loss) == pytest.approx(value, rel=1e-14)


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


def gradients_of_5_and_12(experiment):
    """An oracle of one linear unit, with gradients 3 and 4 (weights) and 12 (its bias)."""
    reference = reference_of(experiment)
    W = np.zeros((10, 1))
    W[:2, 0] = 3.0, 4.0
    return reference, [(W, np.full(1, 12.0))]


@pytest.mark.parametrize(
    ("clipping", "weights", "bias"),
    [
        ({"name": "value", "bound": 3.5}, (3, 3.5), 3.5),
        ({"name": "array_norm", "bound": 10.0, "epsilon": 0.0}, (3, 4), 10),
        ({"name": "array_norm", "bound": 2.0, "epsilon": 0.5}, (6 / 5.5, 8 / 5.5), 24 / 12.5),
        ({"name": "global_norm", "bound": 6.5, "epsilon": 0.0}, (1.5, 2), 6),
        (
            {"name": "global_norm", "bound": 6.5, "epsilon": 0.5},
            (19.5 / 13.5, 26 / 13.5),
            78 / 13.5,
        ),
        ({"name": "global_norm", "bound": 20.0, "epsilon": 0.0}, (3, 4), 12),
    ],
)
def test_clipped_gradients_by_hand(clipping, weights, bias):
    """The norm of (3, 4) is 5, that of (12) is 12, and that of all together is 13."""
    experiment = experiment_of("diabetes-linear", training__clipping=clipping)
    reference, gradients = gradients_of_5_and_12(experiment)
    ((W, b),) = clipped(reference.clipping, gradients)
    np.testing.assert_allclose(W[:2, 0], weights, rtol=1e-14)
    np.testing.assert_allclose(b, bias, rtol=1e-14)


@pytest.mark.parametrize(
    ("max_norm", "expected"),
    [
        ({"of": "units", "epsilon": 0.5, "form": "every_norm"}, ((6 / 5.5, 1 / 1.5), (8 / 5.5, 0))),
        ({"of": "units", "epsilon": 0.5, "form": "beyond_bound"}, ((6 / 5.5, 1), (8 / 5.5, 0))),
        ({"of": "inputs", "epsilon": 0.0, "form": "beyond_bound"}, ((3.6**0.5, 0.4**0.5), (2, 0))),
    ],
)
def test_bounded_norms_by_hand(max_norm, expected):
    """Columns (3, 4) and (1, 0) have norms 5 and 1, rows (3, 1) and (4, 0) root 10 and 4."""
    stated = MaxNorm(bound=2.0, **max_norm)
    pairs = [(np.array([[3.0, 1.0], [4.0, 0.0]]), np.array([9.0, 9.0]))]
    ((W, b),) = constrained(stated, pairs)
    np.testing.assert_allclose(W, expected, rtol=1e-14)
    assert (b == 9).all()


@pytest.mark.parametrize("includes", [True, False])
def test_a_penalty_is_clipped_or_added_after_the_clipping(includes):
    l2 = {"strength": 4.0, "half": True, "per_row": False, "on": "all"}
    clipping = {"name": "value", "bound": 0.25, "includes_penalty": includes}
    experiment = experiment_of("digits-mlp", training__l2=l2, training__clipping=clipping)
    reference = reference_of(experiment)
    x, y = np.asarray(reference.inputs[:9]), reference.targets[:9]
    _, data_gradients = reference._data_loss(x, y, 9)
    _, found = reference.loss_and_gradients(x, y, 9, reference.clipping)
    for (dW, _), (right, _), (W, _) in zip(found, data_gradients, reference.pairs, strict=True):
        alone = np.clip(right, -0.25, 0.25) + 4 * W
        whole = np.clip(right + 4 * W, -0.25, 0.25)
        np.testing.assert_allclose(dW, whole if includes else alone, rtol=1e-13, atol=1e-15)
        assert not np.allclose(whole, alone)


@pytest.mark.parametrize("on", ["weights", "all"])
def test_the_gradient_of_an_l1_penalty_is_a_sign_and_0_at_0(on):
    l1 = {"strength": 0.5, "per_row": True, "on": on}
    reference = reference_of(experiment_of("digits-mlp", training__l1=l1))
    reference.pairs[0][0][0, :3] = 1.5, -2.0, 0.0
    penalty, ((dW, db), _) = reference._penalty(8)
    np.testing.assert_allclose(dW[0, :3], [0.5 / 8, -0.5 / 8, 0])
    assert not db.any()  # its biases are 0
    sizes = sum(np.abs(W).sum() for W, _ in reference.pairs)
    assert penalty == pytest.approx(0.5 / 8 * sizes, rel=1e-14)
