"""Whether stored chunks hold what was written, and volumes made of stored chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.dataset.conversion._codec import Codec, content_crc
from mitobench.dataset.conversion._store import Store, chunk_indices
from mitobench.errors import UnusableFileError
from mitobench.types import AnyArray, Box, RawChunks, Shape
from mitobench.volumes.blocks import boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from mitobench.dataset.conversion._journal import UnitNote

__all__ = ["Level", "first_damage", "is_whole"]


@dataclass(frozen=True)
class Level:
    """One stored array.

    Attributes
    ----------
    name
        How messages call it.
    shape
        Voxels along z, y, x.
    codec
        How its chunks are stored.
    store
        Where.
    depth
        Sections of a unit.
    notes
        First section of a unit -> what is known of it.
    """

    name: str
    shape: Shape
    codec: Codec
    store: Store
    depth: int
    notes: Mapping[int, UnitNote]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.codec.dtype

    @property
    def chunks(self) -> Shape:
        """Stored chunks."""
        return self.codec.chunks

    @property
    def raw(self) -> RawChunks | None:
        """Nothing: the file is not whole yet."""
        return None

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box.

        Raises
        ------
        UnusableFileError
            A chunk was damaged since it was written.
        """
        voxels = np.empty(box.shape, self.dtype)
        for part in boxes(box, self.chunks):
            z, y, x = (i // edge for i, edge in zip(part.start, self.chunks, strict=True))
            origin: Shape = (z * self.chunks[0], y * self.chunks[1], x * self.chunks[2])
            chunk = self._chunk((z, y, x), origin)
            voxels[part.within(box)] = chunk[part.within(Box(origin, origin))]
        return voxels

    def _chunk(self, index: Shape, origin: Shape) -> AnyArray:
        start = origin[0] // self.depth * self.depth
        note = self.notes[start].chunks[index[0] - start // self.chunks[0], index[1], index[2]]
        chunk, reason = _unpacked(self.codec, self.store, start, index, note)
        if chunk is None:
            raise _damaged(self.name, origin, reason)
        return chunk

    def close(self) -> None:
        """Do nothing: no file is open."""


def is_whole(level: Level, note: UnitNote) -> bool:
    """Tell whether all chunks of a unit are stored as they were noted."""
    return next(_damages(level, note), None) is None


def first_damage(level: Level, pool: Executor, seen: Callable[[UnitNote], None]) -> UnusableFileError | None:
    """Read all chunks back, and return an error that names the first that does not hold what was written."""

    def check(note: UnitNote) -> UnusableFileError | None:
        return next(_damages(level, note), None)

    notes: Sequence[UnitNote] = [level.notes[start] for start in sorted(level.notes)]
    for note, damage in zip(notes, pool.map(check, notes), strict=True):
        if damage is not None:
            return damage
        seen(note)
    return None


def _damages(level: Level, note: UnitNote) -> Iterator[UnusableFileError]:
    chunks = level.codec.chunks
    indices = chunk_indices(note.start, note.chunks.shape, chunks[0])
    for index, entry in zip(indices, note.chunks.reshape(-1), strict=True):
        chunk, reason = _unpacked(level.codec, level.store, note.start, index, entry)
        if chunk is None:
            yield _damaged(level.name, (index[0] * chunks[0], index[1] * chunks[1], index[2] * chunks[2]), reason)


def _unpacked(codec: Codec, store: Store, unit: int, index: Shape, note: Any) -> tuple[AnyArray | None, str]:  # noqa: ANN401
    """Return a chunk, or None and why it is not what was written."""
    try:
        data = store.get(unit, index, int(note["offset"]), int(note["size"]))
        if len(data) != note["size"]:
            return None, f"{len(data)} bytes are stored, {note['size']} were written"
        chunk = codec.decode(data, int(note["state"]))
    except (OSError, RuntimeError, ValueError) as error:
        return None, " ".join(str(error).split())
    if content_crc(chunk) != note["crc"]:
        return None, "its checksum does not match"
    return chunk, ""


def _damaged(name: str, origin: Shape, reason: str) -> UnusableFileError:
    return UnusableFileError(
        f"{name}: the chunk at voxel {origin} does not hold what was written ({reason}); check the disk and run the "
        "same command again, which writes it anew"
    )
