"""What it takes to mend a prediction: the score without a kind of mistake, and the repairs that a score costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.metrics._repair_costs import (
    Budget,
    ErrorClass,
    RuleScores,
    Step,
    budget,
    error_classes,
    rule_scores,
    unmatched,
)
from mitobench.metrics._repaired import Repairs, View, fresh_ids
from mitobench.metrics.error_groups import error_groups
from mitobench.rules import RULES
from mitobench.strata import ALL_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mitobench.matching import Matching
    from mitobench.overlap import OverlapTable
    from mitobench.rules import Rule
    from mitobench.types import Uint64

__all__ = ["Budget", "ErrorClass", "RepairAnalysis", "RuleScores", "Step", "repair", "repair_analysis"]


@dataclass(frozen=True)
class RepairAnalysis:
    """What every kind of mistake costs, and how many repairs reach a score.

    Attributes
    ----------
    target
        The score to reach.
    iou_threshold
        The one at which instances are matched or not, the ranking one of the matching's rule.
    classes
        Kind -> how often it occurs.
    scores
        Label of a rule, that of the matching first -> its scores.
    repairs
        Bucket -> how many single repairs reach the target, under the rule of the matching.
    """

    target: float
    iou_threshold: float
    classes: Mapping[str, ErrorClass]
    scores: Mapping[str, RuleScores]
    repairs: Mapping[str, Budget]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, texts, numbers and None."""
        values: dict[str, Any] = _plain(asdict(self))
        return values


def repair(table: OverlapTable, gt_ids: Uint64, pred_ids: Uint64) -> OverlapTable:
    """Return the overlap table of a prediction in which some mistakes were repaired.

    First the voxels of the predictions become background. Then the voxels of each of the ground truths become a new
    predicted instance, whatever they were before: other predictions lose theirs. The k-th instance of the ground truth,
    by ascending id and from 0, gets the id k + 1 above the largest predicted one, whether others are repaired or not.
    Where these exceed 2^64 - 1 it gets the k-th of the ids that no prediction has.

    Parameters
    ----------
    table
        Of the ground truth and the prediction.
    gt_ids
        uint64 (n,), ground truths to predict anew. Ids that do not occur change nothing, here and below.
    pred_ids
        uint64 (m,), predictions to erase.

    Returns
    -------
    OverlapTable
        Exactly that of the ground truth and the relabelled prediction.

    Examples
    --------
    >>> from mitobench.testing import counts_of_table, table_from_counts
    >>> def repaired(counts, gt_ids, pred_ids):
    ...     return counts_of_table(repair(table_from_counts(counts), np.uint64(gt_ids), np.uint64(pred_ids)))

    Two pieces that reach beyond their ground truth, and a neighbour that is itself left alone:

    >>> repaired({(1, 1): 60, (1, 2): 30, (0, 2): 9, (1, 3): 10, (2, 3): 40}, [1], [1, 2])
    {(1, 4): 100, (2, 3): 40}

    A false positive leaves nothing behind:

    >>> repaired({(0, 1): 60, (1, 1): 2}, [], [1])
    {(1, 0): 2}
    """
    new_id = fresh_ids(table.pred.id, len(table.gt))
    known = np.isin(table.gt_id, gt_ids) & (table.gt_id != 0)
    pred_id = np.where(np.isin(table.pred_id, pred_ids), np.uint64(0), table.pred_id)
    pred_id[known] = new_id[np.searchsorted(table.gt.id, table.gt_id[known])]
    rows = (table.gt_id != 0) | (pred_id != 0)
    return table.merge(
        replace(
            table,
            gt_id=table.gt_id[rows],
            pred_id=pred_id[rows],
            count=table.count[rows],
            box_min=table.box_min[rows],
            box_max=table.box_max[rows],
            coord_sum=table.coord_sum[rows],
        )
    )


def repair_analysis(
    matching: Matching, *, target: float = 0.9, rules: Iterable[Rule] = tuple(RULES.values())
) -> RepairAnalysis:
    """Return what each kind of mistake costs under several rules, and how many repairs bring the score to a target.

    A repair undoes one group of `mitobench.metrics.error_groups.error_groups` perfectly: its predictions are erased and
    each of its ground truths is predicted voxel by voxel, as `repair` does it. The groups are those of the rule of the
    matching at the threshold that it ranks by. A new prediction has the confidence of its voxel count, or, where
    scores are given, the highest of them: a person has confirmed it.

    Single repairs are made in the order of a + target * b, where a and b are the ground truths and predictions of the
    bucket that the group leaves unmatched: the most first, among equals the ones of most unmatched voxels. For
    accuracy, TP / (TP + FP + FN), this needs the fewest repairs that reach the target, as long as repairs do not touch
    each other, for a + target * b is what one adds to TP - target * (TP + FP + FN). For other metrics their number is
    an upper bound of the fewest. Where the score does not rise with every repair it can reach the target more than
    once; then the first crossing that the points of the curve enclose is taken.

    Repairs can reach a score of 1 in average precision, precision, recall, F1 and accuracy over ``all``, except under
    a rule that ranks at a higher threshold or keeps crumbs that the rule of the matching drops. They need not in a
    bucket: a prediction of its size that is matched to a ground truth of another bucket can be a false positive there.
    Segmentation and panoptic quality stay below 1 because pairs that are matched are not repaired.

    Parameters
    ----------
    matching
        All pairs.
    target
        Score to reach, above 0 and up to 1.
    rules
        Rules to score with besides that of the matching; those with its label are left out.

    Raises
    ------
    InvalidInputError
        The target is out of range.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> counts = {(1, 1): 100, (2, 2): 60, (2, 3): 40, (3, 0): 50, (0, 9): 10}
    >>> analysis = repair_analysis(match(table_from_counts(counts), "mitoem-2020"))
    >>> scores = analysis.scores["mitoem-2020"]
    >>> round(scores.now["all"], 3), [(step.kind, round(step.score["all"], 3)) for step in scores.cumulative]
    (0.337, [('split', 0.663), ('missed', 1.0), ('false', 1.0)])

    The split instance and the missed one have to be repaired for 0.9, the invented one need not:

    >>> analysis.repairs["all"].to_target, analysis.repairs["all"].errors
    (2, 3)
    """
    if not 0 < target <= 1:
        raise InvalidInputError(f"target is {target!r}; allowed: a score above 0 and up to 1")
    groups = error_groups(matching)
    left = {bucket: unmatched(matching, groups, bucket) for bucket in ALL_BUCKETS}
    repairs = Repairs(matching, groups)
    own = matching.rule.label
    views = {own: View(repairs, matching.rule)}
    for rule in rules:
        if rule.label not in views:
            views[rule.label] = View(repairs, rule)
    return RepairAnalysis(
        target=target,
        iou_threshold=matching.rule.ranking_iou,
        classes=error_classes(groups, left),
        scores=rule_scores(repairs, views, own),
        repairs={bucket: budget(repairs, views[own], bucket, left[bucket], target) for bucket in ALL_BUCKETS},
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
