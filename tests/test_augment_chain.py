"""Chains of augmentations: order, probabilities, sizes of crops, published recipes, generators of workers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from baselines.augment import (
    AUGMENTATIONS,
    Augmentation,
    Brightness,
    CutNoise,
    Elastic,
    Flip,
    MissingParts,
    Rescale,
    Rotate,
    Step,
    Transform,
    crop_needed,
    worker_generator,
)
from baselines.targets import smooth_instances
from mitobench.errors import InvalidInputError


@dataclass(frozen=True)
class Noted(Transform):
    """Writes down when it is called, and with what shape."""

    word: str
    seen: list

    def _apply(self, image, labels, rng):
        self.seen.append((self.word, image.shape))
        return image, labels


class NotedOnPatch(Noted):
    on_patch: ClassVar[bool] = True


def crop(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(shape, dtype=np.float32), rng.integers(0, 5, shape).astype(np.uint32)


def test_the_crops_are_those_of_the_published_configurations():
    assert crop_needed(AUGMENTATIONS["v1-code"], (32, 256, 256)) == (34, 497, 497)
    assert crop_needed(AUGMENTATIONS["v1-7089000"], (32, 256, 256)) == (34, 505, 505)
    assert crop_needed(AUGMENTATIONS["v2"], (32, 256, 256)) == (34, 370, 370)
    assert crop_needed(AUGMENTATIONS["pytc2021"], (17, 257, 257)) == (19, 372, 372)
    assert crop_needed(AUGMENTATIONS["none"], (17, 257, 257)) == (17, 257, 257)


def test_the_probabilities_are_those_of_the_published_configurations():
    columns = ["v1-code", "v1-paper", "v1-7089000", "v2", "pytc2021"]
    table = {
        "Rotate": [1, 0, 0.5, 0.5, 1],
        "Rescale": [0.5, 0, 0.5, 0.5, 0.5],
        "Flip": [1, 1, 1, 1, 1],
        "Elastic": [0.75] * 5,
        "Brightness": [0.75] * 5,
        "MissingParts": [0.9] * 5,
        "MissingSection": [0.5, 0, 0.5, 0.5, 0.5],
        "Misalignment": [1, 0, 0.5, 0.5, 0.5],
        "MotionBlur": [0, 0, 0.5, 0.5, 0.5],
        "CutBlur": [0, 0, 0.5, 0.5, 0.5],
        "CutNoise": [0, 0, 0, 0.75, 0.75],
    }
    assert AUGMENTATIONS.keys() == {"none", "u2d", *columns}
    for k, column in enumerate(columns):
        steps = {type(step.transform).__name__: step.probability for step in AUGMENTATIONS[column]}
        assert steps == {name: row[k] for name, row in table.items() if row[k]}
        order = list(reversed(table))
        # Flips are on the patch, so they come last.
        order.append(order.pop(order.index("Flip")))
        published = [
            "CutNoise", "CutBlur", "MotionBlur", "Misalignment", "MissingSection", "MissingParts", "Brightness",
            "Elastic", "Rescale", "Rotate", "Flip",
        ]  # fmt: skip
        assert order == published
        assert list(steps) == [name for name in published if name in steps]


def test_the_strengths_that_differ_between_configurations():
    def of(recipe, kind):
        return next(step.transform for step in AUGMENTATIONS[recipe] if isinstance(step.transform, kind))

    assert [of(recipe, Elastic).alpha for recipe in ("v1-paper", "v1-code", "v1-7089000", "v2")] == [12, 12, 16, 16]
    assert of("v2", MissingParts) == of("v1-code", MissingParts) == MissingParts(radius=40, one_in=3)
    assert of("pytc2021", MissingParts) == MissingParts(radius=64, one_in=2)
    assert [of(recipe, Rotate).angles for recipe in ("v1-code", "v1-7089000", "v2")] == ["any", "any", "right"]
    assert of("v1-code", Rescale) == Rescale(low=0.8, high=1.2, factors="window")
    assert {of(recipe, Brightness).mode for recipe in AUGMENTATIONS if recipe != "none"} == {"mix"}


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_every_recipe_gives_a_patch_in_memory_of_its_own(recipe):
    augmentation = Augmentation(AUGMENTATIONS[recipe], (4, 24, 24))
    image, labels = crop(augmentation.crop)
    before = image.copy(), labels.copy()
    for seed in range(6):
        outs = [augmentation(image, labels, worker_generator(seed=seed, worker=0, step=0)) for _ in range(2)]
        for array in outs[0]:
            assert array.shape == (4, 24, 24)
            assert array.flags.c_contiguous
            assert not np.shares_memory(array, image)
            assert not np.shares_memory(array, labels)
        assert outs[0][0].dtype == np.float32
        assert outs[0][1].dtype == np.uint32
        assert np.isfinite(outs[0][0]).all()
        assert all(np.array_equal(a, b) for a, b in zip(*outs, strict=True))
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])


def test_steps_come_in_their_order_and_those_of_the_patch_after_the_crop():
    seen = []
    steps = tuple(Step(kind(word, seen)) for kind, word in ((Noted, "a"), (NotedOnPatch, "flip"), (Noted, "b")))
    Augmentation(steps, (1, 4, 4))(*crop((3, 9, 8)), np.random.default_rng(0))
    assert seen == [("a", (3, 9, 8)), ("b", (3, 9, 8)), ("flip", (1, 4, 4))]


def test_steps_are_done_as_often_as_their_probability_says_each_by_itself():
    seen = []
    steps = tuple(Step(Noted(word, seen), p) for word, p in (("never", 0.0), ("x", 0.5), ("y", 0.5), ("always", 1.0)))
    augmentation = Augmentation(steps, (1, 2, 2))
    rng, pair = np.random.default_rng(0), crop((1, 2, 2))
    both = 0
    for _ in range(400):
        before = len(seen)
        augmentation(*pair, rng)
        both += len(seen) - before == 3
    words = [word for word, _ in seen]
    assert words.count("never") == 0
    assert words.count("always") == 400
    assert 150 < words.count("x") < 250
    assert 150 < words.count("y") < 250
    assert 60 < both < 140


def test_no_steps_leave_the_middle_of_the_crop():
    image, labels = crop((5, 9, 8))
    out_image, out_labels = Augmentation((), (3, 4, 4))(image, labels, np.random.default_rng(0))
    assert np.array_equal(out_image, image[1:4, 2:6, 2:6])
    assert np.array_equal(out_labels, labels[1:4, 2:6, 2:6])


def test_no_zeros_of_a_rescaling_or_a_turn_are_seen_in_the_patch():
    for steps in ((Step(Rescale()),), (Step(Rescale(high=1.2, factors="window")),), (Step(Rotate(angles="any")),)):
        augmentation = Augmentation(steps, (1, 40, 40))
        image, labels = np.ones(augmentation.crop, np.float32), np.ones(augmentation.crop, np.uint8)
        for seed in range(20):
            out, out_labels = augmentation(image, labels, np.random.default_rng(seed))
            # Where an odd number of pixels is cut off, a corner may lie half a pixel too far out.
            assert out.min() > 0.7
            assert (out < 0.999).sum() <= 4
            assert out_labels.all()


def test_outlines_are_smoothed_at_the_end_when_asked():
    image, labels = crop((2, 30, 30))
    labels[:] = 0
    labels[:, 8:20, 8:20] = 7
    plain, smooth = (
        Augmentation((Step(Flip()),), (2, 30, 30), smoothing=kind)(image, labels, np.random.default_rng(4))
        for kind in (None, "v2")
    )
    assert np.array_equal(smooth[1], smooth_instances(plain[1], "v2"))
    assert not np.array_equal(smooth[1], plain[1])


def test_chains_that_cannot_work_are_refused_when_they_are_made():
    with pytest.raises(InvalidInputError, match=r"^taking out sections needs 4 sections or more, a crop has 3; choose"):
        Augmentation(AUGMENTATIONS["v2"], (1, 16, 16))
    with pytest.raises(
        InvalidInputError, match=r"^a flip that swaps y and x needs square sections, a crop has 16 x 20"
    ):
        Augmentation(AUGMENTATIONS["v1-paper"], (1, 16, 20))
    with pytest.raises(InvalidInputError) as error:
        Augmentation((), (0, 16, 16))
    assert str(error.value) == "patch[z] of an augmentation is 0; allowed: whole numbers from 1"
    with pytest.raises(InvalidInputError) as error:
        Augmentation((), (16, 16))
    assert str(error.value) == "patch of an augmentation is (16, 16); expected three edges (z, y, x)"
    with pytest.raises(InvalidInputError) as error:
        Augmentation((), (1, 16, 16), smoothing="v3")
    assert str(error.value) == "smoothing of an augmentation is 'v3'; allowed: v1, v2"
    with pytest.raises(InvalidInputError) as error:
        Step(CutNoise(), 1.5)
    assert str(error.value) == "probability of a step of an augmentation is 1.5; allowed: 0 to 1"


def test_crops_that_are_none_are_refused():
    image, labels = crop((2, 8, 8))
    augmentation = Augmentation((), (2, 8, 8))
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidInputError) as error:
        augmentation(image.astype(float), labels, rng)
    assert str(error.value) == (
        "a crop to augment is float64 (2, 8, 8) with labels of uint32; expected a float32 image (z, y, x) and integer "
        "labels"
    )
    with pytest.raises(InvalidInputError, match=r"with labels of float32; expected"):
        augmentation(image, labels.astype(np.float32), rng)
    with pytest.raises(InvalidInputError) as error:
        augmentation(image[:, :7], labels[:, :7], rng)
    assert str(error.value) == (
        "a crop to augment is (2, 7, 8) with labels (2, 7, 8); expected one shape for both, from (2, 8, 8) on, to "
        "leave a patch of (2, 8, 8)"
    )
    with pytest.raises(InvalidInputError, match=r"^a crop to augment is \(2, 8, 8\) with labels \(1, 8, 8\); expected"):
        augmentation(image, labels[:1], rng)
    with pytest.raises(InvalidInputError) as error:
        augmentation(255 * np.ones_like(image), labels, rng)
    assert str(error.value) == "a crop to augment has values from 255 to 255; expected 0 to 1"
    image[1, 2, 3] = np.nan
    with pytest.raises(InvalidInputError, match=r"has values from nan to nan; expected 0 to 1$"):
        augmentation(image, labels, rng)


def test_workers_steps_and_seeds_never_share_a_stream():
    keys = [(seed, worker, step) for seed in range(3) for worker in range(3) for step in range(3)]
    draws = [worker_generator(seed=a, worker=b, step=c).random() for a, b, c in keys]
    assert len(set(draws)) == len(keys)
    assert worker_generator(seed=2, worker=1, step=0).random() == draws[keys.index((2, 1, 0))]
    with pytest.raises(InvalidInputError) as error:
        worker_generator(seed=0, worker=-1, step=0)
    assert str(error.value) == "worker of a generator is -1; allowed: whole numbers from 0"
