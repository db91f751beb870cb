"""What is found, missed and invented at each IoU threshold, one to one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mitobench.matching import assign
from mitobench.metrics._ratio import ratio
from mitobench.rules import metric_name
from mitobench.strata import ALL, BUCKETS

if TYPE_CHECKING:
    from mitobench.matching import Matching
    from mitobench.strata import Int8, Result, Value

__all__ = ["detection"]


def detection(matching: Matching) -> Result:
    """Return counts and ratios of one-to-one detection at each IoU threshold of the rule.

    With the pairs of `mitobench.matching.assign`. A pair and a missed ground truth count in the bucket of the ground
    truth, an unmatched prediction in the bucket of its own size; so counts of the buckets add up to those of ``all``.

    ======================= ============================================ ===================================
    ``tp``, ``fp``, ``fn``  pairs, unmatched predictions, missed truths  0 to the number of instances
    ``precision``           TP / (TP + FP)                               0 all invented, 1 none
    ``recall``              TP / (TP + FN)                               0 all missed, 1 none
    ``f1``                  2 TP / (2 TP + FP + FN)                      0 no pair, 1 no error
    ``accuracy``            TP / (TP + FP + FN)                          0 no pair, 1 no error
    ``sq``                  mean IoU of the pairs                        the threshold, 1 identical shapes
    ``pq``                  sum of IoU / (TP + FP / 2 + FN / 2)          0 no pair, 1 identical
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
    for threshold in matching.rule.iou_thresholds:
        by_bucket = _at(matching, threshold)
        for family in by_bucket[ALL]:
            result[metric_name(family, threshold)] = {bucket: values[family] for bucket, values in by_bucket.items()}
    return result


def _at(matching: Matching, iou_threshold: float) -> dict[str, dict[str, Value]]:
    """Return bucket -> family -> value."""
    pairs = assign(matching, iou_threshold)
    tp = _count(matching.gt_bucket[pairs.gt])
    fn = [total - found for total, found in zip(_count(matching.gt_bucket), tp, strict=True)]
    fp = _count(np.delete(matching.pred_bucket, pairs.pred))
    bucket = matching.gt_bucket[pairs.gt]
    iou = [pairs.iou[bucket == k].tolist() for k in range(len(BUCKETS))]
    values = {name: _values(tp[k], fp[k], fn[k], iou[k]) for k, name in enumerate(BUCKETS)}
    return {ALL: _values(sum(tp), sum(fp), sum(fn), pairs.iou.tolist()), **values}


def _count(bucket: Int8) -> list[int]:
    counts: list[int] = np.bincount(bucket, minlength=len(BUCKETS)).tolist()
    return counts


def _values(tp: int, fp: int, fn: int, iou: list[float]) -> dict[str, Value]:
    # fsum is exact before its one rounding, so that the order of the ids cannot show in the last digit.
    iou_sum = math.fsum(iou)
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": ratio(tp, tp + fp + fn),
        "sq": ratio(iou_sum, tp),
        "pq": ratio(iou_sum, tp + fp / 2 + fn / 2),
    }
