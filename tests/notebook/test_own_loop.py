"""`harness.task`: the neutral start for a loop of one's own, and what its check shows."""

import numpy as np
import pytest

import harness
from harness.experiment.loading import load
from harness.parity.answer import AnswerError
from harness.report.chart_names import NoChartError
from harness.start import BatchPlan


def train(task, factor=1.0):
    """One layer with binary cross-entropy, by hand."""
    ((W, b),) = task.parameters
    losses = []
    for rows, rate in task.batches:
        x, y = task.inputs[rows], task.targets[rows]
        z = x @ W + b
        losses.append(np.mean(np.logaddexp(0, z) - y * z))
        d = factor * (1 / (1 + np.exp(-z)) - y) / len(x)
        W, b = W - rate * x.T @ d, b - rate * d.sum(axis=0)
    return losses, [(W, b)]


@pytest.fixture(scope="module")
def task():
    return harness.task("and", steps=12)


def test_a_right_loop(task):
    losses, parameters = train(task)
    verdict = task.check(losses=losses, parameters=parameters)
    assert verdict.same
    assert verdict.verdict == "same"
    assert list(verdict.rungs) == ["12 steps", "losses"]
    assert max(verdict.rungs.values()) < 1e-14
    assert "parameters at the start" in verdict.missing


def test_a_wrong_loop(task):
    losses, parameters = train(task, factor=2.0)
    verdict = task.check(losses=losses, parameters={12: parameters})
    assert verdict.different
    assert verdict.step == 1
    assert "the learning rate (or the gradient) is 2 times the given one" in verdict.causes
    assert str(verdict).startswith("different: ")


def test_losses_lie_beside_the_right_ones(task):
    losses, _ = train(task, factor=2.0)
    table = task.check(losses={1: losses[0], 5: losses[4]}).losses
    assert table.step.tolist() == [1, 5]
    assert table.difference[0] < 1e-14 < table.difference[1]
    assert task.check(losses=losses).losses.shape == (12, 4)


def test_the_chart_of_the_losses(task):
    losses, parameters = train(task)
    assert task.check(losses=losses).chart()._repr_svg_().startswith("<svg")
    with pytest.raises(NoChartError, match="nothing to draw"):
        task.check(parameters=parameters).chart()


def test_arrays_are_copies(task):
    for name in ("inputs", "targets", "test_inputs"):
        getattr(task, name)[:] = 7
        assert not (getattr(task, name) == 7).all()
    task.parameters[0][0][:] = 7
    task.batches[0].rows[:] = 7
    assert not (task.parameters[0][0] == 7).any()
    assert task.batches[0].rows.tolist() == [0, 1, 2, 3]


def test_short_batches_have_their_own_length():
    task = harness.task("digits-mlp", steps=50)
    experiment = load("digits-mlp")
    assert {len(batch.rows) for batch in task.batches} == {32, experiment.data.rows[0] % 32}
    plan = BatchPlan.of(experiment, 0).segment(0, 50)
    assert [batch.learning_rate for batch in task.batches] == plan.learning_rates.tolist()


def test_precision_and_seed():
    one, other = harness.task("and", seed=3, dtype="float32"), harness.task("and", seed=4)
    assert one.inputs.dtype == one.parameters[0][0].dtype == np.float32
    assert not np.array_equal(one.parameters[0][0], other.parameters[0][0])
    assert one.steps == 100


def test_a_network_that_only_predicts():
    task = harness.task("fixed-forward")
    assert (task.steps, task.batches, task.loss, task.optimizer) == (0, [], None, None)
    assert task.check(parameters=task.parameters).same


def test_it_shows_itself_escaped(task):
    assert "W (2, 1) and b (1,)" in repr(task)
    assert "<table>" in task._repr_html_()
    losses, _ = train(task, factor=2.0)
    assert "<script" not in task.check(losses=losses)._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps: must be a whole number, 1 to"),
        ({"steps": 2.5}, "steps: must be a whole number"),
        ({"seed": -1}, "seed: must be a whole number"),
        ({"seed": True}, "seed: must be a whole number"),
        ({"dtype": "float16"}, "dtype: 'float16' is not known. Did you mean"),
    ],
)
def test_what_a_task_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        harness.task("and", **arguments)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "nothing was handed back"),
        ({"losses": "abc"}, "losses: must be real numbers"),
        ({"losses": [None]}, "losses: must be numbers. Got None"),
        ({"parameters": np.zeros((2, 1))}, "parameters after step 12: must be a list of"),
        ({"losses": [0.1], "dtype": "float16"}, "dtype: 'float16'"),
    ],
)
def test_what_cannot_be_checked(task, values, message):
    with pytest.raises(ValueError, match=message):
        task.check(**values)


def test_tensors_are_read():
    class Tensor:
        """What PyTorch's tensors do: NumPy cannot read one that has a gradient."""

        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach first")

        def detach(self):
            return self

        def cpu(self):
            return np.asarray(self.values)

    task = harness.task("and", steps=12)
    losses, ((W, b),) = train(task)
    assert task.check(
        losses=[Tensor(loss) for loss in losses], parameters=[Tensor(W), Tensor(b)]
    ).same
    with pytest.raises(AnswerError, match="losses: "):
        task.check(losses=[Tensor("a")])
