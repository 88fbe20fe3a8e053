"""Errors of splits, initializers, generators and stopping rules, with their sentences."""

import pytest

from harness.experiment.loading import ProtocolError, parse
from harness.experiment.proof_length import proof_of
from tests.conftest import protocol


def rows(**parts):
    return {"data__split": {"name": "rows", "train": [[0, 1400]], "test": [[1400, 1797]]} | parts}


def sklearn(**parts):
    return {"data__split": {"name": "sklearn", "test": 0.2, "seed": 0, "stratified": True} | parts}


def stopping(**parts):
    rule = {
        "name": "patience",
        "patience_steps": 90,
        "growth": 2,
        "threshold": 0.995,
        "every_epochs": 1,
    }
    return {"data__validation": 0.2, "training__stopping": rule | parts}


def generator(**parts):
    table = {
        "name": "numpy_legacy",
        "seed": 1,
        "weights": "inputs_first",
        "order": "reshuffle_each_epoch",
    }
    return {"generator": {k: v for k, v in (table | parts).items() if v is not None}}


def weighs(values, mean_over):
    over = {} if mean_over is None else {"mean_over": mean_over}
    return {"training__loss__class_weights": {"values": values, **over}}


HINGE = {"name": "hinge", "batch": "mean", "outputs": "mean"}
BINARY = {"name": "binary_cross_entropy", "batch": "sum", "outputs": "sum"}
CONSTANTS = {"name": "constants", "values": [[0.0] * 64, [0.0] * 10]}
ZEROS = {"name": "zeros"}
SEQUENTIAL = {"training__batches": {"order": "sequential", "size": 32, "last": "keep"}}
REGRESSION = {"base": "diabetes-linear"}
ERRORS = [
    (rows(train=[[5, 5]]), "train: a range [first, end) must have rows", "Got [5, 5]"),
    (rows(train=[]), "data.split.train", "at least 1"),
    (rows(train=[[-1, 5]]), "data.split.train", "-1"),
    (rows(test=[[1399, 1500]]), "train and test: no row may stand in both", "[1399, 1500]"),
    (rows(validation=[[0, 3]]), "train and validation: no row", "[0, 3]"),
    (rows(train=[[0, 9], [8, 20]]), "train and train: no row may stand in both, or twice", "[8,"),
    (rows(test=[[1500, 1798]]), "ranges must end at row 1797 of 'digits'", "Got 1798"),
    (rows(tests=[[1, 2]]), "data.split.tests: unknown field", "'test'"),
    (rows(validation=[[1400, 1500]]) | {"data__validation": 0.1}, "not in both", "split"),
    (sklearn(test=1.5), "data.split.test", "1.5"),
    (sklearn(test=True), "data.split.test", "True"),
    (sklearn(test=1797), "a stratified part must have a row for each of 10 classes", "0 to train"),
    (sklearn(test=1797, stratified=False), "must leave rows to train", ""),
    (sklearn(test=9), "a row for each of 10 classes", "Got 9 to test"),
    (sklearn(validation=9), "a row for each of 10 classes", "Got 9 to validation"),
    (sklearn(validation=0.1) | {"data__validation": 0.1}, "not in both", "split"),
    (sklearn(seed=2**32), "data.split.seed", "4294967295"),
    (sklearn() | REGRESSION, "'stratified' needs classes; 'diabetes'", ""),
    ({"data__features": "interaction"}, "'interaction' needs a dataset of two columns", "64"),
    (
        {"initializers__biases": [ZEROS]},
        "initializers.biases: one for all layers, or a list",
        "2. Got 1",
    ),
    (
        {"initializers__biases": [ZEROS, {"name": "zeroes"}]},
        "initializers.biases[1].name: 'zeroes'",
        "'zeros'",
    ),
    ({"initializers__biases": {"nam": "zeros"}}, "initializers.biases: 'name' is missing", ""),
    ({"initializers__biases": []}, "initializers.biases", "at least 1"),
    ({"initializers__biases": [ZEROS, CONSTANTS]}, "initializers.biases[1]: 'constants'", "alone"),
    ({"initializers__biases": {"name": "constant"}}, "initializers.biases.value: missing", ""),
    (generator(seed=-1), "generator.seed", "-1"),
    (generator(weights="rows_first"), "generator.weights: 'rows_first'", "inputs_first"),
    (generator(order="fresh"), "generator.order: 'fresh' is not valid", "reshuffle_each_epoch"),
    (generator(order=["afresh"]), "generator.order: ", "reshuffle_each_epoch"),
    (generator(order=None), "generator.order: missing", "'continue_shuffling'"),
    (
        generator() | SEQUENTIAL,
        "generator.order: only for 'shuffled' batches",
        "'reshuffle_each_epoch'",
    ),
    ({"training__loss": HINGE}, "'hinge' takes the targets -1 and 1", "target_values = [-1, 1]"),
    ({"training__loss": HINGE} | REGRESSION, "training.loss: 'hinge' needs classes", "values"),
    ({"training__loss__label_smoothing": 0.1}, "label_smoothing: must say who shares", "Got 0.1"),
    (
        {"training__loss__label_smoothing": {"amount": 0.9, "shared_by": "other_classes"}},
        "label_smoothing.amount: must be below 0.9",
        "10 classes",
    ),
    ({"training__loss__class_weights": [1.0, 2.0]}, "must say what a mean divides by", "of 2"),
    (weighs([1.0, 2.0], "rows"), "class_weights.values: must be 10, one of each class", "Got 2"),
    (weighs([1.0] * 10, None), "class_weights.mean_over: state it", "as in PyTorch"),
    (
        weighs([1.0] * 10, "rows")
        | {"training__loss__label_smoothing": {"amount": 0.1, "shared_by": "all_classes"}},
        "class_weights: not with label_smoothing",
        "leave one of them out",
    ),
    (
        {"training__loss": BINARY | {"class_weights": {"values": [1.0, 2.0]}}},
        "class_weights: of binary_cross_entropy",
        "Got 10 outputs",
    ),
    ({"dtype": "float16"}, "dtype: 'float16' is not valid", "Valid: float32, float64"),
    ({"quick": {"loops": ["fuse"]}}, "quick.loops[0]: 'fuse' is not valid", "'fused'"),
    ({"constants": "float64"}, "constants: 'float64' is not valid", "exact"),
    (stopping(growth=0.5), "training.stopping.growth", "0.5"),
    (stopping(threshold=1.1), "training.stopping.threshold", "1.1"),
    (stopping(every_steps=5), "training.stopping: give either", ""),
    (stopping(every_epochs=51), "at most the length of 1800 steps", "Got 1836"),
    (stopping(patience_steps=34), "at most patience_steps + 1", "Got 36 and 34"),
    (stopping() | {"data__validation": 0.0}, "training.stopping: needs validation rows", "split"),
    (stopping() | REGRESSION, "training.stopping: needs classes", "'diabetes'"),
    (
        stopping(every_epochs=11, patience_steps=500),
        "quick.length: with it, training.stopping",
        "Got 396",
    ),
]


