"""A plain loop is a yardstick only if it does the same work: it must give the same losses.

All frameworks in one process, as in the conformance tests: nothing is timed here.
"""

import importlib

import numpy as np
import pytest

from harness import start
from harness.experiment.loading import load
from harness.registry import find
from harness.trainer import Task
from tests.bench.__main__ import EXPERIMENTS, FRAMEWORKS
from tests.conftest import BRIEF, COMPILING, skip_without

STEPS = 20
ROWS = 500


def random_task(experiment, loop):
    """A task of the experiment's shape on random data: no dataset is needed."""
    generator = np.random.default_rng(0)
    inputs = generator.random((ROWS, experiment.network.inputs), np.float32)
    outputs = experiment.network.outputs
    if outputs > 1:
        targets = generator.integers(outputs, size=ROWS, dtype=np.int32)
    else:
        targets = generator.integers(2, size=(ROWS, 1)).astype(np.float32)
    return Task(
        network=start.given_network(experiment),
        loss=experiment.loss,
        l2=None,
        optimizer=start.rounded(experiment.training.optimizer),
        parameters=start.initial_parameters(experiment, 0, "float32"),
        inputs=inputs,
        targets=targets,
        batch_size=ROWS if experiment.training.batches.order == "full" else experiment.batch_size,
        has_short_batch=False,
        loop=loop,
        dtype="float32",
        device="cpu",
        threads=1,
    )


def random_batches(experiment):
    plan = start.BatchPlan.of(experiment, 0).segment(0, STEPS)
    if plan.rows is not None:
        return type(plan)(plan.rows % ROWS, plan.sizes, plan.learning_rates)
    return type(plan)(None, np.full(STEPS, ROWS, np.int32), plan.learning_rates)


PAIRS = [
    pytest.param(
        name,
        framework,
        id=f"{name}-{framework}",
        marks=[pytest.mark.full_product] if framework in (*COMPILING, *BRIEF) else [],
    )
    for name in EXPERIMENTS
    for framework in FRAMEWORKS
]


@pytest.mark.parametrize(("name", "framework"), PAIRS)
def test_plain_loop_and_adapter_give_the_same_losses(name, framework):
    skip_without(framework)
    experiment, entered = load(name), find(framework)
    task = random_task(experiment, entered.loop_that_starts_fast)
    batches = random_batches(experiment)
    trainer = entered.load()(task)
    trainer.stage(batches)
    train = importlib.import_module(f"tests.bench.loops.{framework}_loop").make(
        [(W.copy(), b.copy()) for W, b in task.parameters],
        task.inputs,
        task.targets,
        experiment.network.dense_layers[0].activation,
        adam=experiment.training.optimizer.name == "adam",
    )
    expected = trainer.advance(batches)
    np.testing.assert_allclose(train(batches.rows, STEPS), expected, rtol=1e-4)
    assert expected[0] != expected[-1]


@pytest.mark.full_product
@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("name", ["mnist-mlp", "xor-mlp"])
def test_fit_with_many_steps_per_execution_does_the_same_work(name, monkeypatch):
    skip_without("keras")
    from tests.bench.loops import keras_loop

    monkeypatch.setattr(keras_loop, "STEPS_PER_EXECUTION", 8)
    experiment, entered = load(name), find("keras")
    task, batches = random_task(experiment, "fused"), random_batches(experiment)
    trainer = entered.load()(task)
    trainer.advance(batches)
    (make_fit,) = keras_loop.ALSO.values()
    train = make_fit(
        [(W.copy(), b.copy()) for W, b in task.parameters],
        task.inputs,
        task.targets,
        experiment.network.dense_layers[0].activation,
        adam=experiment.training.optimizer.name == "adam",
    )(batches.rows, STEPS)
    expected = [v for pair in trainer.parameters() for v in pair if v is not None]
    for got, wanted in zip(train(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)
