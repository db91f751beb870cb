"""Parts of a repair analysis: how often each mistake was made, what it costs, how many repairs reach a score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mitobench.metrics.error_groups import ERROR_KINDS, GROUP_KINDS
from mitobench.strata import ALL, ALL_BUCKETS, in_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.metrics._repaired import Prediction, Repairs, View
    from mitobench.metrics.error_groups import ErrorGroups
    from mitobench.strata import ByBucket, Value
    from mitobench.types import Int64

    Bools = NDArray[np.bool_]

__all__ = [
    "Budget",
    "ErrorClass",
    "RuleScores",
    "Step",
    "Unmatched",
    "budget",
    "error_classes",
    "rule_scores",
    "unmatched",
]

_GRID = 11


@dataclass(frozen=True)
class ErrorClass:
    """How often a kind of mistake was made, by bucket, ``all`` among them.

    Attributes
    ----------
    errors
        Groups. One counts in every bucket in which an instance of it is not matched, and once in ``all``.
    gt, pred
        Ground truths and predictions in these groups that are not matched, each in its own bucket: those of the buckets
        add up to ``all``.
    """

    errors: Mapping[str, int]
    gt: Mapping[str, int]
    pred: Mapping[str, int]


@dataclass(frozen=True)
class Step:
    """The repair of all mistakes of one kind, after those of the steps before.

    Attributes
    ----------
    kind
        One of `ERROR_KINDS`.
    score
        Bucket -> value of the ranked metric afterwards.
    """

    kind: str
    score: ByBucket


@dataclass(frozen=True)
class RuleScores:
    """The metric that one rule ranks by, now and after the repair of whole kinds of mistakes.

    Attributes
    ----------
    metric
        Its name.
    now
        Bucket -> value. Only ``all`` where the buckets measure cable lengths that are not known.
    alone
        Kind -> bucket -> value if the mistakes of that kind were repaired and no others.
    cumulative
        One step for each kind that occurs; first the one that raises ``all`` the most, then the one that does so after
        it, and so on. Equals in the order of `ERROR_KINDS`.
    cumulative_by_bucket
        Bucket -> the same, but by what each step does for that bucket; empty for another rule than the matching's own.
    """

    metric: str
    now: ByBucket
    alone: Mapping[str, ByBucket]
    cumulative: tuple[Step, ...]
    cumulative_by_bucket: Mapping[str, tuple[Step, ...]]


@dataclass(frozen=True)
class Budget:
    """How many single repairs bring the score of one bucket to the target.

    Attributes
    ----------
    errors
        Groups that count in the bucket: the repairs that can be made.
    to_target
        The number of repairs, in the order of `repair_analysis`, with which the score reaches the target while it does
        not with one fewer; 0 if it is there already. None if all repairs together do not reach it, or if the bucket has
        no ground truth.
    curve
        (repairs, score) by ascending repairs, from none to all, both sides of the crossing included; empty for a bucket
        without ground truth.
    """

    errors: int
    to_target: int | None
    curve: tuple[tuple[int, Value], ...]


class Unmatched(NamedTuple):
    """What each group leaves unmatched in one bucket.

    Attributes
    ----------
    gt, pred
        int64 (n,), instances.
    voxels
        int64 (n,), those of both.
    """

    gt: Int64
    pred: Int64
    voxels: Int64


def unmatched(matching: Matching, groups: ErrorGroups, bucket: str) -> Unmatched:
    """Return what each group leaves unmatched in a bucket, every instance in its own."""
    gt = np.flatnonzero(~groups.gt_matched & in_bucket(matching.gt_bucket, bucket))
    pred = np.flatnonzero(~groups.pred_matched & in_bucket(matching.pred_bucket, bucket))
    group = np.append(groups.gt_group[gt], groups.pred_group[pred])
    size = np.append(matching.gt.size[gt], matching.pred.size[pred])
    return Unmatched(
        np.bincount(groups.gt_group[gt], minlength=len(groups)),
        np.bincount(groups.pred_group[pred], minlength=len(groups)),
        np.bincount(group, weights=size, minlength=len(groups)).astype(np.int64),
    )


def error_classes(groups: ErrorGroups, left: Mapping[str, Unmatched]) -> dict[str, ErrorClass]:
    """Return how often each kind occurs, of what the groups leave unmatched by bucket."""
    classes = {}
    for kind in ERROR_KINDS:
        member = _is_kind(groups, kind)
        classes[kind] = ErrorClass(
            errors={bucket: int((member & (un.gt + un.pred > 0)).sum()) for bucket, un in left.items()},
            gt={bucket: int(un.gt[member].sum()) for bucket, un in left.items()},
            pred={bucket: int(un.pred[member].sum()) for bucket, un in left.items()},
        )
    return classes


def rule_scores(repairs: Repairs, views: Mapping[str, View], own: str) -> dict[str, RuleScores]:
    """Return the scores of every view, by label, with the best orders by bucket for one of them."""
    groups = repairs.groups
    errors = {kind: groups.is_error & _is_kind(groups, kind) for kind in ERROR_KINDS}
    kinds = [kind for kind in ERROR_KINDS if errors[kind].any()]

    @cache
    def prediction(repaired: frozenset[str]) -> Prediction:
        fixed = np.zeros(len(groups), bool)
        for kind in repaired:
            fixed |= errors[kind]
        return repairs.prediction(fixed)

    return {
        label: _scores_of(view, kinds, prediction, ALL_BUCKETS if label == own else ()) for label, view in views.items()
    }


def budget(repairs: Repairs, view: View, bucket: str, left: Unmatched, target: float) -> Budget:
    """Return how many repairs bring the score of a bucket to the target."""
    order = _order(left, target)
    if not in_bucket(repairs.matching.gt_bucket, bucket).any():
        return Budget(len(order), None, ())
    curve: dict[int, Value] = {}

    def reaches(count: int) -> bool:
        fixed = np.zeros(len(repairs.groups), bool)
        fixed[order[:count]] = True
        curve[count] = view.score(repairs.prediction(fixed), bucket)[bucket]
        return _rank(curve[count]) >= target

    grid = np.unique(np.linspace(0, len(order), _GRID).round().astype(np.int64)).tolist()
    reached = [count for count in grid if reaches(count)]
    to_target = _crossing(grid, reached[0], reaches) if reached else None
    return Budget(len(order), to_target, tuple(sorted(curve.items())))


def _is_kind(groups: ErrorGroups, kind: str) -> Bools:
    member: Bools = groups.kind == GROUP_KINDS.index(kind)
    return member


def _scores_of(
    view: View, kinds: Sequence[str], prediction: Callable[[frozenset[str]], Prediction], buckets: Iterable[str]
) -> RuleScores:
    @cache
    def score(repaired: frozenset[str]) -> ByBucket:
        return view.score(prediction(repaired))

    now = score(frozenset())
    return RuleScores(
        metric=view.rule.rank_by,
        now=now,
        alone={kind: score(frozenset({kind})) if kind in kinds else now for kind in ERROR_KINDS},
        cumulative=_best_order(kinds, score, ALL),
        cumulative_by_bucket={bucket: _best_order(kinds, score, bucket) for bucket in buckets},
    )


def _best_order(kinds: Sequence[str], score: Callable[[frozenset[str]], ByBucket], bucket: str) -> tuple[Step, ...]:
    repaired: frozenset[str] = frozenset()
    steps = []
    while left := [kind for kind in kinds if kind not in repaired]:
        best = max(left, key=lambda kind: _rank(score(repaired | {kind})[bucket]))
        repaired |= {best}
        steps.append(Step(best, score(repaired)))
    return tuple(steps)


def _rank(value: Value) -> float:
    return -math.inf if value is None else value


def _order(left: Unmatched, target: float) -> Int64:
    """Return the groups that count in a bucket, in the order in which they are repaired."""
    members = np.flatnonzero(left.gt + left.pred)
    gain = left.gt[members] + target * left.pred[members]
    order: Int64 = members[np.lexsort((-left.voxels[members], -gain))]
    return order


def _crossing(grid: Sequence[int], reached: int, reaches: Callable[[int], bool]) -> int:
    """Return a number that reaches the target while one less does not, up to a point of the grid that reaches it."""
    missed = max((count for count in grid if count < reached), default=reached)
    while reached - missed > 1:
        middle = (missed + reached) // 2
        missed, reached = (missed, middle) if reaches(middle) else (middle, reached)
    return reached
