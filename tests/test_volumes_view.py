"""Ranges of sections, and volumes stacked along z, behave as the array would."""

from itertools import pairwise

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError
from mitobench.overlap import overlap_pass
from mitobench.types import Box
from mitobench.volumes import SectionRange, Stacked, open_labels

ARRAY = np.random.default_rng(1).integers(0, 5, (9, 6, 7)).astype(np.uint16)
BOXES = st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in (4, 6, 7)))


@given(st.integers(0, 5), BOXES)
def test_a_range_is_a_slice(start, ends):
    view = SectionRange(open_labels(ARRAY), start, start + 4)
    box = Box(*zip(*((lo, max(lo + 1, hi)) for lo, hi in ends), strict=True))
    np.testing.assert_array_equal(view.read(box), ARRAY[start : start + 4][box.slices])


@given(st.sets(st.integers(1, 8)), st.tuples(st.integers(0, 8), st.integers(1, 9)))
def test_parts_stacked_again_are_the_whole(cuts, ends):
    whole = open_labels(ARRAY)
    edges = [0, *sorted(cuts), 9]
    stack = Stacked(tuple(SectionRange(whole, a, b) for a, b in pairwise(edges)), "stack")
    box = Box((ends[0], 1, 0), (max(ends[0] + 1, ends[1]), 5, 7))
    assert (stack.shape, stack.dtype, stack.raw) == (ARRAY.shape, ARRAY.dtype, None)
    np.testing.assert_array_equal(stack.read(box), ARRAY[box.slices])


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (5, 4), (8, 10)])
def test_a_range_must_be_inside(start, stop):
    with pytest.raises(InvalidInputError, match=r"^array: sections .* of 9 were asked for; expected at least one sect"):
        SectionRange(open_labels(ARRAY), start, stop)


@pytest.mark.parametrize("volume", [SectionRange(open_labels(ARRAY), 2, 5), Stacked((open_labels(ARRAY[2:5]),), "s")])
@pytest.mark.parametrize("ends", [(-1, 2), (2, 4)])
def test_reading_outside_of_a_range_never_gives_its_neighbours(volume, ends):
    with pytest.raises(InvalidInputError, match=r"reaches outside the volume of shape \(3, 6, 7\)$"):
        volume.read(Box((ends[0], 0, 0), (ends[1], 6, 7)))


@pytest.mark.parametrize("options", [{"chunks": (2, 3, 4), "compression": "gzip"}, {"chunks": (4, 6, 7)}, {}])
@pytest.mark.parametrize(("start", "stop"), [(0, 9), (4, 8), (4, 9), (2, 7), (3, 6), (8, 9)])
def test_a_pass_over_a_range_of_hdf5_counts_that_range(tmp_path, options, start, stop):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("main", data=ARRAY, **options)
    part = ARRAY[start:stop].copy()
    view = SectionRange(open_labels(tmp_path / "a.h5"), start, stop)
    found = overlap_pass(view, open_labels(part), workers=1)
    expected = overlap_pass(open_labels(part), open_labels(part), workers=1)
    for column in ("gt_id", "pred_id", "count", "box_min", "coord_sum"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
    if start % options.get("chunks", (1,))[0] == 0:
        assert view.raw is not None
    view.close()


def test_parts_of_different_types_and_shapes():
    small, large = open_labels(ARRAY.astype(np.uint8)), open_labels(ARRAY.astype(np.uint32))
    assert Stacked((small, large), "s").read(Box((8, 0, 0), (10, 1, 1))).dtype == np.uint32
    message = r"^s: no integer type holds all of them \(array is int64, array is uint64\); convert one of them$"
    with pytest.raises(InvalidInputError, match=message):
        Stacked((open_labels(ARRAY.astype(np.int64)), open_labels(ARRAY.astype(np.uint64))), "s")
    message = r"^array: sections of 6 x 6 voxels; expected 6 x 7 as in array; use them one by one$"
    with pytest.raises(InvalidInputError, match=message):
        Stacked((small, open_labels(ARRAY[:, :, 1:])), "s")
