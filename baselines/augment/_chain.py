"""Augmentations one after another: which are done, how large the crop must be, and whose random numbers they draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.augment._transform import Transform, check_choice, check_number, check_whole
from baselines.targets import Smoothing, smooth_instances
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from baselines.augment._transform import Image, Pair
    from mitobench.types import AnyArray, Shape

__all__ = ["Augmentation", "Step", "crop_needed", "worker_generator"]


@dataclass(frozen=True)
class Step:
    """A transform and the probability that a sample gets it."""

    transform: Transform
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_number("a step of an augmentation", 0, 1, probability=self.probability)


@dataclass(frozen=True)
class Augmentation:
    """A chain: the steps in their order, each or not by its own coin, down to a patch.

    Steps whose transform is ``on_patch`` come after the crop to the patch, all others before it.

    Attributes
    ----------
    steps
        What may be done, in order. The published code lists its transforms in the reverse order.
    patch
        Shape of what comes out.
    smoothing
        How the outlines of the labels are smoothed at the end, see `baselines.targets.smooth_instances`; or not.

    Examples
    --------
    >>> from baselines.augment import AUGMENTATIONS
    >>> augmentation = Augmentation(AUGMENTATIONS["v2"], (8, 32, 32))
    >>> augmentation.crop
    (10, 90, 90)
    >>> image, labels = np.zeros((10, 90, 90), np.float32), np.zeros((10, 90, 90), np.uint16)
    >>> [array.shape for array in augmentation(image, labels, worker_generator(seed=0, worker=0, step=0))]
    [(8, 32, 32), (8, 32, 32)]
    """

    steps: tuple[Step, ...]
    patch: Shape
    smoothing: Smoothing | None = None

    def __post_init__(self) -> None:
        if len(self.patch) != 3:
            raise InvalidInputError(f"patch of an augmentation is {self.patch!r}; expected three edges (z, y, x)")
        check_whole("an augmentation", 1, **{f"patch[{axis}]": n for axis, n in zip("zyx", self.patch, strict=True)})
        if self.smoothing is not None:
            check_choice("an augmentation", Smoothing, smoothing=self.smoothing)
        crop_needed(self.steps, self.patch)

    @property
    def crop(self) -> Shape:
        """Least shape of the crops to augment."""
        return crop_needed(self.steps, self.patch)

    def __call__(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        """Return an augmented patch, in memory of its own.

        Parameters
        ----------
        image
            float32 (z, y, x), values from 0 to 1, of the shape of `crop` or larger.
        labels
            Instance ids of that shape, 0 for background.
        rng
            The only source of chance, such as `worker_generator` gives.

        Raises
        ------
        InvalidInputError
            The arrays are not as said.
        """
        self._check(image, labels)
        for step in self._fired(rng, on_patch=False):
            image, labels = step.transform(image, labels, rng)
        image, labels = _centre(image, self.patch), _centre(labels, self.patch)
        for step in self._fired(rng, on_patch=True):
            image, labels = step.transform(image, labels, rng)
        if self.smoothing is not None:
            labels = smooth_instances(labels, self.smoothing)
        return image.copy(order="C"), labels.copy(order="C")

    def _fired(self, rng: np.random.Generator, *, on_patch: bool) -> list[Step]:
        steps = [step for step in self.steps if step.transform.on_patch is on_patch]
        return [step for step in steps if rng.random() < step.probability]

    def _check(self, image: Image, labels: AnyArray) -> None:
        if image.ndim != 3 or image.dtype != np.float32 or not np.issubdtype(labels.dtype, np.integer):
            raise InvalidInputError(
                f"a crop to augment is {image.dtype} {image.shape} with labels of {labels.dtype}; expected a float32 "
                "image (z, y, x) and integer labels"
            )
        if image.shape != labels.shape or any(n < least for n, least in zip(image.shape, self.crop, strict=True)):
            raise InvalidInputError(
                f"a crop to augment is {image.shape} with labels {labels.shape}; expected one shape for both, from "
                f"{self.crop} on, to leave a patch of {self.patch}"
            )
        low, high = float(image.min()), float(image.max())
        # Also what is not a number is not in the range.
        if not (low >= 0 and high <= 1):
            raise InvalidInputError(f"a crop to augment has values from {low:g} to {high:g}; expected 0 to 1")


def crop_needed(steps: Iterable[Step], patch: Shape) -> Shape:
    """Return the least shape of a crop from which steps leave a patch.

    From the last step back to the first, y and x are multiplied by the ratio of the transform and rounded up, then its
    margin is added, whatever its probability. With the published recipes that gives the published sizes.

    Raises
    ------
    InvalidInputError
        A step means nothing for the crops that it would get.

    Examples
    --------
    >>> from baselines.augment import Elastic, Rescale
    >>> crop_needed([Step(Elastic(alpha=16)), Step(Rescale(low=0.8))], (32, 256, 256))
    (32, 354, 354)
    """
    z, y, x = patch
    for step in reversed(tuple(steps)):
        transform, (more_z, more_y, more_x) = step.transform, step.transform.margin()
        y, x = (math.ceil(n * transform.ratio()) for n in (y, x))
        z, y, x = z + more_z, y + more_y, x + more_x
        transform.check((z, y, x))
    return z, y, x


def worker_generator(*, seed: int, worker: int, step: int) -> np.random.Generator:
    """Return a Generator of its own for each worker and each step, or epoch, of a run.

    Workers that inherit a Generator from the process that started them would all draw the same numbers.

    Parameters
    ----------
    seed
        Of the run.
    worker, step
        Counted from 0.

    Examples
    --------
    >>> draws = [worker_generator(seed=1, worker=w, step=s).random() for w in range(3) for s in range(3)]
    >>> len(set(draws)), draws[0] == worker_generator(seed=1, worker=0, step=0).random()
    (9, True)
    """
    check_whole("a generator", 0, seed=seed, worker=worker, step=step)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(worker, step)))


def _centre(array: AnyArray, shape: Shape) -> AnyArray:
    """Return the middle of an array."""
    starts = [(n - wanted) // 2 for n, wanted in zip(array.shape, shape, strict=True)]
    return array[tuple(slice(start, start + wanted) for start, wanted in zip(starts, shape, strict=True))]
