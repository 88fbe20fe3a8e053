"""The page of the contract: it names every field that a task may state."""

import re
from typing import get_args

import pytest

from harness import trainer
from harness.trainer import (
    L1,
    L2,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    AveragePool,
    BinaryCrossEntropy,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Hinge,
    Huber,
    LogCosh,
    MaxNorm,
    MaxPool,
    MeanAbsoluteError,
    MeanSquaredError,
    Momentum,
    Nadam,
    Nesterov,
    NormClipping,
    RMSprop,
    SoftmaxCrossEntropy,
    SquaredHinge,
    ValueClipping,
)

STATED = (
    L1, L2, SGD, AMSGrad, Adadelta, Adagrad, Adam, AdamW, Adamax, BinaryCrossEntropy, Dense,
    Dropout, MaxNorm, MeanSquaredError, Momentum, Nadam, Nesterov, NormClipping, RMSprop,
    SoftmaxCrossEntropy, ValueClipping, AveragePool, Conv, Flatten, MaxPool,
    L1, L2, SGD, AMSGrad, Adadelta, Adagrad, Adam, AdamW, Adamax, BinaryCrossEntropy, Hinge,
    Huber, LogCosh, MaxNorm, MeanAbsoluteError, MeanSquaredError, Momentum, Nadam,
    Nesterov, NormClipping, RMSprop, SoftmaxCrossEntropy, SquaredHinge, ValueClipping,
)  # fmt: skip


def table():
    """Class to the fields in the table of the module's docstring."""
    _, _, text = trainer.__doc__.partition("-------------------  ")
    fields, current = {}, ""
    for line in text.splitlines()[1:]:
        current = line[:19].strip() or current
        fields.setdefault(current, set()).update(re.findall(r"\w+", line[21:41]))
    return fields


@pytest.mark.parametrize("model", STATED, ids=lambda model: model.__name__)
def test_every_field_that_a_task_states_is_in_the_table(model):
    assert table()[model.__name__] == set(model.model_fields) - {"name", "kind"}


def test_every_form_is_in_the_table():
    for model in STATED:
        for name in {"form", "maximum", "decay_on", "of"} & set(model.model_fields):
            for form in get_args(model.model_fields[name].annotation):
                assert f'"{form}"' in trainer.__doc__
    assert set(table()) == {model.__name__ for model in STATED}
