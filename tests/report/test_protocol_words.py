"""A protocol in words: every part is said, and two protocols that differ never read the same."""

import dataclasses
import itertools

import pytest

from harness.experiment.loading import catalogue_names, load, parse
from harness.plan import Request
from harness.planning import make_plan
from harness.report.markdown import as_markdown
from harness.report.model import measure_of
from harness.report.protocol_differences import differences, likenesses
from harness.report.protocol_parts import as_line, parts_of
from harness.report.protocol_text import protocol_of
from harness.report.remarks import remarks
from harness.report.section_table import headings
from harness.report.sections import make_report
from harness.run import Run
from harness.trial.outcome import blank_row
from tests.analysis.rows import run_of
from tests.conftest import protocol

HALF = {"name": "mean_squared_error", "half": True, "batch": "mean", "outputs": "mean"}
L2 = {"strength": 1.0, "half": True, "per_row": True, "on": "weights"}
BOTH = {"batch": "mean", "outputs": "mean"}
HUBER = {"name": "huber", "delta": 0.5, "over_delta": True, **BOTH}
SMOOTHED = {"amount": 0.1, "shared_by": "other_classes"}
WEIGHTS = {"values": [1.0, 2.0, 0.5], "mean_over": "rows"}
PLATEAU = {"watched": "loss", "patience": 5, "factor": 0.5, "min_rate": 0.0, "min_delta": 0.0,
           "relative": False, "every_epochs": 1}  # fmt: skip
STEPS = {"name": "step_decay", "factor": 0.5, "every_epochs": 5}
STOPS = {"watched": "loss", "patience": 10, "min_delta": 0.0, "restore": "never", "every_epochs": 1}


def words(base="digits-mlp", **changes):
    return {part.name: part.text for part in parts_of(parse(protocol(base, **changes), "t"))}


def layers(*activations, **fields):
    return [{"units": 10, "activation": activation, **fields} for activation in activations]


@pytest.mark.parametrize(
    ("base", "changes", "part", "text"),
    [
        ("mnist-mlp", {}, "data", "data mnist"),
        ("mnist-mlp", {}, "rows", "60,000 training and 10,000 test rows"),
        ("xor-mlp", {}, "rows", "4 training rows, none kept for a test"),
        ("mnist-mlp", {}, "scale", "divided by 255"),
        ("diabetes-linear", {}, "scale", "standardised"),
        ("mnist-mlp", {}, "split", "as published"),
        ("digits-mlp", {}, "split", "stratified split, seed 0"),
        ("digits-mlp", {}, "network", "network 64-64-10"),
        ("digits-mlp", {}, "activations", "ReLU in hidden layers"),
        (
            "diabetes-linear",
            {"network__layers": [{"units": 1, "activation": "tanh"}] * 2},
            "activations",
            "tanh in every layer",
        ),
        ("mnist-wide", {}, "activations", "sigmoid in hidden layers"),
        (
            "digits-mlp",
            {"network__layers": layers("tanh", "tanh", "relu", "identity", bias=False)},
            "activations",
            "activations 2 times tanh, ReLU, identity, no biases",
        ),
        ("xor-single", {}, "activations", ""),
        ("digits-mlp", {}, "loss", "softmax cross-entropy"),
        ("mnist-wide", {}, "loss", "binary cross-entropy, summed over the outputs"),
        ("diabetes-linear", {}, "loss", "mean squared error"),
        ("diabetes-linear", {"training__loss": HALF}, "loss", "half mean squared error"),
        (
            "diabetes-linear",
            {"training__loss": HUBER},
            "loss",
            "huber, delta 0.5, divided by delta",
        ),
        (
            "digits-mlp",
            {"training__loss__label_smoothing": SMOOTHED},
            "loss",
            "softmax cross-entropy, labels smoothed by 0.1 (shared by the other classes)",
        ),
        (
            "iris-softmax",
            {"training__loss__class_weights": WEIGHTS},
            "loss",
            "softmax cross-entropy, classes weigh 1, 2, 0.5, a mean divides by the rows",
        ),
        (
            "digits-mlp",
            {"training__plateau": PLATEAU, "data__validation": 0.1},
            "schedule",
            "rate times 0.5 after 5 validations without a better loss, one every epoch",
        ),
        ("digits-mlp", {}, "start", "weights He normal, biases 0"),
        ("mnist-mlp", {}, "start", "weights normal (std 0.01), biases 0"),
        ("xor-mlp", {}, "start", "weights and biases normal (std 1)"),
        ("digits-mlp", {}, "optimizer", "Adam 0.001"),
        ("digits-mlp", {"training__schedule": STEPS}, "schedule", "rate times 0.5 every 5 epochs"),
        (
            "digits-mlp",
            {"training__l2": L2},
            "penalty",
            "L2 penalty 0.5 Σw² / rows of the batch",
        ),
        ("digits-mlp", {}, "batches", "batches of 32, shuffled"),
        ("mnist-mlp", {}, "batches", "batches of 100, with replacement"),
        (
            "digits-mlp",
            {"training__stopping": {"name": "no_improvement", **STOPS}, "data__validation": 0.1},
            "stopping",
            "stops after 10 validations without a better loss, one every epoch",
        ),
        ("fixed-forward", {}, "loss", ""),
    ],
)
def test_what_is_said(base, changes, part, text):
    assert words(base, **changes)[part] == text


