"""Overlap tables made the slow and obvious way, and random inputs for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.overlap import OverlapTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.types import AnyArray

__all__ = ["counts_of_table", "lengths_like_sizes", "overlap_table", "random_volumes", "table_from_counts"]


def overlap_table(gt: AnyArray, pred: AnyArray) -> OverlapTable:
    """Return the overlap table of two label arrays: the slow twin of the streaming pass.

    Parameters
    ----------
    gt, pred
        Integer labels (z, y, x) of the same shape, 0 for background.

    Raises
    ------
    InvalidInputError
        The shapes differ, or a volume is not of three dimensions.

    Examples
    --------
    >>> table = overlap_table(np.array([[[1, 1, 0]]]), np.array([[[0, 7, 7]]]))
    >>> table.gt_id, table.pred_id, table.count
    (array([0, 1, 1], dtype=uint64), array([7, 0, 7], dtype=uint64), array([1, 1, 1]))
    """
    if gt.shape != pred.shape or gt.ndim != 3:
        raise InvalidInputError(f"shapes are {gt.shape} and {pred.shape}; allowed: the same one, of three dimensions")
    where = np.nonzero((gt != 0) | (pred != 0))
    coords = np.stack(where, axis=1)
    gt_ids, gt_index = np.unique(gt[where].astype(np.uint64), return_inverse=True)
    pred_ids, pred_index = np.unique(pred[where].astype(np.uint64), return_inverse=True)
    pairs, pair_index = np.unique(gt_index * len(pred_ids) + pred_index, return_inverse=True)
    shared = [coords[pair_index == k] for k in range(len(pairs))]
    return OverlapTable(
        voxels=gt.size,
        gt_id=gt_ids[pairs // max(len(pred_ids), 1)],
        pred_id=pred_ids[pairs % max(len(pred_ids), 1)],
        count=np.array([len(c) for c in shared], np.int64),
        box_min=np.array([c.min(axis=0) for c in shared], np.int64).reshape(-1, 3),
        box_max=np.array([c.max(axis=0) + 1 for c in shared], np.int64).reshape(-1, 3),
        coord_sum=np.array([c.sum(axis=0) for c in shared], np.int64).reshape(-1, 3),
    )


def table_from_counts(counts: Mapping[tuple[int, int], int]) -> OverlapTable:
    """Return the table in which ids (gt, pred) share so many voxels; 0 is background. All boxes are empty.

    Examples
    --------
    >>> table = table_from_counts({(1, 5): 30, (1, 0): 10, (0, 5): 20})
    >>> table.gt.size, table.pred.size
    (array([40]), array([50]))
    """
    keys = sorted(counts)
    coords = np.zeros((len(keys), 3), np.int64)
    return OverlapTable(
        voxels=sum(counts.values()),
        gt_id=np.array([g for g, _ in keys], np.uint64),
        pred_id=np.array([p for _, p in keys], np.uint64),
        count=np.array([counts[key] for key in keys], np.int64),
        box_min=coords,
        box_max=coords,
        coord_sum=coords,
    )


def counts_of_table(table: OverlapTable) -> dict[tuple[int, int], int]:
    """Return the shared voxels by ids (gt, pred): the inverse of `table_from_counts`."""
    ids = zip(table.gt_id.tolist(), table.pred_id.tolist(), strict=True)
    return dict(zip(ids, table.count.tolist(), strict=True))


def random_volumes(rng: np.random.Generator, *, instances: int = 12, edge: int = 16) -> tuple[AnyArray, AnyArray]:
    """Return ground truth and prediction of random boxes: shifted, split, merged, missed and invented ones.

    Parameters
    ----------
    rng
        Source of the randomness.
    instances
        Boxes drawn; later ones cover earlier ones, so fewer may be left.
    edge
        Voxels along each axis.

    Returns
    -------
    uint64 (edge, edge, edge), twice
    """
    gt, pred = np.zeros((2, edge, edge, edge), np.uint64)
    for label in range(1, instances + 1):
        low = rng.integers(0, edge - 2, 3)
        high = low + rng.integers(1, 2 + edge // 3, 3)
        gt[tuple(map(slice, low, high))] = label
        low = np.maximum(low + rng.integers(-1, 2, 3), 0)
        pred[tuple(map(slice, low, high))] = rng.choice([0, label, label, label, label + 1])
        pred[tuple(map(slice, (low + high) // 2, high))] = rng.choice([label, label, label + instances])
    return gt, pred


def lengths_like_sizes(table: OverlapTable) -> dict[int, float]:
    """Return made-up cable lengths for rules that need some: as many nm as each ground truth has voxels."""
    return {int(g): float(size) for g, size in zip(table.gt.id, table.gt.size, strict=True)}
