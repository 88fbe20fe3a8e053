"""Charts and pictures that must not mislead: what is one line, what is no boundary, how sure."""

import dataclasses

import numpy as np
import pytest
from pages import report_of, request

from harness.experiment.loading import load, parse
from harness.report.page import boundaries, learning_charts, overlays, png
from harness.report.page.curve_chart import ALL_LOOPS
from harness.report.page.forward_pass import forward_pass_of
from harness.report.page.image_results import confidence_text, doubts_of_answers
from harness.report.page.learning_curves import Curves
from harness.report.page.same_curves import ONE_PIXEL, same_curves
from harness.report.sections import make_sections
from tests.conftest import protocol

STEPS = np.array([1, 50, 100])
LOSS, SCORE = np.array([0.7, 0.4, 0.1]), np.array([0.5, 0.75, 1.0])


def curves(framework, shift=0.0, proven=True, loss=LOSS, score=SCORE):
    values = {"train_loss": loss + shift, "test_accuracy": score}
    return Curves(framework, "fused", STEPS, STEPS * 1e-3, values, 1, proven)


def learning(*all_curves):
    names = [each.framework for each in all_curves]
    return learning_charts.learning(load("xor-mlp"), all_curves, names, "100 steps")


def drawn(spec):
    """The frameworks that a chart has in its legend."""
    return spec["encoding"]["color"]["scale"]["domain"]


def test_curves_that_nobody_can_tell_apart_are_one_line():
    figure = learning(curves("numpy"), curves("jax", 2e-7), curves("keras", 0.2, proven=False))
    assert drawn(figure.specs["training-loss-by-step"]) == ["all 2 that are proven", "keras"]
    assert drawn(figure.specs["training-loss-by-time"]) == ["numpy", "jax", "keras"]
    assert "differ by more than 2e-07 in training loss" in figure.caption
    together = [record for record in figure.records if record["l"] == ALL_LOOPS]
    assert [record["loss"] for record in together] == LOSS.tolist()
    assert not any("all 2" in cell for row in figure.rows for cell in row)


@pytest.mark.parametrize(("pixels", "is_one"), [(0.0, True), (0.9, True), (1.1, False)])
def test_a_pixel_parts_two_curves(pixels, is_one):
    height = float(np.ptp(LOSS))
    apart = pixels * ONE_PIXEL * height / (1 - pixels * ONE_PIXEL)
    same = same_curves([curves("numpy"), curves("jax", apart)])
    assert (same is not None) == is_one
    if same and pixels:
        assert same.gaps["train_loss"] == pytest.approx(apart)


def test_the_table_of_one_line_has_the_time_of_each():
    figure = learning(curves("numpy"), curves("jax", 2e-7))
    step, loss, score, *times = figure.headings
    assert (step, loss, score) == ("step", "training loss", "training accuracy")
    assert times == ["time of numpy fused", "time of jax fused"]
    assert figure.rows[1] == ("50", "0.4", "0.75", "50.0 ms", "50.0 ms")
    assert len(figure.rows) == len(STEPS)


def test_equal_curves_are_called_equal_and_others_are_drawn_each():
    assert "their numbers are equal" in learning(curves("numpy"), curves("jax")).caption
    figure = learning(curves("numpy"), curves("jax", 0.1))
    assert drawn(figure.specs["training-loss-by-step"]) == ["numpy", "jax"]
    assert "one line" not in figure.caption


def test_a_score_that_never_changes_has_no_chart_by_time():
    level = np.full(3, 0.5)
    figure = learning(curves("numpy", score=level), curves("jax", score=level))
    assert "test-accuracy-by-time" not in figure.specs
    assert {"test-accuracy-by-step", "training-loss-by-time"} <= figure.specs.keys()


