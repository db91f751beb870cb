"""Which instances of the two sides belong together, however little they share, and how: split, merged and so on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Float64, Int64

__all__ = ["ASSOCIATIONS", "Associations", "associate", "best_pairs"]

ASSOCIATIONS = ("one-to-one", "missing", "over-segmentation", "under-segmentation", "many-to-many", "background")
"""Types of a group."""

_ONE_TO_ONE, _MISSING, _OVER, _UNDER, _MANY, _BACKGROUND = range(len(ASSOCIATIONS))


@dataclass(frozen=True, eq=False)
class Associations:
    """Groups of instances, each instance in exactly one.

    Attributes
    ----------
    gt_group, pred_group
        int64 (n,), number of the group of each instance: below the number of instances of both sides, with gaps.
    gt_type, pred_type
        int8 (n,), index in `ASSOCIATIONS` of the type of the instance's group.
    """

    gt_group: Int64
    pred_group: Int64
    gt_type: NDArray[np.int8]
    pred_type: NDArray[np.int8]


def associate(pair_gt: Int64, pair_pred: Int64, pair_iou: Float64, n_gt: int, pred_size: Int64) -> Associations:
    """Return the associations of the challenge's public tool; one shared voxel is enough to belong together.

    A ground truth that is the best partner of predictions makes a group with all of them. Any other ground truth joins
    the group of its own best prediction, or is missing if nothing touches it. A prediction that touches nothing is
    background. Best means the highest IoU; ties go to the ground truth of smallest id, and to the prediction of most
    voxels, then of smallest id.

    Parameters
    ----------
    pair_gt, pair_pred, pair_iou
        int64, int64, float64 (m,): the pairs that share a voxel, by ascending ``pair_gt``, then ``pair_pred``.
    n_gt
        Number of ground truths.
    pred_size
        int64 (n,), voxels of each prediction.

    References
    ----------
    TIMISE, the tool of the MitoEM challenge; the idea of the groups: Kar et al., bioRxiv 2021,
    doi:10.1101/2021.06.09.447748.

    Examples
    --------
    One ground truth in two pieces, and one that nothing touches:

    >>> pairs = np.array([0, 0]), np.array([0, 1]), np.array([0.6, 0.4])
    >>> [ASSOCIATIONS[k] for k in associate(*pairs, 2, np.array([6, 4])).gt_type]
    ['over-segmentation', 'missing']
    """
    n_pred = len(pred_size)
    # Groups are numbered by the ground truth that opened them, those of background predictions after all of these.
    pred_group = np.arange(n_gt, n_gt + n_pred)
    best_gt = best_pairs(pair_pred, pair_iou, n_pred)
    touched = best_gt >= 0
    pred_group[touched] = pair_gt[best_gt[touched]]
    gt_group = np.arange(n_gt)
    joins = np.ones(n_gt, bool)
    joins[pred_group[touched]] = False
    best_pred = _best_pred(pair_gt, pair_pred, pair_iou, n_gt, pred_size)
    joins &= best_pred >= 0
    gt_group[joins] = pred_group[best_pred[joins]]
    kind = _types(np.bincount(gt_group, minlength=n_gt + n_pred), np.bincount(pred_group, minlength=n_gt + n_pred))
    return Associations(gt_group, pred_group, kind[gt_group], kind[pred_group])


def best_pairs(owner: Int64, iou: Float64, owners: int) -> Int64:
    """Return the position of the pair of highest IoU of each owner, -1 for an owner without a pair.

    Parameters
    ----------
    owner
        int64 (m,), the instance of one side in each pair.
    iou
        float64 (m,), above 0.
    owners
        Number of instances on that side.

    Returns
    -------
    int64 (owners,)
        Ties go to the pair that comes first, in a `Matching` the partner of smallest id.

    Examples
    --------
    >>> best_pairs(np.array([0, 0, 2, 2]), np.array([0.1, 0.6, 0.5, 0.5]), 3)
    array([ 1, -1,  2])
    """
    highest = np.zeros(owners)
    np.maximum.at(highest, owner, iou)
    candidates = np.flatnonzero(iou == highest[owner])
    first = np.full(owners, len(iou), np.int64)
    np.minimum.at(first, owner[candidates], candidates)
    return np.where(first < len(iou), first, -1)


def _best_pred(pair_gt: Int64, pair_pred: Int64, pair_iou: Float64, n_gt: int, pred_size: Int64) -> Int64:
    """Return the prediction of highest IoU of each ground truth, int64 (n_gt,), -1 without any."""
    largest_first = np.argsort(-pred_size[pair_pred], kind="stable")
    best = best_pairs(pair_gt[largest_first], pair_iou[largest_first], n_gt)
    return np.where(best >= 0, pair_pred[largest_first[best]] if len(pair_pred) else -1, -1)


def _types(gts: Int64, preds: Int64) -> NDArray[np.int8]:
    """Return the type of the groups with so many ground truths and predictions."""
    return np.select(
        [gts == 0, preds == 0, (gts == 1) & (preds == 1), gts == 1, preds == 1],
        [_BACKGROUND, _MISSING, _ONE_TO_ONE, _OVER, _UNDER],
        default=_MANY,
    ).astype(np.int8)
