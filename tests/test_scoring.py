import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.prepared import Subset
from harness.experiment.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from harness.scoring import accuracy_of, loss_of, score, sigmoid

BCE = BinaryCrossEntropy(name="binary_cross_entropy", batch="mean", outputs="mean")
SOFTMAX = SoftmaxCrossEntropy(name="softmax_cross_entropy", batch="mean")


def test_a_tie_is_class_0_for_any_rounding():
    outputs = np.array([[-1e-9], [0.0], [1e-9], [3.9e-6], [4.1e-6]])
    assert accuracy_of(outputs, np.array([0, 0, 0, 0, 1])) == 1.0


def test_argmax_for_several_outputs():
    outputs = np.array([[0.1, 3.0, 2.0], [5.0, -1.0, 4.9]])
    assert accuracy_of(outputs, np.array([1, 2])) == 0.5


def test_the_meaning_of_outputs_decides_threshold_and_loss():
    half = MeanSquaredError(name="mean_squared_error", half=True, batch="mean", outputs="mean")
    bits = np.array([[0.0], [1.0]])
    subset = Subset(np.zeros((2, 1)), bits, np.array([0, 1]))
    outputs = np.array([[0.4], [0.6]])
    assert score(outputs, subset, half) == (pytest.approx(0.08), 1.0)  # values
    assert score(outputs, subset, BCE)[1] == 0.5  # logits: both are above 0
    assert score(outputs, subset, BCE, "values") == (None, 1.0)
    assert score(outputs, subset, half, "logits") == (None, 0.5)
    assert score(outputs, subset, BCE, "scores") == (None, 0.5)


def test_without_a_loss_the_largest_output_is_the_class():
    subset = Subset(np.zeros((2, 1)), np.array([1, 2]), np.array([1, 2]))
    outputs = np.array([[0.1, 3.0, 2.0], [5.0, -1.0, 4.9]])
    assert score(outputs, subset, None) == (None, 0.5)
    assert score(outputs[:, :1], subset, None) == (None, None)  # of one output nothing is known


def test_losses_by_hand():
    z = np.array([[0.0, np.log(3.0)]])
    assert loss_of(z, np.array([1]), SOFTMAX) == pytest.approx(np.log(4 / 3))
    y = np.array([[1.0, 0.0]])
    bce = np.log(2) + np.log(4)  # -log 1/2 and -log(1 - 3/4)
    for outputs, value in (("sum", bce), ("mean", bce / 2)):
        loss = BinaryCrossEntropy(name="binary_cross_entropy", batch="mean", outputs=outputs)
        assert loss_of(z, y, loss) == pytest.approx(value)
    for half, value in ((False, 5.0), (True, 2.5)):
        loss = MeanSquaredError(name="mean_squared_error", half=half, batch="sum", outputs="sum")
        assert loss_of(np.array([[1.0], [2.0]]), np.zeros((2, 1)), loss) == value


@given(st.lists(st.floats(-800, 800), min_size=2, max_size=6))
def test_losses_never_overflow(logits):
    z = np.array([logits])
    assert np.isfinite(loss_of(z, np.array([0]), SOFTMAX))
    assert np.isfinite(loss_of(z, np.ones_like(z), BCE))
    assert ((sigmoid(z) >= 0) & (sigmoid(z) <= 1)).all()
