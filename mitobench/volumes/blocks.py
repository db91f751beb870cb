"""The pure block grid: which boxes a pass over two volumes visits, and in what order.

Nothing here touches a file. A pass lays one volume down whole for the box of a block (the *resident* side) and lets the
chunks of the other stream past it (the *streamed* side). Blocks end where chunks of both volumes end, so that no chunk
is read twice; when such a block does not fit in memory, smaller ones are planned and `Plan.rereads` gives their cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

from mitobench.errors import MemoryLimitError
from mitobench.types import Box, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GRIDLESS", "Plan", "Side", "boxes", "plan_pass"]

GRIDLESS: Shape = (1, 1, 1)
"""Chunk shape of a volume in memory: any box is read for nothing."""

_GRIDLESS_VOXELS = 1 << 20
"""Block size when neither volume has chunks: large enough to hide Python, small enough to share among workers."""


def boxes(within: Box, edge: Shape) -> Iterator[Box]:
    """Cut a box along the grid of the given edge whose lines pass through the origin.

    Yields
    ------
    Box
        In ascending (z, y, x); every voxel of ``within`` lies in exactly one.
    """
    cuts = [
        [(max(i * e, lo), min((i + 1) * e, hi)) for i in range(lo // e, -(-hi // e))]
        for lo, hi, e in zip(*within, edge, strict=True)
    ]
    for (z0, z1), (y0, y1), (x0, x1) in product(*cuts):
        yield Box((z0, y0, x0), (z1, y1, x1))


@dataclass(frozen=True)
class Side:
    """What planning needs to know of a volume: its chunk grid, and the bytes per voxel that a read costs."""

    chunks: Shape
    itemsize: int

    @property
    def is_gridless(self) -> bool:
        """Whether any box is read as a free view."""
        return self.chunks == GRIDLESS


@dataclass(frozen=True)
class Plan:
    """How a pass walks over two volumes of one shape.

    Attributes
    ----------
    shape
        Of the volumes, in voxels.
    block
        Edge of a block, the share of work that one worker takes at a time.
    tile
        Edge of the pieces of the streamed side within a block.
    resident
        Which side (0 = first, 1 = second) is held whole for a block.
    workers
        Blocks in flight at a time.
    block_bytes
        Buffers that one block in flight needs.
    rereads
        How many times a chunk is read on average; 1.0 unless the memory limit forbids it.
    one_read_bytes
        Memory limit with which ``rereads`` would be 1.
    """

    shape: Shape
    block: Shape
    tile: Shape
    resident: Literal[0, 1]
    workers: int
    block_bytes: int
    rereads: float
    one_read_bytes: int

    def blocks(self) -> Iterator[Box]:
        """Yield the blocks; together they hold every voxel exactly once."""
        return boxes(Box((0, 0, 0), self.shape), self.block)

    def tiles(self, block: Box) -> Iterator[Box]:
        """Yield the pieces of one block; together they hold each of its voxels exactly once."""
        return boxes(block, self.tile)


def plan_pass(shape: Shape, first: Side, second: Side, *, memory: int, workers: int) -> Plan:
    """Choose blocks for one pass over two volumes.

    Parameters
    ----------
    shape
        Of both volumes, in voxels.
    first, second
        The two volumes.
    memory
        Bytes that the buffers of all blocks in flight may take.
    workers
        Blocks in flight, if memory allows that many.

    Raises
    ------
    MemoryLimitError
        Not even one chunk of each volume fits.
    """
    first, second = _share_grid(shape, first, second)
    both = _candidate(shape, second, first, 0), _candidate(shape, first, second, 1)
    chosen = min(both, key=lambda plan: plan.block_bytes)
    one_read_bytes = chosen.block_bytes
    if chosen.block_bytes > memory:
        shrunk = _shrunk(both[0], second, first, memory), _shrunk(both[1], first, second, memory)
        chosen = min(shrunk, key=lambda plan: (plan.block_bytes > memory, plan.rereads))
    if chosen.block_bytes > memory:
        raise MemoryLimitError(
            f"one chunk of each volume needs {chosen.block_bytes:,} bytes, more than the memory limit of {memory:,}; "
            f"raise the limit (memory=, --memory) or store the volumes in smaller chunks"
        )
    if chosen.block_bytes:
        workers = min(workers, memory // chosen.block_bytes)
    return replace(chosen, workers=workers, one_read_bytes=one_read_bytes)


def _share_grid(shape: Shape, first: Side, second: Side) -> tuple[Side, Side]:
    """Give a volume without chunks the other one's grid, at no cost in bytes."""
    if first.is_gridless and second.is_gridless:
        rows = max(1, _GRIDLESS_VOXELS // shape[2])
        edge = (max(1, rows // shape[1]), min(rows, shape[1]), shape[2])
        return Side(edge, 0), Side(edge, 0)
    if first.is_gridless:
        return Side(second.chunks, 0), second
    if second.is_gridless:
        return first, Side(first.chunks, 0)
    return first, second


def _candidate(shape: Shape, streamed: Side, held: Side, resident: Literal[0, 1]) -> Plan:
    """Plan blocks that end where the chunks of both sides end."""
    z, y, x = (min(math.lcm(a, b), n) for a, b, n in zip(streamed.chunks, held.chunks, shape, strict=True))
    return _plan(shape, (z, y, x), streamed, held, resident)


def _plan(shape: Shape, block: Shape, streamed: Side, held: Side, resident: Literal[0, 1]) -> Plan:
    tile = _clip(streamed.chunks, shape)
    stored = _clip(held.chunks, shape)
    scratch = 0 if stored == block else math.prod(stored)
    needed = held.itemsize * (math.prod(block) + scratch) + streamed.itemsize * math.prod(tile)
    return Plan(shape, block, tile, resident, 1, needed, _rereads(shape, block, stored), needed)


def _shrunk(plan: Plan, streamed: Side, held: Side, memory: int) -> Plan:
    """Plan the largest blocks of whole streamed chunks that fit, grown along x first, then y, then z."""
    block = list(plan.tile)
    for axis in (2, 1, 0):
        while block[axis] < plan.block[axis]:
            grown = list(block)
            grown[axis] = min(grown[axis] + plan.tile[axis], plan.shape[axis])
            z, y, x = grown
            if _plan(plan.shape, (z, y, x), streamed, held, plan.resident).block_bytes > memory:
                break
            block = grown
    z, y, x = block
    return _plan(plan.shape, (z, y, x), streamed, held, plan.resident)


def _rereads(shape: Shape, block: Shape, stored: Shape) -> float:
    """Chunks of the resident side touched by all blocks, relative to the chunks that there are."""
    ratio = 1.0
    for n, b, c in zip(shape, block, stored, strict=True):
        touched = sum(-(-min(lo + b, n) // c) - lo // c for lo in range(0, n, b))
        ratio *= touched / -(-n // c)
    return ratio


def _clip(edge: Shape, shape: Shape) -> Shape:
    z, y, x = (min(e, n) for e, n in zip(edge, shape, strict=True))
    return z, y, x
