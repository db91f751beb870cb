"""Sections of a prediction in the type that is written: read once, in threads, in bands that end where chunks end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.types import Box
from mitobench.volumes.blocks import boxes
from mitobench.volumes.reader import ThreadReaders

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from mitobench.types import AnyArray, LabelVolume, Shape, Uint64

__all__ = ["Sections", "renumbered", "smallest_type"]


def smallest_type(largest: int) -> np.dtype[Any]:
    """Return the smallest type that holds ids up to the largest, and that every tool reads.

    Many tools hold ids of uint32 as int32, and the public evaluator stumbles over uint64.

    Examples
    --------
    >>> [str(smallest_type(largest)) for largest in (255, 256, 2**31 - 1, 2**31)]
    ['uint8', 'uint16', 'uint32', 'int64']
    """
    for bits, dtype in ((8, np.uint8), (16, np.uint16), (31, np.uint32)):
        if largest < 1 << bits:
            return np.dtype(dtype)
    return np.dtype(np.int64)


def renumbered(block: AnyArray, ids: Uint64, dtype: np.dtype[Any]) -> AnyArray:
    """Replace each id by its place in an ascending list, counted from 1; 0 stays 0.

    Examples
    --------
    >>> renumbered(np.array([[[0, 70, 70, 9]]]), np.array([9, 70], np.uint64), np.dtype("u1")).tolist()
    [[[0, 2, 2, 1]]]
    """
    flat = np.ascontiguousarray(block).reshape(-1)
    # Runs of one id are long, so looking up one voxel of each is much faster than all of them.
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    first = flat[starts]
    places = np.where(first == 0, 0, np.searchsorted(ids, first.astype(np.uint64)) + 1).astype(dtype)
    return np.repeat(places, np.diff(starts, append=len(flat))).reshape(block.shape)


class Sections:
    """Gives consecutive sections of a prediction, ever deeper ones; used in a ``with`` statement.

    Parameters
    ----------
    volume
        Holds the prediction.
    first
        Section of the volume where the prediction begins.
    depth
        Sections of the prediction.
    dtype
        Type of what is given.
    ids
        All ids, ascending, if they are to be numbered anew.
    memory
        Bytes that buffers may take; where a layer of chunks is larger, chunks are read several times.
    workers
        Threads that read.
    """

    def __init__(
        self,
        volume: LabelVolume,
        first: int,
        depth: int,
        *,
        dtype: np.dtype[Any],
        ids: Uint64 | None,
        memory: int,
        workers: int,
    ) -> None:
        self._volume = volume
        self._first = first
        self._depth = depth
        self._dtype = dtype
        self._ids = ids
        self._band_depth = _band_depth(volume, dtype.itemsize, memory)
        self._edge = _read_edge(volume, self._band_depth, memory // workers)
        self._readers = ThreadReaders(volume)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mitobench")
        self._buffer: AnyArray = np.empty((min(self._band_depth, depth), *volume.shape[1:]), dtype)
        self._start = self._stop = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._readers.close()

    def __call__(self, z0: int, z1: int) -> AnyArray:
        """Return a copy of the sections from z0 to z1 of the prediction."""
        parts = np.empty((z1 - z0, *self._volume.shape[1:]), self._dtype)
        done = z0
        while done < z1:
            if done >= self._stop:
                self._load(done)
            stop = min(z1, self._stop)
            parts[done - z0 : stop - z0] = self._buffer[done - self._start : stop - self._start]
            done = stop
        return parts

    def _load(self, z0: int) -> None:
        _, height, width = self._volume.shape
        start = z0 + self._first
        stop = min((start // self._band_depth + 1) * self._band_depth, self._first + self._depth)
        band = Box((start, 0, 0), (stop, height, width))

        def fill(part: Box) -> None:
            block = self._readers.read(part)
            self._buffer[part.within(band)] = block if self._ids is None else renumbered(block, self._ids, self._dtype)

        for _ in self._pool.map(fill, boxes(band, self._edge)):
            pass
        self._start, self._stop = z0, stop - self._first


def _band_depth(volume: LabelVolume, itemsize: int, memory: int) -> int:
    """Return the sections of a band: whole chunks, if they fit beside the slabs of the writer."""
    _, height, width = volume.shape
    return _fitting(volume.chunks[0], memory * 6 // 10 // (height * width * itemsize))


def _read_edge(volume: LabelVolume, depth: int, memory: int) -> Shape:
    """Return the box to read at a time, of whole chunks, and across the volume if that fits."""
    (_, rows, columns), width = volume.chunks, volume.shape[2]
    # What is read is held once more while it is converted.
    lines = memory // 10 // (depth * volume.dtype.itemsize)
    if lines >= rows * width:
        return depth, _fitting(rows, lines // width), width
    return depth, rows, _fitting(columns, lines // rows)


def _fitting(step: int, limit: int) -> int:
    """Return the largest multiple of a step up to a limit or, where the step is larger, an even share of it."""
    limit = max(1, limit)
    return limit // step * step or step // -(-step // limit)
