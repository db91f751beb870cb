"""Write a pair of label volumes to two HDF5 files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mitobench.errors import InvalidInputError
from mitobench.files import replacing
from mitobench.phantom._checks import check_shape
from mitobench.phantom._labels import LabelOptions, plan_labels
from mitobench.volumes import write_hdf5

if TYPE_CHECKING:
    from mitobench.types import PathOrStr, Progress, Shape

__all__ = ["write_label_pair"]


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
    if Path(gt_path).resolve() == Path(pred_path).resolve():
        raise InvalidInputError(f"gt_path and pred_path are both {gt_path}; name two files")
    chunks = None if chunks is None else check_shape("chunks", chunks)
    plan = plan_labels(shape, **options)
    with replacing(gt_path) as gt_part, replacing(pred_path) as pred_part:
        for turn, (part, strokes) in enumerate(((gt_part, plan.gt), (pred_part, plan.pred))):

            def report(done: int, total: int, turn: int = turn) -> None:
                if progress is not None:
                    progress(turn * total + done, 2 * total)

            write_hdf5(
                part,
                partial(plan.paint, strokes),
                shape=plan.shape,
                dtype=plan.dtype,
                chunks=chunks,
                compression=compression,
                compression_level=compression_level,
                progress=report,
            )
