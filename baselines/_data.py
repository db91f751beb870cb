"""What an experiment learns from, and what it is scored on."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitobench.dataset import Dataset, DatasetVolume, open_dataset
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.files import making_folder, replacing
from mitobench.methods import training_volumes
from mitobench.phantom import write_tissue

if TYPE_CHECKING:
    from pathlib import Path

    from mitobench.methods import TrainingVolume
    from mitobench.types import PathOrStr, Progress, Shape

__all__ = ["PHANTOM", "Data", "choose_data", "make_phantom"]

PHANTOM = "phantom"
"""In the place of a data set: synthetic tissue, always the same."""
TRAIN, VALIDATION = "train", "val"

_SHAPE: Shape = (60, 384, 384)
_TISSUE: dict[str, Any] = {"seed": 0, "instances_per_gigavoxel": 6000.0, "foreground": 0.15}
"""About sixty mitochondria, as dense as in tissue; MitoEM's own density would be eight."""
_DESCRIPTION = """# Synthetic tissue of `mitobench baseline run --data phantom`.
name = "phantom {z}x{y}x{x}"

[[volumes]]
name = "phantom"
image = "im.h5"
labels = "gt.h5"
voxel_size = [30, 8, 8]
split = {{ train = 0.55, val = 0.15, test = 0.3 }}
"""


@dataclass(frozen=True)
class Data:
    """A data set with the part of it that is scored.

    Attributes
    ----------
    source
        What was opened.
    dataset
        What is in it.
    part
        The one that is scored.
    annotation
        Version of all labels.
    volumes
        Those that have labels in that part.
    training, validation
        What is learned from, and by what thresholds are chosen: nothing if that part is the one that is scored.
    """

    source: PathOrStr
    dataset: Dataset
    part: str
    annotation: str
    volumes: tuple[DatasetVolume, ...]
    training: tuple[TrainingVolume, ...]
    validation: tuple[TrainingVolume, ...]

    def facts(self) -> dict[str, Any]:
        """Return what tells these data from others, as far as it can be told without reading them."""
        volumes = {
            volume.name: {"shape": volume.shape, **{name: [z.start, z.stop] for name, z in volume.splits.items()}}
            for volume in self.dataset.volumes
        }
        return {"name": self.dataset.name, "part": self.part, "annotation": self.annotation, "volumes": volumes}


def choose_data(source: PathOrStr, part: str, annotation: str | None = None) -> Data:
    """Open a data set and find out what can be learned from and what can be scored. Headers are read, no voxel.

    Parameters
    ----------
    source
        As `mitobench.dataset.open_dataset` takes it.
    part
        To be scored: ``test``, or another one than ``train``.
    annotation
        Version of the labels; by default the first of each volume, which has to be the same in all.

    Raises
    ------
    MitobenchError
        The data cannot be opened; no volume has such a part, or labels there; no volume has a part ``train``.

    Warns
    -----
    InputWarning
        Some volumes have no labels in that part, and are not scored.
    """
    if part == TRAIN:
        raise InvalidInputError("the part train is what a method learns from; score another one, such as test")
    dataset = open_dataset(source)
    volumes = _with_labels(dataset, part, annotation)
    if not volumes:
        # Says which parts there are, or why there are no labels.
        first = next((volume for volume in dataset.volumes if part in volume.splits), dataset.volumes[0])
        first.labels(part, annotation=annotation).close()
        first.image(part).close()
    for volume in dataset.volumes:
        if part in volume.splits and volume not in volumes:
            warnings.warn(f"{volume.name}: no labels in the part {part}; it is not scored", InputWarning, stacklevel=3)
    versions = sorted({annotation or volume.annotations[0] for volume in volumes})
    if len(versions) > 1:
        found = " and ".join(versions)
        raise InvalidInputError(f"{source}: the labels are of the annotations {found}; name one of them")
    known = {volume.name for volume in _with_labels(dataset, VALIDATION, annotation)} if part != VALIDATION else set()
    held_out = training_volumes(source, split=VALIDATION, annotation=annotation) if known else ()
    return Data(
        source,
        dataset,
        part,
        versions[0],
        volumes,
        training_volumes(source, split=TRAIN, annotation=annotation),
        tuple(volume for volume in held_out if volume.name in known),
    )


def _with_labels(dataset: Dataset, part: str, annotation: str | None) -> tuple[DatasetVolume, ...]:
    return tuple(volume for volume in dataset.volumes if _has_labels(volume, part, annotation))


def _has_labels(volume: DatasetVolume, part: str, annotation: str | None) -> bool:
    """Tell whether image and labels of a part are there."""
    if part not in volume.splits or part in volume.private or not volume.label_parts or not volume.image_parts:
        return False
    try:
        with closing(volume.image(part)) as image, closing(volume.labels(part, annotation=annotation)) as labels:
            same = labels.shape == image.shape
    except InvalidInputError:
        return False
    if not same:
        raise InvalidInputError(f"{volume.name}: image and labels of the part {part} differ in shape; cut them alike")
    return True


def make_phantom(folder: Path, progress: Progress | None = None) -> Path:
    """Return the description of a data set of synthetic tissue, made in the folder unless it is there.

    Raises
    ------
    UnusableFileError
        It cannot be written.
    """
    description = folder / "phantom.toml"
    if description.is_file():
        return description
    with making_folder(folder):
        names = (folder / f"{name}.h5" for name in ("im", "gt", "pred"))
        write_tissue(*names, shape=_SHAPE, progress=progress, **_TISSUE)
        z, y, x = _SHAPE
        with replacing(description) as temporary:
            temporary.write_text(_DESCRIPTION.format(z=z, y=y, x=x), encoding="utf-8")
    return description
