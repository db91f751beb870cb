"""Find and check what a report was made from, before anything is shown."""

from __future__ import annotations

import math
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mitobench.errors import InvalidInputError, MissingExtraError, MitobenchError, UnknownNameError, did_you_mean
from mitobench.types import Box
from mitobench.view._mistakes import SIDES, Mistake, find_mistakes, worst
from mitobench.volumes import open_image, open_labels

if TYPE_CHECKING:
    from mitobench.report import Columns, Report, VolumeReport
    from mitobench.types import LabelVolume, Shape, Volume

__all__ = ["MITOEM_VOXEL", "Scene", "VoxelSize", "open_scene"]

VoxelSize = tuple[float, float, float]
MITOEM_VOXEL: VoxelSize = (30.0, 8.0, 8.0)

_WINDOW = 256
"""Half the edge of the piece of a section from which the contrast is taken."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One volume of a report, with the files that it was made from. Closing it closes the files that it opened.

    Attributes
    ----------
    volume
        Of the report.
    gt, pred
        Labels.
    image
        Channels; empty without an image.
    voxel_size
        Along (z, y, x), in nm.
    mistakes
        All of them, the largest first.
    """

    volume: VolumeReport
    gt: LabelVolume
    pred: LabelVolume
    image: tuple[Volume, ...]
    voxel_size: VoxelSize
    mistakes: tuple[Mistake, ...]
    files: ExitStack

    @property
    def centre(self) -> tuple[float, float, float]:
        """Where to look first (z, y, x): at the worst mistake or, without any, at the middle."""
        first = worst(self.mistakes)
        z, y, x = self.volume.shape
        return first.centre if first else (z / 2, y / 2, x / 2)

    def contrast(self, channel: Volume) -> tuple[float, float]:
        """Return the first and the last percentile of grey around the centre, from one section."""
        box = _window(self.centre, self.volume.shape)
        low, high = np.percentile(channel.read(box).astype(np.float64), (1, 99)).tolist()
        return (low, high) if low < high else (low, low + 1)

    def close(self) -> None:
        """Close the files that were opened by name."""
        self.files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_scene(
    report: Report,
    *,
    volume: str | None = None,
    gt: Any = None,  # noqa: ANN401 - paths, arrays of several libraries
    pred: Any = None,  # noqa: ANN401
    image: Any = None,  # noqa: ANN401
    voxel_size: VoxelSize = MITOEM_VOXEL,
    rgb: bool = False,
) -> Scene:
    """Open the volumes of a report, and refuse those that it was not made from.

    Parameters
    ----------
    report
        Of one or several volumes.
    volume
        Name of the one to look at; the first unless given.
    gt, pred
        Path, ``path::dataset`` or array; as named in the report unless given.
    image
        Likewise, (z, y, x) or (channel, z, y, x).
    voxel_size
        Along (z, y, x), in nm.
    rgb
        As in `mitobench.open_labels`.

    Raises
    ------
    UnknownNameError
        The report has no volume of this name, or a file no such dataset.
    UnusableFileError
        A file cannot be opened.
    InvalidInputError
        A volume has another shape or other instances than the report says, the report lists no instances, or the voxel
        size is not three positive numbers.
    """
    _check_voxel_size(voxel_size)
    chosen = _choose(report, volume)
    mistakes = tuple(find_mistakes(chosen.instances))
    with ExitStack() as files:
        labels = {}
        for side, source in (("gt", gt), ("pred", pred)):
            labels[side] = _labels(chosen, side, source, rgb=rgb)
            _close_later(files, source, labels[side])
            _check_shape(labels[side], chosen)
        channels = () if image is None else open_image(image)
        for channel in channels:
            _close_later(files, image, channel)
            _check_shape(channel, chosen)
        for side, opened in labels.items():
            _check_instances(opened, chosen.instances[side])
        return Scene(chosen, labels["gt"], labels["pred"], channels, voxel_size, mistakes, files.pop_all())


def _check_voxel_size(voxel_size: VoxelSize) -> None:
    if len(voxel_size) != 3 or not all(0 < length < math.inf for length in voxel_size):
        raise InvalidInputError(f"voxel_size is {voxel_size!r}; expected three numbers above 0, in nm")


def _choose(report: Report, name: str | None) -> VolumeReport:
    by_name = {volume.name: volume for volume in report.volumes}
    if name is not None and name not in by_name:
        raise UnknownNameError(
            f"the report has no volume {name!r}{did_you_mean(name, by_name)}; its volumes are {', '.join(by_name)}"
        )
    chosen = report.volumes[0] if name is None else by_name[name]
    if not set(SIDES) <= set(chosen.instances):
        raise InvalidInputError(
            f"the report lists no instances of {chosen.name}; expected those that `mitobench evaluate --json` writes; "
            "evaluate it again"
        )
    return chosen


def _labels(report: VolumeReport, side: str, source: Any, *, rgb: bool) -> LabelVolume:  # noqa: ANN401
    if source is not None:
        return open_labels(source, rgb=rgb)
    name = getattr(report, side).name
    try:
        return open_labels(name, rgb=rgb)
    except MissingExtraError:
        raise
    except MitobenchError as error:
        raise type(error)(
            f"the {SIDES[side]} that the report names cannot be opened ({error}); say where it is now with "
            f"--{side} ({side}= in Python)"
        ) from error


def _close_later(files: ExitStack, source: object, volume: Volume) -> None:
    """Close what was opened here, also by the name in the report; what the caller opened stays open."""
    if source is None or isinstance(source, str | PathLike):
        files.enter_context(closing(volume))


def _check_shape(volume: Volume, report: VolumeReport) -> None:
    if volume.shape == report.shape:
        return
    hint = "give the volume that was scored, or an image of the same region"
    if sorted(volume.shape) == sorted(report.shape):
        hint = "one shape is a permutation of the other: transpose the volume to the axis order (z, y, x)"
    raise InvalidInputError(
        f"{volume.name} has the shape {volume.shape} and the volume {report.name} of the report has {report.shape}; "
        f"both must have the same (z, y, x) shape: {hint}"
    )


def _check_instances(volume: LabelVolume, columns: Columns) -> None:
    """Count the voxels of the instance of the smallest box: cheap, and labels changed or swapped are found."""
    boxes = [
        Box((z0, y0, x0), (z1, y1, x1))
        for z0, y0, x0, z1, y1, x1 in zip(*(columns[axis + end] for end in "01" for axis in "zyx"), strict=True)
    ]
    if not boxes:
        return
    row = min(range(len(boxes)), key=lambda i: boxes[i].voxels)
    own, size = columns["id"][row], columns["size"][row]
    block = volume.read(boxes[row])
    found = int(np.count_nonzero(block == own)) if own <= np.iinfo(block.dtype).max else 0
    if found != size:
        raise InvalidInputError(
            f"{volume.name} is not what the report was made from: id {own} has {found:,} voxels at {boxes[row].start}, "
            f"expected {size:,}; give the volume that was scored, or evaluate it again"
        )


def _window(centre: tuple[float, float, float], shape: Shape) -> Box:
    z, y, x = (min(max(int(c), 0), n - 1) for c, n in zip(centre, shape, strict=True))
    return Box(
        (z, max(0, y - _WINDOW), max(0, x - _WINDOW)),
        (z + 1, min(shape[1], y + _WINDOW), min(shape[2], x + _WINDOW)),
    )
