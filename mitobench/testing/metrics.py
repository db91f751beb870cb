"""Average precision and detection as literal loops over exact fractions, after the text of the definitions."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mitobench.rules import mean_name, metric_name
from mitobench.strata import ALL, ALL_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.rules import Rule
    from mitobench.strata import Result, Value

    Counts = Mapping[tuple[int, int], int]

__all__ = ["average_precision", "detection"]


def average_precision(counts: Counts, rule: Rule, *, scores: Mapping[int, float] | None = None) -> Result:
    """Return what `mitobench.metrics.average_precision` returns, by loops.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    scores
        Confidence by id of the prediction; its voxel count if not given.
    """
    pair = _Pairing(counts, rule)
    ranked = sorted(pair.pred_size, key=lambda p: (-(pair.pred_size if scores is None else scores)[p], p))
    result: Result = {}
    for threshold in rule.iou_thresholds:
        result[metric_name("ap", threshold)] = {b: _ap(pair, ranked, b, threshold) for b in ALL_BUCKETS}
    if len(rule.iou_thresholds) > 1:
        aps = list(result.values())
        result[mean_name("ap", rule.iou_thresholds)] = {b: _mean([ap[b] for ap in aps]) for b in ALL_BUCKETS}
    return result


def detection(counts: Counts, rule: Rule) -> Result:
    """Return what `mitobench.metrics.detection` returns, from a search through all one-to-one pairings.

    Where several pairings are best, any of them is taken. The time grows exponentially with contested pairs.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    """
    pair = _Pairing(counts, rule)
    result: Result = {}
    for threshold in rule.iou_thresholds:
        candidates = [(g, p) for g in pair.gt_size for p in pair.pred_size if _reaches(pair.iou(g, p), threshold)]
        taken = max(_one_to_one(candidates), key=lambda pairs: (len(pairs), sum(pair.iou(g, p) for g, p in pairs)))
        for bucket in ALL_BUCKETS:
            for family, value in _detection_values(pair, taken, bucket).items():
                result.setdefault(metric_name(family, threshold), {})[bucket] = value
    return result


class _Pairing:
    """Sizes, overlaps and buckets of a table of counts."""

    def __init__(self, counts: Counts, rule: Rule) -> None:
        gt_size: dict[int, int] = defaultdict(int)
        pred_size: dict[int, int] = defaultdict(int)
        for (g, p), count in counts.items():
            if g != 0:
                gt_size[g] += count
            if p != 0:
                pred_size[p] += count
        self.gt_size = {g: gt_size[g] for g in sorted(gt_size) if gt_size[g] >= rule.min_gt_size}
        self.pred_size = {p: pred_size[p] for p in sorted(pred_size)}
        self.counts = counts
        self.thresholds = rule.size_thresholds
        self.greedy = rule.ap_matching == "greedy"

    def iou(self, g: int, p: int) -> Fraction:
        n = self.counts.get((g, p), 0)
        return Fraction(n, self.gt_size[g] + self.pred_size[p] - n)

    def is_in(self, bucket: str, size: int) -> bool:
        small, medium = self.thresholds
        own = "small" if size <= small else "medium" if size <= medium else "large"
        return bucket in {ALL, own}

    def best(self, p: int, among: list[int]) -> int | None:
        """Return the ground truth of highest IoU with the prediction, ties: smallest id; None without overlap."""
        touched = [g for g in among if self.iou(g, p) > 0]
        return min(touched, key=lambda g: (-self.iou(g, p), g)) if touched else None


def _reaches(iou: Fraction, threshold: float) -> bool:
    return 100 * iou >= round(100 * threshold)


def _ap(pair: _Pairing, ranked: list[int], bucket: str, threshold: float) -> Value:
    inside = [g for g in pair.gt_size if pair.is_in(bucket, pair.gt_size[g])]
    if not inside:
        return None
    judge = _judge_greedy if pair.greedy else _judge_best_overlap
    true, false = 0, 0
    recall, precision = [], []
    for verdict in judge(pair, ranked, inside, bucket, threshold):
        true += verdict == "true"
        false += verdict == "false"
        recall.append(true / len(inside))
        precision.append(true / (true + false + 2.0**-52))
    return _area(recall, precision)


def _judge_best_overlap(
    pair: _Pairing, ranked: list[int], inside: list[int], bucket: str, threshold: float
) -> Iterator[str]:
    for p in ranked:
        chosen = pair.best(p, inside)
        if chosen is None:
            chosen = pair.best(p, list(pair.gt_size))
        hit = chosen is not None and _reaches(pair.iou(chosen, p), threshold)
        if hit:
            yield "true" if chosen in inside else "ignored"
        else:
            yield "false" if pair.is_in(bucket, pair.pred_size[p]) else "ignored"


def _judge_greedy(pair: _Pairing, ranked: list[int], inside: list[int], bucket: str, threshold: float) -> Iterator[str]:
    free = list(pair.gt_size)
    for p in ranked:
        reached = [g for g in free if _reaches(pair.iou(g, p), threshold)]
        chosen = pair.best(p, [g for g in reached if g in inside])
        if chosen is None:
            chosen = pair.best(p, reached)
        if chosen is not None:
            free.remove(chosen)
            yield "true" if chosen in inside else "ignored"
        else:
            yield "false" if pair.is_in(bucket, pair.pred_size[p]) else "ignored"


def _area(recall: list[float], precision: list[float]) -> float:
    for k in reversed(range(len(precision) - 1)):
        precision[k] = max(precision[k], precision[k + 1])
    total = 0.0
    for r in np.linspace(0, 1, 101):
        reached = [q for rec, q in zip(recall, precision, strict=True) if rec >= r]
        total += reached[0] if reached else 0.0
    return total / 101


def _mean(values: list[Value]) -> Value:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _one_to_one(candidates: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield every set of pairs to which none can be added, and some to which one can."""
    if not candidates:
        yield []
        return
    (g, p), *rest = candidates
    compatible = [(h, q) for h, q in rest if h != g and q != p]
    for pairs in _one_to_one(compatible):
        yield [(g, p), *pairs]
    # An uncontested pair belongs to every best pairing.
    if len(compatible) < len(rest):
        yield from _one_to_one(rest)


def _detection_values(pair: _Pairing, taken: list[tuple[int, int]], bucket: str) -> dict[str, Value]:
    found, used = {g for g, _ in taken}, {p for _, p in taken}
    ious = [pair.iou(g, p) for g, p in taken if pair.is_in(bucket, pair.gt_size[g])]
    tp = len(ious)
    fn = sum(g not in found and pair.is_in(bucket, size) for g, size in pair.gt_size.items())
    fp = sum(p not in used and pair.is_in(bucket, size) for p, size in pair.pred_size.items())
    errors = Fraction(fp + fn, 2)
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": _ratio(tp, tp + errors),
        "accuracy": _ratio(tp, tp + fp + fn),
        "sq": _ratio(sum(ious), tp),
        "pq": _ratio(sum(ious), tp + errors),
    }


def _ratio(part: Fraction | int, whole: Fraction | int) -> float | None:
    return float(Fraction(part) / whole) if whole else None
