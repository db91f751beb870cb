"""The arithmetic of the challenge's public tool, for rules with ``iou_precision="float16"``.

Nobody would choose it; it is here so that published numbers can be recomputed to the digit. Three things differ from
exact arithmetic. IoU is kept as float16. Where several predictions reach the threshold for one ground truth, as they
can up to IoU 0.5, the one whose IoU is added is chosen by a cost that is rounded to float16 too: often a tie, and not
always the highest IoU. And the threshold 0.85 of average precision is 0.5 + 7 * 0.05, which is a little more than
0.85.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.strata import ALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.types import AnyArray, Int64

    Bools = NDArray[np.bool_]

__all__ = ["ap_threshold", "as_stored", "iou_sum"]

_SOLVABLE = 4_000_000
"""Entries of the largest matrix that is solved: 2,000 ground truths by 2,000 predictions."""


def as_stored(iou: AnyArray | float) -> AnyArray:
    """Return values of IoU, or thresholds, as the tool keeps them: float16."""
    return np.asarray(iou).astype(np.float16)


def ap_threshold(iou_threshold: float) -> float:
    """Return the threshold that the tool compares with.

    Examples
    --------
    >>> ap_threshold(0.85), ap_threshold(0.75), ap_threshold(0.72)
    (0.8500000000000001, 0.75, 0.72)
    """
    steps = round((iou_threshold - 0.5) / 0.05)
    made = 0.5 + 0.05 * steps
    return made if abs(made - iou_threshold) < 1e-9 else iou_threshold


def iou_sum(matching: Matching, iou_threshold: float, gt_inside: Bools, counted: Bools, bucket: str) -> float:
    """Return the sum of IoU over the ground truths that are found, one prediction for each.

    Where costs tie, the choice is the solver's, over instances in the order in which the tool lists them. The tool
    solves a dense matrix for that; so does this up to `_SOLVABLE` entries, beyond which ties go to the first in the
    list. (Within a bucket the tool sorts by an unstable method, so that its own choice is not defined beyond some
    dozens of predictions.)

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        A pair counts from this IoU on, both as float16.
    gt_inside
        bool (n,), ground truths of the bucket.
    counted
        bool (n,), predictions that count in it.
    bucket
        Its name, or ``all``.
    """
    pairs = matching.best_of_pred[matching.best_of_pred >= 0]
    pairs = pairs[gt_inside[matching.pair_gt[pairs]]]
    iou = as_stored(matching.pair_iou[pairs])
    reached = iou >= as_stored(iou_threshold)
    n_true, n_pred = int(gt_inside.sum()), int(counted.sum())
    cost = _cost(iou, reached, min(n_true, n_pred))
    gt, pred = matching.pair_gt[pairs], matching.pair_pred[pairs]
    listed = -matching.pred.size[pred] if bucket == ALL else matching.pair_iou[pairs]
    order = np.lexsort((listed, cost, gt, ~reached))[: int(reached.sum())]
    first = np.diff(gt[order], prepend=-1) != 0
    tied = ~first[1:] & (np.diff(cost[order]) == 0) & first[:-1]
    if tied.any() and n_true * n_pred <= _SOLVABLE:
        columns = _listed_columns(matching, counted, gt, pred, listed, bucket)
        return _solved(np.searchsorted(np.flatnonzero(gt_inside), gt), columns, iou, reached, (n_true, n_pred))
    # NumPy adds float16 in float32 and rounds once.
    return float(iou[order[first]].sum())


def _cost(iou: AnyArray, reached: Bools, n: int) -> AnyArray:
    with np.errstate(over="ignore"):
        cost: AnyArray = -reached.astype(np.float16) - iou / np.float16(max(2 * n, 1))
    return cost


def _listed_columns(matching: Matching, counted: Bools, gt: Int64, pred: Int64, listed: AnyArray, bucket: str) -> Int64:
    """Return the column of each pair's prediction: by size, or within a bucket those with a ground truth first."""
    by_size = np.argsort(-matching.pred.size, kind="stable")
    if bucket != ALL:
        with_gt = pred[np.lexsort((listed, gt))]
        by_size = np.concatenate([with_gt, by_size[~np.isin(by_size, with_gt) & counted[by_size]]])
    column = np.empty(len(counted), np.int64)
    column[by_size] = np.arange(len(by_size))
    return column[pred]


def _solved(row: Int64, column: Int64, iou: AnyArray, reached: Bools, shape: tuple[int, int]) -> float:
    from scipy.optimize import linear_sum_assignment

    ious, costs = np.zeros((2, *shape), np.float16)
    ious[row, column] = np.where(reached, iou, 0)
    costs[row, column] = _cost(iou, reached, min(shape))
    chosen = ious[linear_sum_assignment(costs)]
    return float(chosen[chosen > 0].sum())
