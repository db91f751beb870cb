"""Read boxes of a volume, inflating the stored chunks in the calling thread.

h5py reads one chunk at a time under a global lock. Here each worker fetches the bytes of a chunk itself and inflates
them into buffers that it keeps: allocating a fresh output for each chunk would cost more than inflating it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from mitobench.errors import UnusableFileError
from mitobench.volumes.blocks import boxes

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Box, RawChunks, Shape, Volume

__all__ = ["BoxReader", "ConstantChunks", "ThreadReaders"]

Bytes = NDArray[np.uint8]

_READ_AHEAD = 1 << 18
"""Bytes fetched at a time: chunks mostly lie in the file in the order in which they are read."""

_CONSTANT_RATIO = {"gzip": 512, "lzf": 64}
"""A chunk of one value shrinks at least this much (gzip reaches 1032, lzf 88)."""


class ConstantChunks:
    """The stored bytes of chunks that hold one value throughout, so that they are inflated only once.

    Shared by the readers of a volume; a lost race costs one chunk inflated again, never a wrong value.
    """

    _MOST_KNOWN = 4096

    def __init__(self) -> None:
        self._blocks: dict[bytes, AnyArray] = {}

    def get(self, data: bytes) -> AnyArray | None:
        """Return the chunk that these bytes inflate to, if they are known, as a broadcast scalar."""
        return self._blocks.get(data)

    def learn(self, data: bytes, chunk: AnyArray) -> None:
        """Remember the bytes if all voxels of their chunk are equal."""
        value = chunk.flat[0]
        if len(self._blocks) < self._MOST_KNOWN and not np.any(chunk != value):
            self._blocks[data] = np.broadcast_to(value, chunk.shape)


class BoxReader:
    """Reads boxes of one volume for one worker.

    Parameters
    ----------
    volume
        Any volume; its ``raw`` chunks are used when it has them.
    constants
        Shared by all the readers of this volume.
    """

    def __init__(self, volume: Volume, constants: ConstantChunks) -> None:
        self._volume = volume
        self._dtype = volume.dtype
        self._edge = volume.chunks
        self._chunks = None if volume.raw is None else _ChunkReader(volume, volume.raw, constants)
        self._whole: Bytes = np.empty(0, np.uint8)

    def close(self) -> None:
        """Close the file."""
        if self._chunks is not None:
            self._chunks.close()

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box, valid until the next call. A box of one value may be a broadcast scalar."""
        if self._chunks is None:
            return self._volume.read(box)
        # Written out, here and in _part: for small chunks this is called tens of thousands of times.
        (z0, y0, x0), (z1, y1, x1) = box
        cz, cy, cx = self._edge
        if z1 <= z0 // cz * cz + cz and y1 <= y0 // cy * cy + cy and x1 <= x0 // cx * cx + cx:
            return self._part(self._chunks, box)
        size = box.voxels * self._dtype.itemsize
        if len(self._whole) < size:
            self._whole = np.empty(size, np.uint8)
        whole: AnyArray = self._whole[:size].view(self._dtype).reshape(box.shape)
        for part in boxes(box, self._edge):
            whole[part.within(box)] = self._part(self._chunks, part)
        return whole

    def _part(self, chunks: _ChunkReader, part: Box) -> AnyArray:
        """Return the voxels of a box that lies in one chunk."""
        (z0, y0, x0), (z1, y1, x1) = part
        cz, cy, cx = self._edge
        iz, iy, ix = z0 // cz, y0 // cy, x0 // cx
        chunk = chunks.read((iz, iy, ix))
        if chunk.shape == (z1 - z0, y1 - y0, x1 - x0):
            return chunk
        oz, oy, ox = iz * cz, iy * cy, ix * cx
        return chunk[z0 - oz : z1 - oz, y0 - oy : y1 - oy, x0 - ox : x1 - ox]


class ThreadReaders:
    """A reader of one volume for each thread that asks, however many there are.

    Parameters
    ----------
    volume
        Any volume; it stays open when the readers are closed.

    Examples
    --------
    >>> from mitobench.types import Box
    >>> from mitobench.volumes import open_labels
    >>> readers = ThreadReaders(open_labels(np.arange(8).reshape(2, 2, 2)))
    >>> readers.read(Box((1, 0, 0), (2, 1, 2))).tolist()
    [[[4, 5]]]
    >>> readers.close()
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._constants = ConstantChunks()
        self._thread = threading.local()
        self._opened: list[BoxReader] = []

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box, valid until this thread's next call, as `BoxReader.read` does."""
        if not hasattr(self._thread, "reader"):
            self._thread.reader = BoxReader(self._volume, self._constants)
            self._opened.append(self._thread.reader)
        own: BoxReader = self._thread.reader
        return own.read(box)

    def close(self) -> None:
        """Close the files of all readers."""
        for reader in self._opened:
            reader.close()


