"""Volumes to learn from: images with their labels, opened by whoever reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mitobench.dataset import open_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitobench.types import LabelVolume, PathOrStr, Volume

__all__ = ["TrainingVolume", "training_volumes"]


@dataclass(frozen=True)
class TrainingVolume:
    """An image with its labels, opened by each process for itself.

    Attributes
    ----------
    name
        For messages.
    image
        Opens the image: uint8, or real numbers from 0 to 1.
    labels
        Opens the instance ids, of the image's shape.
    valid
        Opens a mask of that shape, not 0 where the annotation is complete; without it, it is everywhere.
    """

    name: str
    image: Callable[[], Volume]
    labels: Callable[[], LabelVolume]
    valid: Callable[[], Volume] | None = None


def training_volumes(
    source: PathOrStr, *, split: str = "train", annotation: str | None = None
) -> tuple[TrainingVolume, ...]:
    """Return those volumes of a data set that have a part of this name.

    Parameters
    ----------
    source
        A folder, file or TOML description, as `mitobench.dataset.open_dataset` takes it.
    split
        Name of the part.
    annotation
        Version of the labels; by default the first of each volume.

    Raises
    ------
    MitobenchError
        As `open_dataset` does; or no volume has such a part.
    """
    volumes = open_dataset(source).volumes
    chosen = [volume for volume in volumes if split in volume.splits]
    if not chosen:
        volumes[0].sections(split)
    return tuple(
        TrainingVolume(
            volume.name,
            partial(_open_image, str(source), volume.name, split),
            partial(_open_labels, str(source), volume.name, split, annotation),
        )
        for volume in chosen
    )


def _open_image(source: str, name: str, split: str) -> Volume:
    return open_dataset(source)[name].image(split)


def _open_labels(source: str, name: str, split: str, annotation: str | None) -> LabelVolume:
    return open_dataset(source)[name].labels(split, annotation=annotation)
