"""`samestep step`: the numbers follow from each other, and the text shows them."""

import numpy as np
import pytest

from harness.experiment.loading import load
from harness.lesson.worked_step import work_through
from harness.lesson.worked_step_text import MOST_COLUMNS, lines_of

EXPERIMENTS = ("xor-mlp", "xor-deep", "iris-softmax", "diabetes-linear", "digits-mlp")


@pytest.mark.parametrize("number", [1, 7])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_numbers_follow_from_each_other(name, number):
    step = work_through(load(name), 0, number)
    training, below = step.training, step.inputs
    for index, (W, b) in enumerate(step.before):
        np.testing.assert_allclose(step.sums[index], below @ W + b, rtol=1e-12, atol=1e-12)
        dW, db = training.gradients[index]
        np.testing.assert_allclose(dW, below.T @ training.deltas[index], atol=1e-14)
        np.testing.assert_allclose(db, training.deltas[index].sum(axis=0), atol=1e-14)
        after, _ = training.after[index]
        if step.experiment.training.optimizer.name == "sgd":
            np.testing.assert_allclose(after, W - training.rate * dW, rtol=1e-12)
        below = step.values[index]


def test_delta_of_a_layer_comes_from_the_layer_above():
    step = work_through(load("xor-mlp"), 3, 2)
    (_, (W2, _)), (d1, d2), a1 = step.before, step.training.deltas, step.values[0]
    np.testing.assert_allclose(d1, d2 @ W2.T * a1 * (1 - a1), rtol=1e-12)
    p = 1 / (1 + np.exp(-step.sums[1]))
    np.testing.assert_allclose(d2, (p - step.training.targets) / 4, rtol=1e-12)


def test_a_step_begins_where_the_one_before_ended():
    first, second = (work_through(load("xor-mlp"), 0, number) for number in (1, 2))
    assert first.training.loss_after == pytest.approx(second.training.loss, rel=1e-15)
    np.testing.assert_array_equal(first.training.after[0][0], second.before[0][0])


def test_a_blackboard_of_xor():
    lines = lines_of(work_through(load("xor-mlp"), 0, 1), rows=4)
    assert lines[1] == "network 2-2-1, seed 0, step 1 of 10,001, 4 rows; computed in float64"
    titles = [line.split("  (")[0].strip() for line in lines if line.rstrip().endswith(")")]
    for title in ("z1 = x W1 + b1", "a1 = sigmoid(z1)", "y, the targets", "d2 = (p - y) / 4",
                  "d1 = d2 W2^T * sigmoid'(z1)", "dW1 = x^T d1", "W2 after the step"):  # fmt: skip
        assert title in titles
    at = next(number for number, line in enumerate(lines) if "d2 = " in line)
    shown = [float(line) for line in lines[at + 1 : at + 5]]
    exact = work_through(load("xor-mlp"), 0, 1).training.deltas[1].ravel()
    np.testing.assert_allclose(shown, exact, atol=5e-5)


def test_a_large_array_is_shown_where_its_inputs_are():
    step = work_through(load("digits-mlp"), 0, 1)
    lines = lines_of(step, rows=2)
    inputs = next(line for line in lines if line.startswith("  x "))
    first, last = inputs.split("columns ")[1].split(" to ")
    assert int(last) - int(first) + 1 == MOST_COLUMNS
    weights = next(line for line in lines if line.startswith("  W1 "))
    assert f"rows {first} to {last}" in weights
    at = lines.index(weights)
    shown = [float(number) for number in lines[at + 1].split()]
    W1 = step.before[0][0]
    np.testing.assert_allclose(shown, W1[int(first) - 1, :MOST_COLUMNS], atol=5e-5)


def test_a_network_that_only_predicts_has_a_forward_pass():
    lines = lines_of(work_through(load("fixed-forward"), 0, 1), rows=5)
    assert "it does not train" in lines[1]
    assert "0.3168" in lines[-2]  # printed in the post
    assert not any(line.startswith(("Loss", "Backward", "Update")) for line in lines)


def test_what_a_rule_remembers_is_said(variant):
    adam = {"name": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999,
            "epsilon": 1e-8, "form": "algorithm_1"}  # fmt: skip
    text = "\n".join(lines_of(work_through(variant(training__optimizer=adam), 0, 3), rows=1))
    assert "comes from the 2 steps before" in text
    assert "m = 0.9 m + (1 - 0.9) g" in text


@pytest.mark.parametrize(
    "penalty",
    [
        {"training__l1": {"strength": 0.5, "per_row": False, "on": "all"}},
        {"training__l2": {"strength": 0.5, "half": True, "per_row": False, "on": "all"}},
    ],
)
def test_what_a_penalty_adds_is_said(variant, penalty):
    step = work_through(variant("iris-softmax", quick=None, native=None, **penalty), 0, 2)
    line = next(line for line in lines_of(step, rows=1) if line.startswith("  dW1 = "))
    assert "+ the penalty's" in line
    dW, _ = step.training.gradients[0]
    assert not np.allclose(dW, step.inputs.T @ step.training.deltas[0])


def test_a_protocol_that_diverges_is_printed(variant):
    far = variant("diabetes-linear", training__optimizer={"name": "sgd", "learning_rate": 1e30})
    lines = lines_of(work_through(far, 0, 20), rows=4)
    assert any("nan" in line for line in lines)


def test_the_command(invoke):
    shown = invoke("step", "xor-mlp", "--number", "2", "--rows", "1")
    assert shown.exit_code == 0
    assert "(4, 2), of which row 1" in shown.output
    for options, words in (
        (("xor-mlp", "--number", "10002"), "--number: xor-mlp has the steps 1 to 10,001"),
        (("xor-nlp",), "xor-mlp"),
    ):
        refused = invoke("step", *options)
        assert refused.exit_code == 2
        assert words in refused.output
