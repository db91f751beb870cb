"""Crops: every position equally likely, sample i always the same, image and labels and mask moved alike."""

import pickle
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import h5py
import numpy as np
import pytest

from baselines.crops import CropReader, check_volumes, draw_box, make_sample
from baselines.recipe import load_recipe
from baselines.targets import mask, separate_touching, window_contour
from mitobench.errors import InputWarning, InvalidInputError, UnknownNameError
from mitobench.methods import TrainingVolume, training_volumes
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

SMALL = load_recipe("u3d-bc-small")


def recipe(patch=(2, 16, 16), augmentation="none", smoothing="none", **sampling):
    config = replace(SMALL.config, filters=(2, 3))
    wanted = replace(SMALL.sampling, padding=(0, 0, 0))
    return replace(
        SMALL, patch=patch, augmentation=augmentation, config=config, sampling=replace(wanted, **sampling),
        targets=replace(SMALL.targets, smoothing=smoothing), prediction=replace(SMALL.prediction, patch=patch),
    )  # fmt: skip


def opened_image(array):
    return open_image(array)[0]


def volume(image, labels, valid=None, name="tissue"):
    masked = None if valid is None else partial(opened_image, valid)
    return TrainingVolume(name, partial(opened_image, image), partial(open_labels, labels), masked)


