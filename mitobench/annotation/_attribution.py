"""Which edits of an annotation moved the score of a prediction, from the voxels that three volumes share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mitobench.annotation._edits import EDIT_KINDS, UNCHANGED
from mitobench.matching import match
from mitobench.metrics import find_metric
from mitobench.overlap import OverlapTable
from mitobench.rules import mean_name
from mitobench.strata import ALL, ALL_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mitobench.annotation._edits import Edits
    from mitobench.rules import Rule
    from mitobench.strata import ByBucket, Value
    from mitobench.types import Float64, Uint64

    Bools = NDArray[np.bool_]

__all__ = ["Attribution", "Intermediates", "attribute", "shapley", "with_gt"]


@dataclass(frozen=True)
class Attribution:
    """How much of the change of a score is due to each kind of edit.

    Attributes
    ----------
    metric
        The one that the rule ranks by.
    change
        Bucket -> score against the new annotation minus score against the old one; here and below None where a score
        that it takes is undefined. Only ``all`` under rules that sort by cable length.
    share
        Kind of edit that there is -> bucket -> its part of the change: what its edits add to the score on average over
        all orders in which the kinds can be applied (Shapley value). The parts sum up to the change.
    alone
        Kind -> bucket -> the score if only the edits of this kind are applied.
    cumulative
        Kind -> bucket -> the score if the edits of this kind and of all the kinds before it are applied.
    """

    metric: str
    change: Mapping[str, Value]
    share: Mapping[str, Mapping[str, Value]]
    alone: Mapping[str, Mapping[str, Value]]
    cumulative: Mapping[str, Mapping[str, Value]]


class Intermediates:
    """The annotations in which some edits are applied and others are not, as overlap tables with a prediction.

    Where an edit is applied, the voxels of its new instances are theirs. Of all other voxels, those of the old
    instances of edits that are not applied are theirs, and the rest is background. So where an edit that is applied
    and one that is not claim the same voxel, the new instance has it.

    Parameters
    ----------
    triples
        Voxels shared by 1 + row of ``pairs`` and each prediction.
    pairs
        The overlap table of the old annotation and the new one.
    edits
        Of that table.
    """

    def __init__(self, triples: OverlapTable, pairs: OverlapTable, edits: Edits) -> None:
        self._triples = triples
        # Old instances are numbered from 1 by ascending id and new ones after them, so that ties go as they go with
        # either annotation itself.
        n_old = len(pairs.gt)
        row = triples.gt_id.astype(np.int64) - 1
        inside = row >= 0
        self._old, self._new = np.zeros((2, len(triples)), np.int64)
        self._old[inside] = _number(pairs.gt.id, pairs.gt_id[row[inside]])
        self._new[inside] = _number(pairs.pred.id, pairs.pred_id[row[inside]])
        self._old_group = np.append(-1, edits.old_group)[self._old]
        self._new_group = np.append(-1, edits.new_group)[self._new]
        self._new[self._new > 0] += n_old

    def table(self, applied: Bools) -> OverlapTable:
        """Return the overlap table of an annotation and the prediction.

        Parameters
        ----------
        applied
            bool (n,), whether the new version of each group is taken.

        Returns
        -------
        OverlapTable
            Old instances have 1 + their position for an id, new ones are counted on after them.
        """
        # Background is of no group, whatever the last entry says.
        state = np.append(applied, np.False_)
        taken = np.where(state[self._new_group] & (self._new > 0), self._new, 0)
        stays = (taken == 0) & ~state[self._old_group]
        return with_gt(self._triples, np.where(stays, self._old, taken).astype(np.uint64))


def _number(ids: Uint64, of: Uint64) -> NDArray[np.int64]:
    """Return 1 + the position of each id, 0 for background."""
    return np.where(of == 0, 0, 1 + np.searchsorted(ids, of))


def with_gt(table: OverlapTable, gt_id: Uint64) -> OverlapTable:
    """Return the table of a ground truth that has these ids in the rows of another one."""
    rows = (gt_id != 0) | (table.pred_id != 0)
    return OverlapTable.merge(
        OverlapTable(
            voxels=table.voxels,
            gt_id=gt_id[rows],
            pred_id=table.pred_id[rows],
            count=table.count[rows],
            box_min=table.box_min[rows],
            box_max=table.box_max[rows],
            coord_sum=table.coord_sum[rows],
        )
    )


def attribute(
    intermediates: Intermediates, edits: Edits, rule: Rule, scores: Mapping[int, float] | None = None
) -> Attribution:
    """Return what each kind of edit does to the metric that a rule ranks by.

    Parameters
    ----------
    intermediates
        What there is to score.
    edits
        What was edited.
    rule
        How to score. Buckets of cable length are left out: an instance that another edit has cut into has no length.
    scores
        Confidence of each prediction by id; the voxel counts if not given.
    """
    kinds = [k for k in range(len(EDIT_KINDS)) if k != UNCHANGED and (edits.kind == k).any()]
    buckets = ALL_BUCKETS if rule.size_by == "voxels" else (ALL,)
    narrow = _narrow(rule)
    results: list[ByBucket] = []
    for subset in range(2 ** len(kinds)):
        chosen = [kind for position, kind in enumerate(kinds) if subset >> position & 1]
        applied = np.isin(edits.kind, chosen) if len(chosen) < len(kinds) else np.ones(len(edits), bool)
        matching = match(intermediates.table(applied), narrow, scores=scores)
        result = find_metric(rule.rank_by).function(matching)[rule.rank_by]
        results.append({bucket: result[bucket] for bucket in buckets})
    names = [EDIT_KINDS[k] for k in kinds]
    shares = {bucket: shapley([one[bucket] for one in results]) for bucket in buckets}
    return Attribution(
        metric=rule.rank_by,
        change={bucket: _difference(results[-1][bucket], results[0][bucket]) for bucket in buckets},
        share={name: {bucket: shares[bucket][k] for bucket in buckets} for k, name in enumerate(names)},
        alone={name: results[2**k] for k, name in enumerate(names)},
        cumulative={name: results[2 ** (k + 1) - 1] for k, name in enumerate(names)},
    )


def _narrow(rule: Rule) -> Rule:
    """Return the rule with the thresholds that its ranked metric needs, and with buckets of voxels."""
    rule = replace(rule, size_by="voxels")
    if rule.rank_by == mean_name("ap", rule.iou_thresholds):
        return replace(rule, detection_thresholds=())
    return replace(rule, iou_thresholds=(rule.ranking_iou,), detection_thresholds=())


def shapley(values: list[Value]) -> list[Value]:
    """Return what each player adds to the value of a set, on average over all orders in which they can join.

    Parameters
    ----------
    values
        Value of each of the 2^n sets; bit k of the position says whether player k is in.

    Returns
    -------
    list
        One for each of the n players, adding up to the value of all minus that of none; None for all where a value is
        undefined.

    Examples
    --------
    Two that are worth 1 and 2 alone, and 4 together:

    >>> shapley([0, 1, 2, 4])
    [1.5, 2.5]
    """
    players = len(values).bit_length() - 1
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return [None] * players
    numbers: Float64 = np.array(known, np.float64)
    sets = np.arange(len(values))
    size = np.array([subset.bit_count() for subset in sets.tolist()])
    weight = np.array([1 / (players * math.comb(players - 1, k)) for k in range(players)])
    shares: list[Value] = []
    for player in range(players):
        without = sets[(sets >> player & 1) == 0]
        gain = numbers[without | 1 << player] - numbers[without]
        shares.append(math.fsum(weight[size[without]] * gain))
    return shares


def _difference(new: Value, old: Value) -> Value:
    return None if new is None or old is None else new - old