def test_the_line_has_all_of_it_in_order():
    plan = make_plan(Request(("mnist-mlp",), frameworks=("numpy",), preset="standard"))
    assert as_line(protocol_of(plan, "mnist-mlp", 1)) == (
        "data mnist; 60,000 training and 10,000 test rows; divided by 255; as published; "
        "network 784-50-10; sigmoid in hidden layers; softmax cross-entropy; "
        "weights normal (std 0.01), biases 0; SGD 0.1; batches of 100, with replacement; "
        "50,000 steps, the full length; 3 seeds; float32, 1 thread"
    )


EDITS = {
    "loss": {"base": "diabetes-linear", "training__loss": HALF},
    "penalty": {"training__l2": L2},
    "activations": {"network__layers": layers("tanh", "identity")},
    "start": {"initializers__biases": {"name": "constant", "value": 0.1}},
    "schedule": {"training__schedule": STEPS},
    "scale": {"data__scale": "none"},
    "split": {"data__split": {"name": "stratified", "test": 0.2, "seed": 1}},
    "optimizer": {"training__optimizer__epsilon": 1e-7},
    "batches": {"training__batches": {"order": "shuffled", "size": 32, "last": "drop"}},
    "length": {"training__length": {"epochs": 49}},
    "rounding": {"constants": "exact"},
}


@pytest.mark.parametrize("part", EDITS)
def test_one_field_is_one_difference(part):
    edit = dict(EDITS[part])
    base = edit.pop("base", "digits-mlp")
    if part == "activations":
        first = protocol(base, network__layers=layers("relu", "identity"))
    else:
        first = protocol(base)
    here, there = parse(protocol(base, **edit), "t"), parse(first, "t")
    (difference,) = differences(here, there)
    assert difference.part == part
    assert difference.here != difference.there
    assert differences(there, there) == ()


def test_what_words_leave_out_is_said_by_its_field():
    here = parse(protocol(training__optimizer__epsilon=1e-7), "t")
    (difference,) = differences(here, parse(protocol(), "t"))
    assert difference.here == "training.optimizer.epsilon 1e-07"
    assert difference.there == "1e-08"


def test_no_two_experiments_of_the_catalogue_read_the_same():
    experiments = [load(name) for name in catalogue_names()]
    for one, other in itertools.combinations(experiments, 2):
        assert differences(one, other)
        here, there = (as_line(parts_of(each)) + str(each.steps) for each in (one, other))
        assert here != there


def test_an_experiment_is_set_beside_the_one_it_is_most_like():
    named = {name: load(name) for name in ("mnist-mlp", "xor-single", "xor-mlp", "xor-poly")}
    named["again"] = parse(protocol("xor-mlp", name="again", quick=None), "t")
    found = likenesses(named)
    assert "mnist-mlp" not in found  # the first
    assert "xor-single" not in found  # nothing like it before
    assert found["xor-mlp"].other == "xor-single"
    assert str(found["again"]) == "the same computation as xor-mlp"


@pytest.fixture(scope="module")
def two():
    """The rows of a half and of a whole squared error, which give numbers of a factor of two."""
    plan, rows = run_of({"numpy": 1.0}, 1, "diabetes-linear", test_loss=2.0, steps=1000)
    (whole,) = plan.experiments.values()
    half = parse(protocol("diabetes-linear", name="half", training__loss=HALF), "t")
    return plan, rows, whole, half


def test_a_half_loss_is_called_so_wherever_it_stands(two):

    plan, rows, whole, half = two
    both = dataclasses.replace(
        plan,
        experiments={"whole": whole.model_copy(update={"name": "whole"}), "half": half},
        full_lengths={"whole": "1,000 steps", "half": "1,000 steps"},
        trials=tuple(
            dataclasses.replace(trial, experiment=name)
            for trial in plan.trials
            for name in ("whole", "half")
        ),
    )
    of_both = [dataclasses.replace(row, experiment=n) for row in rows for n in ("whole", "half")]
    report = make_report(Run(both, of_both, {}))
    first, second = report.sections
    assert headings(first)[2] == "test loss" == str(measure_of(whole))
    assert headings(second)[2] == "half test loss"
    assert second.differing == {"loss"}
    sentence = "all as in whole, except loss: half mean squared error (there mean squared error)"
    assert str(second.likeness) == sentence
    text = as_markdown(report)
    assert f"\n{sentence}.\n" in text
    assert "| half test loss |" in text


def test_training_that_stopped_early_says_when():
    plan, rows = run_of({"numpy": 1.0, "jax": 0.5}, 1, "digits-mlp", steps=109)
    (section,) = make_report(Run(plan, rows, {})).sections
    full = section.experiment.steps
    said = [text for text in remarks(section) if "stopped early" in text]
    (text,) = said
    assert text.startswith(f"training stopped early, after 109 of at most {full:,} steps: numpy")
    _, rows = run_of({"numpy": 1.0, "jax": 0.5}, 1, "digits-mlp", steps=full)
    (section,) = make_report(Run(plan, rows, {})).sections
    assert not [text for text in remarks(section) if "stopped early" in text]


def test_a_native_solver_says_its_parameters_and_iterations():
    plan = make_plan(Request(("mnist-softmax",), frameworks=("sklearn",)))

    rows = [
        dataclasses.replace(
            blank_row(t, plan.digest, "1", plan.experiments[t.experiment], "ok", None), steps=72
        )
        for t in plan.trials
        if t.track == "native"
    ]
    (section,) = make_report(Run(plan, rows, {})).sections
    assert (
        "LogisticRegression(lbfgs) is sklearn's own solver with solver='lbfgs', C=1.0, "
        "max_iter=100, tol=0.0001, its defaults otherwise; 72 iterations"
    ) in remarks(section)
