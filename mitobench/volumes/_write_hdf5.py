"""Write volumes of any size to HDF5, slab by slab, compressing chunks in threads where HDF5 would use one."""

from __future__ import annotations

import itertools
import math
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mitobench.errors import InvalidInputError, MitobenchError
from mitobench.files import replacing
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import h5py
    from numpy.typing import DTypeLike

    from mitobench.types import AnyArray, PathOrStr, Progress

__all__ = ["plain_errors", "write_hdf5"]

_SLAB_BYTES = 64 * 2**20


def write_hdf5(
    path: PathOrStr,
    sections: Callable[[int, int], AnyArray],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    dataset: str = "main",
    chunks: tuple[int, ...] | None = None,
    compression: str | None = "gzip",
    compression_level: int = 4,
    progress: Progress | None = None,
) -> None:
    """Write a volume, or its channels, to one dataset of a new HDF5 file, which gets its name when it is complete.

    Parameters
    ----------
    path
        File to write; replaced if it exists.
    sections
        Called with ascending z0, z1; returns these sections, (z1 - z0, y, x) or (channel, z1 - z0, y, x).
    shape
        Voxels along z, y, x, after the number of channels if there are any.
    dtype
        Type of the voxels.
    dataset
        Name of the dataset.
    chunks
        Chunk of the dataset, an edge for each axis; by default h5py's choice.
    compression, compression_level
        ``gzip`` with a level from 0 to 9, ``lzf`` or None.
    progress
        Called with (voxels written, voxels in all).

    Raises
    ------
    InvalidInputError
        Chunks or compression have no sense.
    UnusableFileError
        The file cannot be written.
    """
    import h5py

    storage = _storage(shape, chunks, compression, compression_level)
    with replacing(path) as part, plain_errors(), h5py.File(part, "w") as file:
        target = file.create_dataset(dataset, shape, dtype, **storage)
        slabs = _slabs(target, sections)
        for done in _deflated(target, slabs) if compression == "gzip" else _plain(target, slabs):
            if progress is not None:
                progress(done * (math.prod(shape) // shape[-3]), math.prod(shape))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Find the error of the disk in those of HDF5: in the middle of a long text, or raised on closing as none of it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        found = re.search(r"errno = (\d+)", str(error))
        if found is None or isinstance(error, MitobenchError):
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def _storage(
    shape: tuple[int, ...], chunks: tuple[int, ...] | None, compression: str | None, level: int
) -> dict[str, Any]:
    """Check how to store the dataset and return it as h5py's options."""
    if chunks is not None and not all(1 <= chunk <= edge for chunk, edge in zip(chunks, shape, strict=True)):
        raise InvalidInputError(f"chunks is {chunks}, allowed is 1 up to the shape {shape}; give other chunks")
    if compression not in ("gzip", "lzf", None):
        raise InvalidInputError(
            f"compression is {compression!r}, allowed are 'gzip', 'lzf' and None; choose one of them"
        )
    if not 0 <= level <= 9:
        raise InvalidInputError(f"compression_level is {level}, allowed is 0 to 9; give a number in that range")
    return {
        # h5py chooses, also where it would store an uncompressed dataset in one piece.
        "chunks": True if chunks is None else tuple(chunks),
        "compression": compression,
        "compression_opts": level if compression == "gzip" else None,
    }


class _Slab(NamedTuple):
    z0: int
    z1: int
    voxels: AnyArray


def _slabs(target: h5py.Dataset, sections: Callable[[int, int], AnyArray]) -> Iterator[_Slab]:
    """Yield slabs of about `_SLAB_BYTES`, whole chunks deep so that no chunk is written twice."""
    depth, deep = target.shape[-3], target.chunks[-3]
    section = math.prod(target.shape) // depth * target.dtype.itemsize
    step = deep * max(1, _SLAB_BYTES // (deep * section))
    for z in range(0, depth, step):
        stop = min(z + step, depth)
        yield _Slab(z, stop, sections(z, stop))


def _plain(target: h5py.Dataset, slabs: Iterator[_Slab]) -> Iterator[int]:
    """Leave chunking and compression to HDF5; yield the sections done."""
    for slab in slabs:
        target[..., slab.z0 : slab.z1, :, :] = slab.voxels
        yield slab.z1


def _deflated(target: h5py.Dataset, slabs: Iterator[_Slab]) -> Iterator[int]:
    """Compress chunks in threads while the next slab is made; yield the sections done."""
    deflate = _Deflate.like(target)
    with ThreadPoolExecutor(default_workers()) as pool:
        waiting: list[tuple[_Slab, list[_Row]]] = []
        for slab in slabs:
            waiting.append((slab, list(_submit(pool, deflate, slab))))
            if len(waiting) > 1:
                yield _finish(target, *waiting.pop(0))
        for slab, rows in waiting:
            yield _finish(target, slab, rows)


class _Row(NamedTuple):
    """One row of chunks along x, being compressed."""

    start: tuple[int, ...]
    packed: Future[list[bytes]]


def _submit(pool: ThreadPoolExecutor, deflate: _Deflate, slab: _Slab) -> Iterator[_Row]:
    edges = deflate.chunk[:-1]
    starts = (range(0, size, edge) for size, edge in zip(slab.voxels.shape, edges, strict=False))
    for *channel, z, y in itertools.product(*starts):
        box = tuple(slice(at, at + edge) for at, edge in zip((*channel, z, y), edges, strict=True))
        yield _Row((*channel, slab.z0 + z, y), pool.submit(deflate, slab.voxels[box]))


def _finish(target: h5py.Dataset, slab: _Slab, rows: list[_Row]) -> int:
    for row in rows:
        for i, packed in enumerate(row.packed.result()):
            target.id.write_direct_chunk((*row.start, i * target.chunks[-1]), packed)
    return slab.z1


@dataclass(frozen=True)
class _Deflate:
    """Compress one row of chunks as HDF5's deflate filter would, background once for all."""

    chunk: tuple[int, ...]
    dtype: Any
    level: int
    empty: bytes
    packed_empty: bytes

    @classmethod
    def like(cls, target: h5py.Dataset) -> _Deflate:
        level, empty = target.compression_opts, bytes(math.prod(target.chunks) * target.dtype.itemsize)
        return cls(target.chunks, target.dtype, level, empty, _packed(empty, level))

    def __call__(self, row: AnyArray) -> list[bytes]:
        width = self.chunk[-1]
        return [self._pack(row[..., x : x + width]) for x in range(0, row.shape[-1], width)]

    def _pack(self, block: AnyArray) -> bytes:
        if block.shape != self.chunk:
            # HDF5 stores chunks whole, also where the volume ends within them.
            block = np.pad(block, [(0, edge - got) for edge, got in zip(self.chunk, block.shape, strict=True)])
        content = block.astype(self.dtype, copy=False).tobytes()
        return self.packed_empty if content == self.empty else _packed(content, self.level)


def _packed(content: bytes, level: int) -> bytes:
    """Return what HDF5's deflate filter would store, which zlib-ng makes several times as fast as zlib."""
    import imagecodecs

    packed: bytes = imagecodecs.zlibng_encode(content, level)
    return packed
