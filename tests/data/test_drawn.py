"""Drawn datasets: their shapes by formula, and the same points from the same seed."""

import numpy as np
import pytest

from harness.data import drawn, load
from harness.experiment.loading import ProtocolError, parse
from tests.conftest import protocol

SPLIT = {"name": "random", "test": 0.2, "seed": 0}


def on(dataset, **how):
    table = {"dataset": dataset, "split": SPLIT}
    table |= {"drawn": how} if how else {}
    return protocol("xor-mlp", data=table, quick=None)


def test_without_noise_the_points_lie_on_their_shapes():
    points, labels = drawn.draw("circles", 100, 0.0, 3)
    np.testing.assert_allclose(np.hypot(*points.T), np.where(labels == 0, 1, 0.5))
    points, labels = drawn.draw("moons", 100, 0.0, 3)
    centre = np.where(labels[:, None] == 0, [0, 0], [1, 0.5])
    np.testing.assert_allclose(np.hypot(*(points - centre).T), 1)
    assert (points[labels == 0, 1] >= 0).all()
    assert (points[labels == 1, 1] <= 0.5).all()
    points, labels = drawn.draw("spiral", 100, 0.0, 3)
    radius = np.hypot(*points.T)
    straightened = np.exp(1j * (np.angle(points @ [1, 1j]) - 2.5 * np.pi * radius)).real
    np.testing.assert_allclose(straightened, np.where(labels == 0, 1, -1), atol=1e-12)
    points, labels = drawn.draw("blobs", 99, 0.0, 3)
    assert len(np.unique(points, axis=0)) == 3
    assert np.bincount(labels).tolist() == [33, 33, 33]


def test_seed_and_noise_are_the_protocols():
    first, _ = drawn.draw("moons", 2000, 0.2, 0)
    again, _ = drawn.draw("moons", 2000, 0.2, 0)
    clean, _ = drawn.draw("moons", 2000, 0.0, 0)
    other, _ = drawn.draw("moons", 2000, 0.2, 1)
    np.testing.assert_array_equal(first, again)
    assert abs((first - clean).std() - 0.2) < 0.01
    assert not np.allclose(first, other)
    digests = {
        parse(on("moons", rows=rows, noise=noise, seed=seed), "test").digest
        for rows, noise, seed in [(50, 0.1, 0), (51, 0.1, 0), (50, 0.2, 0), (50, 0.1, 1)]
    }
    assert len(digests) == 4


def test_a_protocol_trains_on_them():
    experiment = parse(on("spiral", rows=50, noise=0.1, seed=0), "test")
    assert experiment.data.rows == (40, 0, 10)
    prepared = load(experiment.data, experiment.loss, "float32")
    assert prepared.train.inputs.shape == (40, 2)
    assert set(prepared.train.labels.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (on("moons"), "data: drawn: state how 'moons' is drawn: drawn = "),
        (on("xor", rows=9, noise=0.1, seed=0), "only for datasets that are drawn; 'xor' is none"),
        (on("moons", rows=2, noise=0.1, seed=0), "data.drawn.rows"),
        (on("moons", rows=9, noise=-0.1, seed=0), "data.drawn.noise"),
    ],
)
def test_how_they_are_drawn_must_be_said(values, words):
    with pytest.raises(ProtocolError, match=words):
        parse(values, "mine.toml")