class _ChunkReader:
    """Fetches and inflates stored chunks by their grid index."""

    def __init__(self, volume: Volume, raw: RawChunks, constants: ConstantChunks) -> None:
        self._name = volume.name
        self._dtype = volume.dtype
        self._edge = volume.chunks
        self._locations = raw.locations
        self._filters = tuple(reversed(list(enumerate(raw.filters))))
        self._fill = np.broadcast_to(self._dtype.type(raw.fill_value), self._edge)
        self._bytes = self._fill.size * self._dtype.itemsize
        self._padded = raw.padded
        self._constants = constants
        ratio = min((_CONSTANT_RATIO[name] for name in raw.filters if name in _CONSTANT_RATIO), default=None)
        self._constant_bytes = self._bytes // ratio if ratio else 0
        self._buffers: dict[str, Bytes] = {}
        self._window: Bytes = np.empty(0, np.uint8)
        self._window_start = self._window_stop = 0
        self._file = Path(raw.path).open("rb", buffering=0)  # noqa: SIM115 - closed by close()

    def close(self) -> None:
        self._file.close()

    def read(self, index: Shape) -> AnyArray:
        """Return a stored chunk; it is whole, also where the volume ends within it, unless chunks are only rows."""
        location = self._locations.get(index)
        if location is None:
            return self._fill
        offset, size, skipped = location
        data = self._fetch(offset, size, index)
        key = data.tobytes() if size <= self._constant_bytes and not skipped else None
        if key is not None and (constant := self._constants.get(key)) is not None:
            return constant
        for position, name in self._filters:
            if not skipped >> position & 1:
                data = self._undo(name, data, index)
        if self._padded:
            self._check_size(data, index)
        chunk: AnyArray = data.view(self._dtype).reshape(self._edge[0], -1, self._edge[2])
        if key is not None:
            self._constants.learn(key, chunk)
        return chunk

    def _fetch(self, offset: int, size: int, index: Shape) -> Bytes:
        if offset < self._window_start or offset + size > self._window_stop:
            self._fill_window(offset, size, index)
        start = offset - self._window_start
        return self._window[start : start + size]

    def _fill_window(self, offset: int, size: int, index: Shape) -> None:
        """Read the bytes asked for and, if they are few, those that follow."""
        if size > 2 * self._bytes + _READ_AHEAD:
            raise self._damaged(index, f"{size} stored bytes for {self._bytes}")
        ahead = size if 4 * size > _READ_AHEAD else _READ_AHEAD
        if len(self._window) < ahead:
            self._window = np.empty(ahead, np.uint8)
        got = 0
        try:
            self._file.seek(offset)
            while got < size and (count := self._file.readinto(self._window[got:ahead].data)):
                got += count
        except (OSError, OverflowError) as error:
            raise self._damaged(index, f"reading it failed: {error}") from error
        if got < size:
            raise self._damaged(index, "the file ends before it does")
        self._window_start, self._window_stop = offset, offset + got

    def _undo(self, name: str, data: Bytes, index: Shape) -> Bytes:
        """Undo one filter."""
        if name == "fletcher32":
            return self._checked(data, index)
        out = self._buffers.get(name)
        if out is None:
            out = self._buffers[name] = np.empty(self._bytes, np.uint8)
        if name == "shuffle":
            self._check_size(data, index)
            np.copyto(out.reshape(-1, self._dtype.itemsize), data.reshape(self._dtype.itemsize, -1).T)
            return out
        decode = imagecodecs.zlibng_decode if name == "gzip" else imagecodecs.lzf_decode
        try:
            decoded = decode(data, out=out)
        except (RuntimeError, ValueError) as error:
            raise self._damaged(index, str(error)) from error
        self._check_size(decoded, index)
        return out

    def _check_size(self, data: Bytes, index: Shape) -> None:
        if len(data) != self._bytes:
            raise self._damaged(index, f"it holds {len(data)} bytes, not {self._bytes}")

    def _checked(self, data: Bytes, index: Shape) -> Bytes:
        content, stored = data[:-4], data[-4:]
        if imagecodecs.h5checksum_fletcher32(content) != int.from_bytes(stored.tobytes(), "little"):
            raise self._damaged(index, "its checksum does not match")
        return content

    def _damaged(self, index: Shape, reason: str) -> UnusableFileError:
        origin = tuple(i * edge for i, edge in zip(index, self._edge, strict=True))
        return UnusableFileError(
            f"{self._name}: the chunk at voxel {origin} is damaged ({reason}); copy the file again"
        )
