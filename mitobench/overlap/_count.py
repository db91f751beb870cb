"""Fill overlap tables block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.errors import InvalidInputError, MemoryLimitError
from mitobench.overlap._kernels import COLUMNS, count_runs
from mitobench.overlap._stream import DEFAULT_MEMORY, stream
from mitobench.overlap._table import OverlapTable
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Box, Int64, LabelVolume, Progress, Uint64

__all__ = ["OverlapCounter", "is_one_value", "overlap_pass", "refuse_negative_ids", "unsigned_lines"]

_FIRST_CAPACITY = 1 << 13


def overlap_pass(
    gt: LabelVolume,
    pred: LabelVolume,
    *,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> OverlapTable:
    """Count the shared voxels of all pairs of instances in one streaming pass.

    Parameters
    ----------
    gt, pred
        Label volumes of one (z, y, x) shape.
    memory
        Bytes that the buffers and tables of the pass may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels done, voxels in all).

    Raises
    ------
    InvalidInputError
        The shapes differ or a volume holds negative ids.
    MemoryLimitError
        A chunk, or the table, does not fit in ``memory``.
    UnusableFileError
        A chunk is damaged.
    """
    workers = default_workers() if workers is None else workers
    counters = stream(
        gt,
        pred,
        lambda: OverlapCounter(memory=memory // max(workers, 1)),
        memory=memory,
        workers=workers,
        progress=progress,
    )
    table = OverlapTable.merge(*(counter.finish() for counter in counters))
    refuse_negative_ids(gt, table.gt.id)
    refuse_negative_ids(pred, table.pred.id)
    return table


def refuse_negative_ids(volume: LabelVolume, ids: Uint64) -> None:
    """Find negative ids among the few distinct ones: counted as unsigned, they have the sign bit set.

    Parameters
    ----------
    volume
        Where they were found.
    ids
        Its ids, counted as unsigned ones of the same width, ascending.

    Raises
    ------
    InvalidInputError
        There are negative ids.
    """
    bits = 8 * volume.dtype.itemsize
    if volume.dtype.kind == "i" and len(ids) and int(ids[-1]) >= 1 << (bits - 1):
        negative = int(ids[-1]) - (1 << bits)
        raise InvalidInputError(
            f"{volume.name}: holds negative ids (such as {negative}); ids must be 0 for background and positive for "
            f"instances; set the negative voxels to 0"
        )


class OverlapCounter:
    """The overlap table of the blocks seen so far, kept in a hash table.

    A hash table that fills up is set aside as a finished `OverlapTable` and followed by one of twice its size, so that
    nothing is ever hashed again.
    """

    def __init__(self, *, memory: int = DEFAULT_MEMORY) -> None:
        self._memory = memory
        self._finished: list[OverlapTable] = []
        self._boxes_of_one_pair: list[tuple[int, int, Box]] = []
        self._voxels = 0
        self._used = 0
        self._allocate(_FIRST_CAPACITY)
        self._make_scratch(0)

    def add(self, gt: AnyArray, pred: AnyArray, box: Box) -> None:
        """Count one box of ids, (z, y, x), placed at ``box`` in the volume."""
        self._voxels += box.voxels
        if is_one_value(gt) and is_one_value(pred):
            pair = int(_unsigned(gt)[0, 0, 0]), int(_unsigned(pred)[0, 0, 0])
            if pair != (0, 0):
                self._boxes_of_one_pair.append((*pair, box))
            return
        nz, ny, nx = box.shape
        if len(self._ends) < nx + 8:
            self._make_scratch(nx)
        gt_flat, gt_strides = unsigned_lines(gt)
        pred_flat, pred_strides = unsigned_lines(pred)
        lines = 0
        while True:
            lines, self._used = count_runs(
                gt_flat,
                gt_strides,
                pred_flat,
                pred_strides,
                box.start,
                box.shape,
                lines,
                self._keys,
                self._rows,
                self._used,
                self._ends,
                self._ends_by_8,
            )
            if lines == nz * ny:
                return
            self._grow(nx)

    def finish(self) -> OverlapTable:
        """Return the table of all the boxes added."""
        self._set_aside()
        total = OverlapTable.merge(*self._finished, _table_of_boxes(self._boxes_of_one_pair))
        return OverlapTable(
            self._voxels, total.gt_id, total.pred_id, total.count, total.box_min, total.box_max, total.coord_sum
        )

    def _make_scratch(self, line: int) -> None:
        self._ends_by_8 = np.zeros(line // 8 + 2, np.uint64)
        self._ends = self._ends_by_8.view(np.uint8)

    def _allocate(self, capacity: int) -> None:
        self._keys = np.zeros((capacity, 2), np.uint64)
        self._rows = np.zeros((capacity, COLUMNS), np.int64)
        self._used = 0

    def _grow(self, line: int) -> None:
        self._set_aside()
        capacity = 2 * len(self._keys)
        while capacity < 4 * line:
            capacity *= 2
        slot_bytes = self._keys.itemsize * 2 + self._rows.itemsize * COLUMNS
        # Half of the memory: the tables set aside hold up to as much again.
        if 2 * capacity * slot_bytes > self._memory:
            raise MemoryLimitError(
                f"the volumes hold more than {sum(len(t) for t in self._finished):,} pairs of overlapping instances, "
                f"too many for the memory limit; are these instance ids? If so raise the limit (memory=, --memory)"
            )
        self._allocate(capacity)

    def _set_aside(self) -> None:
        taken = np.flatnonzero(self._rows[:, 0])
        self._finished.append(_table_of_rows(self._keys[taken], self._rows[taken]))


def _table_of_rows(keys: Uint64, rows: Int64) -> OverlapTable:
    return OverlapTable.merge(
        OverlapTable(0, keys[:, 0], keys[:, 1], rows[:, 0], rows[:, [1, 3, 5]], rows[:, [2, 4, 6]], rows[:, 7:10] // 2)
    )


def _table_of_boxes(found: list[tuple[int, int, Box]]) -> OverlapTable:
    """Return the table of boxes that hold one pair of ids throughout."""
    ids = np.array([pair for *pair, _ in found], np.uint64).reshape(-1, 2)
    starts = np.array([box.start for *_, box in found], np.int64).reshape(-1, 3)
    stops = np.array([box.stop for *_, box in found], np.int64).reshape(-1, 3)
    voxels = np.prod(stops - starts, axis=1)
    coord_sum = voxels[:, None] * (starts + stops - 1) // 2
    return OverlapTable.merge(OverlapTable(0, ids[:, 0], ids[:, 1], voxels, starts, stops, coord_sum))


def is_one_value(block: AnyArray) -> bool:
    """Whether the block is a broadcast scalar, as readers return for a chunk of one value."""
    return not any(block.strides)


def _unsigned(block: AnyArray) -> AnyArray:
    return block if block.dtype.kind == "u" else block.view(f"u{block.dtype.itemsize}")


def unsigned_lines(block: AnyArray) -> tuple[AnyArray, tuple[int, int]]:
    """Return a 1D contiguous array of unsigned ids, and the strides, in voxels, at which the lines of the block start.

    The block is copied only when its lines are not contiguous or not aligned.
    """
    block = _unsigned(block)
    size = block.itemsize
    nz, ny, nx = block.shape
    if is_one_value(block):
        line = np.full(nx, block.flat[0])
        line.flags.writeable = False
        return line, (0, 0)
    if block.flags.c_contiguous and block.flags.aligned:
        line = block.reshape(-1)
        line.flags.writeable = False
        return line, (ny * nx, nx)
    z, y, x = block.strides
    if (x != size and nx > 1) or z < 0 or y < 0 or z % size or y % size or not block.flags.aligned:
        block = np.ascontiguousarray(block)
        z, y = ny * nx * size, nx * size
    span = ((nz - 1) * z + (ny - 1) * y) // size + nx
    return np.lib.stride_tricks.as_strided(block, (span,), (size,), writeable=False), (z // size, y // size)
