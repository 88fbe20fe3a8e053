"""What a trial leaves, with the NumPy adapter and in this process."""

import numpy as np
import pytest

from harness import data, scoring
from harness.experiment.loading import parse
from harness.experiment.vocabulary import Dtype
from harness.trial.measure import measure, task_of
from harness.trial.outcome import Outcome, Unsupported
from implementations.numpy_scratch import NumpyTrainer
from implementations.scikit_learn import SklearnNativeTrainer
from tests.conftest import protocol
from tests.trials import trial_of

STOPPING = {
    "name": "patience", "patience_steps": 40, "growth": 2, "threshold": 0.995, "every_epochs": 1,
}  # fmt: skip


def experiment_of(base="digits-mlp", /, **changes):
    return parse(protocol(base, quick=None, **changes), "test")


def measured(experiment, adapter=NumpyTrainer, **fields):
    outcome = Outcome()
    trainer = measure(trial_of(**{"dtype": "float64"} | fields), experiment, adapter, outcome)
    return outcome, trainer


def stopping_experiment(**changes):
    return experiment_of(
        data__split={"name": "rows", "train": [[0, 1000]], "validation": [[1000, 1300]],
                     "test": [[1300, 1797]]},
        training__optimizer={"name": "sgd", "learning_rate": 0.5},
        training__batches={"order": "sequential", "size": 100, "last": "drop"},
        training__length={"epochs": 60},
        training__evaluation={"every_epochs": 7},
        training__stopping=STOPPING,
        **changes,
    )  # fmt: skip


def test_a_stopping_rule_ends_training_and_keeps_the_best():
    experiment = stopping_experiment()
    outcome, _ = measured(experiment)
    arrays, steps = outcome.arrays, outcome.columns.steps
    assert 40 < steps < experiment.steps
    assert arrays["watch_step"].tolist() == list(range(10, steps + 1, 10))
    assert arrays["step"].tolist() == [*(p for p in experiment.evaluation_points if p < steps),
                                       steps]  # fmt: skip
    assert len(arrays["loss"]) == steps
    best = int(arrays["watch_validation_accuracy"].argmax())  # the first of the best
    assert arrays["best_step"] == arrays["watch_step"][best]
    assert arrays["best_validation_accuracy"] == arrays["watch_validation_accuracy"][best]
    assert arrays["best_test_accuracy"] == arrays["best_test_right"].mean()
    assert arrays["best_test_right"].shape == (497,)


def test_what_is_kept_is_of_the_best_step():
    """The same protocol, ended there without a rule, gives the same test rows right."""
    experiment = stopping_experiment()
    outcome, _ = measured(experiment)
    step = int(outcome.arrays["best_step"])
    without = experiment.training.model_copy(update={"stopping": None})
    plain = experiment.model_copy(update={"training": without})
    ended, _ = measured(plain.of_length(type(without.length)(steps=step)))
    np.testing.assert_array_equal(ended.arrays["test_right"], outcome.arrays["best_test_right"])


def test_looking_does_not_change_the_training():
    experiment = stopping_experiment()
    outcome, _ = measured(experiment)
    without = experiment.training.model_copy(update={"stopping": None})
    plain = experiment.model_copy(update={"training": without})
    steps = outcome.columns.steps
    ended, _ = measured(plain.of_length(type(without.length)(steps=steps)))
    np.testing.assert_array_equal(ended.arrays["loss"], outcome.arrays["loss"])
    np.testing.assert_array_equal(ended.arrays["test_right"], outcome.arrays["test_right"])


class Idiomatic(NumpyTrainer):
    loops = ("idiomatic",)


def test_an_idiomatic_loop_cannot_follow_a_stopping_rule():
    with pytest.raises(Unsupported, match=r"cannot follow training\.stopping"):
        measured(stopping_experiment(), Idiomatic, loop="idiomatic")


@pytest.mark.parametrize("base", ["digits-mlp", "xor-mlp"])
def test_every_test_rows_being_right_is_left(base):
    experiment = experiment_of(
        base, training__length={"steps": 20}, training__evaluation={"every_steps": 20}
    )
    outcome, _ = measured(experiment)
    right = outcome.arrays["test_right"]
    test = data.load(experiment.data, experiment.loss, "float64").test
    assert right.dtype == bool
    assert right.shape == (len(test),)
    assert right.mean() == outcome.columns.test_accuracy
    expected = scoring.accuracy_of(outcome.arrays["test_outputs"], test.labels)
    assert right.mean() == expected


def test_regression_has_no_right_rows():
    experiment = experiment_of(
        "diabetes-linear",
        training__length={"steps": 2},
        training__evaluation={"every_steps": 2},
    )
    outcome, _ = measured(experiment)
    assert "test_right" not in outcome.arrays


@pytest.mark.parametrize("constants", ["float32", "exact"])
def test_constants_reach_the_adapter_as_the_protocol_says(constants):
    experiment = experiment_of(
        constants=constants,
        training__l2={"strength": 0.1, "half": True, "per_row": True, "on": "weights"},
    )
    prepared = data.load(experiment.data, experiment.loss, "float64")
    task = task_of(trial_of(dtype=Dtype.FLOAT64), experiment, prepared)
    assert {type(text) for text in (task.loop, task.dtype, task.device)} == {str}
    for told, written in (
        (task.optimizer.epsilon, experiment.training.optimizer.epsilon),
        (task.l2.strength, 0.1),
    ):
        assert told == (written if constants == "exact" else float(np.float32(written)))


def test_a_solvers_own_losses_are_stored():
    """They are what the library prints, so the last one is its `loss_`."""
    native = {"framework": "sklearn", "estimator": "MLPClassifier", "parameters": {"max_iter": 3}}
    experiment = experiment_of("iris-softmax", native=[native])
    outcome, trainer = measured(
        experiment, SklearnNativeTrainer, loop="MLPClassifier", track="native"
    )
    losses = outcome.arrays["solver_loss"]
    assert losses.shape == (outcome.columns.steps,) == (3,)
    assert losses[-1] == trainer.estimator.loss_
    without = {"framework": "sklearn", "estimator": "Perceptron", "parameters": {}}
    experiment = experiment_of("iris-softmax", native=[without])
    outcome, _ = measured(experiment, SklearnNativeTrainer, loop="Perceptron", track="native")
    assert "solver_loss" not in outcome.arrays


@pytest.mark.parametrize(("stated", "used"), [({}, 3), ({"random_state": 11}, 11)])
def test_a_stated_random_state_is_kept(stated, used):
    native = {"framework": "sklearn", "estimator": "Perceptron", "parameters": stated}
    experiment = experiment_of("iris-softmax", native=[native])
    outcome, trainer = measured(
        experiment, SklearnNativeTrainer, loop="Perceptron", track="native", seed=3
    )
    assert trainer.estimator.random_state == used
    right = outcome.arrays["test_right"]
    assert right.mean() == outcome.columns.test_accuracy