def tissue(shape=(6, 40, 40), seed=0):
    """Return an image that tells the place of each voxel, and labels of squares."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape).astype(np.uint8)
    _, y, x = np.indices(shape)
    labels = np.where((y % 10 < 6) & (x % 10 < 6), 1 + y // 10 * 10 + x // 10, 0).astype(np.uint16)
    return image, labels


def reader(volumes, of, seed=0):
    return CropReader(volumes, check_volumes(volumes, of), of, seed)


def test_every_position_of_every_volume_is_equally_likely():
    rng = np.random.default_rng(0)
    drawn = Counter(draw_box([(2, 3, 4), (1, 2, 3)], (1, 2, 3), (0, 0, 0), rng) for _ in range(4500))
    assert len(drawn) == 2 * 2 * 2 + 1
    assert all(400 < count < 600 for count in drawn.values())


def test_padding_lets_crops_reach_outside():
    rng = np.random.default_rng(0)
    boxes = {draw_box([(5, 5, 5)], (5, 3, 4), (0, 1, 0), rng)[1].start for _ in range(500)}
    assert boxes == {(0, y, x) for y in (-1, 0, 1, 2, 3) for x in (0, 1)}


def test_a_volume_smaller_than_the_crop_is_mirrored_on_both_sides_with_a_warning():
    image, labels = tissue((2, 7, 40))
    of = recipe()
    with pytest.warns(InputWarning) as caught:
        shapes = check_volumes([volume(image, labels)], of)
    assert [str(warning.message) for warning in caught] == [
        "tissue: shape (2, 7, 40) is smaller than a crop of (2, 16, 16); its mirror images fill the rest"
    ]
    read = CropReader([volume(image, labels)], shapes, of, 0)._read(0, "image", Box((0, -5, 0), (2, 11, 40)))
    assert np.array_equal(read, np.pad(image, ((0, 0), (5, 4), (0, 0)), mode="reflect"))


def test_a_single_section_is_mirrored_to_itself():
    image, labels = tissue((1, 16, 16))
    with pytest.warns(InputWarning):
        made = reader([volume(image, labels)], recipe()).sample(0)
    assert np.array_equal(made.image[0], np.repeat(image, 2, axis=0).astype(np.float32) / np.float32(255))


def test_a_sample_depends_on_its_number_and_the_seed_alone():
    volumes = [volume(*tissue()), volume(*tissue((3, 20, 30), seed=1))]
    of = recipe(augmentation="v1-paper", patch=(2, 8, 8), padding=(0, 8, 8))
    with pytest.warns(InputWarning):
        one = reader(volumes, of)
    forward = [one.sample(number) for number in range(6)]
    other = pickle.loads(pickle.dumps(one))  # noqa: S301
    with ThreadPoolExecutor(3) as pool:
        backward = list(pool.map(other.sample, reversed(range(6))))[::-1]
    for a, b in zip(forward, backward, strict=True):
        assert all(np.array_equal(vars(a)[key], vars(b)[key]) for key in ("image", "target", "valid"))
    assert len({sample.image.tobytes() for sample in forward}) == 6
    assert not np.array_equal(CropReader(volumes, one.shapes, of, 1).sample(0).image, forward[0].image)


def test_a_sample_without_augmentation_is_a_crop_with_its_targets():
    image, labels = tissue()
    made = reader([volume(image, labels)], recipe()).sample(3)
    assert [array.dtype for array in vars(made).values()] == [np.float32] * 3
    assert (made.image.shape, made.target.shape, made.valid.shape) == ((1, 2, 16, 16), (2, 2, 16, 16), (2, 16, 16))
    places = [
        (z, y, x) for z in range(5) for y in range(25) for x in range(25)
        if np.array_equal(image[z : z + 2, y : y + 16, x : x + 16] / np.float32(255), made.image[0])
    ]  # fmt: skip
    [(z, y, x)] = places
    crop = separate_touching(labels[z : z + 2, y : y + 16, x : x + 16])
    assert np.array_equal(made.target, [mask(crop), window_contour(crop)])
    assert made.valid.all()


def test_the_centred_intensity_goes_from_minus_one_to_one():
    image, labels = tissue()
    unit, centred = (replace(recipe(), intensity=kind) for kind in ("unit", "centred"))
    a, b = (make_sample(of, image[:2, :16, :16], labels[:2, :16, :16], None, np.random.default_rng(0)) for of in
            (unit, centred))  # fmt: skip
    assert np.allclose(2 * a.image - 1, b.image)


def test_image_targets_and_mask_are_moved_by_one_set_of_random_numbers():
    shape = (4, 60, 60)
    labels = np.zeros(shape, np.int32)
    labels[:, 10:30, 10:30] = 5
    known = np.ones(shape, bool)
    known[:, 35:, 35:] = False
    image = np.where(labels > 0, 255, np.where(known, 0, 128)).astype(np.uint8)
    chain = ("v1-paper",)
    for seed in range(5):
        of = recipe(augmentation=chain[0], patch=(4, 32, 32))
        # Flips alone: what the image shows must be what the target and the mask say.
        steps = tuple(step for step in of.chain.steps if type(step.transform).__name__ == "Flip")
        rng = np.random.default_rng(seed)
        moved, _ = replace(of.chain, steps=steps)(image.astype(np.float32) / 255, labels, np.random.default_rng(seed))
        flat = replace(of, augmentation="none")
        made = make_sample(flat, image, labels, known, rng)
        assert np.array_equal(made.target[0] == 1, made.image[0] == 1)
        gray = np.isclose(made.image[0], 128 / 255)
        assert np.array_equal(made.valid == 0, gray | window_contour(gray))
        assert moved.shape == made.image.shape[1:]


def test_elastic_warps_move_the_mask_with_the_labels():
    labels = np.zeros((4, 58, 58), np.int64)
    labels[:, :, :29] = 2**40
    known = labels > 0
    of = recipe(augmentation="v1-paper", patch=(4, 32, 32))
    for seed in range(4):
        made = make_sample(of, np.zeros(labels.shape, np.uint8), labels, known, np.random.default_rng(seed))
        # Whatever is known is the instance; the rim of what is not known does not count.
        assert not np.any((made.valid == 1) & (made.target[0] == 0))
        assert 0 < made.valid.mean() < 1


def test_crops_that_are_hardly_annotated_are_drawn_again():
    image, labels = tissue((4, 40, 80))
    valid = np.zeros(image.shape, np.uint8)
    valid[:, :, :30] = 1
    image[:, :, :30] = 200
    image[:, :, 30:] = 0
    crops = reader([volume(image, labels, valid)], recipe(annotated=0.5))
    shares = [float((crops.sample(number).image > 0).mean()) for number in range(30)]
    assert min(shares) > 0.5
    assert min(shares) < 1
    with pytest.raises(InvalidInputError) as caught:
        reader([volume(image, labels, 0 * valid)], recipe(annotated=0.5)).sample(0)
    assert str(caught.value) == (
        "none of 1000 crops of (2, 16, 16) is annotated on more than 0.5 of its voxels with 0 voxels of foreground; "
        "annotate more, or lower annotated or least_foreground in the recipe"
    )


def test_crops_of_little_foreground_are_drawn_again_only_if_asked():
    image, labels = tissue((4, 40, 80))
    labels[:, :, 20:] = 0
    shares = {
        least: [int(crops.sample(number).target[0].sum()) for number in range(40)]
        for least in (0, 100)
        for crops in [reader([volume(image, labels)], recipe(least_foreground=least, rejection=0.99))]
    }
    assert sum(share < 100 for share in shares[0]) > 20
    assert sum(share < 100 for share in shares[100]) < 8


def test_only_the_crop_is_read(tmp_path):
    image, labels = tissue()
    boxes = []

    class Watched:
        def __init__(self, volume):
            self.volume = volume

        def __getattr__(self, name):
            return getattr(self.volume, name)

        def read(self, box):
            boxes.append(box.shape)
            return self.volume.read(box)

    one = TrainingVolume("tissue", lambda: Watched(opened_image(image)), lambda: open_labels(labels))
    crops = reader([one], recipe())
    crops.sample(0)
    crops.close()
    assert boxes == [(2, 16, 16)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda image, labels: (image[1:], labels),
            "the image is (5, 40, 40) and the labels (6, 40, 40); expected one shape; cut them alike",
        ),
        (
            lambda image, labels: (image.astype(np.uint16), labels),
            "the image is of type uint16; expected uint8, or real numbers from 0 to 1; divide by the value of white",
        ),
        (
            lambda image, labels: (image, 0 * labels),
            "the labels hold no instance; training needs some; check the labels",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused_at_the_start(change, message):
    with pytest.raises(InvalidInputError) as caught:
        check_volumes([volume(*change(*tissue()))], recipe())
    assert str(caught.value) == f"tissue: {message}"


def test_what_is_no_number_is_refused_with_its_place():
    image, labels = tissue((2, 16, 16))
    image = np.full(image.shape, np.nan, np.float32)
    with pytest.raises(InvalidInputError) as caught:
        reader([volume(image, labels)], recipe()).sample(0)
    assert str(caught.value) == ("tissue: at (0, 0, 0): a crop to augment has values from nan to nan; expected 0 to 1")


def test_the_volumes_of_a_data_set(tmp_path):
    image, labels = tissue((10, 40, 40))
    for name, array in (("image", image), ("labels", labels)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["main"] = array
    description = tmp_path / "mine.toml"
    table = '[[volumes]]\nname = "{}"\nimage = "image.h5"\nlabels = "labels.h5"\n{}\n'
    description.write_text('name = "mine"\n' + table.format("a", 'split = "full"') + table.format("b", 'role = "val"'))
    [one] = training_volumes(description)
    assert one.name == "a"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_volumes([one], recipe()) == ((4, 40, 40),)
    assert pickle.loads(pickle.dumps(one)).image().shape == (4, 40, 40)  # noqa: S301
    assert len(training_volumes(description, split="val")) == 2
    with pytest.raises(UnknownNameError, match=r"a: no split 'tran', did you mean 'train'\?; the splits are train, va"):
        training_volumes(description, split="tran")
