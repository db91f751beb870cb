"""One row per instance: where it is, what it was paired with, and what went wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mitobench.matching import assign
from mitobench.strata import BUCKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.overlap import Instances
    from mitobench.strata import Int8
    from mitobench.types import Int64

    Bools = NDArray[np.bool_]

__all__ = ["GT_VERDICTS", "PRED_VERDICTS", "Columns", "instance_tables"]

Columns: TypeAlias = dict[str, Any]
"""Column name -> array or list, all of one length."""

GT_VERDICTS = ("matched", "missed", "split", "merged", "boundary")
PRED_VERDICTS = ("matched", "false", "merged", "split", "boundary")

_MATCHED, _ALONE, _SHARED_OUT, _SWALLOWED, _BOUNDARY = range(5)


def instance_tables(matching: Matching) -> dict[str, Columns]:
    """Return the table of instances of each side, with a verdict at the IoU threshold that the rule ranks by.

    Verdict of a ground truth: the first of these that holds.

    1. ``matched``: one of the one-to-one pairs of `mitobench.matching.assign` at the threshold.
    2. ``missed``: no prediction touches it.
    3. ``split``: two or more predictions have it as their best partner and together cover more than half of it.
    4. ``merged``: its best partner covers more than half of it, and more than half of another ground truth too.
    5. ``boundary``: IoU with the best partner is at least 0.5 and below the threshold: a poor outline.
    6. ``missed``: nothing but poor overlap.

    The verdict of a prediction is its mirror image: ``matched``; ``false`` without any partner; ``merged`` if two or
    more ground truths have it as their best partner and together cover more than half of it; ``split`` if its best
    partner covers more than half of it and of another prediction; ``boundary``; else ``false``. So both sides call the
    same mistake by the same name. Crumbs that the rule drops are no ground truth here either.

    Parameters
    ----------
    matching
        All pairs.

    Returns
    -------
    dict
        ``"gt"`` and ``"pred"``, each with the columns ``id`` (uint64), ``size`` (voxels), ``bucket``, the half-open
        bounding box ``z0``, ``z1``, ``y0``, ``y1``, ``x0``, ``x1`` and the centroid ``z``, ``y``, ``x`` (voxels),
        ``partner`` (id on the other side with the highest IoU, ties: smallest; None without any), ``iou`` with it (0
        without any), ``partners`` (how many on the other side share a voxel) and ``verdict``. Rows by ascending id.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def verdicts(counts):
    ...     tables = instance_tables(match(table_from_counts(counts), "mitoem-2020"))
    ...     return tables["gt"]["verdict"], tables["pred"]["verdict"]
    >>> verdicts({(1, 1): 60, (1, 2): 40})
    (['split'], ['split', 'split'])
    >>> verdicts({(1, 1): 60, (2, 1): 40})
    (['merged', 'merged'], ['merged'])
    >>> verdicts({(1, 1): 60, (1, 0): 40, (2, 0): 5, (0, 9): 5})
    (['boundary', 'missed'], ['boundary', 'false'])
    """
    pairs = assign(matching, matching.rule.ranking_iou)
    gt = _Side(
        matching.gt, matching.gt_bucket, matching.pair_gt, matching.best_of_gt, _among(pairs.gt, len(matching.gt))
    )
    pred = _Side(
        matching.pred,
        matching.pred_bucket,
        matching.pair_pred,
        matching.best_of_pred,
        _among(pairs.pred, len(matching.pred)),
    )
    return {
        "gt": _columns(matching, gt, pred, GT_VERDICTS),
        "pred": _columns(matching, pred, gt, PRED_VERDICTS),
    }


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a matching.

    Attributes
    ----------
    owner
        int64 (m,), the instance of this side in each pair.
    best
        int64 (n,), position of the pair of highest IoU, -1 without any.
    matched
        bool (n,).
    """

    instances: Instances
    bucket: Int8
    owner: Int64
    best: Int64
    matched: Bools

    def __len__(self) -> int:
        return len(self.instances)


def _columns(matching: Matching, own: _Side, other: _Side, names: tuple[str, ...]) -> Columns:
    touched = own.best >= 0
    iou = np.zeros(len(own))
    iou[touched] = matching.pair_iou[own.best[touched]]
    partner: list[int | None] = [None] * len(own)
    for position, pair in zip(np.flatnonzero(touched).tolist(), own.best[touched].tolist(), strict=True):
        partner[position] = int(other.instances.id[other.owner[pair]])
    columns: Columns = {
        "id": own.instances.id,
        "size": own.instances.size,
        "bucket": [BUCKETS[k] for k in own.bucket.tolist()],
    }
    for axis, name in enumerate("zyx"):
        columns[f"{name}0"], columns[f"{name}1"] = own.instances.box_min[:, axis], own.instances.box_max[:, axis]
    for axis, name in enumerate("zyx"):
        columns[name] = own.instances.centroid[:, axis]
    columns |= {"partner": partner, "iou": iou, "partners": np.bincount(own.owner, minlength=len(own))}
    near = (iou >= 0.5) & (iou < matching.rule.ranking_iou)
    columns["verdict"] = [names[k] for k in _verdict(matching.pair_overlap, own, other, near).tolist()]
    return columns


def _verdict(overlap: Int64, own: _Side, other: _Side, near: Bools) -> Int64:
    """Return the position of the verdict in the side's list of names."""
    return np.select(
        [own.matched, own.best < 0, _shared_out(overlap, own, other), _swallowed(overlap, own, other), near],
        [_MATCHED, _ALONE, _SHARED_OUT, _SWALLOWED, _BOUNDARY],
        default=_ALONE,
    )


def _shared_out(overlap: Int64, own: _Side, other: _Side) -> Bools:
    """Return whether two or more of the other side have it as best partner and cover more than half of it."""
    pairs = other.best[other.best >= 0]
    owner = own.owner[pairs]
    pieces = np.bincount(owner, minlength=len(own))
    # Sums of voxel counts stay below 2^53, where float64 is exact.
    covered = np.bincount(owner, weights=overlap[pairs], minlength=len(own))
    return (pieces >= 2) & (2 * covered > own.instances.size)


def _swallowed(overlap: Int64, own: _Side, other: _Side) -> Bools:
    """Return whether its best partner covers more than half of it and more than half of another one of its side."""
    inside = 2 * overlap > own.instances.size[own.owner]
    meals = np.bincount(other.owner[inside], minlength=len(other))
    touched = own.best >= 0
    pairs = own.best[touched]
    swallowed = np.zeros(len(own), bool)
    swallowed[touched] = inside[pairs] & (meals[other.owner[pairs]] >= 2)
    return swallowed


def _among(positions: Int64, length: int) -> Bools:
    member = np.zeros(length, bool)
    member[positions] = True
    return member
