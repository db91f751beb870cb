"""Average precision and detection as literal loops over exact fractions, after the text of the definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mitobench.rules import mean_name, metric_name
from mitobench.strata import ALL_BUCKETS
from mitobench.testing._pairing import Pairing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.rules import Rule
    from mitobench.strata import Result, Value
    from mitobench.testing._pairing import Counts


__all__ = ["average_precision", "detection"]


def average_precision(
    counts: Counts,
    rule: Rule,
    *,
    scores: Mapping[int, float] | None = None,
    cable_lengths: Mapping[int, float] | None = None,
) -> Result:
    """Return what `mitobench.metrics.average_precision` returns, by loops.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    scores
        Confidence by id of the prediction; its voxel count if not given.
    cable_lengths
        Nanometres by id of the ground truth, for rules that sort by them.
    """
    pair = Pairing(counts, rule, cable_lengths)
    ranked = sorted(pair.pred_size, key=lambda p: (-(pair.pred_size if scores is None else scores)[p], p))
    result: Result = {}
    for threshold in rule.iou_thresholds:
        result[metric_name("ap", threshold)] = {b: _ap(pair, ranked, b, threshold) for b in ALL_BUCKETS}
    if len(rule.iou_thresholds) > 1:
        aps = list(result.values())
        result[mean_name("ap", rule.iou_thresholds)] = {b: _mean([ap[b] for ap in aps]) for b in ALL_BUCKETS}
    return result


def detection(counts: Counts, rule: Rule, *, cable_lengths: Mapping[int, float] | None = None) -> Result:
    """Return what `mitobench.metrics.detection` returns, from a search through all one-to-one pairings.

    Where several pairings are best, any of them is taken. The time grows exponentially with contested pairs.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    cable_lengths
        Nanometres by id of the ground truth, for rules that sort by them.
    """
    pair = Pairing(counts, rule, cable_lengths)
    values = _by_best_overlap if rule.detection_matching == "best-overlap" else _one_to_one
    result: Result = {}
    for threshold in rule.detection_ious:
        for bucket, families in values(pair, threshold):
            for family, value in families.items():
                result.setdefault(metric_name(family, threshold), {})[bucket] = value
    return result


def _one_to_one(pair: Pairing, threshold: float) -> Iterator[tuple[str, dict[str, Value]]]:
    candidates = [(g, p) for g in pair.gt_size for p in pair.pred_size if _reaches(pair.iou(g, p), threshold)]
    taken = max(_pairings(candidates), key=lambda pairs: (len(pairs), sum(pair.iou(g, p) for g, p in pairs)))
    found, used = {g for g, _ in taken}, {p for _, p in taken}
    for bucket in ALL_BUCKETS:
        ious = [pair.iou(g, p) for g, p in taken if pair.gt_is_in(bucket, g)]
        fn = sum(g not in found and pair.gt_is_in(bucket, g) for g in pair.gt_size)
        fp = sum(p not in used and pair.pred_is_in(bucket, p) for p in pair.pred_size)
        yield bucket, _families(ious, fp, fn)


def _by_best_overlap(pair: Pairing, threshold: float) -> Iterator[tuple[str, dict[str, Value]]]:
    best = {p: pair.best(p, list(pair.gt_size)) for p in pair.pred_size}
    for bucket in ALL_BUCKETS:
        gts = [g for g in pair.gt_size if pair.gt_is_in(bucket, g)]
        preds = {p for p in pair.pred_size if best[p] in gts or pair.pred_is_in(bucket, p)}
        hits = {g: [pair.iou(g, p) for p in preds if best[p] == g and _reaches(pair.iou(g, p), threshold)] for g in gts}
        ious = [max(values) for values in hits.values() if values]
        yield bucket, _families(ious, len(preds) - len(ious), len(gts) - len(ious))


def _reaches(iou: Fraction, threshold: float) -> bool:
    return 100 * iou >= round(100 * threshold)


def _ap(pair: Pairing, ranked: list[int], bucket: str, threshold: float) -> Value:
    inside = [g for g in pair.gt_size if pair.gt_is_in(bucket, g)]
    if not inside:
        return None
    judge = _judge_greedy if pair.rule.ap_matching == "greedy" else _judge_best_overlap
    true, false = 0, 0
    recall, precision = [], []
    for verdict in judge(pair, ranked, inside, bucket, threshold):
        true += verdict == "true"
        false += verdict == "false"
        recall.append(true / len(inside))
        precision.append(true / (true + false + 2.0**-52))
    return _area(recall, precision)


def _judge_best_overlap(
    pair: Pairing, ranked: list[int], inside: list[int], bucket: str, threshold: float
) -> Iterator[str]:
    for p in ranked:
        chosen = pair.best(p, inside)
        if chosen is None:
            chosen = pair.best(p, list(pair.gt_size))
        hit = chosen is not None and _reaches(pair.iou(chosen, p), threshold)
        if hit:
            yield "true" if chosen in inside else "ignored"
        else:
            yield "false" if pair.pred_is_in(bucket, p) else "ignored"


def _judge_greedy(pair: Pairing, ranked: list[int], inside: list[int], bucket: str, threshold: float) -> Iterator[str]:
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
            yield "false" if pair.pred_is_in(bucket, p) else "ignored"


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


def _pairings(candidates: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield every set of pairs to which none can be added, and some to which one can."""
    if not candidates:
        yield []
        return
    (g, p), *rest = candidates
    compatible = [(h, q) for h, q in rest if h != g and q != p]
    for pairs in _pairings(compatible):
        yield [(g, p), *pairs]
    # An uncontested pair belongs to every best pairing.
    if len(compatible) < len(rest):
        yield from _pairings(rest)


def _families(ious: list[Fraction], fp: int, fn: int) -> dict[str, Value]:
    tp = len(ious)
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
        "mean_true_score": _ratio(sum(ious), tp + fn),
    }


def _ratio(part: Fraction | int, whole: Fraction | int) -> float | None:
    return float(Fraction(part) / whole) if whole else None
