"""What the adapter takes from scikit-learn that is private there, and how its two loops agree."""

import inspect

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from harness.experiment.loading import parse
from harness.parity.protocols import every
from harness.start import BatchPlan
from implementations.scikit_learn import SklearnTrainer
from tests.conftest import protocol
from tests.implementations.tasks import STEPS, advance, experiment_of, task_of

SUPPORTED = [
    name
    for name, experiment in every().items()
    if experiment.training and SklearnTrainer.refuses(experiment) is None
]
RULES = {
    "sgd": {"name": "sgd"},
    "momentum": {"name": "momentum", "momentum": 0.9},
    "nesterov": {"name": "nesterov", "momentum": 0.9},
    "adam": {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "form": "epsilon_hat"},
}
LOSSES = {
    "digits-mlp": {"name": "softmax_cross_entropy", "batch": "mean"},
    "xor-mlp": {"name": "binary_cross_entropy", "batch": "mean", "outputs": "sum"},
    "diabetes-linear": {
        "name": "mean_squared_error",
        "half": True,
        "batch": "mean",
        "outputs": "mean",
    },
}


# ---------------------------------------------------------------- what is private


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (
            MLPClassifier._backprop,
            ["X", "y", "sample_weight", "activations", "deltas", "coef_grads", "intercept_grads"],
        ),
        (MLPClassifier._validate_input, ["X", "y", "incremental", "reset"]),
        (MLPRegressor._validate_input, ["X", "y", "incremental", "reset"]),
        (MLPClassifier._forward_pass_fast, ["X", "check_input"]),
        (SGDOptimizer.update_params, ["params", "grads"]),
        (AdamOptimizer.update_params, ["params", "grads"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_the_private_methods_take_what_the_adapter_gives(function, parameters):
    assert list(inspect.signature(function).parameters) == ["self", *parameters]


@pytest.mark.parametrize("rule", RULES)
def test_the_optimizer_is_the_one_that_partial_fit_makes(rule):
    """Of the same class, with the same attributes, and a memory that is empty."""
    trainer = SklearnTrainer(task_of(library_experiment("digits-mlp", rule), "stepwise"))
    made = public_perceptron(trainer, learning_rate_init=0.0)
    made.partial_fit(trainer.task.inputs[:1], trainer.task.targets[:1], classes=np.arange(10))
    assert type(trainer.optimizer) is type(made._optimizer)
    ours, theirs = vars(trainer.optimizer), vars(made._optimizer)
    memory = {"velocities", "ms", "vs", "t"} & set(ours)
    assert set(ours) == set(theirs)
    assert not any(np.any(array) for name in memory - {"t"} for array in ours[name])
    assert ours.get("t", 0) == 0
    same = set(ours) - memory - {"learning_rate", "learning_rate_init", "epsilon"}  # set in steps
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}


# ---------------------------------------------------------------- the loops agree


def library_experiment(base, rule):
    """A protocol that the library states in its own terms: nothing has to be translated."""
    return experiment_of(
        base,
        training__loss=LOSSES[base],
        training__optimizer=RULES[rule] | {"learning_rate": 0.125},
    )


def public_perceptron(trainer, **changes):
    """The perceptron as a user writes it: the settings of the adapter's, and its own start."""
    settings = trainer.model.get_params() | {"batch_size": 1, "alpha": 0.0} | changes
    if trainer.model.solver == "adam":
        settings["epsilon"] = trainer.rule.epsilon  # rounded to float32, as all constants are
    return type(trainer.model)(**settings)


def as_users_train(trainer, experiment, rate):
    """Train with public methods alone, from the library's own start. Return start, end, losses."""
    targets, classes = trainer.task.targets, {}
    if experiment.network.outputs == 1:
        targets = targets.ravel()
    if isinstance(trainer.model, MLPClassifier):
        classes = {"classes": np.unique(targets)}
    plan = BatchPlan.of(experiment, 0).segment(0, STEPS)
    all_rows = np.arange(len(targets))
    rows = [all_rows] * STEPS if plan.rows is None else plan.rows
    # with a rate of 0 the library stays where it starts
    start = public_perceptron(trainer, learning_rate_init=0.0, solver="sgd")
    user = public_perceptron(trainer, learning_rate_init=rate)
    losses = []
    start.partial_fit(trainer.task.inputs[:1], targets[:1], **classes)
    for picked, size in zip(rows, plan.sizes, strict=True):
        batch = picked[:size]
        user.batch_size = len(batch)
        user.partial_fit(trainer.task.inputs[batch], targets[batch], **classes)
        losses.append(user.loss_)
    return start, user, losses


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("base", LOSSES)
@pytest.mark.parametrize("loop", SklearnTrainer.loops)
def test_it_is_bitwise_what_a_user_of_partial_fit_gets(loop, base, rule, dtype):
    experiment = library_experiment(base, rule)
    task = task_of(experiment, loop, dtype)
    start, user, losses = as_users_train(SklearnTrainer(task), experiment, 0.125)
    from_there = zip(start.coefs_, start.intercepts_, strict=True)
    trainer = SklearnTrainer(type(task)(**vars(task) | {"parameters": list(from_there)}))
    np.testing.assert_allclose(np.concatenate(advance(trainer, experiment, 5, STEPS)), losses)
    for ours, theirs in zip(trainer.model.coefs_, user.coefs_, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(trainer.model.intercepts_, user.intercepts_, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", SUPPORTED)
def test_both_loops_are_bitwise_equal_in_every_protocol(name):
    experiment, ends, losses = every()[name], [], []
    for loop in SklearnTrainer.loops:
        trainer = SklearnTrainer(task_of(experiment, loop))
        losses += advance(trainer, experiment, experiment.steps)
        ends.append([values for pair in trainer.parameters() for values in pair])
    for idiomatic, stepwise in zip(*ends, strict=True):
        np.testing.assert_array_equal(idiomatic, stepwise)
    # partial_fit multiplies its loss with the rows and divides by them
    np.testing.assert_allclose(*losses, rtol=1e-14)


def test_each_loop_takes_its_own_way(monkeypatch):
    calls = []
    experiment = library_experiment("digits-mlp", "adam")
    trainers = {loop: SklearnTrainer(task_of(experiment, loop)) for loop in SklearnTrainer.loops}
    for method in ("partial_fit", "_validate_input", "_backprop"):
        original = getattr(MLPClassifier, method)

        def counted(*arguments, name=method, original=original, **options):
            calls.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(MLPClassifier, method, counted)
    advance(trainers["stepwise"], experiment, STEPS)
    assert calls == ["_backprop"] * STEPS
    calls.clear()
    advance(trainers["idiomatic"], experiment, STEPS)
    assert calls == ["partial_fit", "_validate_input", "_backprop"] * STEPS


@pytest.mark.parametrize("loop", SklearnTrainer.loops)
def test_a_training_that_diverges_says_so_in_its_losses(loop):
    """The library raises where parameters are not finite; the harness looks for losses."""
    experiment = experiment_of(
        "diabetes-linear",
        training__loss=LOSSES["diabetes-linear"],
        training__optimizer={"name": "sgd", "learning_rate": 1e30},
    )
    trainer = SklearnTrainer(task_of(experiment, loop, "float32"))
    with np.errstate(all="ignore"):
        (losses,) = advance(trainer, experiment, STEPS)
    assert np.isfinite(losses[0])
    assert not np.isfinite(losses[-1])


def test_a_softmax_of_two_classes_is_refused(tmp_path):
    file = tmp_path / "two.csv"
    file.write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(10)))
    table = {"file": str(file), "target": "y", "split": {"name": "all"}}
    network = {"inputs": 1, "layers": [{"units": 2, "activation": "identity"}]}
    experiment = parse(protocol("iris-softmax", data=table, network=network), "test")
    assert "one sigmoid output for two classes" in SklearnTrainer.supports(experiment)
