"""The pure plan of a conversion: in which pieces a source is read and a target written within a memory limit.

A *unit* is a range of whole sections, the share of work that is finished, noted and never done again. It is held in
memory as one *band* or, where the limit forbids, as several along y. Bands end where chunks of the target end, so each
of those is written once; where they can, they also end where chunks of the source end, so each is decoded once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError, MemoryLimitError
from mitobench.types import Box, Shape
from mitobench.volumes.blocks import GRIDLESS, boxes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Plan", "plan_conversion"]

_PIECE_BYTES = 16 * 2**20
"""Small chunks of a source are read so many bytes at a time."""
_PIECE_COPIES, _CHUNK_COPIES = 2, 3
"""A worker holds a piece as stored and as decoded, or a chunk as cut out, as packed and, for a moment, once more."""
_MOST_DEEP = 8
"""A unit holds at most so many chunks along z."""
_FEW_WORKERS = 3
"""So many workers come before a second band, and a second band before more workers."""


@dataclass(frozen=True)
class Plan:
    """How a conversion walks over a volume.

    Attributes
    ----------
    shape
        Of the volume, in voxels.
    depth
        Sections of a unit.
    height
        Rows of a band.
    piece
        Edge of what one read fetches.
    in_flight
        Bands in memory at a time.
    workers
        Threads.
    rereads
        How many times a chunk of the source is decoded on average.
    one_read_bytes
        Memory limit with which ``rereads`` would be 1.
    """

    shape: Shape
    depth: int
    height: int
    piece: Shape
    in_flight: int
    workers: int
    rereads: float
    one_read_bytes: int

    def units(self) -> Iterator[Box]:
        """Yield the units, in ascending z."""
        return boxes(Box((0, 0, 0), self.shape), (self.depth, *self.shape[1:]))

    def bands(self, unit: Box) -> Iterator[Box]:
        """Yield the bands of a unit, in ascending y."""
        return boxes(unit, (self.depth, self.height, self.shape[2]))

    def pieces(self, band: Box) -> Iterator[Box]:
        """Yield what is read at a time."""
        return boxes(band, self.piece)


def plan_conversion(
    shape: Shape, source: Shape, target: Shape, *, source_itemsize: int, itemsize: int, memory: int, workers: int
) -> Plan:
    """Choose the pieces of a conversion.

    Parameters
    ----------
    shape
        Of the volume, in voxels.
    source, target
        Chunks of both sides.
    source_itemsize, itemsize
        Bytes of a voxel of both sides.
    memory
        Bytes that all buffers may take.
    workers
        Threads.

    Raises
    ------
    InvalidInputError
        ``workers`` or ``memory`` is not positive.
    MemoryLimitError
        Not even one row of chunks of the target fits.
    """
    if workers < 1 or memory < 1:
        raise InvalidInputError(f"workers and memory must be at least 1, got workers={workers} and memory={memory}")
    source = (1, shape[1], shape[2]) if source == GRIDLESS else source
    piece = _piece(shape, source, source_itemsize)
    scratch = max(_PIECE_COPIES * math.prod(piece) * source_itemsize, _CHUNK_COPIES * math.prod(target) * itemsize)
    depth = _unit_depth(shape[0], source[0], target[0])
    row = depth * shape[2] * itemsize
    high = one_read = min(math.lcm(source[1], target[1]), shape[1])
    if high * row + scratch > memory:
        high = min(target[1], shape[1])
    if high * row + scratch > memory:
        raise MemoryLimitError(
            f"one row of chunks along x and what is read for it need {high * row + scratch:,} bytes, more than the "
            f"memory limit of {memory:,}; raise the limit (memory=, --memory) or choose smaller chunks (chunks=, "
            "--chunks)"
        )
    height = min((memory - scratch) // (high * row) * high, shape[1])
    whole = height == shape[1]
    pieces = sum(1 for _ in boxes(Box((0, 0, 0), (depth, height, shape[2])), piece))
    in_flight, workers = _shares(memory, height * row, scratch, workers, pieces if whole else None)
    rereads = _touched(shape[1], height, source[1])
    return Plan(shape, depth, height, piece, in_flight, workers, rereads, one_read * row + scratch)


def _shares(memory: int, band: int, scratch: int, workers: int, pieces: int | None) -> tuple[int, int]:
    """Divide memory between bands and workers.

    A second band keeps the workers busy while the first is finished, further ones only where it has few pieces. The
    bands of one unit follow one another, because its sections are hashed from the first row to the last.
    """
    useful = 1 if pieces is None else 2 + workers // pieces
    few = min(workers, _FEW_WORKERS)
    enough = {n: n * band + (few if n == 2 else workers) * scratch <= memory for n in range(2, useful + 1)}
    bands = max((n for n, fits in enough.items() if fits), default=1)
    return bands, max(1, min(workers, (memory - bands * band) // scratch))


def _unit_depth(sections: int, source: int, target: int) -> int:
    """Return where chunks of both sides end, unless that is far. It must not depend on what may change on resuming."""
    both = math.lcm(source, target)
    return min(both if both <= _MOST_DEEP * target else target, sections)


def _piece(shape: Shape, source: Shape, itemsize: int) -> Shape:
    """Return whole chunks of the source along x, as many as are worth a read."""
    z, y, x = (min(chunk, n) for chunk, n in zip(source, shape, strict=True))
    return z, y, min(x * max(1, _PIECE_BYTES // (z * y * x * itemsize)), shape[2])


def _touched(n: int, edge: int, chunk: int) -> float:
    """Return how many parts of length ``edge`` touch a chunk on average."""
    return sum(-(-min(lo + edge, n) // chunk) - lo // chunk for lo in range(0, n, edge)) / -(-n // chunk)
