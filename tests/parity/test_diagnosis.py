"""Every planted mistake is caught and named; correct adapters are never accused."""

from functools import cache

import pytest

from harness import data
from harness.experiment.loading import catalogue_names, load
from harness.experiment.proof_length import proof_of
from harness.parity import diagnosis, ladder
from harness.parity.trace import Trace, record
from harness.start import task_of
from tests.parity.mutant import Mutant

NORMAL = {"weights": {"name": "he_normal"}, "biases": {"name": "normal", "std": 0.3}}
LONG = {
    "quick": None,
    "training__length": {"steps": 100},
    "training__evaluation": {"every_steps": 100},
}
ADAM = {
    "name": "adam",
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-4,
    "form": "algorithm_1",
}
MOMENTUM = {"name": "momentum", "learning_rate": 0.05, "momentum": 0.9}
DECAY = {"name": "step_decay", "factor": 0.5, "every_steps": 20}


def layers(activation, **more):
    return [
        {"units": 12, "activation": activation, **more},
        {"units": 10, "activation": "identity"},
    ]


@cache
def protocols():
    def made(base="digits-mlp", **changes):
        return proof_of(experiment_of_length(base, initializers=NORMAL, **changes))

    bce = {"name": "binary_cross_entropy", "batch": "mean", "outputs": "mean"}
    return {
        "adam": made(network__layers=layers("tanh"), training__optimizer=ADAM),
        "sgd": made(
            network__layers=layers("tanh"),
            training__optimizer={"name": "sgd", "learning_rate": 0.1},
            training__batches={"order": "shuffled", "size": 300, "last": "keep"},
        ),
        "momentum": made(
            network__layers=layers("softplus"),
            training__optimizer=MOMENTUM | {"rate_inside_velocity": False},
            training__schedule=DECAY,
        ),
        "nesterov": made(
            network__layers=layers("swish"), training__optimizer=MOMENTUM | {"name": "nesterov"}
        ),
        "rmsprop": made(
            network__layers=layers("elu"),
            training__optimizer={
                "name": "rmsprop",
                "learning_rate": 1e-3,
                "rho": 0.9,
                "epsilon": 1e-4,
                "form": "epsilon_outside_root",
            },
        ),
        "adagrad": made(
            network__layers=layers("gelu"),
            training__optimizer={
                "name": "adagrad",
                "learning_rate": 1e-2,
                "initial_accumulator": 0.1,
                "epsilon": 1e-2,
                "form": "epsilon_inside_root",
            },
        ),
        "leaky": made(network__layers=layers("leaky_relu", slope=0.05)),
        "bce": made(network__layers=layers("sigmoid"), training__loss=bce),
        "saturated": made(
            initializers__weights={"name": "normal", "std": 20.0},
            network__layers=layers("tanh"),
            training__loss=bce,
            training__optimizer={"name": "sgd", "learning_rate": 0.1},
        ),
        "mse": made(
            network__layers=layers("gelu_tanh"),
            training__loss={
                "name": "mean_squared_error",
                "half": False,
                "batch": "mean",
                "outputs": "mean",
            },
            training__l2={"strength": 1e-2, "half": True, "per_row": False, "on": "weights"},
        ),
        "identity": made(network__layers=layers("identity")),
        "relu": made(network__layers=layers("relu")),
    }


def experiment_of_length(base, **changes):
    merged = dict(changes)
    weights = merged.pop("initializers__weights", None)
    if weights:
        merged["initializers"] = NORMAL | {"weights": weights}
    from harness.experiment.loading import parse
    from tests.conftest import protocol

    return parse(protocol(base, **LONG, **merged), "test")


def trace_of(protocol, mistake, keep_first_20_steps=False):
    experiment = protocols()[protocol]
    prepared = data.load(experiment.data, experiment.loss, "float64")

    def build(changed):
        return Mutant(task_of(changed, prepared, seed=0, loop="stepwise", dtype="float64"), mistake)

    return record(build, experiment, prepared, 0, keep_first_20_steps)


