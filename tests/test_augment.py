"""Augmentations: their mathematics against slow twins, what all of them keep, and the statistics of the recipes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from baselines import augment
from baselines.augment import (
    Brightness,
    CutBlur,
    CutNoise,
    Elastic,
    Flip,
    Misalignment,
    MissingParts,
    MissingSection,
    MotionBlur,
    Rescale,
    Rotate,
    Transform,
)
from baselines.augment._sections import _near_line
from baselines.augment._warp import resize_image, resize_labels, rotated, warp
from mitobench.errors import InvalidInputError

TRANSFORMS = [
    Brightness(),
    Brightness(mode="2d"),
    Brightness(mode="3d"),
    CutBlur(),
    CutNoise(),
    Elastic(),
    Flip(),
    Flip(transpose=False),
    Misalignment(displacement=6, rotate=0.0),
    Misalignment(displacement=6, rotate=1.0),
    MissingParts(radius=3),
    MissingSection(),
    MotionBlur(),
    Rescale(),
    Rescale(low=0.5, high=1.5, factors="window"),
    Rotate(),
    Rotate(angles="any"),
]
IMAGE_ONLY = (Brightness, CutBlur, CutNoise, MissingParts, MotionBlur)
IDENTITIES = [
    Brightness(contrast=0, brightness=0, gamma=0),
    CutBlur(edge=0),
    CutNoise(amplitude=0),
    Elastic(alpha=0),
    Misalignment(displacement=0, rotate=0.0),
    Misalignment(displacement=0, rotate=1.0),
    MissingParts(section=0),
    MissingSection(sections=0),
    MotionBlur(sections=0),
    MotionBlur(taps=1),
    Rescale(low=1, high=1),
]


def name(transform):
    return repr(transform).replace(", ", ",")


def crop(depth=9, edge=30, seed=0):
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.standard_normal((depth, edge, edge)), (1, 3, 3), mode="wrap")
    labels, _ = ndimage.label(blobs > 0.02)
    return rng.random(labels.shape, dtype=np.float32), labels.astype(np.uint64) * np.uint64(2**60 + 1)


def ramps(depth, height, width):
    """Return an image and labels that say where each pixel was: x in the image, x + 1 in the labels."""
    x = np.broadcast_to(np.arange(width), (depth, height, width))
    return (x / width).astype(np.float32), x + 1


def test_every_transform_is_tested():
    public = {value for value in vars(augment).values() if isinstance(value, type) and issubclass(value, Transform)}
    assert {type(transform) for transform in TRANSFORMS} == public - {Transform}


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name)
@pytest.mark.parametrize("seed", range(4))
def test_what_every_transform_keeps(transform, seed):
    image, labels = crop(seed=seed)
    before = image.copy(), labels.copy()
    out_image, out_labels = transform(image, labels, np.random.default_rng(seed))
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])
    # The margin of an elastic warp is room, not something that it takes away.
    less = (0, 0, 0) if isinstance(transform, Elastic) else transform.margin()
    assert out_image.shape == out_labels.shape == tuple(n - k for n, k in zip(image.shape, less, strict=True))
    assert (out_image.dtype, out_labels.dtype) == (np.float32, np.uint64)
    assert out_image.min() >= 0
    assert out_image.max() <= 1
    assert set(np.unique(out_labels)) <= {0, *np.unique(labels)}
    if isinstance(transform, IMAGE_ONLY):
        assert out_labels is labels


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name)
def test_equal_generators_give_equal_bits_and_others_do_not(transform):
    image, labels = crop()
    outs = [transform(image, labels, np.random.default_rng(seed)) for seed in (3, 3, *range(4, 12))]
    assert all(np.array_equal(a, b) for a, b in zip(outs[0], outs[1], strict=True))
    assert not all(np.array_equal(outs[0][0], out[0]) for out in outs[2:])


@pytest.mark.parametrize("transform", IDENTITIES, ids=name)
def test_strength_zero_changes_nothing(transform):
    image, labels = crop()
    out_image, out_labels = transform(image, labels, np.random.default_rng(1))
    assert np.array_equal(out_image, image)
    assert np.array_equal(out_labels, labels)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name)
@pytest.mark.parametrize("value", [0, 1])
def test_the_limits_of_the_values_are_kept(transform, value):
    image, labels = np.full((8, 24, 24), value, np.float32), np.ones((8, 24, 24), np.uint8)
    for seed in range(5):
        out, _ = transform(image, labels, np.random.default_rng(seed))
        assert out.min() >= 0
        assert out.max() <= 1


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name)
@pytest.mark.parametrize("shape", [(1, 16, 16), (5, 7, 7), (3, 1, 1)])
def test_tiny_crops_work_or_are_refused(transform, shape):
    image, labels = np.full(shape, 0.5, np.float32), np.ones(shape, np.int32)
    refused = (
        (isinstance(transform, MissingSection | Misalignment) and shape[0] == 1)
        or (isinstance(transform, MissingSection) and shape[0] == 3)
        or (isinstance(transform, Misalignment) and shape[1] == 1)
    )
    if refused:
        with pytest.raises(InvalidInputError, match=r"needs .* a crop"):
            transform(image, labels, np.random.default_rng(0))
    else:
        assert np.isfinite(transform(image, labels, np.random.default_rng(0))[0]).all()


def test_refusals_say_what_to_do():
    image, labels = np.zeros((1, 16, 20), np.float32), np.zeros((1, 16, 20), np.uint8)
    messages = {
        MissingSection(): "taking out sections needs 4 sections or more, a crop has 1; choose a deeper patch, or leave "
        "this step out",
        Misalignment(): "misalignment needs 3 sections or more, a crop has 1; choose a deeper patch, or leave this "
        "step out",
        Rotate(): "a rotation by right angles needs square sections, a crop has 16 x 20 pixels; choose a square patch, "
        "or leave this step out",
        Flip(): "a flip that swaps y and x needs square sections, a crop has 16 x 20 pixels; choose a square patch, or "
        "leave this step out",
    }
    for transform, message in messages.items():
        with pytest.raises(InvalidInputError) as error:
            transform(image, labels, np.random.default_rng(0))
        assert str(error.value) == message
    with pytest.raises(InvalidInputError) as error:
        Misalignment()(np.zeros((3, 16, 20), np.float32), np.zeros((3, 16, 20), np.uint8), np.random.default_rng(0))
    assert str(error.value) == (
        "misalignment by up to 16 pixels needs larger sections than a crop of 16 x 20 has; give it a larger crop or a "
        "smaller displacement"
    )


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Brightness, {"contrast": -0.1}, "contrast of a change of brightness is -0.1; allowed: 0 to 2"),
        (Brightness, {"gamma": float("nan")}, "gamma of a change of brightness is nan; allowed: 0 to 5"),
        (Brightness, {"mode": "4d"}, "mode of a change of brightness is '4d'; allowed: 3d, 2d, mix"),
        (CutBlur, {"low": 0.5}, "low of a cut that is blurred is 0.5; allowed: 1 to 1000"),
        (CutBlur, {"high": 1}, "high of a cut that is blurred is 1; allowed: 2 to 1000"),
        (CutNoise, {"edge": 1.5}, "edge of a cut with noise is 1.5; allowed: 0 to 1"),
        (Elastic, {"alpha": "16"}, "alpha of an elastic warp is '16'; allowed: 0 to 1000"),
        (Misalignment, {"displacement": 1.5}, "displacement of a misalignment is 1.5; allowed: whole numbers from 0"),
        (Misalignment, {"rotate": True}, "rotate of a misalignment is True; allowed: 0 to 1"),
        (MissingParts, {"one_in": 0}, "one_in of missing parts is 0; allowed: whole numbers from 1"),
        (MissingSection, {"sections": -1}, "sections of a missing section is -1; allowed: whole numbers from 0"),
        (MotionBlur, {"taps": 4}, "taps of a motion blur is 4; allowed: odd numbers"),
        (Rescale, {"low": 1.1}, "low of a rescaling is 1.1; allowed: 0.1 to 1"),
        (Rescale, {"factors": "pad"}, "factors of a rescaling is 'pad'; allowed: zoom, window"),
        (Rotate, {"angles": "left"}, "angles of a rotation is 'left'; allowed: right, any"),
    ],
)
def test_bad_strengths_are_refused(kind, fields, message):
    with pytest.raises(InvalidInputError) as error:
        kind(**fields)
    assert str(error.value) == message


# --- Warps


@given(st.integers(0, 2**32), st.tuples(*[st.integers(1, 7)] * 4))
def test_a_warp_samples_as_scipy_does(seed, shape):
    rng = np.random.default_rng(seed)
    height, width, out_height, out_width = shape
    image = rng.random((2, height, width), dtype=np.float32)
    labels = rng.integers(0, 9, (2, height, width))
    y = rng.uniform(-2, height + 1, (out_height, out_width))
    x = rng.uniform(-2, width + 1, (out_height, out_width))
    out_image, out_labels = warp(image, labels, y, x)
    for k in range(2):
        linear = ndimage.map_coordinates(image[k], (y, x), order=1, mode="grid-constant")
        assert out_image[k] == pytest.approx(linear, abs=1e-6)
        nearest = ndimage.map_coordinates(labels[k], (y, x), order=0, mode="grid-constant")
        assert np.array_equal(out_labels[k], nearest)


@pytest.mark.parametrize("shape", [(20, 25), (25, 20), (9, 61), (1, 1)])
def test_resizing_is_that_of_scikit_image(shape):
    transform = pytest.importorskip("skimage.transform")
    image, labels = crop(depth=2, edge=24)
    expected = transform.resize(image, (2, *shape), order=1, anti_aliasing=True, mode="reflect")
    assert resize_image(image, *shape) == pytest.approx(expected, abs=2e-6)
    small = (labels % 251).astype(np.uint8)
    expected = transform.resize(small, (2, *shape), order=0, anti_aliasing=False, preserve_range=True)
    assert np.array_equal(resize_labels(small, *shape), expected)


def test_a_turn_by_a_right_angle_is_exact_and_keeps_the_centre():
    image, labels = crop(depth=2, edge=21)
    turned, turned_labels = rotated(image, labels, np.pi / 2)
    assert np.array_equal(turned_labels, np.rot90(labels, -1, (1, 2)))
    assert turned == pytest.approx(np.rot90(image, -1, (1, 2)), abs=1e-5)


@pytest.mark.parametrize("transform", [Elastic(), Rotate(angles="any"), Rescale(), Rescale(factors="window")], ids=name)
def test_image_and_labels_of_all_sections_are_taken_from_the_same_place(transform):
    image, labels = ramps(3, 80, 80)
    for seed in range(5):
        out_image, out_labels = transform(image, labels, np.random.default_rng(seed))
        inner = ndimage.binary_erosion(out_labels[0] > 0, iterations=2)
        assert inner.sum() > 1000
        apart = 80 * out_image - (out_labels - 1.0)
        assert np.abs(apart[:, inner]).max() <= 0.5 + 1e-4
        assert np.array_equal(out_labels[0], out_labels[2])
        assert np.array_equal(out_image[0], out_image[2])


@pytest.mark.parametrize(("alpha", "expected"), [(12, 0.50), (16, 0.66)])
def test_the_displacements_of_an_elastic_warp_are_small(alpha, expected):
    fields = [Elastic(alpha=alpha).displacement(200, 200, np.random.default_rng(seed)) for seed in range(8)]
    inside = np.stack(fields)[:, :, 20:-20, 20:-20]
    for axis in (0, 1):
        assert inside[:, axis].std() == pytest.approx(expected, rel=0.04)
    assert np.abs(inside.mean()) < 0.05
    # At an edge half of what is averaged is zero.
    assert np.stack(fields)[:, :, 0].std() == pytest.approx(0.73 * expected, rel=0.12)
    assert 2 < np.abs(inside).max() < 5
    assert np.abs(np.corrcoef(inside[:, 0].ravel(), inside[:, 1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("factors", "most", "low", "high"), [("zoom", 1.5, 0.8, 1.5), ("window", 1.2, 1 / 1.2, 1.25)])
def test_things_become_as_much_larger_as_the_factors_say(factors, most, low, high):
    transform = Rescale(low=0.8, high=most, factors=factors)
    image, labels = ramps(1, 101, 101)
    zooms = []
    for seed in range(200):
        (along_x, _), (along_y, _) = (
            transform(array, labels, np.random.default_rng(seed)) for array in (image, image.swapaxes(1, 2))
        )
        zooms.append([1 / (101 * np.diff(row)[40:60].mean()) for row in (along_x[0, 50], along_y[0, :, 50])])
    x, y = np.transpose(zooms)
    assert low * 0.98 <= min(x) < low * 1.03
    assert high * 0.97 < max(x) <= high * 1.02
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.2
    assert x.mean() == pytest.approx(y.mean(), rel=0.06)


def test_what_is_squeezed_has_zeros_on_both_sides_and_what_is_stretched_none():
    image, labels = np.ones((1, 100, 100), np.float32), np.ones((1, 100, 100), np.uint8)
    seen = set()
    for seed in range(30):
        out, out_labels = Rescale()(image, labels, np.random.default_rng(seed))
        row = out_labels[0, 50]
        seen.add(bool(row.all()))
        assert abs(int(row[:50].sum()) - int(row[50:].sum())) <= 1
        assert np.array_equal(out[0] >= 0.5, out_labels[0] == 1)
    assert seen == {True, False}


# --- Flips and turns


def outcomes(transform, samples):
    """Return how often each outcome of 8 voxels is seen."""
    image = np.arange(8, dtype=np.float32).reshape(2, 2, 2) / 8
    labels = np.arange(8).reshape(2, 2, 2)
    rng = np.random.default_rng(0)
    found = {}
    for _ in range(samples):
        out_image, out_labels = transform(image, labels, rng)
        assert np.array_equal(8 * out_image, out_labels)
        key = tuple(out_labels.ravel().tolist())
        found[key] = found.get(key, 0) + 1
    return found


@pytest.mark.parametrize(("transform", "number"), [(Flip(), 16), (Flip(transpose=False), 8), (Rotate(), 4)], ids=name)
def test_flips_and_turns_are_equally_likely(transform, number):
    found = outcomes(transform, 200 * number)
    assert len(found) == number
    # Five standard deviations of a binomial distribution.
    assert all(abs(count - 200) < 5 * np.sqrt(200) for count in found.values())


def test_no_turn_mirrors_and_no_turn_leaves_its_section():
    assert set(outcomes(Rotate(), 100)) == {
        tuple(np.rot90(np.arange(8).reshape(2, 2, 2), k, (1, 2)).ravel().tolist()) for k in range(4)
    }


# --- Sections


def test_missing_sections_are_interior_ones_of_image_and_labels():
    depth = 8
    image = np.broadcast_to(np.arange(depth, dtype=np.float32)[:, None, None] / depth, (depth, 2, 2))
    labels = np.broadcast_to(np.arange(depth)[:, None, None], (depth, 2, 2))
    missing = np.zeros(depth, int)
    for seed in range(300):
        out_image, out_labels = MissingSection()(image, labels, np.random.default_rng(seed))
        kept = out_labels[:, 0, 0]
        assert np.array_equal(kept, np.sort(kept))
        assert np.array_equal(out_image * depth, out_labels)
        missing += ~np.isin(np.arange(depth), kept)
    assert missing[[0, -1]].tolist() == [0, 0]
    assert all(abs(count - 100) < 45 for count in missing[1:-1])


def displacements(transform, edge=60, depth=9):
    """Yield for each of many misalignments the places that each section shows, (z, y, x) of what lies along y."""
    image, labels = ramps(depth, edge, edge)
    image, labels = image.swapaxes(1, 2), labels.swapaxes(1, 2)
    for seed in range(200):
        yield transform(image, labels, np.random.default_rng(seed))


def test_shifts_displace_one_section_or_all_that_follow():
    offsets, slips, firsts = [], 0, set()
    for image, labels in displacements(Misalignment(rotate=0.0)):
        assert image.shape == labels.shape == (9, 44, 44)
        assert np.allclose(60 * image, labels - 1, atol=1e-4)
        start = labels[:, 0, 0] - 1
        assert np.array_equal(labels, start[:, None, None] + 1 + np.arange(44)[None, :, None] + np.zeros((1, 1, 44)))
        offsets += [start[0], *start[start != start[0]][:1]]
        moved = np.flatnonzero(start != start[0])
        if len(moved):
            firsts.add(int(moved[0]))
            slips += len(moved) == 1
            assert len(moved) == 1 or moved[-1] == 8
    assert (min(offsets), max(offsets)) == (0, 15)
    assert firsts == set(range(1, 8))
    assert 70 < slips < 130


def test_rotations_move_corners_by_at_most_the_displacement():
    largest, slips = 0.0, 0
    for image, labels in displacements(Misalignment(rotate=1.0), edge=120):
        assert image.shape == labels.shape == (9, 104, 104)
        straight = np.broadcast_to(8 + np.arange(104)[:, None] + 1, (104, 104))
        moved = [k for k in range(9) if not np.array_equal(labels[k], straight)]
        assert all(np.array_equal(labels[k], labels[moved[0]]) for k in moved)
        slips += len(moved) == 1
        inside = labels[moved] > 0
        largest = max(largest, np.abs(labels[moved] - straight)[inside].max(initial=0))
        assert labels[0, 52, 52] == straight[52, 52]
    assert 10 < largest <= 12
    assert 70 < slips < 130


def test_corners_move_by_the_displacement_in_the_published_crop():
    # 16 pixels at half the diagonal of 354 pixels are 3.65 degrees.
    radius = 1.42 * (370 - 16) / 2
    angle = np.degrees(2 * np.arcsin(8 / radius))
    assert angle == pytest.approx(3.65, abs=0.01)
    image, labels = ramps(3, 370, 370)
    slopes = []
    for seed in range(20):
        out, _ = Misalignment(rotate=1.0)(image, labels, np.random.default_rng(seed))
        slopes.append(np.degrees(np.arcsin(370 * (out[1, 250, 177] - out[1, 100, 177]) / 150)))
    assert 3 < np.abs(slopes).max() <= angle + 0.01
    assert min(slopes) < -2
    assert max(slopes) > 2


def expected_hits(depth, one_in, probability):
    """Return the mean share of sections hit, by recursion over what is left of the crop."""
    hits = [0.0] * (depth + one_in)
    for left in range(1, depth + 1):
        hits[left] = probability * (1 + hits[max(0, left - one_in)]) + (1 - probability) * hits[left - 1]
    return hits[depth] / depth


@pytest.mark.parametrize(("radius", "one_in", "rate", "share"), [(40, 3, 0.33, 0.22), (64, 2, 0.48, 0.35)])
def test_missing_parts_cover_as_much_as_published(radius, one_in, rate, share):
    transform = MissingParts(radius=radius, one_in=one_in)
    assert expected_hits(34, one_in, 0.9) == pytest.approx(rate, abs=0.01)
    image, labels = np.random.default_rng(0).random((34, 8, 8), dtype=np.float32), np.zeros((34, 8, 8), np.uint8)
    hit = []
    for seed in range(200):
        out, _ = transform(image, labels, np.random.default_rng(seed))
        changed = (out != image).any(axis=(1, 2))
        assert np.diff(np.flatnonzero(changed)).min() >= one_in
        hit.append(changed.mean())
    assert np.mean(hit) == pytest.approx(expected_hits(34, one_in, 0.9), abs=0.005)
    bands = [transform.band(370, 370, np.random.default_rng(seed)).mean() for seed in range(100)]
    # A line that ends near a corner loses part of its band.
    assert np.mean(bands) == pytest.approx(share, abs=0.035)
    assert max(bands) == pytest.approx((2 * radius + 1) / 370, abs=0.003)


@given(st.tuples(st.integers(1, 12), st.integers(1, 12)), st.integers(0, 6), st.data())
def test_a_band_is_a_line_dilated_by_a_cross(shape, radius, data):
    length, width = shape
    start, stop = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, width - 1))
    pixels = max(length, abs(stop - start) + 1)
    along = [np.rint(np.linspace(*ends, pixels)).astype(int) for ends in ((0, length - 1), (start, stop))]
    if length == 1:
        along[0][:] = 0
    line = np.zeros(shape, bool)
    line[tuple(along)] = True
    cross = ndimage.generate_binary_structure(2, 1)
    expected = ndimage.binary_dilation(line, cross, iterations=radius) if radius else line
    assert np.array_equal(_near_line(length, width, start, stop, radius), expected)


def test_missing_parts_are_filled_with_the_mean_of_their_section_in_both_directions():
    image, labels = crop(depth=4, edge=40)
    directions = set()
    for seed in range(20):
        out, _ = MissingParts(radius=2)(image, labels, np.random.default_rng(seed))
        for section, before in zip(out, image, strict=True):
            changed = section != before
            if changed.any():
                assert np.unique(section[changed]).tolist() == [before.mean()]
                directions.add((bool(changed.any(axis=1).all()), bool(changed.any(axis=0).all())))
    assert {(True, False), (False, True)} <= directions


def test_motion_blur_averages_along_one_axis_in_some_sections():
    image, labels = crop(depth=12, edge=32)
    kernel = np.ones(11) / 11
    axes = set()
    for seed in range(20):
        out, _ = MotionBlur()(image, labels, np.random.default_rng(seed))
        changed = np.flatnonzero((out != image).any(axis=(1, 2)))
        assert len(changed) == 2
        along = [ndimage.convolve1d(image[changed].astype(float), kernel, axis, mode="mirror") for axis in (1, 2)]
        matches = [np.allclose(out[changed], blurred, atol=1e-6) for blurred in along]
        assert sum(matches) == 1
        axes.add(matches.index(True))
    assert axes == {0, 1}
    out, _ = MotionBlur(sections=99)(image, labels, np.random.default_rng(0))
    assert (out != image).any(axis=(1, 2)).all()


# --- Intensity


def changed_box(out, image):
    return ndimage.find_objects((out != image).astype(int))[0]


def test_noise_is_uniform_in_a_cuboid_of_two_fifths_of_each_edge():
    image, labels = np.full((20, 50, 50), 0.5, np.float32), np.zeros((20, 50, 50), np.uint8)
    corners, noise = [], []
    for seed in range(40):
        out, _ = CutNoise()(image, labels, np.random.default_rng(seed))
        box = changed_box(out, image)
        assert out[box].shape == (8, 20, 20)
        assert ((out != image).sum() >= 0.999 * out[box].size) <= out[box].size
        corners.append([part.start for part in box])
        noise.append(out[box].ravel() - 0.5)
    assert np.min(corners, axis=0).tolist() <= [1, 3, 3]
    assert np.max(corners, axis=0).tolist() >= [11, 27, 27]
    values = np.concatenate(noise)
    assert np.abs(values).max() == pytest.approx(0.3, abs=1e-4)
    assert values.std() == pytest.approx(0.6 / np.sqrt(12), rel=0.01)
    assert abs(values.mean()) < 0.002


def test_the_blurred_cuboid_has_coarse_pixels_with_the_mean_kept():
    image, labels = crop(depth=20, edge=100)
    widths = []
    for seed in range(30):
        out, _ = CutBlur()(image, labels, np.random.default_rng(seed))
        box = changed_box(out, image)
        assert out[box].shape == (8, 40, 40)
        cut = out[box]
        same = (cut[:, :, 1:] == cut[:, :, :-1]).all(axis=(0, 1))
        widths.append(40 / (1 + int((~same).sum())))
        assert cut.mean() == pytest.approx(image[box].mean(), abs=0.02)
        assert cut.std() < image[box].std() / 1.3
        # Sections are not mixed.
        assert (cut[1:] != cut[:-1]).any(axis=(1, 2)).all()
    assert 2 <= min(widths) < 3
    assert 6.5 < max(widths) <= 8


def shades(sections):
    """Return sections of five shades."""
    return np.broadcast_to(np.linspace(0.3, 0.7, 5, dtype=np.float32), (sections, 1, 5))


def test_contrast_and_brightness_are_a_line_and_gamma_is_a_power():
    labels = np.zeros((1, 1, 5), np.uint8)
    lines, exponents = [], []
    for seed in range(300):
        out, _ = Brightness(gamma=0)(shades(1), labels, np.random.default_rng(seed))
        slope, shift = np.polyfit(shades(1)[0, 0], out[0, 0], 1)
        assert out[0, 0] == pytest.approx(slope * shades(1)[0, 0] + shift, abs=1e-6)
        lines.append((slope - 1, shift))
        out, _ = Brightness(contrast=0, brightness=0)(shades(1), labels, np.random.default_rng(seed))
        powers = np.log(out[0, 0]) / np.log(shades(1)[0, 0])
        assert powers == pytest.approx(powers[0], rel=1e-5)
        exponents.append(np.log2(powers[0]))
    for values, limit in (*((column, 0.15) for column in np.transpose(lines)), (np.array(exponents), 1.0)):
        assert np.abs(values).max() == pytest.approx(limit, rel=0.03)
        assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
        assert abs(values.mean()) < 0.15 * limit


def test_sections_change_alike_each_by_itself_or_half_of_the_time():
    labels = np.zeros((4, 1, 5), np.uint8)

    def alike(mode, seed):
        out, _ = Brightness(mode=mode)(shades(4), labels, np.random.default_rng(seed))
        return bool((out == out[:1]).all())

    assert all(alike("3d", seed) for seed in range(20))
    assert not any(alike("2d", seed) for seed in range(20))
    assert 70 < sum(alike("mix", seed) for seed in range(200)) < 130


def test_clipping_comes_before_gamma():
    image, labels = np.array([[[0, 1]]], np.float32), np.zeros((1, 1, 2), np.uint8)
    outs = [Brightness(contrast=2, brightness=2)(image, labels, np.random.default_rng(seed))[0] for seed in range(50)]
    assert {0.0, 1.0} <= set(np.concatenate(outs).ravel().tolist())
    assert np.isfinite(outs).all()
