"""The parts of a page: pictures, boundaries, images, ladder, commands, answer."""

import base64
import dataclasses
import struct
import zlib

import numpy as np
import pytest
from pages import read, report_of, request

from harness.experiment.loading import parse
from harness.report.answer import answer, statements
from harness.report.model import LineState
from harness.report.page import boundaries, commands, image_results, png
from harness.report.page.learning_curves import MOST_POINTS, thinned
from harness.report.page.proofs import ladder_of
from harness.report.sections import make_sections
from harness.results import RunFolder
from tests.conftest import protocol


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return report_of(tmp_path_factory.mktemp("run"))


def decoded(uri):
    """(height, width) places or shades, and the palette, of a PNG that this project made."""
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", content[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:], chunks.get(b"PLTE")


def test_pictures():
    pixels, palette = decoded(png.grey(np.array([[0, 8, 16], [16, 0, 0]])))
    assert pixels.tolist() == [[255, 128, 0], [0, 255, 255]]
    assert palette is None
    places, palette = decoded(png.signed(np.array([[-2.0, 0.0, 1.0, 2.0]])))
    assert places[0, 0] == 0
    assert places[0, 3] == png.LEVELS - 1
    assert palette[:3] == bytes(png.LOW)
    assert palette[-3:] == bytes(png.HIGH)
    decoded(png.grey(np.zeros((2, 2))))
    decoded(png.shares(np.array([[np.nan, 5.0, -5.0]])))


def test_boundaries_are_those_of_the_network(report):
    section = report.sections[0]
    result = boundaries.boundaries_of(section, report.run)
    assert result.corners == ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
    assert boundaries.MOST_FRAMES - 1 <= len(result.steps) <= boundaries.MOST_FRAMES
    assert result.steps[0] == 1
    assert result.steps[-1] == section.experiment.steps
    # every framework of this run left the same parameters, so they share their pictures;
    # what is not proven stands apart
    proven, unproven = result.planes
    assert (proven.names[0], unproven.names) == ("numpy stepwise", ("keras fused",))
    assert proven.frames == unproven.frames
    assert len(result.pictures) <= len(result.steps)
    row = next(row for row in report.run.rows if row.status == "ok")
    arrays = report.run.arrays(row.trial)
    points = boundaries.plane()
    hidden = 1 / (1 + np.exp(-(points @ arrays["W1"][-1] + arrays["b1"][-1])))
    logits = hidden @ arrays["W2"][-1] + arrays["b2"][-1]
    expected = (1 / (1 + np.exp(-logits))).reshape(boundaries.SIDE, boundaries.SIDE)
    places, _ = decoded(result.planes[0].last)
    assert np.abs(places / (png.LEVELS - 1) - expected).max() < 0.51 / (png.LEVELS - 1)
    signs = result.pictures[result.planes[0].frames[-1]]
    assert [boundaries.ALPHABET.index(sign) for sign in signs] == places.ravel().tolist()


def test_features_between_the_bits_are_those_at_the_bits(report):
    data = report.run.plan.experiments["xor-flip"].data
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    exact = boundaries.transforms.features(data.features, bits)
    assert np.array_equal(boundaries.features(data, bits.astype(float)), exact)


def test_a_square_lies_where_the_inputs_are():
    how = {"rows": 300, "noise": 0.1, "seed": 0}
    table = {"dataset": "moons", "drawn": how, "scale": "standardize"}
    table |= {"split": {"name": "random", "test": 0.2, "seed": 0}}
    experiment = parse(protocol("xor-single", data=table, quick=None), "test")
    view = boundaries._view(experiment.data)
    points = boundaries.raw.rows_of(experiment.data).inputs
    marks = np.array(view.marked)
    assert len(marks) == 200
    np.testing.assert_allclose(view.low + marks[:, :2] * view.width, points[:200], atol=1e-3)
    one_layer = [(np.array([[1.0], [0.0]]), np.array([0.0]))]
    shares = boundaries.probabilities(experiment, one_layer, view)
    middle = np.abs(shares[0, :, 0] - 0.5).argmin()  # where the standardized x1 is 0, its mean
    x1 = view.low[0] + boundaries.plane()[middle, 0] * view.width[0]
    assert abs(x1 - points[:, 0].mean()) < 0.2
    assert "the first 200 rows" in boundaries._explained(experiment.data, view)


THREE = {"dataset": "blobs", "drawn": {"rows": 90, "noise": 0.3, "seed": 0}}
SHARES = {
    "softmax_cross_entropy": ({"batch": "mean"}, lambda z: np.exp(z) / np.exp(z).sum()),
    "binary_cross_entropy": (
        {"batch": "mean", "outputs": "sum"},
        lambda z: 1 / (1 + np.exp(-z)),
    ),
    "mean_squared_error": ({"half": True, "batch": "mean", "outputs": "sum"}, lambda z: z),
}