MUTANTS = [
    ("sgd", "kernel transposed", "the kernel of layer 2 is transposed"),
    ("adam", "kernel transposed", "the kernel of layer 2 is transposed"),
    ("adam", "all transposed", "every kernel is transposed"),
    ("sgd", "biases missing", "there are no biases"),
    ("sgd", "biases frozen", "biases are never updated"),
    ("adam", "biases zero", "biases start at 0"),
    ("sgd", "loss summed over the batch", "summed over the batch"),
    ("adam", "loss summed over the batch", "summed over the batch"),
    ("bce", "loss summed over the outputs", "summed over the outputs"),
    ("mse", "loss summed over the outputs", "summed over the outputs"),
    ("sgd", "loss halved", "halved"),
    ("adam", "loss doubled", "doubled"),
    ("adam", "loss returned as sum", "the returned loss is summed over the batch"),
    ("adam", "softmax twice", "softmax is applied twice"),
    ("saturated", "clipped", "clipped probabilities"),
    ("adam", "other form", "Adam has the epsilon-hat form"),
    ("adam", "epsilon 1e-7", "Adam's epsilon is 1e-07"),
    ("adam", "epsilon 1e-8", "Adam's epsilon is 1e-08"),
    ("adam", "no bias correction", "Adam has no bias correction"),
    ("adam", "state reset", "memory is emptied between calls"),
    ("momentum", "state reset", "memory is emptied between calls"),
    ("rmsprop", "other form", "epsilon is inside the root"),
    ("rmsprop", "epsilon 1e-8", "epsilon is 1e-08"),
    ("adagrad", "other form", "epsilon is outside the root"),
    ("momentum", "momentum dampened", "momentum is dampened"),
    ("momentum", "nesterov swapped", "momentum is Nesterov's"),
    ("nesterov", "nesterov swapped", "momentum is plain, not Nesterov's"),
    ("momentum", "velocity the other way", "the learning rate is inside the velocity"),
    ("sgd", "weight decay", "a weight decay of 0.01 is added on the weights"),
    ("adam", "weight decay on all", "a weight decay of 0.01 is added on weights and biases"),
    ("adam", "decoupled decay", "(decoupled)"),
    ("sgd", "rate scaled", "3 times the given one"),
    ("adam", "rate scaled", "3 times the given one"),
    ("sgd", "own rate", "0.01 whatever is given"),
    ("sgd", "rate decays", "decays by itself, by 0.97 a step"),
    ("sgd", "rows of the start", None),
    ("sgd", "rows in order", "the rows in their own order"),
    ("sgd", "rows shuffled anew", None),
    ("sgd", "short batch dropped", "the short last batch is dropped"),
    ("sgd", "padding counted", "padded rows count"),
    ("adam", "inputs scaled twice", "divided by 255 again"),
    ("adam", "inputs not scaled", "16 times too large"),
    ("adam", "activation relu", "hidden layers have relu, not tanh"),
    ("relu", "activation elu", "hidden layers have elu, not relu"),
    ("adagrad", "activation gelu_tanh", "GELU is approximated by tanh"),
    ("leaky", "slope 0.01", "leaky ReLU with slope 0.01"),
    ("leaky", "slope 0.2", "leaky ReLU with slope 0.2"),
    ("leaky", "slope 0.3", "leaky ReLU with slope 0.3"),
    ("sgd", "width wrong", "a width is wrong"),
    ("sgd", "layer 1 frozen", "layer 1 is never updated"),
    ("adam", "layer 2 frozen", "layer 2 is never updated"),
    ("adam", "float32", "float32 inside a float64 proof"),
    ("adam", "own start", "it draws initial weights of its own"),
    ("sgd", "sign flipped", "the sign of the update is flipped"),
    ("adam", "probabilities", "predict gives probabilities"),
    ("adam", "classes reversed", "predict has the classes reversed"),
]


@pytest.mark.parametrize(("protocol", "mistake", "words"), MUTANTS, ids=lambda v: str(v)[:30])
def test_a_planted_mistake_is_caught_and_named(protocol, mistake, words):
    experiment = protocols()[protocol]
    judgement = ladder.judge(trace_of(protocol, mistake), experiment, 0)
    assert judgement.verdict == "different", "not caught"
    detailed = trace_of(protocol, mistake, keep_first_20_steps=True)
    named = diagnosis.with_cause(judgement, detailed, experiment, 0).reason
    if words is None:
        assert "no known mistake reproduces it; the f" in named
        assert "look at" in named
    else:
        assert words in named


@pytest.mark.parametrize("protocol", protocols())
def test_a_correct_adapter_is_not_accused(protocol):
    trace = trace_of(protocol, "")
    trace = Trace.from_arrays(trace.to_arrays())
    judgement = ladder.judge(trace, protocols()[protocol], 0)
    assert judgement.verdict == "same", judgement.reason
    assert all(rung.passed for rung in judgement.rungs)


def test_losses_of_another_moment_are_told_from_another_update():
    class After(Mutant):
        def advance(self, batches):
            losses = super().advance(batches)
            return losses * 0.99  # as if taken after the update

    experiment = protocols()["sgd"]
    prepared = data.load(experiment.data, experiment.loss, "float64")

    def build(changed):
        task = task_of(changed, prepared, seed=0, loop="stepwise", dtype="float64")
        return After(task, "")

    trace = record(build, experiment, prepared, 0, keep_first_20_steps=True)
    judgement = ladder.judge(trace, experiment, 0)
    reason = diagnosis.with_cause(judgement, trace, experiment, 0).reason
    assert "all parameters are right" in reason


def test_two_mistakes_at_once_are_located():
    class Twice(Mutant):
        def _penalty(self, rows):
            return 0.01 * self.pairs[0][0].pow(3).sum()

    experiment = protocols()["sgd"]
    prepared = data.load(experiment.data, experiment.loss, "float64")

    def build(changed):
        return Twice(
            task_of(changed, prepared, seed=0, loop="stepwise", dtype="float64"), "loss halved"
        )

    trace = record(build, experiment, prepared, 0, keep_first_20_steps=True)
    judgement = ladder.judge(trace, experiment, 0)
    reason = diagnosis.with_cause(judgement, trace, experiment, 0).reason
    assert "gradients: weights of layer 1 differ" in reason
    assert "no known mistake reproduces it" in reason


@pytest.mark.parametrize("name", catalogue_names())
def test_every_protocol_of_the_catalogue_can_be_judged(name):
    short = proof_of(load(name))
    assert short.steps == min(100, load(name).steps)
    assert hash(short)  # the oracle's traces are cached by it