def test_experiments_that_differ_in_one_part_share_a_chart(tmp_path):
    names = ("xor-mlp", "xor-wide", "xor-single", "digits-mlp")
    requested = request(names, preset="standard", seeds=1, frameworks=("numpy", "jax"))
    report = report_of(tmp_path, requested)
    (overlay,) = overlays.overlays(report.sections)
    assert overlay.part == "network"
    assert [(value, section.experiment.name) for value, section in overlay.members] == [
        ("network 2-2-1", "xor-mlp"),
        ("network 2-10-1", "xor-wide"),
        ("network 2-1", "xor-single"),
    ]
    figure = overlays.overlay_figure(overlay, report.run)
    assert list(figure.specs) == ["training loss by step", "training accuracy by step"]
    for spec in figure.specs.values():
        assert drawn(spec) == ["network 2-2-1", "network 2-10-1", "network 2-1"]
    assert [row[:2] for row in figure.rows] == [
        ("xor-mlp", "network 2-2-1"),
        ("xor-wide", "network 2-10-1"),
        ("xor-single", "network 2-1"),
    ]
    assert "xor-wide: network 2-10-1, by numpy stepwise" in figure.caption
    unproven = dataclasses.replace(report.run, verdicts={})
    assert overlays.overlay_figure(*overlays.overlays(make_sections(unproven)), unproven) is None


# ---------------------------------------------------------------- boundaries


def view():
    return boundaries._view(load("xor-single").data)


def levels(weight):
    """The picture of a network that predicts class 1 where x1 is large, by its weight."""
    parameters = [(np.array([[weight], [0.0]]), np.array([-weight / 2]))]
    shares = boundaries.probabilities(load("xor-single"), parameters, view())
    return boundaries._levels(shares, 0), boundaries._is_undecided(shares)


@pytest.mark.parametrize(("weight", "undecided"), [(1e-5, True), (-1e-5, True), (0.1, False)])
def test_where_nothing_is_decided_there_is_no_boundary(weight, undecided):
    picture, is_undecided = levels(weight)
    assert is_undecided == undecided
    above = picture > (png.LEVELS - 1) / 2  # the page draws a line between above and below
    assert (len(np.unique(above)) == 1) == undecided


def test_pictures_are_alike_as_far_as_one_sees():
    picture, _ = levels(3.0)
    near, _ = levels(3.05)
    assert boundaries._alike([picture], [near], 0)
    assert not boundaries._alike([picture], [levels(5.0)[0]], 0)
    assert not boundaries._alike([picture], [picture[:, ::-1]], 0)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("doubt", "text"),
    [
        (0.127, "87.3 %"),
        (0.0123, "98.8 %"),
        (0.0012, "99.88 %"),
        (1.8e-5, "99.9982 %"),
        (3.21e-9, "99.99999968 %"),
        (0.0, "100.0 %"),
    ],
)
def test_how_sure_is_said_with_digits_that_differ(doubt, text):
    assert confidence_text(doubt) == text


def test_doubts_are_exact_where_one_minus_p_is_not():
    outputs = np.array([[40.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    softmax = doubts_of_answers(load("mnist-mlp"), outputs)
    np.testing.assert_allclose(softmax, [2 * np.exp(-40), 2 / 3], rtol=1e-12)
    sigmoid = doubts_of_answers(load("mnist-wide"), outputs)
    np.testing.assert_allclose(sigmoid, [np.exp(-40), 1 / (1 + np.e)], rtol=1e-12)


def test_a_network_that_only_predicts_shows_every_z_and_a():
    """The numbers printed by the post, and the first layer by hand."""
    shown = forward_pass_of(load("fixed-forward"))
    assert shown.inputs == ("1.00000000", "0.50000000")
    assert shown.layers[0].z == ("0.30000000", "0.70000000", "1.10000000")
    assert shown.layers[-1].a == ("0.31682708", "0.69627909")
    assert shown.command == "samestep step fixed-forward"
    assert forward_pass_of(load("xor-mlp")) is None
    renamed = parse(protocol("fixed-forward", name="mine"), "t")
    assert forward_pass_of(renamed).command == ""
