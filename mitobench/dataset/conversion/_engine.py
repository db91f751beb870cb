"""The threads of a conversion: pieces are read into bands, whose chunks are packed and stored when it is full."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mitobench.dataset.conversion._codec import Codec, content_crc
from mitobench.dataset.conversion._journal import CHUNK_NOTE
from mitobench.dataset.conversion._source import cast
from mitobench.types import AnyArray, Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mitobench.dataset.conversion._plan import Plan
    from mitobench.dataset.conversion._store import Store
    from mitobench.types import Volume

__all__ = ["Engine", "HashOnly", "Packer", "UnitDone", "threads"]


@dataclass(frozen=True)
class UnitDone:
    """What is known of a unit when it is done: SHA-256 of its sections, and `CHUNK_NOTE` of its chunks (z, y, x)."""

    box: Box
    sections: tuple[str, ...]
    chunks: AnyArray


class Sink(Protocol):
    """Takes voxels in rows of chunks."""

    @property
    def edge(self) -> tuple[int, int]:
        """Sections and rows of a chunk."""

    def notes(self, unit: Box) -> AnyArray:
        """Return empty notes for the chunks of a unit."""

    def put_row(self, unit: Box, row: Box, voxels: AnyArray, notes: AnyArray) -> None:
        """Store a row of chunks along x, and note them."""

    def finish(self, unit: Box) -> None:
        """Write out what is still in memory of a unit."""


@dataclass(frozen=True)
class Packer:
    """Packs rows of chunks and stores them.

    Attributes
    ----------
    codec
        How chunks are stored.
    store
        Where.
    """

    codec: Codec
    store: Store

    @property
    def edge(self) -> tuple[int, int]:
        """Sections and rows of a chunk."""
        return self.codec.chunks[:2]

    def notes(self, unit: Box) -> AnyArray:
        """Return empty notes for the chunks of a unit."""
        return np.zeros([-(-n // edge) for n, edge in zip(unit.shape, self.codec.chunks, strict=True)], CHUNK_NOTE)

    def put_row(self, unit: Box, row: Box, voxels: AnyArray, notes: AnyArray) -> None:
        """Pack and store a row of chunks along x, and note them."""
        (depth, height, width), (z, y, _) = self.codec.chunks, row.start
        for i in range(notes.shape[2]):
            chunk = self.codec.whole(voxels[:, :, i * width : (i + 1) * width])
            data, state = self.codec.encode(chunk)
            offset = self.store.put(unit.start[0], (z // depth, y // height, i), data)
            notes[(z - unit.start[0]) // depth, y // height, i] = offset, len(data), content_crc(chunk), state

    def finish(self, unit: Box) -> None:
        """Write out what is still in memory of a unit."""
        self.store.finish(unit.start[0])


@dataclass(frozen=True)
class HashOnly:
    """Stores nothing.

    Attributes
    ----------
    rows
        Larger than any volume is high.
    """

    rows: int

    @property
    def edge(self) -> tuple[int, int]:
        """All of a band."""
        return self.rows, self.rows

    def notes(self, unit: Box) -> AnyArray:  # noqa: ARG002 - there are no chunks
        """Return no notes."""
        return np.zeros((0, 0, 0), CHUNK_NOTE)

    def put_row(self, unit: Box, row: Box, voxels: AnyArray, notes: AnyArray) -> None:
        """Do nothing."""

    def finish(self, unit: Box) -> None:
        """Do nothing."""


@contextmanager
def threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool; after an error, or Ctrl-C, only what its threads have begun is finished."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mitobench")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(eq=False)
class _Unit:
    box: Box
    notes: AnyArray
    hashes: list[Any]


@dataclass(eq=False)
class _Band:
    unit: _Unit
    box: Box
    voxels: AnyArray
    left: int
    is_last: bool
    lock: threading.Lock = field(default_factory=threading.Lock)
    reads: list[Future[None]] = field(default_factory=list)
    writes: list[Future[None]] = field(default_factory=list)


class Engine:
    """Moves units from a volume to a sink.

    Parameters
    ----------
    volume
        Where the voxels come from.
    dtype
        Type that they get; little-endian.
    plan
        In which pieces.
    sink
        Where they go.
    pool
        The threads.
    """

    def __init__(self, volume: Volume, dtype: np.dtype[Any], plan: Plan, sink: Sink, pool: ThreadPoolExecutor) -> None:
        self._volume = volume
        self._dtype = dtype
        self._plan = plan
        self._sink = sink
        self._pool = pool
        self._free: list[AnyArray] = []

    def run(self, units: Iterable[Box]) -> Iterator[UnitDone]:
        """Move units, and yield each when it is stored, in the order given."""
        moving: deque[_Band] = deque()
        for band in self._bands(units):
            moving.append(self._start(band))
            if len(moving) == self._plan.in_flight:
                yield from self._finish(moving.popleft())
        while moving:
            yield from self._finish(moving.popleft())

    def _bands(self, units: Iterable[Box]) -> Iterator[_Band]:
        for box in units:
            unit = _Unit(box, self._sink.notes(box), [hashlib.sha256() for _ in range(box.shape[0])])
            for band in self._plan.bands(box):
                voxels = self._buffer(band)
                yield _Band(unit, band, voxels, 0, is_last=band.stop == box.stop)

    def _buffer(self, box: Box) -> AnyArray:
        """Return an array for a band, if possible one that was used before: fresh memory is slow."""
        flat = self._free.pop() if self._free else np.empty(0, self._dtype)
        if flat.size < box.voxels:
            flat = np.empty(box.voxels, self._dtype)
        return flat

    def _start(self, band: _Band) -> _Band:
        pieces = list(self._plan.pieces(band.box))
        band.left = len(pieces)
        band.reads = [self._pool.submit(self._read, band, piece) for piece in pieces]
        return band

    def _read(self, band: _Band, piece: Box) -> None:
        """Read a piece; whoever reads the last one of a band hands out the work of storing it."""
        voxels = self._volume.read(piece)
        _shaped(band)[piece.within(band.box)] = cast(voxels, self._dtype, self._volume, piece)
        with band.lock:
            band.left -= 1
            if band.left == 0:
                band.writes = list(self._store(band))

    def _store(self, band: _Band) -> Iterator[Future[None]]:
        voxels = _shaped(band)
        (z0, y0, x0), (z1, y1, x1) = band.box
        for sha, section in zip(band.unit.hashes, voxels, strict=True):
            yield self._pool.submit(sha.update, section.data)
        depth, height = self._sink.edge
        for z in range(z0, z1, depth):
            for y in range(y0, y1, height):
                row = Box((z, y, x0), (min(z + depth, z1), min(y + height, y1), x1))
                cut = voxels[row.within(band.box)]
                yield self._pool.submit(self._sink.put_row, band.unit.box, row, cut, band.unit.notes)

    def _finish(self, band: _Band) -> Iterator[UnitDone]:
        for future in band.reads:
            future.result()
        for future in band.writes:
            future.result()
        self._free.append(band.voxels)
        if band.is_last:
            unit = band.unit
            self._sink.finish(unit.box)
            yield UnitDone(unit.box, tuple(sha.hexdigest() for sha in unit.hashes), unit.notes)


def _shaped(band: _Band) -> AnyArray:
    voxels: AnyArray = band.voxels[: band.box.voxels].reshape(band.box.shape)
    return voxels