@pytest.mark.parametrize(("changes", "where", "help_"), ERRORS, ids=[e[1][:40] for e in ERRORS])
def test_an_error_names_field_rule_and_value(changes, where, help_):
    base = changes.get("base", "digits-mlp")
    changed = protocol(base, **{k: v for k, v in changes.items() if k != "base"})
    with pytest.raises(ProtocolError) as caught:
        parse(changed, "mine.toml")
    message = str(caught.value)
    assert where in message
    assert help_ in message
    assert "(for all)" not in message
    assert "(per layer)" not in message


def test_validation_may_be_the_rows_that_a_source_tested_on():
    experiment = parse(protocol(**rows(validation=[[1500, 1600]])), "test")
    assert experiment.data.rows == (1400, 100, 397)


def test_a_proof_neither_stops_early_nor_takes_exact_constants():
    experiment = parse(protocol(**stopping(), **generator(), constants="exact"), "test")
    short = proof_of(experiment)
    assert short.training.stopping is None
    assert short.constants == "float32"
    assert short.generator == experiment.generator


@pytest.mark.parametrize(
    ("batches", "steps"),
    [
        ({"order": "shuffled", "size": 100, "last": "keep"}, 100),
        ({"order": "shuffled", "size": 20_000, "last": "keep"}, 50),
        ({"order": "full"}, 24),
    ],
)
def test_a_proof_of_large_batches_is_shorter(batches, steps):
    length = {"training__length": {"steps": 500}, "training__evaluation": {"every_steps": 500}}
    values = protocol("mnist-softmax", training__batches=batches, **length)
    assert proof_of(parse(values, "test")).steps == steps
