"""The pictures of a whole report, from the files that it is of."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from mitobench.errors import InvalidInputError
from mitobench.pictures._take import check_shape, error_pictures
from mitobench.volumes import open_image, open_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.pictures._picture import Picture
    from mitobench.report import Report
    from mitobench.types import Volume

__all__ = ["Sources", "check_images", "report_pictures"]


class Sources(NamedTuple):
    """Where the voxels of one volume of a report are: paths, or arrays."""

    pred: Any
    gt: Any
    image: Any = None


def check_images(sources: Mapping[str, Sources], *, rgb: bool = False) -> None:
    """Find out whether every image can be read and has the shape of its ground truth, before hours of scoring.

    Parameters
    ----------
    sources
        Name of the volume -> its files.
    rgb
        As in `mitobench.volumes.open_labels`.

    Raises
    ------
    InvalidInputError
        An image has another shape, or several channels.
    UnusableFileError
        A file is missing or damaged.
    """
    for files in sources.values():
        with _open(files, rgb=rgb) as (gt, _, image):
            if image is not None:
                check_shape(image, "image", gt.name, gt.shape)


def report_pictures(
    report: Report,
    sources: Mapping[str, Sources],
    *,
    rgb: bool = False,
    per_class: int = 3,
    voxel_size: tuple[float, float, float] = (30.0, 8.0, 8.0),
) -> list[Picture]:
    """Return pictures of the worst errors of every volume of a report.

    Parameters
    ----------
    report
        Of these volumes.
    sources
        Name of the volume, as in the report -> its files.
    rgb
        As in `mitobench.volumes.open_labels`.
    per_class, voxel_size
        As in `error_pictures`.

    Raises
    ------
    InvalidInputError, UnusableFileError
        As in `error_pictures`.
    """
    pictures: list[Picture] = []
    for volume in report.volumes:
        with _open(sources[volume.name], rgb=rgb) as (gt, pred, image):
            pictures += error_pictures(
                volume, gt=gt, pred=pred, image=image, per_class=per_class, voxel_size=voxel_size
            )
    return pictures


@contextmanager
def _open(files: Sources, *, rgb: bool) -> Iterator[tuple[Volume, Volume, Volume | None]]:
    with ExitStack() as opened:

        def kept(source: Any, volume: Volume) -> Volume:  # noqa: ANN401
            if isinstance(source, str | PathLike):
                opened.enter_context(closing(volume))
            return volume

        gt, pred = (kept(source, open_labels(source, rgb=rgb)) for source in (files.gt, files.pred))
        image = None if files.image is None else kept(files.image, _one_channel(files.image))
        yield gt, pred, image


def _one_channel(source: Any) -> Volume:  # noqa: ANN401
    first, *others = open_image(source)
    if others:
        first.close()
        raise InvalidInputError(
            f"{source}: the image has {1 + len(others)} channels; expected one, (z, y, x); name a dataset that has one"
        )
    return first
