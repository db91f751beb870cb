"""Pictures of mistakes: which ones, where, and whether the outlines are those of the labels."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from imagecodecs import png_decode

from mitobench.errors import InvalidInputError
from mitobench.evaluate import evaluate_pair
from mitobench.pictures import error_pictures
from mitobench.pictures._choose import worst_errors
from mitobench.pictures._crop import plan_crop
from mitobench.pictures._outline import outline_path, outlines
from mitobench.testing import random_volumes
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

HUGE = 2**64 - 1


def inside(path, shape):
    """Fill a path by the even-odd rule: a pixel is inside if the lines left of its middle are odd in number."""
    crossings = np.zeros((shape[0], shape[1] + 1), int)
    for loop in re.findall(r"M(\d+) (\d+)([^z]*)z", path):
        x, y = start = int(loop[0]), int(loop[1])
        steps = [*re.findall(r"([hv])(-?\d+)", loop[2])]
        for kind, length in steps:
            end = (x + int(length), y) if kind == "h" else (x, y + int(length))
            crossings[min(y, end[1]) : max(y, end[1]), x] += 1
            x, y = end
        crossings[min(y, start[1]) : max(y, start[1]), start[0]] += 1
        assert x == start[0] or y == start[1]
    return crossings.cumsum(axis=1)[:, :-1] % 2 == 1


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=150)
def test_filling_the_outline_gives_the_mask_back(mask):
    np.testing.assert_array_equal(inside(outline_path(mask), mask.shape), mask)


@given(arrays(np.uint64, (7, 8), elements=st.sampled_from([0, 1, 5, HUGE])))
def test_every_label_of_a_section_has_its_outline(labels):
    found = outlines(labels)
    assert list(found) == sorted(set(labels[labels != 0].tolist()))
    for label, path in found.items():
        np.testing.assert_array_equal(inside(path, labels.shape), labels == np.uint64(label))


boxes = st.tuples(*[st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(sorted) for n in (30, 900, 2000)]).map(
    lambda ends: Box(tuple(low for low, _ in ends), tuple(max(low + 1, high) for low, high in ends))
)


@given(boxes, st.tuples(*[st.floats(0, 1)] * 3))
def test_crops_are_inside_the_volume_and_around_the_instance(box, where):
    shape = (30, 900, 2000)
    centroid = [low + share * (high - 1 - low) for low, high, share in zip(box.start, box.stop, where, strict=True)]
    crop = plan_crop(box, centroid, shape)
    middle = min(max(round(centroid[0]), box.start[0]), box.stop[0] - 1)
    assert len(crop.sections) == 3
    assert middle in crop.sections
    assert list(crop.sections) == sorted(set(crop.sections))
    assert min(crop.sections) >= 0
    assert max(crop.sections) < shape[0]
    for axis, (low, high) in ((1, crop.y), (2, crop.x)):
        assert 0 <= low < high <= shape[axis]
        assert (high - low) % crop.stride == 0
        assert (high - low) // crop.stride <= 160
        contained = low <= box.start[axis] and box.stop[axis] <= high
        assert contained or not crop.whole
    assert crop.whole or max(box.shape[1:]) > 900


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 5, 7), (3, 50, 7)])
def test_small_volumes_are_shown_whole(shape):
    crop = plan_crop(Box((0, 1, 1), (1, 2, 2)), (0, 1, 1), shape)
    assert crop.sections == tuple(range(shape[0]))
    assert (crop.y, crop.x) == ((0, shape[1]), (0, shape[2]))


def labels(shape=(8, 64, 96)):
    """Return a ground truth of a kind each: missed twice, split, merged, and a false prediction."""
    gt, pred = np.zeros((2, *shape), np.uint64)
    gt[2:6, 5:15, 5:15] = 1
    gt[2:4, 5:10, 30:35] = 2
    gt[1:7, 30:40, 5:25], pred[1:7, 30:40, 5:15], pred[1:7, 30:40, 15:25] = HUGE, 11, 12
    gt[1:7, 30:40, 40:50], gt[1:7, 30:40, 50:60], pred[1:7, 30:40, 40:60] = 4, 5, 13
    pred[0:3, 50:60, 70:80] = 14
    return gt, pred


def taken(gt, pred, image=None, **options):
    volume = evaluate_pair(pred, gt, name="crop").volumes[0]
    image = None if image is None else open_image(image)[0]
    return error_pictures(volume, gt=open_labels(gt), pred=open_labels(pred), image=image, **options)


def test_each_kind_of_mistake_has_its_picture_the_largest_first():
    found = [(picture.verdict, picture.side, picture.id) for picture in taken(*labels())]
    assert found == [
        ("missed", "gt", 1),
        ("missed", "gt", 2),
        ("false", "pred", 14),
        ("split", "gt", HUGE),
        ("merged", "pred", 13),
    ]


def test_as_many_of_each_kind_as_asked_for():
    assert len(taken(*labels(), per_class=1)) == 4
    assert taken(*labels(), per_class=0) == []


def test_a_report_without_instances_has_no_pictures():
    assert worst_errors({}, 3) == []
    gt, pred = labels()
    volume = replace(evaluate_pair(pred, gt).volumes[0], instances={})
    assert error_pictures(volume, gt=open_labels(gt), pred=open_labels(pred)) == []


def test_outlines_know_their_side_id_and_role():
    picture = next(picture for picture in taken(*labels()) if picture.verdict == "split")
    roles = {(o.side, o.id): o.role for section in picture.sections for o in section.outlines}
    assert roles[("gt", HUGE)] == "focus"
    assert roles[("pred", 11)] == roles[("pred", 12)] == "partner"
    assert roles[("pred", 13)] == roles[("gt", 1)] == "other"
    assert all(section.outlines[-1].role == "focus" for section in picture.sections)
    assert picture.shown_partners == (11, 12)
    assert picture.name == f"ground truth {HUGE}"
    assert picture.alt(picture.sections[0]) == f"Section 3: ground truth {HUGE}, split; overlapping prediction 11, 12"


def test_a_section_without_the_instance_says_so():
    gt, pred = np.zeros((2, 5, 20, 20), np.uint8)
    gt[2, 4:8, 4:8] = 3
    [picture] = taken(gt, pred)
    assert [section.z for section in picture.sections] == [1, 2, 3]
    alt = "Section 1: ground truth 3 not in it, missed; no overlapping prediction"
    assert picture.alt(picture.sections[0]) == alt


def test_outlines_are_those_of_the_voxels():
    gt, pred = labels()
    for picture in taken(gt, pred):
        for section in picture.sections:
            for outline in section.outlines:
                (y, x), volume = picture.corner, {"gt": gt, "pred": pred}[outline.side]
                expected = volume[section.z, y : y + picture.height, x : x + picture.width] == np.uint64(outline.id)
                np.testing.assert_array_equal(inside(outline.path, expected.shape), expected)


def test_large_instances_are_thinned():
    gt, pred = np.zeros((2, 3, 700, 500), np.uint8)
    gt[:, 20:620, 20:60] = 1
    [picture] = taken(gt, pred, np.zeros(gt.shape, np.uint8), voxel_size=(30, 8, 4))
    assert picture.stride == 5
    assert picture.whole
    assert picture.pixel_size == (40, 20)
    assert picture.height <= 160
    y, x = picture.corner
    thinned = gt[1, y : y + 5 * picture.height, x : x + 5 * picture.width][2::5, 2::5]
    focus = picture.sections[1].outlines[-1]
    np.testing.assert_array_equal(inside(focus.path, thinned.shape), thinned == 1)
    assert png_decode(picture.sections[1].png).shape == thinned.shape


def test_pictures_are_as_near_as_their_sections_allow():
    gt, pred = np.zeros((2, 9, 900, 900), np.uint8)
    for z in range(9):
        gt[z, 100 * z : 100 * z + 60, 100 * z + 20 : 100 * z + 80] = 7
    [picture] = taken(gt, pred)
    assert [section.z for section in picture.sections] == [2, 4, 6]
    assert picture.stride == 4
    (y, x), size = picture.corner, picture.height * 4
    assert max(y, x) <= 200
    assert min(y, x) + size >= 680
    assert picture.whole


def test_the_image_is_that_of_the_box_in_one_contrast():
    gt, pred = labels()
    image = np.arange(gt.size, dtype=np.float64).reshape(gt.shape)
    for picture in taken(gt, pred, image):
        decoded = np.stack([png_decode(section.png) for section in picture.sections])
        assert decoded.dtype == np.uint8
        assert decoded.shape == (3, picture.height, picture.width)
        assert decoded.min() == 0
        assert decoded.max() == 255
        assert (np.diff(decoded.ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, 7.5, np.nan, np.inf])
def test_images_of_one_value_or_none_are_fine(value):
    gt, pred = labels()
    image = np.full(gt.shape, value, np.float32)
    assert all(section.png for picture in taken(gt, pred, image) for section in picture.sections)


def test_sections_of_noise_the_worst_case_are_small_files():
    gt, pred = np.zeros((2, 3, 300, 300), np.uint8)
    gt[:, 20:140, 20:140] = 1
    image = np.random.default_rng(1).normal(128, 40, gt.shape).clip(0, 255).astype(np.uint8)
    [picture] = taken(gt, pred, image)
    assert picture.height >= 156
    assert max(len(section.png) for section in picture.sections) < 24_000


class Counting:
    """A volume that counts the voxels that are read."""

    def __init__(self, volume):
        self.volume, self.read_voxels = volume, 0

    def __getattr__(self, name):
        return getattr(self.volume, name)

    def read(self, box):
        self.read_voxels += box.voxels
        return self.volume.read(box)


def test_only_small_boxes_are_read():
    gt, pred = labels((8, 1000, 1000))
    volume = evaluate_pair(pred, gt).volumes[0]
    gt, pred = Counting(open_labels(gt)), Counting(open_labels(pred))
    image = Counting(open_image(np.zeros(gt.shape, np.uint8))[0])
    pictures = error_pictures(volume, gt=gt, pred=pred, image=image)
    assert gt.read_voxels == pred.read_voxels == image.read_voxels == len(pictures) * 3 * 96 * 96


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((8, 64, 95), "cut or resample it to the same region first"),
        ((96, 64, 8), "one shape is a permutation of the other: transpose it to the axis order (z, y, x)"),
    ],
)
def test_an_image_of_another_shape_is_refused(shape, hint):
    message = (
        f"array: the image has the shape {shape}, but the labels of crop have (8, 64, 96); pictures need the same "
        f"(z, y, x) shape: {hint}"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        taken(*labels(), np.zeros(shape, np.uint8))


def test_random_volumes_have_pictures():
    for seed in range(5):
        gt, pred = random_volumes(np.random.default_rng(seed), instances=20, edge=24)
        pictures = taken(gt, pred, per_class=2)
        assert len({(picture.side, picture.id) for picture in pictures}) == len(pictures) > 0
