"""From the overlap table to what the metrics look at: instances, their buckets and scores, and the IoU of each pair."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mitobench.associations import Associations, associate, best_pairs
from mitobench.errors import InvalidInputError
from mitobench.rules import exact_iou, find_rule
from mitobench.strata import cable_bucket, size_bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from mitobench.overlap import Instances, OverlapTable
    from mitobench.rules import Rule
    from mitobench.strata import Int8
    from mitobench.types import Float64, Int64, Uint64

__all__ = ["Assignment", "Matching", "assign", "check_cable_lengths", "match"]


@dataclass(frozen=True, eq=False)
class Matching:
    """Instances of both sides under one rule, and every pair of them that shares a voxel.

    Attributes
    ----------
    rule
        The rule that dropped crumbs and chose the buckets.
    table
        The overlap table that all this was made from, crumbs and background included.
    gt, pred
        Instances by ascending id, the ground truth without the rule's crumbs. Sizes are never reduced.
    score
        float64 (n,), confidence of each prediction; its voxel count unless given.
    scores_given
        Whether the scores are not the voxel counts.
    cable_length
        float64 (n,), nm, of each ground truth; None where the rule's buckets do not measure it and none were given.
    pair_gt, pair_pred
        int64 (m,), positions in ``gt`` and ``pred``: the pairs, sorted by ``pair_gt``, then ``pair_pred``.
    pair_overlap
        int64 (m,), voxels shared, at least 1.
    pair_iou
        float64 (m,), shared voxels over voxels of the union, in (0, 1].
    """

    rule: Rule
    table: OverlapTable
    gt: Instances
    pred: Instances
    score: Float64
    scores_given: bool
    cable_length: Float64 | None
    pair_gt: Int64
    pair_pred: Int64
    pair_overlap: Int64
    pair_iou: Float64

    @cached_property
    def gt_bucket(self) -> Int8:
        """Index in `mitobench.strata.BUCKETS` of each ground truth, int8 (n,)."""
        if self.rule.size_by == "voxels":
            return size_bucket(self.gt.size, self.rule.size_thresholds)
        assert self.cable_length is not None  # noqa: S101 - match refuses such a rule without lengths
        return cable_bucket(self.cable_length, self.rule.size_thresholds)

    @cached_property
    def pred_bucket(self) -> Int8:
        """Index in `mitobench.strata.BUCKETS` of each prediction, int8 (n,)."""
        if self.rule.size_by == "voxels":
            return size_bucket(self.pred.size, self.rule.size_thresholds)
        highest = np.zeros(len(self.gt) + len(self.pred), np.int8)
        np.maximum.at(highest, self.associations.gt_group, self.gt_bucket)
        return highest[self.associations.pred_group]

    @cached_property
    def associations(self) -> Associations:
        """Which instances belong together, and how."""
        return associate(self.pair_gt, self.pair_pred, self.pair_iou, len(self.gt), self.pred.size)

    @cached_property
    def best_of_gt(self) -> Int64:
        """Position of the pair of highest IoU of each ground truth, int64 (n,); -1 without any, ties: smallest id."""
        return best_pairs(self.pair_gt, self.pair_iou, len(self.gt))

    @cached_property
    def best_of_pred(self) -> Int64:
        """Position of the pair of highest IoU of each prediction, int64 (n,); -1 without any, ties: smallest id."""
        return best_pairs(self.pair_pred, self.pair_iou, len(self.pred))

    @cached_property
    def ranking(self) -> Int64:
        """Positions of the predictions by descending score, int64 (n,); ties by ascending id."""
        return np.argsort(-self.score, kind="stable")


@dataclass(frozen=True, eq=False)
class Assignment:
    """One-to-one pairs of a `Matching`, by ascending ground truth.

    Attributes
    ----------
    gt, pred
        int64 (k,), positions in the matching's ``gt`` and ``pred``; no position occurs twice.
    iou
        float64 (k,).
    """

    gt: Int64
    pred: Int64
    iou: Float64

    def __len__(self) -> int:
        return len(self.iou)


def match(
    table: OverlapTable,
    rule: str | Rule,
    *,
    scores: Mapping[int, float] | None = None,
    cable_lengths: Mapping[int, float] | None = None,
) -> Matching:
    """Return the instances and pairs of an overlap table as a rule sees them.

    Parameters
    ----------
    table
        What the streaming pass over the two volumes counted.
    rule
        A `Rule`, or the name of one in `RULES`.
    scores
        Confidence of each prediction by id, one for each and no other; the voxel counts if not given.
    cable_lengths
        Length in nm of the skeleton of each ground truth by id, one for each and no other.

    Raises
    ------
    InvalidInputError
        Scores or lengths are missing, belong to no instance, or are not finite numbers; a length is negative; the
        rule's buckets measure cable length and none are given.
    UnknownNameError
        No rule has this name.
    """
    rule = find_rule(rule)
    if rule.size_by == "cable-length" and cable_lengths is None:
        raise InvalidInputError(
            f"the buckets of the rule {rule.name} measure cable length, which is not given; give the length in nm of "
            "each ground truth"
        )
    kept = table.gt.size >= rule.min_gt_size
    gt, pred = _only(table.gt, kept), table.pred
    rows = np.flatnonzero((table.gt_id != 0) & (table.pred_id != 0))
    rows = rows[kept[np.searchsorted(table.gt.id, table.gt_id[rows])]]
    pair_gt = np.searchsorted(gt.id, table.gt_id[rows])
    pair_pred = np.searchsorted(pred.id, table.pred_id[rows])
    overlap = table.count[rows]
    return Matching(
        rule=rule,
        table=table,
        gt=gt,
        pred=pred,
        score=pred.size.astype(np.float64) if scores is None else _by_id(_SCORES, scores, pred.id),
        scores_given=scores is not None,
        cable_length=None if cable_lengths is None else check_cable_lengths(cable_lengths, table.gt.id)[kept],
        pair_gt=pair_gt,
        pair_pred=pair_pred,
        pair_overlap=overlap,
        # One correctly rounded division of integers that float64 holds. A threshold is the float64 nearest to k / 100,
        # and n / union differs from k / 100 by nothing or by at least 1 / (100 union), which is more than the spacing
        # of float64 for every union below 9e13 voxels. So `pair_iou >= 0.75` decides exactly as the integers
        # `100 n >= 75 union` would.
        pair_iou=overlap / (gt.size[pair_gt] + pred.size[pair_pred] - overlap),
    )


def assign(matching: Matching, iou_threshold: float) -> Assignment:
    """Return the one-to-one matching at an IoU threshold: as many pairs as possible, then the greatest sum of IoU.

    Above 0.5 no choice exists: two disjoint instances cannot both have an IoU above 0.5 with a third. At 0.5 and below,
    several assignments can be equally good. Then the solver's choice over instances in ascending id is taken, the
    same on every run. The number of pairs and the sum of their IoU do not depend on it, and so neither do TP, FP,
    FN and SQ of the whole volume; which bucket a tied pair counts in may.

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        Multiple of 0.01 in (0, 1]; a pair is a candidate from this IoU on, inclusive.

    Raises
    ------
    InvalidInputError
        The threshold is out of range.
    """
    pairs = np.flatnonzero(matching.pair_iou >= exact_iou(iou_threshold))
    gt, pred = matching.pair_gt[pairs], matching.pair_pred[pairs]
    contested = (np.bincount(gt)[gt] > 1) | (np.bincount(pred)[pred] > 1)
    if contested.any():
        chosen = _resolve(gt[contested], pred[contested], matching.pair_iou[pairs[contested]])
        pairs = np.sort(np.concatenate([pairs[~contested], pairs[contested][chosen]]))
    return Assignment(matching.pair_gt[pairs], matching.pair_pred[pairs], matching.pair_iou[pairs])


def _resolve(gt: Int64, pred: Int64, iou: Float64) -> Int64:
    """Return the positions of the best one-to-one pairs."""
    # Imported here because it takes half a second and most evaluations have no contested pair.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, row = np.unique(gt, return_inverse=True)
    columns, column = np.unique(pred, return_inverse=True)
    alone = np.arange(len(rows))
    # The solver wants a partner for every ground truth, so each gets a column of its own that stands for none. Its cost
    # is more than any sum of IoU of the others can make up for, which puts the number of pairs first.
    none = np.full(len(rows), 2.0 + min(len(rows), len(columns)))
    cost = coo_array(
        (np.concatenate([2 - iou, none]), (np.append(row, alone), np.append(column, len(columns) + alone))),
        shape=(len(rows), len(columns) + len(rows)),
    )
    chosen_row, chosen_column = min_weight_full_bipartite_matching(cost.tocsr())
    partner = np.full(len(rows), -1, np.int64)
    partner[chosen_row] = chosen_column
    return np.flatnonzero(partner[row] == column)


def _only(instances: Instances, kept: NDArray[np.bool_]) -> Instances:
    columns = {field.name: getattr(instances, field.name)[kept] for field in fields(instances)}
    return replace(instances, **columns)


class _Words(NamedTuple):
    """How to speak of values by id."""

    one: str
    many: str
    those: str
    side: str


_SCORES = _Words("score", "scores", "predicted ids", "prediction")
_LENGTHS = _Words("cable length", "cable lengths", "ground-truth ids", "ground truth")


def check_cable_lengths(lengths: Mapping[int, float], ids: Uint64) -> Float64:
    """Return the length of each id, float64 (n,).

    Raises
    ------
    InvalidInputError
        A length is missing, negative or not finite, or belongs to none of the ids.
    """
    values = _by_id(_LENGTHS, lengths, ids)
    _refuse("cable lengths that are negative, of the ids", ids[values < 0].tolist(), "give nm from 0")
    return values


def _by_id(words: _Words, values: Mapping[int, float], ids: Uint64) -> Float64:
    wanted = ids.tolist()
    _refuse(f"no {words.one} for the {words.those}", (i for i in wanted if i not in values), "give one for each")
    known = set(wanted)
    unknown = (i for i in values if i not in known)
    _refuse(f"{words.many} for ids that are not in the {words.side}:", unknown, "remove them")
    numbers = np.array([_number(values[i]) for i in wanted], np.float64)
    bad = ids[~np.isfinite(numbers)].tolist()
    _refuse(f"{words.many} that are not finite numbers, of the ids", bad, "give numbers")
    return numbers


def _number(value: Any) -> float:  # noqa: ANN401 -- whatever the caller's table holds
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _refuse(what: str, ids: Iterable[Any], remedy: str) -> None:
    found = list(ids)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise InvalidInputError(f"{what} {', '.join(map(str, found[:3]))}{more}; {remedy}")
