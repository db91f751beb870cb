"""Join pieces across blocks, layer by layer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from mitobench.errors import MemoryLimitError
from mitobench.pieces._open import neighbour_steps, stitch
from mitobench.pieces._table import Tally
from mitobench.types import Box

if TYPE_CHECKING:
    from mitobench.pieces._open import Joined, OpenPieces
    from mitobench.pieces._table import Pieces
    from mitobench.types import LabelVolume

__all__ = ["Stitcher"]

_RUN_BYTES, _PIECE_BYTES, _ROW_BYTES = 96, 48, 96
"""What an open run, an open piece and a row of the tally take, with the copies made when they are worked on."""


@dataclass
class _Group:
    """The blocks of one region.

    Attributes
    ----------
    left
        Voxels of the blocks that are not done.
    found
        Open pieces of those that are.
    """

    left: int
    found: list[OpenPieces] = field(default_factory=list)


class Stitcher:
    """Takes in the pieces of blocks, from any thread and in any order, and joins those that touch.

    Blocks make up bars, which go through the volume along x, and bars make up layers, which have all the voxels of some
    sections. A bar is joined when all its blocks are there, a layer when all its bars and all layers before it are.
    Pieces that cannot go on behind the bar, or behind the last section, are counted and forgotten then, and so are runs
    that cannot touch anything there. So what is kept is of the size of a few sections.

    Parameters
    ----------
    volume
        Whose blocks they are.
    connectivity
        Neighbours of a voxel.
    memory
        Bytes that may be used; the half of them for what is kept here.
    """

    def __init__(self, volume: LabelVolume, connectivity: Literal[6, 26], memory: int) -> None:
        self._name = volume.name
        self._shape = volume.shape
        self._memory = memory
        # Where two blocks meet, runs of one piece touch within a line too.
        self._steps = np.concatenate([[(0, 1)], neighbour_steps(volume.shape, connectivity)])
        self._lock = threading.Lock()
        self._groups: dict[Box, _Group] = {}
        self._layers: dict[int, tuple[int, list[OpenPieces]]] = {}
        self._done = 0
        self._front: list[OpenPieces] = []
        self._open_bytes = 0
        self._closed = Tally()

    def add(self, box: Box, found: list[Joined]) -> None:
        """Take in the pieces of one block, in any number of parts.

        Raises
        ------
        MemoryLimitError
            What has to be kept is too much.
        """
        (z0, y0, _), (z1, y1, _) = box
        _, height, width = self._shape
        bar = Box((z0, y0, 0), (z1, y1, width))
        layer = Box((z0, 0, 0), (z1, height, width))
        with self._lock:
            parts = self._complete(bar, box, [self._keep(part) for part in found])
            # A bar of one block, or one that is the whole layer, is joined with the layer.
            if parts is not None and bar not in {box, layer}:
                parts = self._join(parts, bar)
            if parts is not None:
                parts = self._complete(layer, bar, parts)
            if parts is not None:
                self._layers[z0] = z1, parts
                self._join_layers()

    def finish(self) -> Pieces:
        """Return the table of all pieces, once every block was added."""
        return self._closed.total()

    def _complete(self, region: Box, part: Box, found: list[OpenPieces]) -> list[OpenPieces] | None:
        """Take in the pieces of one part of a region, and return those of all its parts once they are there."""
        group = self._groups.setdefault(region, _Group(region.voxels))
        group.left -= part.voxels
        group.found += found
        return None if group.left else self._groups.pop(region).found

    def _join_layers(self) -> None:
        while self._done in self._layers:
            self._done, parts = self._layers.pop(self._done)
            self._front = self._join(self._front + parts, Box((0, 0, 0), (self._done, *self._shape[1:])))

    def _join(self, parts: list[OpenPieces], region: Box) -> list[OpenPieces]:
        """Join the pieces of all parts of a region."""
        if not parts:
            return []
        joined = self._keep(stitch(parts, self._steps, region, self._shape))
        self._open_bytes -= sum(map(_bytes_for, parts))
        return [joined]

    def _keep(self, found: Joined) -> OpenPieces:
        """Count the closed pieces, return the open ones."""
        self._closed.add(found.closed_id, found.closed_size)
        self._open_bytes += _bytes_for(found.open)
        if self._too_much():
            self._closed.total()
            if self._too_much():
                raise MemoryLimitError(
                    f"{self._name}: holds too many pieces of instances for the memory limit of {self._memory:,} bytes; "
                    "are these instance ids? If so raise the limit (memory=, --memory)"
                )
        return found.open

    def _too_much(self) -> bool:
        return self._open_bytes + _ROW_BYTES * self._closed.rows > self._memory // 2


def _bytes_for(found: OpenPieces) -> int:
    return _RUN_BYTES * len(found.start) + _PIECE_BYTES * len(found.id)
