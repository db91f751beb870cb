"""Which instances of the two sides are entangled in one mistake: the units in which a prediction is repaired."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mitobench.matching import assign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.strata import Int8
    from mitobench.types import Int64

    Bools = NDArray[np.bool_]

__all__ = ["ERROR_KINDS", "GROUP_KINDS", "ErrorGroups", "error_groups"]

GROUP_KINDS = ("matched", "missed", "false", "split", "merged", "many-to-many", "boundary")
"""Kinds of a group."""
ERROR_KINDS = GROUP_KINDS[1:]
"""Kinds of a group that needs repair."""

_MATCHED, _MISSED, _FALSE, _SPLIT, _MERGED, _MANY, _BOUNDARY = range(len(GROUP_KINDS))
_POOR = 0.5


@dataclass(frozen=True, eq=False)
class ErrorGroups:
    """Groups of instances of a `Matching`, each instance in exactly one.

    They are numbered by their first instance: ground truths by ascending id, after them predictions by ascending id.

    Attributes
    ----------
    kind
        int8 (n,), index in `GROUP_KINDS` of each group.
    gt_group, pred_group
        int64 (n,), the group of each instance.
    gt_matched, pred_matched
        bool (n,), whether the instance is one of a one-to-one pair at the threshold.
    """

    kind: Int8
    gt_group: Int64
    pred_group: Int64
    gt_matched: Bools
    pred_matched: Bools

    def __len__(self) -> int:
        return len(self.kind)

    @cached_property
    def is_error(self) -> Bools:
        """Whether an instance of the group is not matched, bool (n,)."""
        wrong = np.zeros(len(self), bool)
        wrong[self.gt_group[~self.gt_matched]] = True
        wrong[self.pred_group[~self.pred_matched]] = True
        return wrong

    @property
    def gt_verdict(self) -> Int8:
        """Index in `GROUP_KINDS` of each ground truth: matched if it is so itself, else the kind of its group."""
        return np.where(self.gt_matched, np.int8(_MATCHED), self.kind[self.gt_group])

    @property
    def pred_verdict(self) -> Int8:
        """Index in `GROUP_KINDS` of each prediction: matched if it is so itself, else the kind of its group."""
        return np.where(self.pred_matched, np.int8(_MATCHED), self.kind[self.pred_group])


def error_groups(matching: Matching, iou_threshold: float | None = None) -> ErrorGroups:
    """Return the groups of instances that share a mistake.

    A ground truth and a prediction are linked if they share more than half of the voxels of either, or if they are one
    of the pairs of `mitobench.matching.assign` at the threshold. What is linked, directly or through others, is one
    group, and its kind is

    ================ ==================================================================
    ``matched``      one of each side, a pair
    ``boundary``     one of each side, no pair, but IoU at least 0.5: a poor outline
    ``missed``       a ground truth alone
    ``false``        a prediction alone
    ``split``        one ground truth, several predictions
    ``merged``       several ground truths, one prediction
    ``many-to-many`` several of both
    ================ ==================================================================

    One of each side with an IoU below 0.5 are two groups, ``missed`` and ``false``. At a threshold up to 0.5 no group
    is ``boundary``. IoU is compared exactly, also under a rule that rounds it. Crumbs that the rule drops are no ground
    truth, so a prediction of nothing else is ``false``.
    A ``split`` ground truth can still be matched by one of its pieces; `ErrorGroups.is_error` tells that something in
    the group is not. Swapping the sides swaps ``missed`` with ``false`` and ``split`` with ``merged``, above 0.5, where
    the pairs are unique.

    Parameters
    ----------
    matching
        All pairs.
    iou_threshold
        Multiple of 0.01 in (0, 1]; the one that the rule ranks by if not given.

    Raises
    ------
    InvalidInputError
        The threshold is out of range.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def kinds(counts, iou_threshold=None):
    ...     groups = error_groups(match(table_from_counts(counts), "mitoem-2020"), iou_threshold)
    ...     return [GROUP_KINDS[k] for k in groups.kind]

    Two pieces of one instance are one mistake, and so is a chain of a split and a merger:

    >>> kinds({(1, 1): 60, (1, 2): 40}), kinds({(1, 1): 60, (1, 2): 40, (2, 2): 30})
    (['split'], ['many-to-many'])

    The threshold decides what a poor outline is:

    >>> outline = {(1, 1): 60, (1, 0): 40}
    >>> kinds(outline, 0.75), kinds(outline, 0.6), kinds({(1, 1): 40, (1, 0): 60})
    (['boundary'], ['matched'], ['missed', 'false'])
    """
    n_gt, n_pred = len(matching.gt), len(matching.pred)
    pairs = assign(matching, matching.rule.ranking_iou if iou_threshold is None else iou_threshold)
    gt_matched, pred_matched = _among(pairs.gt, n_gt), _among(pairs.pred, n_pred)
    linked = _share_most(matching)
    gt, pred = matching.pair_gt[linked], matching.pair_pred[linked]
    label = _components(np.append(gt, pairs.gt), n_gt + np.append(pred, pairs.pred), n_gt + n_pred)
    gts, preds = _members(label[:n_gt], label[n_gt:])
    lone = (gts[label[gt]] == 1) & (preds[label[gt]] == 1) & ~gt_matched[gt]
    poor = pred[lone & (matching.pair_iou[linked] < _POOR)]
    label[n_gt + poor] = len(label) + np.arange(len(poor))
    label = _by_first(label)
    gt_group, pred_group = label[:n_gt], label[n_gt:]
    kind = _kinds(*_members(gt_group, pred_group))
    # One of each side and no pair: its IoU is below the threshold, or else it would be one.
    kind[gt_group[~gt_matched & (kind[gt_group] == _MATCHED)]] = _BOUNDARY
    return ErrorGroups(kind, gt_group, pred_group, gt_matched, pred_matched)


def _share_most(matching: Matching) -> Int64:
    """Return the positions of the pairs that share more than half of one of the two."""
    smaller = np.minimum(matching.gt.size[matching.pair_gt], matching.pred.size[matching.pair_pred])
    return np.flatnonzero(2 * matching.pair_overlap > smaller)


def _components(one: Int64, other: Int64, nodes: int) -> Int64:
    """Return the connected component of each node of a graph, by a number below that of the nodes."""
    # Imported here because it takes half a second.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if nodes == 0:
        return np.empty(0, np.int64)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(nodes, nodes))
    label: Int64 = connected_components(links, directed=False)[1].astype(np.int64)
    return label


def _by_first(label: Int64) -> Int64:
    """Return the labels renumbered from 0 in the order in which they occur."""
    _, first, position = np.unique(label, return_index=True, return_inverse=True)
    number: Int64 = np.argsort(np.argsort(first))[position]
    return number


def _members(gt_group: Int64, pred_group: Int64) -> tuple[Int64, Int64]:
    """Return how many ground truths and predictions each group has."""
    groups = max(gt_group.max(initial=-1), pred_group.max(initial=-1)) + 1
    return np.bincount(gt_group, minlength=groups), np.bincount(pred_group, minlength=groups)


def _kinds(gts: Int64, preds: Int64) -> Int8:
    """Return the kind of groups with so many ground truths and predictions; one of each is taken for a pair."""
    return np.select(
        [preds == 0, gts == 0, (gts == 1) & (preds == 1), gts == 1, preds == 1],
        [_MISSED, _FALSE, _MATCHED, _SPLIT, _MERGED],
        default=_MANY,
    ).astype(np.int8)


def _among(positions: Int64, length: int) -> Bools:
    member = np.zeros(length, bool)
    member[positions] = True
    return member
