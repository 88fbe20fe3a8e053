"""Rows by number, and scikit-learn's `train_test_split`, row for row."""

import numpy as np
import pytest
import sklearn.model_selection
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures

from harness.data import load, raw, splits, train_test_split, transforms
from harness.experiment.data import Data


def rows_of(dataset="digits", **split):
    described = Data.model_validate({"dataset": dataset, "split": split})
    facts = described.facts
    rows = facts.train_rows + facts.test_rows
    labels = np.arange(rows) % 10 if facts.fetched else raw.read(dataset).targets
    row_numbers = splits.split(described, labels, rows, facts.train_rows)
    parts = (row_numbers.train, row_numbers.validation, row_numbers.test)
    assert tuple(len(part) for part in parts) == described.rows
    assert all(part.dtype == np.int64 for part in parts)
    return parts, labels


def test_ranges_keep_the_order_in_which_they_are_given():
    (train, validation, test), _ = rows_of(
        name="rows", train=[[10, 12], [3, 5]], validation=[[20, 21]], test=[[0, 2]]
    )
    assert train.tolist() == [10, 11, 3, 4]
    assert validation.tolist() == [20]
    assert test.tolist() == [0, 1]


def test_row_numbers_continue_in_the_published_test_part():
    (train, validation, test), _ = rows_of(
        "mnist",
        name="rows",
        train=[[0, 50_000]],
        validation=[[50_000, 60_000]],
        test=[[60_000, 69_600]],
    )
    assert (train[-1], validation[0], test[0], test[-1]) == (49_999, 50_000, 60_000, 69_599)


def test_inputs_follow_the_rows():
    split = {"name": "rows", "train": [[5, 7], [0, 2]], "test": [[1700, 1797]]}
    prepared = load(Data.model_validate({"dataset": "digits", "split": split}), None, "float64")
    published = raw.read("digits")
    np.testing.assert_array_equal(prepared.train.inputs, published.inputs[[5, 6, 0, 1]])
    np.testing.assert_array_equal(prepared.test.labels, published.targets[1700:])


SIZES = st.one_of(st.floats(0.1, 0.9), st.integers(20, 100))


@given(
    st.lists(st.integers(2, 40), min_size=2, max_size=8),
    SIZES,
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
@settings(max_examples=150)
def test_a_draw_equals_scikit_learns(counts, test, seed, stratified):
    labels = np.repeat(np.arange(len(counts)) * 3, counts)
    labels = np.random.RandomState(len(counts)).permutation(labels)
    everything = np.arange(len(labels))
    theirs = ours = None
    try:
        theirs = sklearn.model_selection.train_test_split(
            everything, test_size=test, random_state=seed, stratify=labels if stratified else None
        )
    except ValueError:  # too many to test on, or fewer than there are classes
        if not stratified:
            return
    test_rows = test if isinstance(test, int) else int(np.ceil(test * len(labels)))
    try:
        ours = train_test_split.draw(len(labels), test_rows, seed, labels if stratified else None)
    except ValueError:
        assert theirs is None
        return
    assert theirs is not None
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("seed", [0, 123])
def test_a_protocol_with_validation_equals_two_calls(stratified, seed):
    (train, validation, test), labels = rows_of(
        name="sklearn", test=300, validation=0.25, seed=seed, stratified=stratified
    )
    everything = np.arange(len(labels))
    their_left, their_test = sklearn.model_selection.train_test_split(
        everything, test_size=300, random_state=seed, stratify=labels if stratified else None
    )
    their_train, their_validation = sklearn.model_selection.train_test_split(
        their_left,
        test_size=0.25,
        random_state=seed,
        stratify=labels[their_left] if stratified else None,
    )
    np.testing.assert_array_equal(test, their_test)
    np.testing.assert_array_equal(train, their_train)
    np.testing.assert_array_equal(validation, their_validation)


def test_a_share_of_all_rows_joins_the_published_parts():
    (train, validation, test), _ = rows_of(
        "mnist", name="sklearn", test=10_000, validation=5_000, seed=123, stratified=True
    )
    assert (len(train), len(validation), len(test)) == (55_000, 5_000, 10_000)
    together = np.sort(np.concatenate([train, validation, test]))
    np.testing.assert_array_equal(together, np.arange(70_000))


def test_a_class_of_one_row_is_refused():
    with pytest.raises(ValueError, match=r"two rows of every class.*Got 1 rows of a class"):
        train_test_split.draw(9, 4, 0, np.array([0] * 8 + [1]))


@pytest.mark.parametrize("dataset", ["xor", "and"])
def test_interaction_equals_scikit_learns(dataset):
    inputs = raw.read(dataset).inputs
    theirs = PolynomialFeatures(interaction_only=True).fit_transform(inputs)
    np.testing.assert_array_equal(transforms.features("interaction", inputs), theirs)
    described = Data.model_validate(
        {"dataset": dataset, "features": "interaction", "split": {"name": "all"}}
    )
    assert described.columns == theirs.shape[1] == 4
