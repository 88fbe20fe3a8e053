"""Trainings of the lesson: those of the oracle, whether one start or many."""

import numpy as np
import pytest

from harness.lesson import oracle_run
from harness.lesson.many_starts import train_many
from harness.lesson.oracle_run import changed, exact
from harness.lesson.worked_step import work_through


def test_a_training_is_what_steps_show():
    run = oracle_run.train(exact("xor-mlp"), steps=8, keep=(3,))
    step = work_through(exact("xor-mlp"), 0, 4)
    assert run.losses[3] == step.training.loss
    for kept, before in zip(run.parameters[3], step.before, strict=True):
        np.testing.assert_array_equal(kept[0], before[0])
    assert sorted(run.parameters) == [0, 3, 8]


def test_many_starts_are_trained_as_each_alone():
    together = train_many(exact("xor-mlp"), 3, 60)
    for seed in range(3):
        alone = oracle_run.train(exact("xor-mlp"), seed, steps=60)
        np.testing.assert_allclose(together.losses[:, seed], alone.losses, rtol=1e-12)
        assert together.right[seed] == (alone.accuracy() == 1)


def test_changed_fields_are_those_of_the_protocol():
    experiment = changed("and", training__optimizer={"name": "sgd", "learning_rate": 0.5})
    assert experiment.training.optimizer.learning_rate == 0.5
    with pytest.raises(ValueError, match="learning_rat"):
        changed("and", training__optimizer={"name": "sgd", "learning_rat": 0.5})
