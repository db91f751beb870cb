"""The compiled loops of the pass, whose slow twin is in `mitobench.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench._compiled import compiled

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64, Uint64

__all__ = ["COLUMNS", "count_runs"]

COLUMNS = 10
"""Columns of a row: voxels, z0, z1, y0, y1, x0, x1, then twice the sums of z, y, x."""

_HASH_GT = np.uint64(0x9E3779B97F4A7C15)
_HASH_PRED = np.uint64(0xC2B2AE3D27D4EB4F)
_HIGH_HALF = np.uint64(32)
_ONE = np.uint64(1)


@compiled
def _mark_ends(gt: AnyArray, gt_start: int, pred: AnyArray, pred_start: int, ends: AnyArray, count: int) -> None:
    """Set ends[i] where the voxel after i holds another pair of ids. A loop this plain is compiled to vector code."""
    gt_line = gt[gt_start : gt_start + count + 1]
    pred_line = pred[pred_start : pred_start + count + 1]
    for i in range(count):
        ends[i] = (gt_line[i] != gt_line[i + 1]) | (pred_line[i] != pred_line[i + 1])


@compiled
def _find_slot(keys: Uint64, gt_id: np.uint64, pred_id: np.uint64) -> np.uint64:
    """Return the slot that holds the pair of ids, or the free slot where it belongs (open addressing)."""
    mask = np.uint64(keys.shape[0] - 1)
    mixed = (gt_id * _HASH_GT) ^ (pred_id * _HASH_PRED)
    slot = (mixed ^ (mixed >> _HIGH_HALF)) & mask
    while True:
        gt_key, pred_key = keys[slot, 0], keys[slot, 1]
        if (gt_key == gt_id and pred_key == pred_id) or (gt_key == 0 and pred_key == 0):
            return slot
        slot = (slot + _ONE) & mask


@compiled
def _add_run(
    keys: Uint64, rows: Int64, used: int, gt_id: np.uint64, pred_id: np.uint64, z: int, y: int, x0: int, x1: int
) -> int:
    """Add the voxels x0 to x1 of one image row to the row of their pair of ids. Return the slots in use."""
    slot = _find_slot(keys, gt_id, pred_id)
    if rows[slot, 0] == 0:
        keys[slot, 0], keys[slot, 1] = gt_id, pred_id
        rows[slot, 1], rows[slot, 3], rows[slot, 5] = z, y, x0
        used += 1
    voxels = x1 - x0
    rows[slot, 0] += voxels
    rows[slot, 1] = min(rows[slot, 1], z)
    rows[slot, 2] = max(rows[slot, 2], z + 1)
    rows[slot, 3] = min(rows[slot, 3], y)
    rows[slot, 4] = max(rows[slot, 4], y + 1)
    rows[slot, 5] = min(rows[slot, 5], x0)
    rows[slot, 6] = max(rows[slot, 6], x1)
    rows[slot, 7] += voxels * 2 * z
    rows[slot, 8] += voxels * 2 * y
    rows[slot, 9] += voxels * (x0 + x1 - 1)
    return used


@compiled
def count_runs(
    gt: AnyArray,
    gt_strides: tuple[int, int],
    pred: AnyArray,
    pred_strides: tuple[int, int],
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
    first_line: int,
    keys: Uint64,
    rows: Int64,
    used: int,
    ends: AnyArray,
    ends_by_8: Uint64,
) -> tuple[int, int]:
    """Count the pairs of ids in one box, one table update per run of voxels that hold the same pair.

    Parameters
    ----------
    gt, pred
        Unsigned ids, 1D; the line (z, y) of the box starts at z * strides[0] + y * strides[1] and is contiguous.
    gt_strides, pred_strides
        In voxels, along z and y.
    start, shape
        Place and size of the box in the volume, (z, y, x).
    first_line
        Lines of the box already counted by an earlier call.
    keys, rows
        The hash table: (capacity, 2) uint64 ids, with (0, 0) for a free slot, and (capacity, `COLUMNS`) int64.
        The capacity is a power of two.
    used
        Slots in use.
    ends, ends_by_8
        Scratch: uint8, longer than a line by at least 8, and the same memory as uint64.

    Returns
    -------
    lines, used
        Lines counted so far: all of them, or fewer when the table has to grow before the next one; and slots in use.
    """
    nz, ny, nx = shape
    words = (nx + 7) // 8
    for line in range(first_line, nz * ny):
        if 2 * (used + nx) > keys.shape[0]:
            return line, used
        z, y = line // ny, line % ny
        gt_start = z * gt_strides[0] + y * gt_strides[1]
        pred_start = z * pred_strides[0] + y * pred_strides[1]
        # With the voxel behind the line, where there is one, the count is that of whole vectors for most widths.
        behind = gt_start + nx < gt.size and pred_start + nx < pred.size
        _mark_ends(gt, gt_start, pred, pred_start, ends, nx if behind else nx - 1)
        ends[nx - 1] = 1
        for i in range(nx, 8 * words):
            ends[i] = 0
        run_start = 0
        for word in range(words):
            if ends_by_8[word] == 0:
                continue
            for i in range(8 * word, 8 * word + 8):
                if ends[i] == 0:
                    continue
                gt_id, pred_id = np.uint64(gt[gt_start + i]), np.uint64(pred[pred_start + i])
                if gt_id != 0 or pred_id != 0:
                    x0, x1 = start[2] + run_start, start[2] + i + 1
                    used = _add_run(keys, rows, used, gt_id, pred_id, start[0] + z, start[1] + y, x0, x1)
                run_start = i + 1
    return nz * ny, used
