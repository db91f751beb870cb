"""Average precision per IoU threshold and size bucket, and the precision-recall curves that it is the area of."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mitobench.associations import best_pairs
from mitobench.errors import UnknownNameError, did_you_mean
from mitobench.metrics._public_tool import ap_threshold
from mitobench.rules import exact_iou, mean_name, metric_name
from mitobench.strata import ALL, ALL_BUCKETS, in_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.resampling import Part, Replicates, Sample, Weights
    from mitobench.rules import ApMatching
    from mitobench.strata import Result, Value
    from mitobench.types import Float64, Int64

    Bools = NDArray[np.bool_]

__all__ = [
    "RawCurve",
    "average_precision",
    "precision_recall",
    "raw_precision_recall",
    "resampled_average_precision",
]

# linspace on purpose: ten of its values are not the nearest float64 to their decimal, and the published numbers have
# been made with them.
_RECALL_POINTS = np.linspace(0, 1, 101)
# Part of the published definition. It shows only where a single prediction counts: 1 / (1 + 2^-52), not quite 1.
_EPSILON = 2.0**-52


class RawCurve(NamedTuple):
    """Precision and recall after each prediction that counts, by descending score.

    Attributes
    ----------
    score, recall, precision
        float64 (k,).
    """

    score: Float64
    recall: Float64
    precision: Float64


def average_precision(matching: Matching) -> Result:
    """Return the average precision at each IoU threshold of the rule, and its mean over them.

    Mean, over 101 recalls from 0 to 1, of the best precision reached at that recall or a higher one, while predictions
    are taken in descending score. In [0, 1]: 1 if every ground truth is found before any false positive, 0 if none is
    found; None in a bucket without ground truth. How a prediction is judged depends on ``ap_matching`` of the rule:

    ``best-overlap``
        It stands for the ground truth of highest IoU inside the bucket, or else of highest IoU at all. With that IoU
        at or above the threshold it is a hit. A hit outside the bucket is ignored, and so is a miss that is itself of
        a size outside. Several predictions can hit the same ground truth.
    ``greedy``
        By descending score, it takes the free ground truth of highest IoU at or above the threshold, one inside the
        bucket before one outside. A prediction is ignored if it takes one outside, or none and is itself outside.

    References
    ----------
    Wei et al., MICCAI 2020, doi:10.1007/978-3-030-59722-1_7. Lin et al., ECCV 2014, doi:10.1007/978-3-319-10602-1_48.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def ap_75(counts, rule="mitoem-2020"):
    ...     return average_precision(match(table_from_counts(counts), rule))["ap_75"]["all"]

    Two ground truths found exactly:

    >>> ap_75({(1, 1): 40, (2, 2): 60})
    1.0

    A false positive costs nothing when it comes last, and half of the precision when it comes first:

    >>> ap_75({(1, 1): 40, (2, 2): 60, (0, 3): 9}), round(ap_75({(2, 2): 60, (0, 3): 99}), 6)
    (1.0, 0.5)

    Two halves of one ground truth both count as hits at IoU 0.5, unless matching is one to one:

    >>> halves = match(table_from_counts({(1, 1): 20, (1, 2): 20}), "mitoem-2020")
    >>> raw_precision_recall(halves, iou_threshold=0.5).recall
    array([1., 2.])
    """
    thresholds = matching.rule.iou_thresholds
    values = {bucket: _bucket_ap(matching, bucket, thresholds) for bucket in ALL_BUCKETS}
    result: Result = {
        metric_name("ap", t): {bucket: ap[k] for bucket, ap in values.items()} for k, t in enumerate(thresholds)
    }
    if len(thresholds) > 1:
        result[mean_name("ap", thresholds)] = {bucket: _mean(ap) for bucket, ap in values.items()}
    return result


def resampled_average_precision(sample: Sample) -> Replicates:
    """Return the average precision of each resample; every instance keeps the verdict that it has in its matching.

    Equal scores stay in their order, copies of a prediction next to each other. Several parts are merged by score if
    all scores are voxel counts, else by rank relative to the number of predictions, because confidences of two methods
    have no scale in common.
    """
    rule = sample.first.rule
    pooled = _Pooled.of(sample.parts)
    positives = sample.totals(lambda part: [_positives(part, bucket) for bucket in ALL_BUCKETS])

    def resampled(curve: tuple[int, int]) -> Float64:
        return pooled.average_precision(*curve, positives[curve[0]])

    curves = list(np.ndindex(len(ALL_BUCKETS), len(rule.iou_thresholds)))
    with ThreadPoolExecutor(sample.workers) as pool:
        values = np.stack(list(pool.map(resampled, curves))).reshape(len(ALL_BUCKETS), len(rule.iou_thresholds), -1)
    result = {
        metric_name("ap", t): dict(zip(ALL_BUCKETS, values[:, k], strict=True))
        for k, t in enumerate(rule.iou_thresholds)
    }
    if len(rule.iou_thresholds) > 1:
        result[mean_name("ap", rule.iou_thresholds)] = dict(zip(ALL_BUCKETS, values.mean(axis=1), strict=True))
    return result


def precision_recall(matching: Matching, *, iou_threshold: float, bucket: str = ALL) -> tuple[Float64, Float64] | None:
    """Return the interpolated precision-recall curve, whose mean precision is the average precision.

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        Multiple of 0.01 in (0, 1].
    bucket
        ``"all"``, ``"small"``, ``"medium"`` or ``"large"``.

    Returns
    -------
    recall, precision
        float64 (101,): recalls from 0 to 1 and the best precision at that recall or a higher one, 0 if never reached.
        None for a bucket without ground truth.

    Raises
    ------
    InvalidInputError, UnknownNameError
        The threshold is out of range, or no bucket has this name.
    """
    curve = raw_precision_recall(matching, iou_threshold=iou_threshold, bucket=bucket)
    return None if curve is None else (_RECALL_POINTS.copy(), _interpolate(curve.recall, curve.precision))


def raw_precision_recall(matching: Matching, *, iou_threshold: float, bucket: str = ALL) -> RawCurve | None:
    """Return precision and recall after each prediction that is not ignored, as measured.

    With ``ap_matching`` ``"best-overlap"`` and a threshold up to 0.5, recall can exceed 1.

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        Multiple of 0.01 in (0, 1].
    bucket
        ``"all"``, ``"small"``, ``"medium"`` or ``"large"``.

    Returns
    -------
    RawCurve or None
        None for a bucket without ground truth.

    Raises
    ------
    InvalidInputError, UnknownNameError
        The threshold is out of range, or no bucket has this name.
    """
    if bucket not in ALL_BUCKETS:
        hint = did_you_mean(bucket, ALL_BUCKETS)
        raise UnknownNameError(f"unknown bucket {bucket!r}{hint}; allowed: {', '.join(ALL_BUCKETS)}")
    thresholds = (exact_iou(iou_threshold),)
    npos = int(in_bucket(matching.gt_bucket, bucket).sum())
    if not npos:
        return None
    true, false = (outcome[0] for outcome in _outcomes(matching, bucket, thresholds))
    counted = true | false
    recall, precision = _curve(true[counted], false[counted], npos)
    return RawCurve(matching.score[matching.ranking[counted]], recall, precision)


def _bucket_ap(matching: Matching, bucket: str, thresholds: tuple[float, ...]) -> list[Value]:
    npos = int(in_bucket(matching.gt_bucket, bucket).sum())
    if not npos:
        return [None] * len(thresholds)
    outcomes = zip(*_outcomes(matching, bucket, thresholds), strict=True)
    return [float(_interpolate(*_curve(true, false, npos)).mean()) for true, false in outcomes]


def _mean(values: list[Value]) -> Value:
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def _curve(true: Bools, false: Bools, npos: int) -> tuple[Float64, Float64]:
    true_so_far, false_so_far = np.cumsum(true), np.cumsum(false)
    return true_so_far / npos, true_so_far / (true_so_far + false_so_far + _EPSILON)


def _interpolate(recall: Float64, precision: Float64) -> Float64:
    """Return the best precision at each recall point or beyond; float64 (101,)."""
    best_from_here = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return best_from_here[np.searchsorted(recall, _RECALL_POINTS, side="left")]


def _outcomes(matching: Matching, bucket: str, thresholds: tuple[float, ...]) -> tuple[Bools, Bools]:
    """Return which predictions are true and which are false positives, (thresholds, predictions) by descending score.

    The others are ignored. They keep their place in the order, where cumulative counts simply repeat.
    """
    if matching.rule.iou_precision == "float16":
        thresholds = tuple(map(ap_threshold, thresholds))
    hit, inside = _JUDGES[matching.rule.ap_matching](matching, bucket, thresholds)
    own = in_bucket(matching.pred_bucket, bucket)
    return (hit & inside)[:, matching.ranking], (~hit & own)[:, matching.ranking]


class _Pooled(NamedTuple):
    """The predictions of all parts by descending score.

    Attributes
    ----------
    outcomes
        By bucket, true and false positives as in `_outcomes`.
    unit
        int32 (n,), column of the weights of each prediction.
    weights
        uint8 (resamples, units), those of all parts side by side.
    """

    outcomes: list[tuple[Bools, Bools]]
    unit: NDArray[np.int32]
    weights: Weights

    @classmethod
    def of(cls, parts: Sequence[Part]) -> _Pooled:
        given = any(part.matching.scores_given for part in parts)
        order = np.argsort(np.concatenate([_merge_key(part.matching, by_rank=given) for part in parts]), kind="stable")
        first = np.cumsum([0, *(part.units.count for part in parts[:-1])])
        unit = [part.units.pred[part.matching.ranking] + k for part, k in zip(parts, first, strict=True)]
        rule = parts[0].matching.rule
        outcomes = []
        for bucket in ALL_BUCKETS:
            judged = [_outcomes(part.matching, bucket, rule.iou_thresholds) for part in parts]
            true, false = (np.concatenate(kind, axis=1)[:, order] for kind in zip(*judged, strict=True))
            outcomes.append((true, false))
        weights = np.concatenate([part.weights for part in parts], axis=1) if len(parts) > 1 else parts[0].weights
        return cls(outcomes, np.concatenate(unit)[order].astype(np.int32), weights)

    def average_precision(self, bucket: int, threshold: int, positives: Float64) -> Float64:
        # Imported here because reading a report needs no compiler.
        from mitobench.metrics._kernels import best_precision

        true, false = (outcome[threshold] for outcome in self.outcomes[bucket])
        counted = true | false
        best = np.zeros((len(positives), len(_RECALL_POINTS)))
        best_precision(true[counted], self.unit[counted], self.weights, positives, _RECALL_POINTS, best)
        return np.where(positives > 0, best.mean(axis=1), np.nan)


def _merge_key(matching: Matching, *, by_rank: bool) -> Float64:
    """Return what the predictions of a part, by descending score, are merged with those of others by, ascending."""
    return np.arange(len(matching.pred)) / max(len(matching.pred), 1) if by_rank else -matching.score[matching.ranking]


def _positives(part: Part, bucket: str) -> Float64:
    return part.units.sums(part.units.gt, in_bucket(part.matching.gt_bucket, bucket))


def _best_overlap(matching: Matching, bucket: str, thresholds: tuple[float, ...]) -> tuple[Bools, Bools]:
    """Return whether each prediction hits at each threshold and whether what it stands for is inside the bucket."""
    pair = matching.best_of_pred.copy()
    inside_pairs = np.flatnonzero(in_bucket(matching.gt_bucket, bucket)[matching.pair_gt])
    best = best_pairs(matching.pair_pred[inside_pairs], matching.pair_iou[inside_pairs], len(pair))
    inside = best >= 0
    pair[inside] = inside_pairs[best[inside]]
    iou = np.zeros(len(pair))
    iou[pair >= 0] = matching.pair_iou[pair[pair >= 0]]
    return iou >= np.array(thresholds)[:, None], inside


def _greedy(matching: Matching, bucket: str, thresholds: tuple[float, ...]) -> tuple[Bools, Bools]:
    """Return whether each prediction takes a ground truth at each threshold and whether that is inside the bucket."""
    gt_inside = in_bucket(matching.gt_bucket, bucket)
    hit, inside = np.zeros((2, len(thresholds), len(matching.pred)), bool)
    for k, threshold in enumerate(thresholds):
        pairs = _take(matching, gt_inside, np.flatnonzero(matching.pair_iou >= threshold))
        hit[k, matching.pair_pred[pairs]] = True
        inside[k, matching.pair_pred[pairs]] = gt_inside[matching.pair_gt[pairs]]
    return hit, inside


def _take(matching: Matching, gt_inside: Bools, pairs: Int64) -> Int64:
    """Return the pairs that are taken, of the candidates."""
    gt, pred = matching.pair_gt[pairs], matching.pair_pred[pairs]
    contested = (np.bincount(gt)[gt] > 1) | (np.bincount(pred)[pred] > 1)
    if not contested.any():
        return pairs
    rank = np.argsort(matching.ranking)
    order = np.lexsort((gt, -matching.pair_iou[pairs], ~gt_inside[gt], rank[pred]))
    order = order[contested[order]]
    taken_gt, taken_pred, taken = set(), set(), []
    # In this order, a prediction meets its candidates from the best to the worst: the first free one is its own.
    for k, g, p in zip(order.tolist(), gt[order].tolist(), pred[order].tolist(), strict=True):
        if g not in taken_gt and p not in taken_pred:
            taken_gt.add(g)
            taken_pred.add(p)
            taken.append(k)
    return np.concatenate([pairs[~contested], pairs[taken]])


_JUDGES: dict[ApMatching, Callable[[Matching, str, tuple[float, ...]], tuple[Bools, Bools]]] = {
    "best-overlap": _best_overlap,
    "greedy": _greedy,
}
