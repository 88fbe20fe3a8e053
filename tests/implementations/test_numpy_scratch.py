"""The from-scratch network against finite differences and a step worked by hand."""

import math

import numpy as np
import pytest

from harness.scoring import loss_of
from harness.start import BatchPlan
from implementations.numpy_scratch import NumpyTrainer, optimizers
from tests.implementations.tasks import advance, experiment_of, task_of

LOSSES = {
    "softmax": {"name": "softmax_cross_entropy", "batch": "mean"},
    "softmax-sum": {"name": "softmax_cross_entropy", "batch": "sum"},
    "sigmoid": {"name": "binary_cross_entropy", "batch": "mean", "outputs": "sum"},
    "sigmoid-mean": {"name": "binary_cross_entropy", "batch": "sum", "outputs": "mean"},
    "squared": {"name": "mean_squared_error", "half": False, "batch": "mean", "outputs": "mean"},
    "squared-half": {"name": "mean_squared_error", "half": True, "batch": "sum", "outputs": "sum"},
}
WEIGHTS = {"values": [0.5 + k / 4 for k in range(10)], "mean_over": "weights"}
SMOOTHING = {"amount": 0.125, "shared_by": "other_classes"}
LATER_LOSSES = {
    "weighted": LOSSES["softmax"] | {"class_weights": WEIGHTS},
    "smoothed": LOSSES["softmax"] | {"label_smoothing": SMOOTHING},
    "smoothed-sigmoid": LOSSES["sigmoid"] | {"label_smoothing": SMOOTHING},
    "huber": LOSSES["sigmoid"] | {"name": "huber", "delta": 0.25, "over_delta": True},
    "log-cosh": LOSSES["sigmoid-mean"] | {"name": "log_cosh"},
}
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


def gradient_experiment(loss, activation, bias=True):
    slope = {"slope": 0.25} if activation == "leaky_relu" else {}
    return experiment_of(
        "digits-mlp",
        network__layers=[
            {"units": 5, "activation": activation, "bias": bias, **slope},
            {"units": 4, "activation": activation, **slope},
            {"units": 10, "activation": "identity"},
        ],
        training__loss=loss,
        training__optimizer={"name": "sgd", "learning_rate": 1.0},
        training__batches={"order": "shuffled", "size": 7, "last": "keep"},
    )


@pytest.mark.parametrize("rows_at_once", [1_000, 3], ids=["whole", "in blocks"])
@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        *(pytest.param(LOSSES[n], a, id=f"{n}-{a}") for n in LOSSES for a in ACTIVATIONS),
        *(pytest.param(loss, "tanh", id=name) for name, loss in LATER_LOSSES.items()),
    ],
)
def test_gradients_are_those_of_finite_differences(loss, activation, rows_at_once, monkeypatch):
    """One SGD step of seven rows with rate 1 shows the gradient: start minus end."""
    monkeypatch.setattr("implementations.numpy_scratch.trainer.ROWS_AT_ONCE", rows_at_once)
    experiment = gradient_experiment(loss, activation)
    task = task_of(experiment, "stepwise")
    trainer = NumpyTrainer(task)
    rows = BatchPlan.of(experiment, 0).segment(0, 1).rows[0]
    x, y = task.inputs[rows], task.targets[rows]

    def loss_at(index, position, shift):
        moved = NumpyTrainer(task)
        values = [v for pair in ((la.W, la.b) for la in moved.layers) for v in pair]
        values[index].ravel()[position] += shift
        return loss_of(moved.predict(x), y, experiment.loss)

    before = [v for pair in task.parameters for v in pair]
    advance(trainer, experiment, 1)
    after = [v for pair in trainer.parameters() for v in pair]
    generator = np.random.default_rng(1)
    for index, (start, end) in enumerate(zip(before, after, strict=True)):
        gradient = (start - end).ravel()
        for position in generator.choice(gradient.size, min(6, gradient.size), replace=False):
            h = 1e-6
            slope = (loss_at(index, position, h) - loss_at(index, position, -h)) / (2 * h)
            assert gradient[position] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_one_step_by_hand():
    """2-1 network, XOR, all weights 0: p = 1/2 everywhere, so dL/dz = (1/2 - y) / 4.

    dW = x^T dz = [(1/2 - 1/2) / 4, ...] = 0 by symmetry, db = sum dz = 0, L = log 2.
    For AND dz = [1, 1, 1, -1] / 8: dW = [0, 0], db = 1/4; after rate 0.1, b = -0.025.
    """
    zeros = {"weights": {"name": "zeros"}, "biases": {"name": "zeros"}}
    for gate, bias in (("xor-single", 0.0), ("and", -0.025)):
        experiment = experiment_of(gate, initializers=zeros)
        trainer = NumpyTrainer(task_of(experiment, "stepwise"))
        (loss,) = advance(trainer, experiment, 1)[0]
        (weights, biases) = trainer.parameters()[0]
        assert loss == pytest.approx(math.log(2))
        np.testing.assert_allclose(weights, 0, atol=1e-17)
        assert biases[0] == pytest.approx(bias, rel=1e-6)


