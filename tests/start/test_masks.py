"""Masks of dropout: the same in whatever segments, as often 0 as stated, in the stated bits."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.loading import parse
from harness.start import BatchPlan, piece
from harness.start.masks import Masked, draw_masks
from harness.trainer import unpacked
from tests.conftest import protocol

LAYERS = [
    {"kind": "dropout", "rate": 0.2, "form": "inverted"},
    {"units": 11, "activation": "tanh"},
    {"kind": "dropout", "rate": 0.5, "form": "classic"},
    {"units": 3, "activation": "identity"},
]


def plan_of(order, seed=0):
    batches = {"order": order} if order == "full" else {"order": order, "size": 20, "last": "keep"}
    values = protocol(
        "iris-softmax",
        network__layers=LAYERS,
        training__batches=batches,
        training__length={"steps": 17},
        training__evaluation={"every_steps": 17},
    )
    return BatchPlan.of(parse(values, "test"), seed)


@given(st.sampled_from(["full", "shuffled"]), st.integers(0, 2**40), st.data())
def test_segments_have_the_masks_of_the_whole_plan(order, seed, draw):
    plan = plan_of(order, seed)
    whole = plan.segment(0, plan.steps)
    start = draw.draw(st.integers(0, plan.steps - 1))
    stop = draw.draw(st.integers(start + 1, plan.steps))
    for part in (plan.segment(start, stop), piece(whole, start, stop)):
        for masks, of_whole in zip(part.masks, whole.masks, strict=True):
            np.testing.assert_array_equal(masks, of_whole[start:stop])


@pytest.mark.parametrize(("order", "rows"), [("full", 105), ("shuffled", 20)])
def test_there_is_a_bit_for_every_number_of_every_row(order, rows):
    masks = plan_of(order).segment(2, 5).masks
    assert [(m.shape, m.dtype) for m in masks] == [
        ((3, rows, 1), np.uint8),  # four columns
        ((3, rows, 2), np.uint8),  # eleven units
    ]
    assert not (masks[1][..., 1] >> 3).any()  # beyond the width


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.9])
def test_a_number_is_dropped_as_often_as_stated(rate):
    (masks,) = draw_masks((Masked(width=50, rate=rate),), 3, 0, 40, 100)
    kept = unpacked(masks, 50)
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(1 - kept.mean() - rate) < 4 * deviation
    assert np.ptp(kept.mean(axis=(0, 1))) < 12 * deviation * np.sqrt(50)  # in every column


def test_seed_step_and_layer_have_masks_of_their_own():
    layers = (Masked(64, 0.5), Masked(64, 0.5))
    drawn = [
        mask.tobytes() for seed in (0, 1) for of in draw_masks(layers, seed, 0, 3, 8) for mask in of
    ]
    assert len(set(drawn)) == len(drawn) == 12


def test_number_j_is_bit_j_of_its_byte():
    packed = np.array([[0b00000101, 0b00000010]], np.uint8)
    assert unpacked(packed, 11).tolist() == [[1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]]


def test_masks_stay_the_same_in_every_version():
    drawn = draw_masks((Masked(10, 0.2), Masked(784, 0.5)), 7, 100, 102, 3)
    digest = hashlib.sha256(b"".join(masks.tobytes() for masks in drawn)).hexdigest()
    assert digest[:16] == "f593a12d8bacf623"
