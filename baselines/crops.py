"""Training samples: random crops of volumes that stay on disk, augmented, with their targets.

Sample i of a run is a pure function of the recipe, the data, the seed and i: it does not matter which worker makes it,
nor when.
"""

from __future__ import annotations

import math
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baselines.augment import worker_generator
from baselines.mirror import read_mirrored
from baselines.targets import difference_contour, mask, separate_touching, touching_contour, window_contour
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from baselines.recipe import Recipe
    from mitobench.methods import TrainingVolume
    from mitobench.types import AnyArray, Shape, Volume

__all__ = ["CropReader", "Sample", "check_volumes", "draw_box", "make_sample"]

_MOST_DRAWS = 1000
_SLAB_BYTES = 64 * 2**20
_CONTOURS = {"window": window_contour, "difference": difference_contour, "touching": touching_contour}

Bools: TypeAlias = NDArray[np.bool_]
Float32: TypeAlias = NDArray[np.float32]
Kind = Literal["image", "labels", "valid"]


@dataclass(frozen=True, eq=False)
class Sample:
    """What a network is trained on.

    Attributes
    ----------
    image
        float32 (1, z, y, x).
    target
        float32 (channel, z, y, x), 0 or 1.
    valid
        float32 (z, y, x), 1 where the target counts, else 0.
    """

    image: Float32
    target: Float32
    valid: Float32


def check_volumes(volumes: Sequence[TrainingVolume], recipe: Recipe) -> tuple[Shape, ...]:
    """Return the shapes of the volumes, if they can be trained on. Labels are read up to the first instance.

    Raises
    ------
    MitobenchError
        There is none; one cannot be opened; an image is neither uint8 nor real; shapes differ; no volume has any
        instance.

    Warns
    -----
    InputWarning
        A volume is smaller than a crop, so mirror images fill the rest.
    """
    if not volumes:
        raise InvalidInputError("there is no volume to train on; name at least one")
    shapes = []
    foreground = False
    for volume in volumes:
        with ExitStack() as stack:
            opened: dict[str, Volume] = {}
            for kind, opener in _openers(volume).items():
                opened[kind] = opener()
                stack.callback(opened[kind].close)
            shapes.append(_checked_shape(volume.name, opened, recipe.chain.crop))
            foreground = foreground or _any_foreground(opened["labels"])
    if not foreground:
        names = ", ".join(volume.name for volume in volumes)
        raise InvalidInputError(f"{names}: the labels hold no instance; training needs some; check the labels")
    return tuple(shapes)


def _openers(volume: TrainingVolume) -> dict[str, Callable[[], Volume]]:
    openers: dict[str, Callable[[], Volume]] = {"image": volume.image, "labels": volume.labels}
    return openers if volume.valid is None else {**openers, "valid": volume.valid}


def _checked_shape(name: str, opened: dict[str, Volume], crop: Shape) -> Shape:
    image = opened["image"]
    z, y, x = map(int, image.shape)
    for kind, volume in opened.items():
        if volume.shape != image.shape:
            raise InvalidInputError(
                f"{name}: the image is {image.shape} and the {kind} {volume.shape}; expected one shape; cut them alike"
            )
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise InvalidInputError(
            f"{name}: the image is of type {image.dtype}; expected uint8, or real numbers from 0 to 1; divide by the "
            "value of white"
        )
    if any(n < edge for n, edge in zip((z, y, x), crop, strict=True)):
        warnings.warn(
            f"{name}: shape {(z, y, x)} is smaller than a crop of {crop}; its mirror images fill the rest",
            InputWarning,
            stacklevel=4,
        )
    return z, y, x


