"""The score of a repaired prediction without making its overlap table, for hundreds of sets of repairs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mitobench.matching import Matching, match
from mitobench.metrics.average_precision import average_precision, precision_recall
from mitobench.metrics.detection import detection
from mitobench.rules import mean_name
from mitobench.strata import ALL, ALL_BUCKETS, size_bucket

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.metrics.error_groups import ErrorGroups
    from mitobench.rules import Rule
    from mitobench.strata import ByBucket
    from mitobench.types import Float64, Int64, Uint64

    Bools = NDArray[np.bool_]

__all__ = ["Prediction", "Repairs", "View", "fresh_ids"]

# A pair this far below a threshold does not reach it when IoU is rounded to float16 either.
_ROUNDING = 0.999


def fresh_ids(taken: Uint64, count: int) -> Uint64:
    """Return ascending ids that are not taken: those after the largest, or the smallest ones where these do not fit.

    Parameters
    ----------
    taken
        uint64 (n,), ascending.
    count
        How many.

    Examples
    --------
    >>> fresh_ids(np.array([2, 7], np.uint64), 3)
    array([ 8,  9, 10], dtype=uint64)
    >>> fresh_ids(np.array([2, 2**64 - 1], np.uint64), 3)
    array([1, 3, 4], dtype=uint64)
    """
    last = int(taken[-1]) if len(taken) else 0
    if last + count < 2**64:
        return np.uint64(last) + np.arange(1, count + 1, dtype=np.uint64)
    return np.setdiff1d(np.arange(1, len(taken) + count + 1, dtype=np.uint64), taken)[:count]


@dataclass(frozen=True, eq=False)
class Prediction:
    """The predictions after some repairs, among all that could be there: the old ones, then one of each ground truth.

    Attributes
    ----------
    gt_fixed
        bool (n,), whether the ground truth of the original matching is predicted anew.
    here
        bool (m,), whether the prediction is there.
    size
        int64 (m,), voxels that it has if it is there.
    ranked
        int64 (k,), those that are there by ascending id.
    score
        float64 (k,), their confidence.
    """

    gt_fixed: Bools
    here: Bools
    size: Int64
    ranked: Int64
    score: Float64

    @cached_property
    def rank(self) -> Int64:
        """Position in ``ranked`` of each prediction that is there, int64 (m,)."""
        rank = np.full(len(self.here), -1)
        rank[self.ranked] = np.arange(len(self.ranked))
        return rank


class Repairs:
    """The predictions after any repairs of the groups of a matching."""

    def __init__(self, matching: Matching, groups: ErrorGroups) -> None:
        self.matching, self.groups = matching, groups
        table = matching.table
        new_id = fresh_ids(table.pred.id, len(table.gt))[np.searchsorted(table.gt.id, matching.gt.id)]
        self.id = np.append(matching.pred.id, new_id)
        self._by_id = np.argsort(self.id, kind="stable")
        highest = matching.score.max() if len(matching.score) else 0.0
        self._score = np.append(matching.score, np.full(len(new_id), highest)) if matching.scores_given else None

    def prediction(self, fixed: Bools) -> Prediction:
        """Return the predictions after the repair of the groups that are fixed, bool (n,)."""
        matching = self.matching
        gt_fixed = fixed[self.groups.gt_group]
        taken = matching.pair_overlap * gt_fixed[matching.pair_gt]
        # Sums of voxel counts stay below 2^53, where float64 is exact.
        lost = np.bincount(matching.pair_pred, weights=taken, minlength=len(matching.pred)).astype(np.int64)
        left = matching.pred.size - lost
        here = np.append((left > 0) & ~fixed[self.groups.pred_group], gt_fixed)
        size = np.append(left, matching.gt.size)
        ranked = self._by_id[here[self._by_id]]
        score = size if self._score is None else self._score
        return Prediction(gt_fixed, here, size, ranked, score[ranked].astype(np.float64))


class View:
    """What one rule makes of repaired predictions: the metric that it ranks by, and nothing else.

    Most pairs of a large table decide nothing: their IoU is far below the threshold. Where that is certain they are
    left out of the matching, whose metric is the same to the last bit. A pair of little IoU can still decide what a
    prediction stands for in average precision by best overlap, but only in a bucket that is the prediction's own and
    not that of the ground truth that it hits.
    """

    def __init__(self, repairs: Repairs, rule: Rule) -> None:
        original = repairs.matching
        self.rule = _narrow(rule)
        self.buckets: tuple[str, ...] = ALL_BUCKETS
        by_voxels = match(original.table, replace(self.rule, size_by="voxels"))
        self._cable_length = _cable_length(original, by_voxels.gt.id)
        if self.rule.size_by == "cable-length" and self._cable_length is None:
            self.rule, self.buckets = by_voxels.rule, (ALL,)
        self._no_table = original.table.empty()
        self._id, self._gt, self._gt_bucket = repairs.id, by_voxels.gt, by_voxels.gt_bucket
        # Position of each ground truth in the original matching, after all of them if that has dropped it.
        known = np.isin(self._gt.id, original.gt.id)
        self._origin = np.where(known, np.searchsorted(original.gt.id, self._gt.id), len(original.gt))
        self._pairs = _all_pairs(by_voxels, np.flatnonzero(known), len(original.pred) + self._origin[known])
        self._level = _ROUNDING * min(self.rule.iou_thresholds) if self._can_leave_out else 0.0
        self._candidates = self._pairs.where(self._pairs.overlap >= self._level * self._pairs.gt_size)

    @property
    def _is_ap(self) -> bool:
        return self.rule.rank_by.startswith("ap_")

    @property
    def _can_leave_out(self) -> bool:
        by_voxels = self.rule.size_by == "voxels"
        return len(self.buckets) == 1 or (by_voxels and (self._is_ap or self.rule.detection_matching == "one-to-one"))

    def score(self, prediction: Prediction, bucket: str | None = None) -> ByBucket:
        """Return the value of the ranked metric in one bucket, or in each."""
        matching = self._matching(prediction)
        if self._is_ap and bucket is not None and len(self.rule.iou_thresholds) == 1:
            curve = precision_recall(matching, iou_threshold=self.rule.iou_thresholds[0], bucket=bucket)
            return {bucket: None if curve is None else float(curve[1].mean())}
        # The only metrics with a value for each threshold, which a rule has to rank by.
        result = average_precision(matching) if self._is_ap else detection(matching)
        return {key: result[self.rule.rank_by][key] for key in self.buckets}

    def _matching(self, prediction: Prediction) -> Matching:
        pairs = self._left(prediction)
        size = prediction.size[prediction.ranked]
        nowhere = np.broadcast_to(np.int64(0), (len(size), 3))
        centre = np.broadcast_to(np.float64(0), (len(size), 3))
        return Matching(
            rule=self.rule,
            table=self._no_table,
            gt=self._gt,
            pred=replace(
                self._gt, id=self._id[prediction.ranked], size=size, box_min=nowhere, box_max=nowhere, centroid=centre
            ),
            score=prediction.score,
            scores_given=True,
            cable_length=self._cable_length,
            pair_gt=pairs.gt,
            pair_pred=prediction.rank[pairs.pred],
            pair_overlap=pairs.overlap,
            pair_iou=pairs.overlap / (pairs.gt_size + prediction.size[pairs.pred] - pairs.overlap),
        )

    def _left(self, prediction: Prediction) -> _Pairs:
        """Return the pairs that are there and decide something."""
        gt_fixed = np.append(prediction.gt_fixed, np.False_)[self._origin]
        pairs = self._candidates
        size = prediction.size[pairs.pred]
        reaches = prediction.here[pairs.pred] & (gt_fixed[pairs.gt] == pairs.is_new)
        reaches &= pairs.overlap >= self._level * (pairs.gt_size + size - pairs.overlap)
        if self._level == 0 or len(self.buckets) == 1:
            return pairs.where(reaches)
        elsewhere = size_bucket(size, self.rule.size_thresholds) != self._gt_bucket[pairs.gt]
        member = np.zeros(len(prediction.here), bool)
        member[pairs.pred[reaches & elsewhere]] = True
        others = np.flatnonzero(member[self._pairs.pred])
        decides = np.zeros(len(self._pairs.gt), bool)
        decides[pairs.number[reaches]] = True
        decides[others[~gt_fixed[self._pairs.gt[others]]]] = True
        return self._pairs.where(decides)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs that share voxels before some repair or after, by ascending ground truth.

    Attributes
    ----------
    number
        int64 (m,), position among all pairs.
    gt, pred
        int64 (m,), position in the ground truth of the view and in all that a `Prediction` may hold.
    overlap, gt_size
        int64 (m,), voxels.
    is_new
        bool (m,), whether it is a ground truth and its new prediction.
    """

    number: Int64
    gt: Int64
    pred: Int64
    overlap: Int64
    gt_size: Int64
    is_new: Bools

    def where(self, chosen: Bools) -> _Pairs:
        return self.take(np.flatnonzero(chosen))

    def take(self, positions: Int64) -> _Pairs:
        return _Pairs(*(getattr(self, field.name)[positions] for field in fields(self)))