@pytest.mark.parametrize("loss", SHARES)
def test_several_classes_have_a_colour_and_a_mark_each(loss):
    fields, share_of = SHARES[loss]
    layers = [{"units": 3, "activation": "identity"}]
    values = protocol(
        "xor-single",
        data=THREE | {"split": {"name": "random", "test": 0.2, "seed": 0}},
        network__layers=layers,
        training__loss={"name": loss, **fields},
        quick=None,
    )
    experiment = parse(values, "test")
    assert boundaries._has_a_plane(experiment)
    assert boundaries._classes(experiment) == ("class 0", "class 1", "class 2")
    view = boundaries._view(experiment.data)
    W, b = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]]), np.array([0.2, 0.1, 0.0])
    shares = boundaries.probabilities(experiment, [(W, b)], view)
    levels = boundaries._levels(shares, 3)
    assert shares.shape == (boundaries.FINE_SIDE, boundaries.FINE_SIDE, 3)
    first = view.low + boundaries.plane(boundaries.FINE_SIDE)[0] * view.width
    np.testing.assert_allclose(shares[0, 0], share_of(first @ W + b), rtol=1e-12)
    np.testing.assert_array_equal(levels // png.shades_of(3), shares.argmax(axis=2))


def test_marks_and_colours_say_what_a_class_is():
    names = tuple("abcdef")
    drawn = boundaries.Boundaries((1,), (), (), (), 0, "", 0.02, classes=names)
    assert drawn.legend.startswith("blue and rings: a; orange and crosses: b; green and triangles")
    paths = {drawn.mark_path(0.5, 0.25, label) for label in range(6)}
    assert len(paths) == boundaries.MOST_CLASSES
    assert all(path.startswith("M0.5 0.75m-0.02") for path in paths)
    assert len(set(drawn.colours)) == len(drawn.colours) == 6 * drawn.shades <= png.LEVELS


def test_images_are_counted_and_sorted(report):
    section = next(s for s in report.sections if s.experiment.name == "digits-mlp")
    results = image_results.image_results_of(section, report.run)
    assert results.missing == ""
    counts = np.array(results.confusion)
    assert counts.sum() == 360
    assert np.trace(counts) > 180
    shares = [float(one.confidence.rstrip(" %")) for one in results.wrong]
    assert shares == sorted(shares, reverse=True)
    assert len(results.wrong) == 10
    assert all(one.label != one.taken_for for one in results.wrong)
    assert len(results.weights) == 20
    assert results.units == 64


def test_images_without_the_dataset(report, monkeypatch):
    section = next(s for s in report.sections if s.experiment.name == "digits-mlp")

    def absent(dataset):
        raise image_results.DataMissingError("digits: not here")

    monkeypatch.setattr(image_results, "_raw", absent)
    results = image_results.image_results_of(section, report.run)
    assert results.missing == "digits: not here"
    assert results.confusion == ()
    assert results.weights


def test_thinned():
    assert thinned(3, 60).tolist() == [0, 1, 2]
    many = thinned(1001, MOST_POINTS)
    assert len(many) == MOST_POINTS
    assert many[0] == 0
    assert many[-1] == 1000


def test_the_ladder_shades_and_marks(report):
    ladder = ladder_of(report.sections[0], report.run.verdicts)
    wrong = next(row for row in ladder.rows if row.label.startswith("keras"))
    assert wrong.state == LineState.DIFFERENT
    assert [cell and cell.passed for cell in wrong.cells] == [True, None, False]
    assert ladder.rows[0].state == LineState.PROVEN
    assert ladder.rows[0].cells[0].shade == 0
    assert wrong.cells[2].shade == 5


def test_commands(tmp_path):
    requested = request(("xor-mlp",), frameworks=("numpy", "jax"), seeds=2, dtype="float64")
    plan = report_of(tmp_path, requested).run.plan
    report = read(plan, RunFolder(tmp_path))
    options = "--seeds 2 --dtype float64"
    assert commands.of_run(plan) == f"samestep report xor-mlp --frameworks numpy,jax {options}"
    line = report.sections[0].lines[-1]
    assert commands.of_line(plan, "xor-mlp", line) == (
        f"samestep report xor-mlp --frameworks jax --loops fused {options}"
    )


def test_a_cell_that_is_not_proven_is_never_compared(report):
    rows = [row for row in report.run.rows if row.framework == "keras" and row.status == "ok"]
    assert all(not report.run.judgement_of(row).proven for row in rows)
    quick = {row.trial: 1e-9 for row in rows}
    faster = [
        dataclasses.replace(r, train_s=quick.get(r.trial, r.train_s)) for r in report.run.rows
    ]
    run = dataclasses.replace(report.run, rows=faster)
    sections = make_sections(run)
    assert "keras" not in " ".join([answer(run, sections), *statements(sections)])
