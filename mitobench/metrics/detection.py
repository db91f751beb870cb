"""What is found, missed and invented at each IoU threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mitobench.matching import assign
from mitobench.metrics._public_tool import as_stored, iou_sum
from mitobench.metrics._ratio import ratio, ratios
from mitobench.rules import metric_name
from mitobench.strata import ALL, ALL_BUCKETS, BUCKETS, in_bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.resampling import Part, Replicates, Sample
    from mitobench.rules import DetectionMatching
    from mitobench.strata import Result, Value
    from mitobench.types import Float64, Int64

    Bools = NDArray[np.bool_]

__all__ = ["Judgement", "detection", "judge", "resampled_detection"]

N = TypeVar("N", float, "Float64")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a rule makes of every instance at one IoU threshold.

    Attributes
    ----------
    found
        bool (n,), whether a prediction stands for the ground truth.
    iou
        float64 (n,), IoU of the ground truth with that prediction, of several the highest; 0 if it is not found.
    counted
        Bucket, ``all`` among them -> bool (n,), whether a prediction counts there.
    stands_for
        int64 (n,), position of the ground truth that the prediction counts with, found or not; -1 without any.
    """

    found: Bools
    iou: Float64
    counted: dict[str, Bools]
    stands_for: Int64


def detection(matching: Matching) -> Result:
    """Return counts and ratios of detection at each IoU threshold of the rule.

    What counts as found depends on ``detection_matching`` of the rule. A ground truth, found or missed, counts in its
    own bucket.

    ``one-to-one``
        The pairs of `mitobench.matching.assign`. A matched prediction counts in the bucket of its ground truth, any
        other in its own; so counts of the buckets add up to those of ``all``.
    ``best-overlap``
        Each prediction stands for the ground truth of highest IoU; one that reaches the threshold finds it, any
        further one for the same ground truth is a false positive. A prediction counts in the bucket of that ground
        truth, whether it reaches the threshold or not, and in its own if that is another one; so one false positive
        can count in two buckets.

    ======================= ============================================ ===================================
    ``tp``, ``fp``, ``fn``  found, false predictions, missed             0 to the number of instances
    ``precision``           TP / (TP + FP)                               0 all invented, 1 none
    ``recall``              TP / (TP + FN)                               0 all missed, 1 none
    ``f1``                  2 TP / (2 TP + FP + FN)                      0 no pair, 1 no error
    ``accuracy``            TP / (TP + FP + FN)                          0 no pair, 1 no error
    ``sq``                  mean IoU of the pairs                        the threshold, 1 identical shapes
    ``pq``                  sum of IoU / (TP + FP / 2 + FN / 2)          0 no pair, 1 identical
    ``mean_true_score``     sum of IoU / (TP + FN)                       0 no pair, 1 identical
    ======================= ============================================ ===================================

    A ratio of nothing to nothing is None. ``f1`` is the recognition quality, and ``pq`` = ``sq`` times ``f1``.

    References
    ----------
    Kirillov et al., CVPR 2019, doi:10.1109/CVPR.2019.00963 (SQ, RQ, PQ).

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def at_75(counts, *families):
    ...     result = detection(match(table_from_counts(counts), "mitoem-2020"))
    ...     return [result[f"{family}_75"]["all"] for family in families]

    One of two ground truths is found, with one of three predictions:

    >>> at_75({(1, 1): 80, (1, 0): 20, (2, 0): 50, (0, 3): 50, (0, 4): 50}, "tp", "fp", "fn")
    [1, 2, 1]
    >>> at_75({(1, 1): 80, (1, 0): 20, (2, 0): 50, (0, 3): 50, (0, 4): 50}, "f1", "accuracy", "sq")
    [0.4, 0.25, 0.8]

    A prediction below the threshold is an error twice, a false positive and a false negative:

    >>> at_75({(1, 1): 70, (1, 0): 30}, "tp", "fp", "fn", "pq")
    [0, 1, 1, 0.0]

    Without any prediction, precision is undefined and recall is 0:

    >>> at_75({(1, 0): 30}, "precision", "recall", "sq")
    [None, 0.0, None]
    """
    result: Result = {}
    inside = {bucket: in_bucket(matching.gt_bucket, bucket) for bucket in ALL_BUCKETS}
    for threshold in matching.rule.detection_ious:
        judgement = judge(matching, threshold)
        by_bucket = {bucket: _values(matching, threshold, judgement, inside[bucket], bucket) for bucket in inside}
        for family in by_bucket[ALL]:
            result[metric_name(family, threshold)] = {bucket: values[family] for bucket, values in by_bucket.items()}
    return result


def resampled_detection(sample: Sample) -> Replicates:
    """Return counts and ratios of detection of each resample.

    Every instance keeps the verdict that it has in its matching. With ``iou_precision`` ``"float16"`` the sum of IoU is
    not rounded, and always that of the best prediction.
    """
    thresholds = sample.first.rule.detection_ious
    totals = sample.totals(_unit_sums).reshape(len(thresholds), len(ALL_BUCKETS), 4, -1)
    result: Replicates = {}
    for threshold, by_bucket in zip(thresholds, totals.swapaxes(1, 2), strict=True):
        for family, values in _families(*by_bucket, divide=ratios).items():
            result[metric_name(family, threshold)] = dict(zip(ALL_BUCKETS, values, strict=True))
    return result


