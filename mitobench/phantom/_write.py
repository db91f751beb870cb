"""Stream a pair of label volumes into two HDF5 files."""

from __future__ import annotations

import collections
import itertools
import math
import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.files import replacing
from mitobench.phantom._checks import check_range, check_shape
from mitobench.phantom._labels import LabelOptions, LabelPlan, plan_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py

    from mitobench.types import AnyArray, PathOrStr, Progress, Shape

__all__ = ["write_label_pair"]

T = TypeVar("T")
_Row = tuple[int, int, "Future[list[bytes]]"]
_SLAB_BYTES = 64 * 2**20


class _Slab(NamedTuple):
    """Sections of one side from z on, and how many sections of both sides are done with them."""

    dataset: h5py.Dataset
    z: int
    done: int
    labels: AnyArray


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
        Files to write; they get these names when they are complete.
    shape
        Voxels along z, y, x; a voxel is 30 x 8 x 8 nm.
    chunks
        Chunk of both datasets, by default h5py's choice.
    compression, compression_level
        ``gzip`` with a level from 0 to 9, ``lzf`` or None.
    progress
        Called with the voxels done and the voxels in all.
    **options
        See `LabelOptions`.

    Raises
    ------
    InvalidInputError
        An option has no sense, or the dtype cannot hold the ids.
    UnusableFileError
        A file cannot be written there.
    """
    import h5py

    storage = _storage(check_shape("shape", shape), chunks, compression, compression_level)
    if Path(gt_path).resolve() == Path(pred_path).resolve():
        raise InvalidInputError(f"gt_path and pred_path are both {gt_path}; name two files")
    plan = plan_labels(shape, **options)
    with (
        replacing(gt_path) as gt_part,
        replacing(pred_path) as pred_part,
        h5py.File(gt_part, "w") as gt_file,
        h5py.File(pred_part, "w") as pred_file,
    ):
        gt, pred = (file.create_dataset("main", plan.shape, plan.dtype, **storage) for file in (gt_file, pred_file))
        slabs = _slabs(plan, gt, pred)
        stored = _store_deflated(slabs, _Deflate.like(gt)) if compression == "gzip" else _store(slabs)
        for done in stored:
            if progress is not None:
                progress(done * math.prod(plan.shape[1:]), math.prod(plan.shape))


def _storage(shape: Shape, chunks: Shape | None, compression: str | None, level: int) -> dict[str, Any]:
    """Check how to store the datasets and return it as h5py's options."""
    if chunks is not None:
        chunks = check_shape("chunks", chunks)
        if any(chunk > edge for chunk, edge in zip(chunks, shape, strict=True)):
            raise InvalidInputError(f"chunks is {chunks}, allowed is up to the shape {shape}; give smaller chunks")
    if compression not in ("gzip", "lzf", None):
        raise InvalidInputError(
            f"compression is {compression!r}, allowed are 'gzip', 'lzf' and None; choose one of them"
        )
    check_range("compression_level", level, 0, 9)
    return {"chunks": chunks, "compression": compression, "compression_opts": level if compression == "gzip" else None}


def _slabs(plan: LabelPlan, gt: h5py.Dataset, pred: h5py.Dataset) -> Iterator[_Slab]:
    """Paint slabs of about `_SLAB_BYTES`, whole chunks deep so that no chunk is written twice."""
    chunk_depth, (depth, height, width) = (gt.chunks or (1,))[0], plan.shape
    step = chunk_depth * max(1, _SLAB_BYTES // (chunk_depth * height * width * plan.dtype.itemsize))
    for z in range(0, depth, step):
        yield _Slab(gt, z, z, plan.paint(plan.gt, z, z + step))
        yield _Slab(pred, z, min(z + step, depth), plan.paint(plan.pred, z, z + step))


def _store(slabs: Iterator[_Slab]) -> Iterator[int]:
    """Leave chunking and compression to HDF5; yield the sections done."""
    for slab in slabs:
        slab.dataset[slab.z : slab.z + len(slab.labels)] = slab.labels
        yield slab.done


def _store_deflated(slabs: Iterator[_Slab], deflate: _Deflate) -> Iterator[int]:
    """Compress chunks in threads, where HDF5 would use one, while the next slab is painted; yield the sections done."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for dataset, done, rows in _one_behind(_submit(pool, deflate, slab) for slab in slabs):
            for z, y, row in rows:
                for i, packed in enumerate(row.result()):
                    dataset.id.write_direct_chunk((z, y, i * dataset.chunks[2]), packed)
            yield done


def _submit(pool: ThreadPoolExecutor, deflate: _Deflate, slab: _Slab) -> tuple[h5py.Dataset, int, list[_Row]]:
    depth, height, _ = deflate.chunk
    corners = itertools.product(range(0, slab.labels.shape[0], depth), range(0, slab.labels.shape[1], height))
    rows = [(slab.z + z, y, pool.submit(deflate, slab.labels[z : z + depth, y : y + height])) for z, y in corners]
    return slab.dataset, slab.done, rows


def _one_behind(items: Iterator[T]) -> Iterator[T]:
    """Yield each item once the next one is made."""
    made = collections.deque(itertools.islice(items, 1))
    for item in items:
        made.append(item)
        yield made.popleft()
    yield from made


@dataclass(frozen=True)
class _Deflate:
    """Compress one row of chunks as HDF5's deflate filter would, background once for all."""

    chunk: Shape
    level: int
    empty: bytes
    packed_empty: bytes

    @classmethod
    def like(cls, dataset: h5py.Dataset) -> _Deflate:
        level, empty = dataset.compression_opts, bytes(math.prod(dataset.chunks) * dataset.dtype.itemsize)
        return cls(dataset.chunks, level, empty, zlib.compress(empty, level))

    def __call__(self, row: AnyArray) -> list[bytes]:
        return [self._pack(row[:, :, x : x + self.chunk[2]]) for x in range(0, row.shape[2], self.chunk[2])]

    def _pack(self, block: AnyArray) -> bytes:
        if block.shape != self.chunk:
            # HDF5 stores chunks whole, also where the volume ends within them.
            block = np.pad(block, [(0, edge - got) for edge, got in zip(self.chunk, block.shape, strict=True)])
        content = block.tobytes()
        return self.packed_empty if content == self.empty else zlib.compress(content, self.level)
