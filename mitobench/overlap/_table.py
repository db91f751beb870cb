"""The one table that every score is a function of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mitobench.types import Float64, Int64, Uint64

__all__ = ["Instances", "OverlapTable"]


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances of one side, by ascending id.

    Attributes
    ----------
    id
        uint64 (n,), never 0.
    size
        int64 (n,), voxels.
    box_min, box_max
        int64 (n, 3), half-open bounding box in (z, y, x).
    centroid
        float64 (n, 3), mean voxel coordinate in (z, y, x).
    """

    id: Uint64
    size: Int64
    box_min: Int64
    box_max: Int64
    centroid: Float64

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class OverlapTable:
    """How many voxels each ground-truth instance shares with each predicted one.

    One row per pair of ids that meet in at least one voxel, background (id 0) included on either side but not on both;
    sorted by ``gt_id``, then ``pred_id``. Tables of disjoint blocks add up: `merge` is associative and commutative to
    the bit, with `empty` as its neutral element, because all its columns are integers.

    Attributes
    ----------
    voxels
        Voxels looked at, background included.
    gt_id, pred_id
        uint64 (n,).
    count
        int64 (n,), shared voxels.
    box_min, box_max
        int64 (n, 3), half-open bounding box of the shared voxels in (z, y, x).
    coord_sum
        int64 (n, 3), sum of the coordinates of the shared voxels in (z, y, x).
    """

    voxels: int
    gt_id: Uint64
    pred_id: Uint64
    count: Int64
    box_min: Int64
    box_max: Int64
    coord_sum: Int64

    def __len__(self) -> int:
        return len(self.count)

    @classmethod
    def empty(cls) -> OverlapTable:
        """Return the table of no voxel at all."""
        ids, counts, coords = np.empty(0, np.uint64), np.empty(0, np.int64), np.empty((0, 3), np.int64)
        return cls(0, ids, ids, counts, coords, coords, coords)

    @classmethod
    def merge(cls, *tables: OverlapTable) -> OverlapTable:
        """Return the table of all the blocks together."""
        tables = (cls.empty(), *tables)
        gt_id = np.concatenate([t.gt_id for t in tables])
        pred_id = np.concatenate([t.pred_id for t in tables])
        order = np.lexsort((pred_id, gt_id))
        gt_id, pred_id = gt_id[order], pred_id[order]
        first = _first_of_runs(gt_id, pred_id)
        count, box_min, box_max, coord_sum = _reduce(
            first,
            np.concatenate([t.count for t in tables])[order],
            np.concatenate([t.box_min for t in tables])[order],
            np.concatenate([t.box_max for t in tables])[order],
            np.concatenate([t.coord_sum for t in tables])[order],
        )
        voxels = sum(t.voxels for t in tables)
        return cls(voxels, gt_id[first], pred_id[first], count, box_min, box_max, coord_sum)

    @cached_property
    def gt(self) -> Instances:
        """Ground-truth instances."""
        return self._side(self.gt_id)

    @cached_property
    def pred(self) -> Instances:
        """Predicted instances."""
        return self._side(self.pred_id)

    def _side(self, ids: Uint64) -> Instances:
        order = np.argsort(ids, kind="stable")
        order = order[ids[order] != 0]
        ids = ids[order]
        first = _first_of_runs(ids)
        size, box_min, box_max, coord_sum = _reduce(
            first, self.count[order], self.box_min[order], self.box_max[order], self.coord_sum[order]
        )
        return Instances(ids[first], size, box_min, box_max, coord_sum / size[:, None])


def _first_of_runs(*keys: Uint64) -> Int64:
    """Positions at which a new key starts in sorted columns."""
    new = np.ones(len(keys[0]), bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(new)


def _reduce(
    first: Int64, count: Int64, box_min: Int64, box_max: Int64, coord_sum: Int64
) -> tuple[Int64, Int64, Int64, Int64]:
    if len(first) == 0:
        return count, box_min, box_max, coord_sum
    return (
        np.add.reduceat(count, first),
        np.minimum.reduceat(box_min, first),
        np.maximum.reduceat(box_max, first),
        np.add.reduceat(coord_sum, first),
    )