def _unit_sums(part: Part) -> list[Float64]:
    """Return, by threshold and bucket, what `_families` takes, summed up in each unit."""
    matching, units = part.matching, part.units
    sums = []
    for threshold in matching.rule.detection_ious:
        judgement = judge(matching, threshold)
        gt = judgement.stands_for
        pred_unit = np.where(gt >= 0, np.append(units.gt, -1)[gt], units.pred)
        for bucket in ALL_BUCKETS:
            inside = in_bucket(matching.gt_bucket, bucket)
            sums += [units.sums(units.gt, values) for values in (judgement.found & inside, inside)]
            sums.append(units.sums(pred_unit, judgement.counted[bucket]))
            sums.append(units.sums(units.gt, judgement.iou * inside))
    return sums


def judge(matching: Matching, iou_threshold: float) -> Judgement:
    """Return what is found at an IoU threshold, and where each prediction counts.

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        Multiple of 0.01 in (0, 1].

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> judgement = judge(match(table_from_counts({(1, 1): 80, (1, 0): 20, (2, 0): 9000}), "mitoem-2020"), 0.75)
    >>> judgement.found, judgement.iou, judgement.counted["small"]
    (array([ True, False]), array([0.8, 0. ]), array([ True]))
    """
    return _JUDGES[matching.rule.detection_matching](matching, iou_threshold)


def _one_to_one(matching: Matching, iou_threshold: float) -> Judgement:
    pairs = assign(matching, iou_threshold)
    iou = np.zeros(len(matching.gt))
    iou[pairs.gt] = pairs.iou
    bucket = matching.pred_bucket.copy()
    bucket[pairs.pred] = matching.gt_bucket[pairs.gt]
    stands_for = _best_gt(matching)
    stands_for[pairs.pred] = pairs.gt
    return Judgement(iou > 0, iou, _counted(len(bucket), [bucket == k for k in range(len(BUCKETS))]), stands_for)


def _best_gt(matching: Matching) -> Int64:
    """Return the position of the ground truth of highest IoU of each prediction, -1 without any."""
    return np.where(matching.best_of_pred >= 0, np.append(matching.pair_gt, -1)[matching.best_of_pred], -1)


def _best_overlap(matching: Matching, iou_threshold: float) -> Judgement:
    pairs = matching.best_of_pred[matching.best_of_pred >= 0]
    iou = matching.pair_iou[pairs]
    if matching.rule.iou_precision == "float16":
        iou, iou_threshold = as_stored(iou).astype(np.float64), float(as_stored(iou_threshold))
    best = np.zeros(len(matching.gt))
    np.maximum.at(best, matching.pair_gt[pairs], iou)
    found = best >= iou_threshold
    bucket_of_gt = np.full(len(matching.pred), -1, np.int8)
    bucket_of_gt[matching.pair_pred[pairs]] = matching.gt_bucket[matching.pair_gt[pairs]]
    counted = [(bucket_of_gt == k) | (matching.pred_bucket == k) for k in range(len(BUCKETS))]
    return Judgement(found, np.where(found, best, 0), _counted(len(bucket_of_gt), counted), _best_gt(matching))


def _counted(n_pred: int, by_bucket: list[Bools]) -> dict[str, Bools]:
    return {ALL: np.ones(n_pred, bool), **dict(zip(BUCKETS, by_bucket, strict=True))}


def _values(
    matching: Matching, iou_threshold: float, judgement: Judgement, inside: Bools, bucket: str
) -> dict[str, Value]:
    found = judgement.found & inside
    n_pred = int(judgement.counted[bucket].sum())
    if matching.rule.iou_precision == "float16":
        total = iou_sum(matching, iou_threshold, inside, judgement.counted[bucket], bucket)
    else:
        # fsum is exact before its one rounding, so that the order of the ids cannot show in the last digit.
        total = math.fsum(judgement.iou[found].tolist())
    return _families(int(found.sum()), int(inside.sum()), n_pred, total, divide=ratio)


def _families(tp: N, n_true: N, n_pred: N, iou_sum: N, *, divide: Callable[[N, N], R]) -> dict[str, N | R]:
    fp, fn = n_pred - tp, n_true - tp
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "precision": divide(tp, n_pred),
        "recall": divide(tp, n_true),
        "f1": divide(2 * tp, n_true + n_pred),
        "accuracy": divide(tp, n_true + fp),
        "sq": divide(iou_sum, tp),
        "pq": divide(iou_sum, tp + fp / 2 + fn / 2),
        "mean_true_score": divide(iou_sum, n_true),
    }


_JUDGES: dict[DetectionMatching, Callable[[Matching, float], Judgement]] = {
    "one-to-one": _one_to_one,
    "best-overlap": _best_overlap,
}
