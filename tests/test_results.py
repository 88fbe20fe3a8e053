"""The columns of a row, and the part of them that a trial fills."""

import dataclasses
import typing

import numpy as np
import pytest

from harness.clock.conditions import Conditions
from harness.results import MeasuredColumns, Row, histogram


def test_every_measured_column_is_a_column_of_the_row():
    columns = typing.get_type_hints(Row)
    for name, kind in typing.get_type_hints(MeasuredColumns).items():
        assert name in columns
        assert {kind, typing.get_args(kind)[0]} & {columns[name]}


def test_conditions_are_measured_columns():
    names = {field.name for field in dataclasses.fields(MeasuredColumns)}
    assert {field.name for field in dataclasses.fields(Conditions)} <= names


def test_a_misspelt_column_cannot_pass():
    columns = MeasuredColumns()
    with pytest.raises(AttributeError):
        columns.tran_s = 1.0
    with pytest.raises(AttributeError):
        columns.set(test_acuracy=1.0)


def test_only_what_was_measured_is_handed_on():
    columns = MeasuredColumns()
    columns.set(train_s=0.0, steps=3)
    assert columns.measured() == {"train_s": 0.0, "steps": 3}


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e20, 1e20], [-1e308, 1e308], [1e16, 1e16 + 2]])
def test_a_histogram_of_any_finite_values(values):
    counts, edges = histogram(np.array(values))
    assert counts.sum() == 2
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
