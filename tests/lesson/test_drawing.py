"""Charts: numbers stand where the axes say, and nothing a label says becomes markup."""

import math
import re

import numpy as np
import pytest

from harness.lesson import drawing
from harness.lesson.drawing import Line, Plane, boundary_ends, line_chart, plane_chart


def paths(svg, name):
    return re.findall(rf'<path class="{name}[^"]*" d="([^"]*)"', svg)


def places(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


def test_points_stand_where_the_axes_say():
    x = np.array([0.0, 1.0, 2.0])
    chart = line_chart("t", [Line("a", x, np.array([0.0, 10.0, 5.0]))], "x", "y")
    (first, middle, last) = places(paths(chart.svg, "line")[0])
    left, right = drawing.LEFT, drawing.WIDTH - drawing.RIGHT
    assert (first[0], last[0]) == (left, right)
    assert middle == ((left + right) / 2, drawing.TOP)
    assert first[1] == drawing.HEIGHT - drawing.BOTTOM
    assert last[1] == pytest.approx((first[1] + middle[1]) / 2, abs=0.1)


def test_a_logarithmic_axis_places_by_logarithm():
    y = np.array([1.0, 10.0, 100.0])
    chart = line_chart("t", [Line.over_steps("a", y)], "x", "y", logarithmic=True)
    ups = [up for _, up in places(paths(chart.svg, "line")[0])]
    assert ups[0] - ups[1] == pytest.approx(ups[1] - ups[2], abs=0.2)
    assert ">10</text>" in chart.svg


def test_a_line_is_interrupted_where_there_is_no_number():
    y = np.array([1.0, math.nan, 3.0, math.inf, 2.0])
    chart = line_chart("t", [Line.over_steps("a", y)], "x", "y")
    assert paths(chart.svg, "line")[0].count("M") == 3


def test_labels_are_text():
    hostile = '<script>alert(1)</script>&"'
    chart = line_chart(hostile, [Line.over_steps(hostile, [1, 2])], hostile, hostile)
    plane = plane_chart(Plane(hostile, np.zeros((1, 2)), np.zeros(1, int), axes=(hostile, "y")))
    for svg in (chart.svg, plane.svg):
        assert "<script" not in svg
        assert 'alert(1)&lt;/script&gt;&amp;&#34;"' in svg


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ((1, 1, -1), {(0.0, 1.0), (1.0, 0.0)}),
        ((0, 1, -0.5), {(0.0, 0.5), (1.0, 0.5)}),
        ((1, 0, -0.5), {(0.5, 0.0), (0.5, 1.0)}),
        ((1, 1, -5), None),
        ((0, 0, 1), None),
    ],
)
def test_a_boundary_ends_at_the_edges(line, ends):
    found = boundary_ends(line, (0.0, 1.0))
    assert (set(found) if found else None) == ends


def test_a_long_line_is_thinned_and_keeps_its_ends():
    chart = line_chart("t", [Line.over_steps("a", np.arange(10_001))], "x", "y")
    points = places(paths(chart.svg, "line")[0])
    assert len(points) <= drawing.MOST_POINTS
    assert points[0][0] == drawing.LEFT
    assert points[-1][0] == drawing.WIDTH - drawing.RIGHT
