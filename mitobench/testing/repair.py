"""Error groups, repaired predictions and their scores as literal loops, after the text of the definitions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from mitobench.strata import ALL_BUCKETS
from mitobench.testing._pairing import Pairing
from mitobench.testing.metrics import average_precision, detection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mitobench.overlap import OverlapTable
    from mitobench.rules import Rule
    from mitobench.strata import ByBucket
    from mitobench.testing._pairing import Counts
    from mitobench.types import AnyArray

__all__ = ["ErrorGroup", "error_groups", "relabelled", "repaired_counts", "repaired_scores"]


class ErrorGroup(NamedTuple):
    """Instances that share a mistake, and its kind."""

    kind: str
    gts: set[int]
    preds: set[int]


def error_groups(counts: Counts, rule: Rule, pairs: set[tuple[int, int]]) -> list[ErrorGroup]:
    """Return what `mitobench.metrics.error_groups` returns, by walking from instance to instance.

    In the same order: by the smallest ground truth, after them those of predictions only.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    pairs
        The one-to-one pairs at the threshold, by ids.
    """
    pair = Pairing(counts, rule)
    links = pairs | {
        (g, p)
        for (g, p), n in counts.items()
        if g in pair.gt_size and p in pair.pred_size and (2 * n > pair.gt_size[g] or 2 * n > pair.pred_size[p])
    }
    left = [("gt", g) for g in pair.gt_size] + [("pred", p) for p in pair.pred_size]
    groups = []
    while left:
        gts, preds = _walk(left[0], links)
        groups += _named(gts, preds, pair, pairs)
        left = [(side, k) for side, k in left if k not in (gts if side == "gt" else preds)]
    return sorted(groups, key=lambda group: (not group.gts, min(group.gts or group.preds)))


def _walk(start: tuple[str, int], links: set[tuple[int, int]]) -> tuple[set[int], set[int]]:
    gts, preds = ({start[1]}, set()) if start[0] == "gt" else (set(), {start[1]})
    for _ in range(len(links)):
        gts |= {g for g, p in links if p in preds}
        preds |= {p for g, p in links if g in gts}
    return gts, preds


def _named(gts: set[int], preds: set[int], pair: Pairing, pairs: set[tuple[int, int]]) -> list[ErrorGroup]:
    match len(gts), len(preds):
        case 1, 1:
            return _one_and_one(min(gts), min(preds), pair, pairs)
        case _, 0:
            kind = "missed"
        case 0, _:
            kind = "false"
        case 1, _:
            kind = "split"
        case _, 1:
            kind = "merged"
        case _:
            kind = "many-to-many"
    return [ErrorGroup(kind, gts, preds)]


def _one_and_one(g: int, p: int, pair: Pairing, pairs: set[tuple[int, int]]) -> list[ErrorGroup]:
    if (g, p) in pairs:
        return [ErrorGroup("matched", {g}, {p})]
    if 2 * pair.iou(g, p) >= 1:
        return [ErrorGroup("boundary", {g}, {p})]
    return [ErrorGroup("missed", {g}, set()), ErrorGroup("false", set(), {p})]


def relabelled(
    gt: AnyArray, pred: AnyArray, table: OverlapTable, gt_ids: Iterable[int], pred_ids: Iterable[int]
) -> AnyArray:
    """Return the prediction after the repairs that `mitobench.metrics.repair` makes to the table of both.

    Parameters
    ----------
    gt, pred
        uint64 (z, y, x).
    table
        Their overlap table.
    gt_ids, pred_ids
        Ground truths to predict anew and predictions to erase.
    """
    names = _new_names(table.gt.id.tolist(), table.pred.id.tolist())
    repaired = pred.copy()
    for p in pred_ids:
        repaired[pred == p] = 0
    for g in gt_ids:
        repaired[gt == g] = names[g]
    return repaired


def repaired_counts(counts: Counts, gt_ids: Iterable[int], pred_ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Return the shared voxels by ids after the same repairs."""
    fixed, gone = set(gt_ids), set(pred_ids)
    names = _new_names(sorted({g for g, _ in counts} - {0}), sorted({p for _, p in counts} - {0}))
    repaired: dict[tuple[int, int], int] = defaultdict(int)
    for (g, p), n in counts.items():
        repaired[g, names[g] if g in fixed else 0 if p in gone else p] += n
    return {ids: n for ids, n in repaired.items() if ids != (0, 0)}


def repaired_scores(
    counts: Counts,
    groups: Sequence[ErrorGroup],
    rule: Rule,
    *,
    scores: Mapping[int, float] | None = None,
    cable_lengths: Mapping[int, float] | None = None,
) -> ByBucket:
    """Return the metric that a rule ranks by after the repair of some groups, by the slow twins of the metrics.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    groups
        What is repaired.
    rule
        The rule.
    scores
        Confidence by id of the prediction; new ones get the highest.
    cable_lengths
        Nanometres by id of the ground truth, for rules that sort by them.
    """
    gts, preds = set[int]().union(*(g.gts for g in groups)), set[int]().union(*(g.preds for g in groups))
    repaired = repaired_counts(counts, gts, preds)
    if scores is not None:
        highest = max(scores.values(), default=0.0)
        scores = {p: scores.get(p, highest) for _, p in repaired if p}
    if rule.rank_by.startswith("ap_"):
        values = average_precision(repaired, rule, scores=scores, cable_lengths=cable_lengths)[rule.rank_by]
    else:
        values = detection(repaired, rule, cable_lengths=cable_lengths)[rule.rank_by]
    return {bucket: values[bucket] for bucket in ALL_BUCKETS}


def _new_names(gt_ids: list[int], pred_ids: list[int]) -> dict[int, int]:
    """Return the id of the new prediction of each ground truth."""
    last = max(pred_ids, default=0)
    if last + len(gt_ids) < 2**64:
        return {g: last + k for k, g in enumerate(gt_ids, start=1)}
    free = (k for k in range(1, 2**64) if k not in pred_ids)
    return {g: next(free) for g in gt_ids}
