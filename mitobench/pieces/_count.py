"""Count the pieces of a volume block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.overlap import (
    DEFAULT_MEMORY,
    is_one_value,
    refuse_negative_ids,
    stream_one,
    unsigned_lines,
)
from mitobench.pieces._kernels import find_runs
from mitobench.pieces._open import join, neighbour_steps
from mitobench.pieces._stitch import Stitcher
from mitobench.volumes.blocks import boxes
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mitobench.pieces._open import Joined
    from mitobench.pieces._table import Pieces
    from mitobench.types import AnyArray, Box, Int64, LabelVolume, Progress, Shape, Uint64

    # Positions of the first voxel of each run and of the one behind the last, id, whether it is at a face of its box.
    Lists = tuple[Int64, Int64, Uint64, NDArray[np.bool_]]

__all__ = ["RunCounter", "count_pieces"]

_FIRST_RUNS = 1 << 12
"""Room that the lists of runs have at first, besides that for one line."""

_MOST_VOXELS = 1 << 22
"""Of a box whose runs are listed at a time."""

_RUN_BYTES = 144
"""What a run takes while the runs of a box are joined."""


def count_pieces(
    volume: LabelVolume,
    *,
    connectivity: Literal[6, 26] = 26,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Pieces:
    """Count the connected pieces of every instance of a volume, in one streaming pass.

    Parameters
    ----------
    volume
        Label volume; 0 is background.
    connectivity
        When two voxels of one id belong to one piece: 26 if they share a face, an edge or a corner; 6 if they share a
        face.
    memory
        Bytes that the buffers and tables of the pass may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels done, voxels in all).

    Raises
    ------
    InvalidInputError
        The volume holds negative ids, or an option is none of those allowed.
    MemoryLimitError
        A chunk, or what is known of the pieces, does not fit in ``memory``.
    UnusableFileError
        A chunk is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> from mitobench.volumes import open_labels
    >>> volume = open_labels(np.array([[[7, 7, 0, 3], [0, 0, 7, 0]], [[0, 0, 0, 0], [7, 0, 0, 9]]]))
    >>> found = count_pieces(volume)
    >>> found.id, found.size, found.pieces, found.largest
    (array([3, 7, 9], dtype=uint64), array([1, 4, 1]), array([1, 1, 1]), array([1, 4, 1]))
    >>> count_pieces(volume, connectivity=6).pieces
    array([1, 3, 1])
    """
    if connectivity not in {6, 26}:
        raise InvalidInputError(f"connectivity is {connectivity}, allowed is 6 or 26")
    workers = default_workers() if workers is None else workers
    stitcher = Stitcher(volume, connectivity, memory)
    stream_one(
        volume,
        lambda: RunCounter(volume.shape, connectivity, stitcher, memory=memory // 2 // workers),
        memory=memory,
        workers=workers,
        progress=progress,
    )
    found = stitcher.finish()
    refuse_negative_ids(volume, found.id)
    return found


class RunCounter:
    """Finds the pieces of blocks, one by one, and hands them to a stitcher.

    Parameters
    ----------
    shape
        Of the volume.
    connectivity
        Neighbours of a voxel.
    stitcher
        Shared by all counters of the volume.
    memory
        Bytes that the runs of the part of a block that is looked at may take.
    """

    def __init__(self, shape: Shape, connectivity: Literal[6, 26], stitcher: Stitcher, *, memory: int) -> None:
        self._shape = shape
        self._steps = neighbour_steps(shape, connectivity)
        self._stitcher = stitcher
        self._most_voxels = min(memory // _RUN_BYTES, _MOST_VOXELS)
        self._ends_by_8 = np.zeros(shape[2] // 8 + 2, np.uint64)
        self._ends = self._ends_by_8.view(np.uint8)
        self._lists = _empty(_FIRST_RUNS + shape[2])

    def add(self, block: AnyArray, box: Box) -> None:
        """Count one block of ids, (z, y, x), placed at ``box`` in the volume."""
        blank = is_one_value(block) and not block[0, 0, 0]
        parts = [] if blank else [self._count(block[part.within(box)], part) for part in self._cut(box)]
        self._stitcher.add(box, parts)

    def _cut(self, box: Box) -> Iterator[Box]:
        """Cut a block into parts whose runs fit in memory, even if each voxel is one."""
        _, height, width = box.shape
        if box.voxels <= self._most_voxels:
            return iter((box,))
        lines = max(1, self._most_voxels // width)
        return boxes(box, (max(1, lines // height), min(lines, height), self._shape[2]))

    def _count(self, part: AnyArray, box: Box) -> Joined:
        ids, strides = unsigned_lines(part)
        depth, height, width = box.shape
        lists, lines, used = self._lists, 0, 0
        while True:
            place = (ids, strides, box.start, box.stop, self._shape)
            lines, used = find_runs(*place, lines, *lists, used, self._ends, self._ends_by_8)
            if lines == depth * height:
                break
            lists = self._lists = _longer(lists, used, 2 * used + width)
        start, stop, run_ids, at_face = lists[0][:used], lists[1][:used], lists[2][:used], lists[3][:used]
        near = self._steps if depth > 1 else self._steps[:1]
        return join(start, stop, run_ids, stop - start, np.arange(used), at_face=at_face, steps=near)


def _longer(lists: Lists, used: int, capacity: int) -> Lists:
    """Return lists with room for more runs, which begin with those used of the old ones."""
    longer = _empty(capacity)
    for old, new in zip(lists, longer, strict=True):
        new[:used] = old[:used]
    return longer


def _empty(capacity: int) -> Lists:
    integers = np.empty((2, capacity), np.int64)
    return integers[0], integers[1], np.empty(capacity, np.uint64), np.empty(capacity, np.bool_)