@pytest.mark.parametrize("form", ["algorithm_1", "epsilon_hat"])
def test_two_steps_of_adam_as_the_paper_writes_them(form):
    from harness.trainer import Adam

    rule = Adam(name="adam", learning_rate=0.1, beta1=0.9, beta2=0.99, epsilon=0.01, form=form)
    w, g = np.array([1.0, -2.0]), np.zeros(2)
    update = optimizers.make(rule, w, g)
    m = v = np.zeros(2)
    expected = w.copy()
    for t, gradient in enumerate(([0.5, -1.0], [0.25, 3.0]), start=1):
        g[:] = gradient
        update.update(0.1)
        m = 0.9 * m + 0.1 * np.array(gradient)
        v = 0.99 * v + 0.01 * np.square(gradient)
        c1, c2 = 1 - 0.9**t, 1 - 0.99**t
        if form == "algorithm_1":
            expected -= 0.1 * (m / c1) / (np.sqrt(v / c2) + 0.01)
        else:
            expected -= 0.1 * math.sqrt(c2) / c1 * m / (np.sqrt(v) + 0.01)
        np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_the_optimizer_walks_every_block():
    from harness.trainer import Momentum

    size = 2 * optimizers.BLOCK + 3
    w, g = np.zeros(size), np.ones(size)
    rule = optimizers.make(Momentum(name="momentum", learning_rate=1.0, momentum=0.5), w, g)
    rule.update(1.0)
    g[:] = 1
    rule.update(1.0)
    np.testing.assert_array_equal(w, -2.5)  # 1, then 0.5 * 1 + 1


@pytest.mark.parametrize(
    ("units", "batches"),
    [
        (2048, {"order": "shuffled", "size": 100, "last": "keep"}),
        (32, {"order": "full"}),
    ],
    ids=["a wide network", "all rows"],
)
def test_a_step_allocates_nothing_of_the_networks_or_the_datas_size(units, batches):
    """All that is left is NumPy's own conversion buffer, whose size is fixed."""
    import tracemalloc

    experiment = experiment_of(
        "digits-mlp",
        network__layers=[
            {"units": units, "activation": "relu"},
            {"units": 10, "activation": "identity"},
        ],
        training__batches=batches,
    )
    task = task_of(experiment, "stepwise", "float32")
    trainer = NumpyTrainer(task)
    advance(trainer, experiment, 2)
    plan = BatchPlan.of(experiment, 0).segment(2, 12)
    peaks = []
    for _ in range(3):  # Python now and then keeps something of its own
        tracemalloc.start()
        trainer.advance(plan)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < max(experiment.network.parameter_count * 4, task.inputs.nbytes) / 10
