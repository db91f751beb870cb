"""Write synthetic volumes to HDF5 files, slab by slab."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from mitobench.errors import InvalidInputError
from mitobench.files import replacing
from mitobench.phantom._checks import check_shape
from mitobench.phantom._labels import LabelOptions, plan_labels
from mitobench.phantom._tissue import TissueOptions, plan_tissue
from mitobench.volumes import write_hdf5

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import DTypeLike

    from mitobench.types import AnyArray, PathOrStr, Progress, Shape

__all__ = ["write_label_pair", "write_tissue"]

_SLAB_BYTES = 64 * 2**20


def write_label_pair(
    gt_path: PathOrStr,
    pred_path: PathOrStr,
    *,
    shape: Shape,
    chunks: Shape | None = None,
    compression: str | None = "gzip",
    compression_level: int = 4,
    progress: Progress | None = None,
    **options: Unpack[LabelOptions],
) -> None:
    """Write what `label_slabs` paints to the dataset ``main`` of two HDF5 files.

    Parameters
    ----------
    gt_path, pred_path
        Files to write; they get these names when both are complete.
    shape
        Voxels along z, y, x; a voxel is 30 x 8 x 8 nm.
    chunks, compression, compression_level
        As in `mitobench.volumes.write_hdf5`.
    progress
        Called with the voxels done and the voxels in all, of both files together.
    **options
        See `LabelOptions`.

    Raises
    ------
    InvalidInputError
        An option has no sense, or the dtype cannot hold the ids.
    UnusableFileError
        A file cannot be written there.
    """
    names = {"gt_path": gt_path, "pred_path": pred_path}
    _check_apart(names)
    chunks = None if chunks is None else check_shape("chunks", chunks)
    plan = plan_labels(shape, **options)
    volumes = [_Volume(partial(plan.paint, strokes), plan.dtype, chunks) for strokes in (plan.gt, plan.pred)]
    _write(names, volumes, plan.shape, compression, compression_level, progress)


def write_tissue(
    image_path: PathOrStr,
    gt_path: PathOrStr,
    pred_path: PathOrStr,
    *,
    shape: Shape,
    chunks: Shape | None = None,
    compression: str | None = "gzip",
    compression_level: int = 4,
    progress: Progress | None = None,
    **options: Unpack[TissueOptions],
) -> None:
    """Write an image of synthetic tissue, its ground truth and a prediction, dataset ``main`` of three HDF5 files.

    Parameters
    ----------
    image_path, gt_path, pred_path
        Files to write; they get these names when all are complete.
    shape
        Voxels along z, y, x; a voxel is 30 x 8 x 8 nm.
    chunks
        Chunk of the datasets, by default up to 8 x 256 x 256, shallower where sections are large.
    compression, compression_level
        As in `mitobench.volumes.write_hdf5`.
    progress
        Called with the voxels done and the voxels in all, of all files together.
    **options
        See `TissueOptions`.

    Raises
    ------
    InvalidInputError
        An option has no sense, or the dtype cannot hold the ids.
    UnusableFileError
        A file cannot be written there.
    """
    names = {"image_path": image_path, "gt_path": gt_path, "pred_path": pred_path}
    _check_apart(names)
    chunks = None if chunks is None else check_shape("chunks", chunks)
    plan = plan_tissue(shape, **options)
    labels, image = (chunks or _shallow(plan.shape, size) for size in (plan.dtype.itemsize, 1))
    volumes = [
        _Volume(plan.image, "uint8", image),
        _Volume(plan.gt, plan.dtype, labels),
        _Volume(plan.pred, plan.dtype, labels),
    ]
    _write(names, volumes, plan.shape, compression, compression_level, progress)


def _shallow(shape: Shape, itemsize: int) -> Shape:
    """Return chunks so shallow that whole sections of their depth are few bytes: they are held in memory."""
    depth = min(8, _SLAB_BYTES // (shape[1] * shape[2] * itemsize))
    return min(max(1, depth), shape[0]), min(256, shape[1]), min(256, shape[2])


class _Volume(NamedTuple):
    """What to write: called with z0, z1, it returns these sections."""

    sections: Callable[[int, int], AnyArray]
    dtype: DTypeLike
    chunks: Shape | None


def _check_apart(names: Mapping[str, PathOrStr]) -> None:
    seen: dict[Path, str] = {}
    for name, path in names.items():
        other = seen.setdefault(Path(path).resolve(), name)
        if other != name:
            raise InvalidInputError(f"{other} and {name} are both {path}; name {_COUNTS[len(names)]} files")


_COUNTS = {2: "two", 3: "three"}


def _write(
    names: Mapping[str, PathOrStr],
    volumes: list[_Volume],
    shape: Shape,
    compression: str | None,
    level: int,
    progress: Progress | None,
) -> None:
    """Write the volumes one after the other; none gets its name before all are complete."""
    with ExitStack() as stack:
        parts = [stack.enter_context(replacing(path)) for path in names.values()]
        for turn, (part, volume) in enumerate(zip(parts, volumes, strict=True)):

            def report(done: int, total: int, turn: int = turn) -> None:
                if progress is not None:
                    progress(turn * total + done, len(volumes) * total)

            write_hdf5(
                part,
                volume.sections,
                shape=shape,
                dtype=volume.dtype,
                chunks=volume.chunks,
                compression=compression,
                compression_level=level,
                progress=report,
            )
