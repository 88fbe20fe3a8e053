import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.loading import catalogue_names, load, parse
from harness.experiment.model import Experiment
from harness.start import BatchPlan, float32, initial_parameters, rounded, start_digest
from harness.start.parameters import TRUNCATED_STD
from tests.conftest import protocol


def plan_of(order: str, size: int, last: str, seed: int) -> BatchPlan:
    return BatchPlan.of(experiment_of(order, size, last), seed)


def experiment_of(order: str, size: int, last: str, epochs: int = 3) -> Experiment:
    batches = {"order": order} if order == "full" else {"order": order, "size": size, "last": last}
    return parse(
        protocol(
            "iris-softmax",
            training__batches=batches,
            training__length={"epochs": epochs},
            training__evaluation={"every_epochs": 60},
        ),
        "test",
    )


PLANS = (
    st.sampled_from(["full", "sequential", "shuffled", "with_replacement"]),
    st.integers(1, 105),
    st.sampled_from(["keep", "drop"]),
    st.integers(0, 2**40),
)


@given(*PLANS, st.data())
def test_segments_join_to_the_whole_plan(order, size, last, seed, draw):
    plan = plan_of(order, size, last, seed)
    whole = plan.segment(0, plan.steps)
    cut = draw.draw(st.integers(1, plan.steps))
    pieces = [plan.segment(0, cut)] + ([plan.segment(cut, plan.steps)] if cut < plan.steps else [])
    assert sum(len(piece) for piece in pieces) == plan.steps == len(whole)
    for name in ("rows", "sizes", "learning_rates"):
        if getattr(whole, name) is not None:
            joined = np.concatenate([getattr(piece, name) for piece in pieces])
            np.testing.assert_array_equal(joined, getattr(whole, name))


@given(*PLANS)
def test_an_epoch_has_the_rows_of_its_order(order, size, last, seed):
    plan = plan_of(order, size, last, seed)
    for epoch in range(2):
        first = epoch * plan.steps_per_epoch
        batches = plan.segment(first, first + plan.steps_per_epoch)
        if order == "full":
            assert batches.rows is None
            assert batches.sizes.tolist() == [105]
            continue
        assert batches.rows.dtype == batches.sizes.dtype == np.int32
        assert batches.rows.shape == (len(batches), size)
        used = np.concatenate(
            [rows[:count] for rows, count in zip(batches.rows, batches.sizes, strict=True)]
        )
        assert 0 <= used.min() <= used.max() < 105
        if order != "with_replacement":
            assert len(np.unique(used)) == len(used) == (105 if last == "keep" else len(used))
        if order == "sequential":
            np.testing.assert_array_equal(used, np.arange(len(used)))
        padding = np.concatenate(
            [rows[count:] for rows, count in zip(batches.rows, batches.sizes, strict=True)]
        )
        assert not padding.any()
        has_short_batch = experiment_of(order, size, last).has_short_batch
        assert has_short_batch == bool((batches.sizes < size).any())


def test_every_seed_and_epoch_has_another_order():
    orders = {
        tuple(plan_of("shuffled", 105, "keep", seed).segment(epoch, epoch + 1).rows.ravel())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_the_start_depends_on_experiment_and_seed_only():
    experiment = load("mnist-mlp")
    one, same, other = (initial_parameters(experiment, seed, "float32") for seed in (0, 0, 1))
    plan = BatchPlan.of(experiment, 0)
    for (W, b), (W_same, b_same) in zip(one, same, strict=True):
        np.testing.assert_array_equal(W, W_same)
        np.testing.assert_array_equal(b, b_same)
    assert start_digest(one, plan) == start_digest(same, plan) != start_digest(other, plan)


def test_a_known_start():
    """Pinned, because a change of the stream would silently change every result."""
    weights, biases = initial_parameters(load("xor-mlp"), 0, "float64")[0]
    generator = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0x57A27,)))
    np.testing.assert_array_equal(weights, generator.normal(size=(2, 2)))
    np.testing.assert_array_equal(biases, generator.normal(size=2))
    assert start_digest([(weights, biases)], None) == "63983c5ead4f8592"


INITIALIZERS = [
    ({"name": "zeros"}, 0.0, 0.0),
    ({"name": "normal", "mean": 1.0, "std": 0.5}, 1.0, 0.5),
    ({"name": "normal", "std": "1/sqrt(inputs)"}, 0.0, 1 / math.sqrt(784)),
    ({"name": "uniform", "low": -1.0, "high": 3.0}, 1.0, 4 / math.sqrt(12)),
    ({"name": "glorot_normal"}, 0.0, math.sqrt(2 / (784 + 1000))),
    ({"name": "glorot_uniform"}, 0.0, math.sqrt(2 / (784 + 1000))),
    ({"name": "he_normal"}, 0.0, math.sqrt(2 / 784)),
    ({"name": "he_uniform"}, 0.0, math.sqrt(2 / 784)),
    ({"name": "lecun_normal"}, 0.0, 1 / 28),
    ({"name": "lecun_uniform"}, 0.0, 1 / 28),
    ({"name": "lecun_truncated_normal"}, 0.0, 1 / 28),
    ({"name": "he_truncated_normal"}, 0.0, math.sqrt(2 / 784)),
    ({"name": "glorot_truncated_normal"}, 0.0, math.sqrt(2 / (784 + 1000))),
    ({"name": "truncated_normal", "mean": 1.0, "std": 0.5}, 1.0, 0.5 * TRUNCATED_STD),
]


@pytest.mark.parametrize(("initializer", "mean", "std"), INITIALIZERS, ids=lambda v: str(v)[:40])
def test_initializers_have_their_moments(initializer, mean, std):
    experiment = parse(protocol("mnist-wide", initializers__weights=initializer), "test")
    weights, biases = initial_parameters(experiment, 0, "float64")[0]
    assert weights.shape == (784, 1000)
    assert weights.mean() == pytest.approx(mean, abs=5 * std / math.sqrt(weights.size))
    assert weights.std() == pytest.approx(std, rel=0.01)
    assert not biases.any()
    if initializer["name"] in ("glorot_uniform", "he_uniform", "lecun_uniform"):
        assert np.abs(weights).max() <= std * math.sqrt(3)
    if "truncated" in initializer["name"]:
        assert np.abs(weights - mean).max() <= 2 * std / TRUNCATED_STD


def test_constants_are_the_stated_numbers():
    parameters = initial_parameters(load("fixed-forward"), 0, "float64")
    assert parameters[0][0].tolist() == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]
    assert parameters[2][1].tolist() == [0.1, 0.2]


def test_the_rate_decays_in_steps():
    schedule = {"name": "step_decay", "factor": 0.5, "every_epochs": 2}
    length = {"training__length": {"steps": 6}, "training__evaluation": {"every_steps": 6}}
    values = protocol("iris-softmax", quick=None, training__schedule=schedule, **length)
    experiment = parse(values, "test")
    rates = BatchPlan.of(experiment, 0).segment(0, 6).learning_rates
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025], rtol=1e-7)
    np.testing.assert_array_equal(rates, rates.astype(np.float32))


@pytest.mark.parametrize("name", [n for n in catalogue_names() if load(n).training])
def test_adapters_receive_constants_rounded_to_float32(name):
    experiment = load(name)
    optimizer = rounded(experiment.training.optimizer)
    for value in optimizer.model_dump().values():
        if isinstance(value, float):
            assert float(np.float32(value)) == value
    rates = BatchPlan.of(experiment, 0).segment(0, 2).learning_rates
    assert rates.tolist() == [float32(experiment.training.optimizer.learning_rate)] * 2