def _all_pairs(old: Matching, gt: Int64, new_pred: Int64) -> _Pairs:
    """Return the pairs of a matching and those of some ground truths with their new predictions."""
    pair_gt = np.append(old.pair_gt, gt)
    pairs = _Pairs(
        number=np.arange(len(pair_gt)),
        gt=pair_gt,
        pred=np.append(old.pair_pred, new_pred),
        overlap=np.append(old.pair_overlap, old.gt.size[gt]),
        gt_size=old.gt.size[pair_gt],
        is_new=np.arange(len(pair_gt)) >= len(old.pair_gt),
    )
    return replace(pairs.take(np.argsort(pair_gt, kind="stable")), number=pairs.number)


def _narrow(rule: Rule) -> Rule:
    """Return the rule with no more thresholds than its ranked metric needs."""
    if rule.rank_by == mean_name("ap", rule.iou_thresholds):
        return replace(rule, detection_thresholds=())
    return replace(rule, iou_thresholds=(rule.ranking_iou,), detection_thresholds=())


def _cable_length(matching: Matching, ids: Uint64) -> Float64 | None:
    """Return the cable lengths of ground truths by id, None if that of one of them is not known."""
    if matching.cable_length is None or not np.isin(ids, matching.gt.id).all():
        return None
    return matching.cable_length[np.searchsorted(matching.gt.id, ids)]
