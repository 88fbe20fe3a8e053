"""A source's seeded run, compared with plain loops of `RandomState` calls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.experiment.loading import parse
from harness.start import BatchPlan, initial_parameters
from tests.conftest import protocol

ROWS, SIZE, EPOCHS = 105, 20, 4


def experiment_of(
    order="shuffled", weights="inputs_first", between_epochs="reshuffle_each_epoch", **changes
):
    generator = {"name": "numpy_legacy", "seed": 7, "weights": weights}
    if order == "shuffled":
        generator["order"] = between_epochs
    return parse(
        protocol(
            "iris-softmax",
            network__layers=[
                {"units": 5, "activation": "relu"},
                {"units": 3, "activation": "identity"},
            ],
            initializers={
                "weights": {"name": "normal", "std": 0.5},
                "biases": {"name": "uniform", "low": -1.0, "high": 1.0},
            },
            generator=generator,
            training__batches={"order": order, "size": SIZE, "last": "keep"},
            training__length={"epochs": EPOCHS},
            training__evaluation={"every_epochs": 60},
            **changes,
        ),
        "test",
    )


def drawn_by_hand(seed, weights):
    random = np.random.RandomState(seed)
    layers = []
    for inputs, units in ((4, 5), (5, 3)):
        if weights == "inputs_first":
            W = random.randn(inputs, units) * 0.5
        else:
            W = (random.randn(units, inputs) * 0.5).T
        layers.append((W, random.uniform(-1, 1, units)))
    return random, layers


@pytest.mark.parametrize("weights", ["inputs_first", "outputs_first"])
@pytest.mark.parametrize("trial_seed", [0, 3])
def test_parameters_equal_the_sources(weights, trial_seed):
    parameters = initial_parameters(experiment_of(weights=weights), trial_seed, "float64")
    _, expected = drawn_by_hand(7 + trial_seed, weights)
    for (W, b), (their_W, their_b) in zip(parameters, expected, strict=True):
        np.testing.assert_array_equal(W, their_W)
        np.testing.assert_array_equal(b, their_b)
        assert W.flags.c_contiguous


@pytest.mark.parametrize("weights", ["inputs_first", "outputs_first"])
@pytest.mark.parametrize("between_epochs", ["reshuffle_each_epoch", "continue_shuffling"])
def test_orders_are_drawn_after_the_parameters(weights, between_epochs):
    random, _ = drawn_by_hand(7, weights)
    order = np.arange(ROWS)
    expected = []
    for _ in range(EPOCHS):
        if between_epochs == "reshuffle_each_epoch":
            order = np.arange(ROWS)
        random.shuffle(order)
        expected += [order[first : first + SIZE].tolist() for first in range(0, ROWS, SIZE)]
    plan = BatchPlan.of(experiment_of(weights=weights, between_epochs=between_epochs), 0)
    batches = plan.segment(0, plan.steps)
    rows = [rows[:n].tolist() for rows, n in zip(batches.rows, batches.sizes, strict=True)]
    assert rows == expected
    assert batches.rows.dtype == np.int32


def test_draws_with_replacement_are_choices():
    random, _ = drawn_by_hand(9, "inputs_first")
    plan = BatchPlan.of(experiment_of("with_replacement"), 2)
    expected = [random.choice(ROWS, SIZE) for _ in range(plan.steps)]
    np.testing.assert_array_equal(plan.segment(0, plan.steps).rows, expected)


def test_zeros_and_constants_draw_nothing():
    initializers = {"weights": {"name": "zeros"}, "biases": {"name": "constant", "value": 1.0}}
    plan = BatchPlan.of(experiment_of().model_copy(update=_parsed(initializers)), 0)
    order = np.arange(ROWS)
    np.random.RandomState(7).shuffle(order)
    assert plan.segment(0, 1).rows[0].tolist() == order[:SIZE].tolist()


def _parsed(initializers):
    return {"initializers": parse(protocol(initializers=initializers), "test").initializers}


@given(
    st.lists(st.tuples(st.integers(0, EPOCHS * 6 - 1), st.integers(1, 12)), max_size=6),
    st.sampled_from(["shuffled", "with_replacement"]),
    st.sampled_from(["reshuffle_each_epoch", "continue_shuffling"]),
)
@settings(max_examples=50)
def test_segments_are_right_in_any_order(cuts, order, between_epochs):
    plan = BatchPlan.of(experiment_of(order, between_epochs=between_epochs), 1)
    whole = plan.segment(0, plan.steps)
    for first, length in cuts:
        last = min(first + length, plan.steps)
        piece = plan.segment(first, last)
        np.testing.assert_array_equal(piece.rows, whole.rows[first:last])
        np.testing.assert_array_equal(piece.sizes, whole.sizes[first:last])


def test_reading_in_order_draws_every_epoch_once(monkeypatch):
    from harness.start import batches, random_state

    draws = []
    draw = random_state.EpochDraws._draw
    monkeypatch.setattr(
        random_state.EpochDraws, "_draw", lambda self: draws.append(0) or draw(self)
    )
    random_state.epoch_draws.cache_clear()
    batches._epoch.cache_clear()
    plan = BatchPlan.of(experiment_of(between_epochs="continue_shuffling"), 5)
    for step in range(plan.steps):
        plan.segment(step, step + 1)
    assert len(draws) == EPOCHS


def test_a_seed_that_is_too_large_for_numpy():
    with pytest.raises(ValueError, match=r"below 2\*\*32"):
        initial_parameters(experiment_of(), 2**32, "float64")


def test_sequential_batches_need_no_draw():
    plan = BatchPlan.of(experiment_of("sequential"), 0)
    assert plan.segment(0, 1).rows[0].tolist() == list(range(SIZE))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_may_start_differently(dtype):
    initializers = {
        "weights": [{"name": "inverse_root_uniform"}, {"name": "zeros"}],
        "biases": [{"name": "inverse_root_uniform"}, {"name": "constant", "value": 0.25}],
    }
    experiment = parse(protocol("digits-mlp", initializers=initializers), "test")
    (W1, b1), (W2, b2) = initial_parameters(experiment, 0, dtype)
    for drawn in (W1, b1):
        assert drawn.dtype == dtype
        assert 0.1 < np.abs(drawn).max() <= 1 / 8  # 64 inputs
        assert drawn.min() < 0 < drawn.max()
    assert not W2.any()
    assert (b2 == 0.25).all()


def test_exact_constants_are_the_numbers_as_written():
    decay = {"name": "step_decay", "factor": 0.3, "every_steps": 2}
    for constants, convert in (("exact", float), ("float32", lambda x: float(np.float32(x)))):
        changes = {
            "constants": constants,
            "training__schedule": decay,
            "training__length": {"steps": 4},
            "training__evaluation": {"every_steps": 4},
            "quick": None,
        }
        experiment = parse(protocol("iris-softmax", **changes), "test")
        rates = BatchPlan.of(experiment, 0).segment(0, 4).learning_rates
        rate = experiment.training.optimizer.learning_rate
        expected = [convert(rate * 0.3**power) for power in (0, 0, 1, 1)]
        assert rates.tolist() == expected