def _any_foreground(labels: Volume) -> bool:
    depth, height, width = labels.shape
    sections = max(1, _SLAB_BYTES // (height * width * labels.dtype.itemsize))
    return any(
        bool(labels.read(Box((z, 0, 0), (min(z + sections, depth), height, width))).any())
        for z in range(0, depth, sections)
    )


def draw_box(shapes: Sequence[Shape], crop: Shape, padding: Shape, rng: np.random.Generator) -> tuple[int, Box]:
    """Return a volume and a box of it, all positions in all volumes being equally likely.

    Parameters
    ----------
    shapes
        Of the volumes.
    crop
        Shape of the box.
    padding
        How far along z, y, x it may reach beyond the volume. Where the volume is smaller than that allows, the box lies
        around its middle.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> boxes = [draw_box([(1, 1, 9), (1, 1, 3)], (1, 1, 3), (0, 0, 0), rng) for _ in range(800)]
    >>> 75 < sum(volume == 1 for volume, _ in boxes) < 125, max(box.stop[2] for _, box in boxes)
    (True, 9)
    """
    positions = [
        tuple(max(1, n + 2 * pad - edge + 1) for n, edge, pad in zip(shape, crop, padding, strict=True))
        for shape in shapes
    ]
    counts = [math.prod(counts) for counts in positions]
    place = int(rng.integers(sum(counts)))
    volume = 0
    while place >= counts[volume]:
        place -= counts[volume]
        volume += 1
    corner = np.unravel_index(place, positions[volume])
    first = (
        -pad if n + 2 * pad >= edge else (n - edge) // 2
        for n, edge, pad in zip(shapes[volume], crop, padding, strict=True)
    )
    z, y, x = (int(step) + start for step, start in zip(corner, first, strict=True))
    return volume, Box((z, y, x), (z + crop[0], y + crop[1], x + crop[2]))


class CropReader:
    """The samples of a run, by number. Files are opened when first read; a process that gets a copy opens its own.

    Parameters
    ----------
    volumes
        As `check_volumes` has seen them.
    shapes
        What it returned.
    recipe
        Crop, augmentation, targets.
    seed
        Of the run.
    """

    def __init__(self, volumes: Sequence[TrainingVolume], shapes: Sequence[Shape], recipe: Recipe, seed: int) -> None:
        self.volumes, self.shapes, self.recipe, self.seed = tuple(volumes), tuple(shapes), recipe, seed
        self._opened: dict[tuple[int, str], Volume] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": {}}

    def sample(self, number: int) -> Sample:
        """Return a sample, counted from 0.

        Raises
        ------
        InvalidInputError
            No crop is annotated or filled as the recipe demands; or the voxels of one are no numbers from 0 to 1.
        """
        rng = worker_generator(seed=self.seed, worker=0, step=number)
        wanted = self.recipe.sampling
        for _ in range(_MOST_DRAWS):
            volume, box = draw_box(self.shapes, self.recipe.chain.crop, wanted.padding, rng)
            known = self._known(volume, box)
            if known is not None and known.mean() <= wanted.annotated:
                continue
            made = self._made(volume, box, known, rng)
            scarce = wanted.least_foreground and made.target[0].sum() < wanted.least_foreground
            if not (scarce and rng.random() < wanted.rejection):
                return made
        raise InvalidInputError(
            f"none of {_MOST_DRAWS} crops of {self.recipe.chain.crop} is annotated on more than {wanted.annotated:g} "
            f"of its voxels with {wanted.least_foreground} voxels of foreground; annotate more, or lower annotated or "
            "least_foreground in the recipe"
        )

    def _known(self, volume: int, box: Box) -> Bools | None:
        return None if self.volumes[volume].valid is None else self._read(volume, "valid", box) != 0

    def _made(self, volume: int, box: Box, known: Bools | None, rng: np.random.Generator) -> Sample:
        image, labels = self._read(volume, "image", box), self._read(volume, "labels", box)
        try:
            return make_sample(self.recipe, image, labels, known, rng)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.volumes[volume].name}: at {box.start}: {error}") from error

    def _read(self, volume: int, kind: Kind, box: Box) -> AnyArray:
        if (volume, kind) not in self._opened:
            self._opened[volume, kind] = _openers(self.volumes[volume])[kind]()
        return read_mirrored(self._opened[volume, kind], box)

    def close(self) -> None:
        """Close what is open."""
        while self._opened:
            self._opened.popitem()[1].close()


def make_sample(
    recipe: Recipe, image: AnyArray, labels: AnyArray, known: Bools | None, rng: np.random.Generator
) -> Sample:
    """Return the sample that a crop becomes; image, labels and mask are moved by the same random numbers.

    Parameters
    ----------
    recipe
        Augmentation and targets.
    image, labels
        Of the crop, (z, y, x).
    known
        Where the labels are complete; None for everywhere. Two pixels around what is not known do not count either,
        because the contour there is that of the annotation.
    rng
        The only source of chance.
    """
    image = image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image.astype(np.float32)
    labels = _small_ids(labels)
    if recipe.targets.separate_touching:
        labels = separate_touching(labels)
    unknown = int(labels.max()) + 1
    if known is not None:
        # An id like any other is moved as the others are.
        labels = np.where(known, labels, unknown)
    image, labels = recipe.chain(image, labels, rng)
    hidden = labels == unknown
    labels = np.where(hidden, 0, labels)
    channels = {"mask": mask, "contour": _CONTOURS[recipe.targets.contour]}
    target = np.stack([channels[channel](labels) for channel in recipe.targets.channels])
    valid = ~(hidden | window_contour(hidden)) if known is not None else ~hidden
    seen = 2 * image - 1 if recipe.intensity == "centred" else image
    return Sample(seen[None], target.astype(np.float32), valid.astype(np.float32))


def _small_ids(labels: AnyArray) -> AnyArray:
    """Return the same instances with ids that int32 holds."""
    if int(labels.max()) < np.iinfo(np.int32).max:
        return labels.astype(np.int32)
    ids, compact = np.unique(labels, return_inverse=True)
    return (compact.reshape(labels.shape) + int(ids[0] != 0)).astype(np.int32)
