"""A result says of which rows it is, and which classes it says nothing of."""

import json

import pytest

from harness import data
from harness.experiment.loading import parse
from harness.plan import Request
from harness.planning import make_plan
from harness.report.model import Section, measure_of
from harness.report.protocol_parts import as_line
from harness.report.protocol_text import protocol_of
from harness.report.remarks import remarks
from harness.report.section_table import headings
from tests.conftest import protocol

ALL = {"name": "all"}
CASES = {
    "a split": ("iris-softmax", None, "test accuracy", False),
    "no split": ("iris-softmax", ALL, "training accuracy", True),
    "a truth table": ("xor-mlp", None, "training accuracy", False),
    "regression": ("diabetes-linear", None, "test loss", False),
    "regression, no split": ("diabetes-linear", ALL, "training loss", True),
    "one row": ("fixed-forward", None, "outputs", False),
}


def section_of(experiment, absent=None):
    return Section(
        experiment, "cpu", None, True, measure_of(experiment), (), (), absent_classes=absent or {}
    )


@pytest.mark.parametrize(("name", "split", "heading", "remarked"), CASES.values(), ids=CASES)
def test_training_rows_are_never_called_test_rows(name, split, heading, remarked):
    values = protocol(name, data__split=split) if split else protocol(name)
    section = section_of(parse(values, "t"))
    assert headings(section)[2] == heading
    said = " ".join(remarks(section))
    assert ("no rows are kept for a test" in said) == remarked
    assert "test accuracy" not in said


def test_the_caption_says_that_no_rows_are_kept():
    plan = make_plan(Request(experiments=("xor-mlp", "iris-softmax"), frameworks=("numpy",)))
    assert "4 training rows, none kept for a test" in as_line(protocol_of(plan, "xor-mlp", 1))
    assert "105 training and 45 test rows" in as_line(protocol_of(plan, "iris-softmax", 1))


SORTED = {
    "first rows": ({"name": "first", "train": 100}, 0.0, {"training": ["2"], "test": ["0", "1"]}),
    "one class": ({"name": "first", "train": 50}, 0.0, {"training": ["1", "2"], "test": ["0"]}),
    "Keras' validation_split": (ALL, 0.2, {"validation": ["0", "1"]}),
    "stratified": ({"name": "stratified", "test": 0.3, "seed": 0}, 0.0, {}),
}


@pytest.mark.parametrize(("split", "validation", "absent"), SORTED.values(), ids=SORTED)
def test_a_class_that_no_row_of_a_part_has_is_reported(split, validation, absent):
    values = protocol("iris-softmax", data__split=split, data__validation=validation)
    experiment = parse(values, "t")
    prepared = data.load(experiment.data, experiment.loss, "float32")
    found = prepared.absent_classes(experiment.data)
    assert found == absent
    said = " ".join(remarks(section_of(experiment, json.loads(json.dumps(found)))))
    for part, names in absent.items():
        assert f"no {part} row is of class" in said
        assert ", ".join(names) in said
    assert absent or "row is of class" not in said
