"""Charts: where values end up on the page."""

import re
from xml.etree import ElementTree as ET

import pytest

from mitobench.render.charts import (
    Bar,
    Bins,
    Change,
    Dot,
    Level,
    Line,
    change_rows,
    dot_rows,
    histogram,
    line_chart,
    stacked_bars,
)
from mitobench.render.svg import Axis, Frame, count_axis, log_axis, path_of, svg, tag, unit_axis


def elements(chart, name, style=None):
    """Return the elements of a class in a chart, as dictionaries of their attributes and their title."""
    found = list(ET.fromstring(chart).iter(name))  # noqa: S314 - our own
    if style is not None:
        found = [element for element in found if style in element.get("class", "").split()]
    return [element.attrib | {"title": element.findtext("title"), "text": element.text} for element in found]


def numbers(path):
    return [float(number) for number in re.findall(r"-?[0-9.]+", path)]


@pytest.mark.parametrize(("value", "share"), [(10, 0), (100, 0.5), (1000, 1)])
def test_equal_ratios_are_equally_far_apart_on_a_logarithmic_axis(value, share):
    assert log_axis("voxels", 10, 1000).share(value) == pytest.approx(share)


@pytest.mark.parametrize("most", [0, 1, 3, 7, 12, 99, 100, 4321, 10**6])
def test_an_axis_of_counts_holds_them_with_few_round_ticks(most):
    axis = count_axis("instances", most)
    values = [value for value, _ in axis.ticks]
    assert axis.high >= most
    assert axis.high <= 2 * max(most, 1)
    assert values[0] == 0
    assert values[-1] == axis.high
    assert 2 <= len(values) <= 7


def test_the_corners_of_a_frame():
    frame = Frame(Axis("x", 0, 10, ()), Axis("y", 0, 4, ()), width=200, height=100, left=20, right=10, top=5, bottom=15)
    assert frame.at(0, 0) == (20, 85)
    assert frame.at(10, 4) == (190, 5)
    assert frame.at(5, 1) == (105, 65)


def test_a_line_goes_through_its_points_and_says_what_they_are():
    line = Line("All", "all", [(0, 1), (0.5, 0.5), (1, 0)], ["first", "second", "third"])
    chart = line_chart("Title", [line], unit_axis("recall"), unit_axis("precision"))
    [path] = elements(chart, "path", "line")
    assert numbers(path["d"]) == [44, 16, 195, 108, 346, 200]
    assert path["title"] == "All"
    dots = [(float(dot["cx"]), float(dot["cy"]), dot["title"]) for dot in elements(chart, "circle")]
    assert dots == [(44, 16, "first"), (195, 108, "second"), (346, 200, "third")]


def test_levels_cross_the_plane():
    chart = line_chart(
        "T", [], unit_axis("x"), unit_axis("y"), levels=[Level(0.5, "half"), Level(0.25, "up", upright=True)]
    )
    level, upright = (numbers(path["d"]) for path in elements(chart, "path", "level"))
    assert level == [44, 108, 346, 108]
    assert upright == [119.5, 200, 119.5, 16]
    assert [text["text"] for text in elements(chart, "text", "level-text")] == ["half", "up"]


def test_bars_of_a_histogram_stand_on_the_axis_and_empty_bins_have_none():
    bins = Bins("gt", "gt", [2, 0, 4], ["two", "none", "four"])
    chart = histogram("T", [1, 10, 100, 1000], [bins], log_axis("voxels", 1, 1000), count_axis("n", 4))
    first, last = elements(chart, "rect")
    assert (first["title"], last["title"]) == ("two", "four")
    assert float(last["height"]) == pytest.approx(2 * float(first["height"]))
    assert float(first["y"]) + float(first["height"]) == pytest.approx(200)
    assert float(last["x"]) - float(first["x"]) == pytest.approx(2 * 302 / 3, abs=0.2)


def test_an_outline_goes_over_the_bins_and_back_to_the_axis():
    bins = Bins("pred", "pred", [2, 0, 4], ["two", "none", "four"], filled=False)
    chart = histogram("T", [0, 1, 2, 3], [bins], Axis("x", 0, 3, ()), count_axis("n", 4))
    [path] = elements(chart, "path", "pred")
    points = numbers(path["d"])
    assert points[:2] == [44, 200]
    assert points[-2:] == [346, 200]
    assert min(points[1::2]) == 16
    assert len(elements(chart, "rect", "hover")) == 2


def test_stacked_bars_have_the_widths_of_their_shares():
    bar = Bar("All", [("matched", "v-matched", 75), ("missed", "v-missed", 25), ("split", "v-split", 0)])
    matched, missed = elements(stacked_bars("T", [bar]), "rect")
    assert float(matched["width"]) + 1 == pytest.approx(3 * (float(missed["width"]) + 1))
    assert float(missed["x"]) == pytest.approx(float(matched["x"]) + float(matched["width"]) + 1)
    assert missed["title"] == "All: 25 missed"


def test_a_bar_of_nothing_is_a_line():
    chart = stacked_bars("T", [Bar("Small", [("matched", "v-matched", 0)])])
    assert elements(chart, "rect") == []
    assert "n = 0" in [text["text"] for text in elements(chart, "text")]


def test_dots_lie_on_their_interval_and_undefined_ones_are_a_dash():
    dots = [Dot("Small", style="heading"), Dot("own", (("own", 0.5),), (0.25, 0.75), "own"), Dot("other")]
    chart = dot_rows("T", dots, unit_axis("AP"))
    [dot], [whisker] = elements(chart, "circle"), elements(chart, "path", "whisker")
    low, y, high, same = numbers(whisker["d"])
    assert y == same == float(dot["cy"])
    assert float(dot["cx"]) == pytest.approx((low + high) / 2, abs=0.1)
    assert "\N{EN DASH}" in [text["text"] for text in elements(chart, "text")]


def test_changes_reach_from_one_value_to_the_other_whichever_is_larger():
    changes = [Change("up", "v-split", 0.5, 0.9), Change("down", "v-false", 0.5, 0.4)]
    chart = change_rows("T", changes, unit_axis("AP"), now=0.5, target=0.9)
    up, down = elements(chart, "rect")
    now, target = (numbers(path["d"])[0] for path in elements(chart, "path", "level"))
    assert float(up["x"]) == now
    assert float(up["x"]) + float(up["width"]) == pytest.approx(target, abs=0.1)
    assert float(down["x"]) + float(down["width"]) == pytest.approx(now, abs=0.1)
    assert up["title"] == "up: from 0.500 to 0.900"


def test_a_picture_has_a_title_and_its_texts_are_escaped():
    chart = svg("<b>", [tag("text", "</svg><script>", x=1)], 10, 20)
    assert chart.startswith('<svg viewBox="0 0 10 20" role="img" class="chart"><title>&lt;b&gt;</title>')
    assert "<script" not in chart


def test_points_on_a_straight_stretch_are_left_out():
    assert path_of([(0, 0), (0, 0.01), (1, 0), (2, 0), (3, 1), (3, 2), (3, 5)]) == "M0 0L2 0L3 1L3 5"
