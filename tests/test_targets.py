"""Targets of training: masks, contours, the separation of touching instances, smooth outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from baselines.targets import (
    difference_contour,
    mask,
    separate_touching,
    smooth_instances,
    touching_contour,
    window_contour,
)

labels_of_any_shape = hnp.arrays(
    np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.integers(0, 3)
)


def window(function, labels, radius):
    edge = 2 * radius + 1
    return function(labels, (1, edge, edge), mode="nearest")


@given(labels_of_any_shape, st.integers(1, 4))
def test_the_contour_is_where_a_window_holds_two_labels(labels, radius):
    expected = window(ndimage.maximum_filter, labels, radius) != window(ndimage.minimum_filter, labels, radius)
    assert np.array_equal(window_contour(labels, radius), expected)


@given(labels_of_any_shape, st.integers(1, 3))
def test_touching_is_where_a_window_holds_two_instances(labels, radius):
    expected = np.zeros(labels.shape, bool)
    for z, y, x in np.ndindex(labels.shape):
        part = labels[z, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        expected[z, y, x] = len(np.unique(part[part > 0])) > 1
    assert np.array_equal(touching_contour(labels, radius), expected)


@given(labels_of_any_shape)
def test_separated_instances_do_not_touch(labels):
    kept = separate_touching(labels)
    assert kept.dtype == labels.dtype
    assert np.all((kept == labels) | (kept == 0))
    for axis in (1, 2):
        a, b = np.split(kept, [kept.shape[axis] - 1], axis)[0], np.split(kept, [1], axis)[1]
        assert not ((a > 0) & (b > 0) & (a != b)).any()


@given(labels_of_any_shape)
def test_the_contour_by_differences_lies_in_that_by_windows(labels):
    assert not (difference_contour(labels) & ~window_contour(labels)).any()


@pytest.mark.parametrize("contour", [window_contour, difference_contour])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_straight_border_is_four_pixels_wide(contour, axis):
    labels = np.zeros((1, 20, 20), np.int32)
    labels.swapaxes(1, axis)[:, 10:] = 5
    across = contour(labels).swapaxes(1, axis)[0]
    assert np.flatnonzero(across[:, 10]).tolist() == [8, 9, 10, 11]
    assert across[9].all()


def test_sections_do_not_see_each_other():
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[1] = 4
    assert not window_contour(labels).any()
    assert not difference_contour(labels).any()
    assert np.array_equal(mask(labels)[:, 0, 0], [False, True, False])


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_smoothing_rounds_corners_and_keeps_straight_borders(kind):
    labels = np.zeros((2, 60, 60), np.uint16)
    labels[:, 20:40, 20:40] = 9
    smooth = smooth_instances(labels, kind)
    assert set(np.unique(smooth)) == {0, 9}
    assert smooth[0, 20, 20] == 0
    assert abs(int((smooth[0, 30] == 9).sum()) - 20) <= 2
    assert np.array_equal(smooth[0], smooth[1])


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_smoothing_an_instance_does_not_depend_on_what_is_far_away(kind):
    labels = np.zeros((1, 50, 50), np.int64)
    labels[0, 5:20, 5:15] = 2**40
    alone = smooth_instances(labels, kind)
    labels[0, 35:45, 35:48] = 3
    both = smooth_instances(labels, kind)
    assert np.array_equal(both == 2**40, alone == 2**40)
    assert (both == 3).any()


def test_where_smoothed_instances_meet_the_higher_id_stays():
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[0, 10:30, 10:20], labels[0, 10:30, 20:30] = 2, 1
    smooth = smooth_instances(labels, "v1")[0, 20]
    assert smooth.max() == 2
    assert (smooth == 2).sum() >= (smooth == 1).sum()


@pytest.mark.parametrize("value", [0, 7])
def test_smoothing_one_value_everywhere(value):
    labels = np.full((1, 12, 12), value, np.uint8)
    assert np.unique(smooth_instances(labels, "v2")).tolist() == [value]
