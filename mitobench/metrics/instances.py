"""One row per instance: where it is, what it was paired with, and what went wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mitobench.associations import ASSOCIATIONS
from mitobench.metrics.error_groups import GROUP_KINDS, error_groups
from mitobench.strata import BUCKETS

if TYPE_CHECKING:
    from mitobench.matching import Matching
    from mitobench.overlap import Instances
    from mitobench.strata import Int8
    from mitobench.types import Int64

__all__ = ["GT_VERDICTS", "PRED_VERDICTS", "Columns", "instance_tables"]

Columns: TypeAlias = dict[str, Any]
"""Column name -> array or list, all of one length."""

GT_VERDICTS = ("matched", "missed", "split", "merged", "many-to-many", "boundary")
PRED_VERDICTS = ("matched", "false", "merged", "split", "many-to-many", "boundary")


def instance_tables(matching: Matching) -> dict[str, Columns]:
    """Return the table of instances of each side, with a verdict at the IoU threshold that the rule ranks by.

    The verdict is ``matched`` for the pairs of `mitobench.matching.assign` at the threshold, and for any other instance
    the kind of its group in `mitobench.metrics.error_groups`: ``missed``, ``false``, ``split``, ``merged``,
    ``many-to-many`` or ``boundary``. So both sides call the same mistake by the same name, and a needless piece of a
    ground truth that is matched all the same is ``split``. Crumbs that the rule drops are no ground truth here either.

    Parameters
    ----------
    matching
        All pairs.

    Returns
    -------
    dict
        ``"gt"`` and ``"pred"``, each with the columns ``id`` (uint64), ``size`` (voxels), ``bucket``, the half-open
        bounding box ``z0``, ``z1``, ``y0``, ``y1``, ``x0``, ``x1`` and the centroid ``z``, ``y``, ``x`` (voxels),
        ``partner`` (id on the other side with the highest IoU, ties: smallest; None without any), ``iou`` with it (0
        without any), ``partners`` (how many on the other side share a voxel), ``verdict``, ``association`` (its type,
        as in `mitobench.associations`), ``association_group`` (instances of one number belong together), and, where it
        is known, ``cable_length`` (nm, of ground truths). Rows by ascending id.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def verdicts(counts):
    ...     tables = instance_tables(match(table_from_counts(counts), "mitoem-2020"))
    ...     return tables["gt"]["verdict"], tables["pred"]["verdict"]
    >>> verdicts({(1, 1): 60, (1, 2): 40})
    (['split'], ['split', 'split'])
    >>> verdicts({(1, 1): 60, (2, 1): 40})
    (['merged', 'merged'], ['merged'])
    >>> verdicts({(1, 1): 60, (1, 0): 40, (2, 0): 5, (0, 9): 5})
    (['boundary', 'missed'], ['boundary', 'false'])
    """
    groups = error_groups(matching)
    gt = _Side(matching.gt, matching.gt_bucket, matching.pair_gt, matching.best_of_gt, groups.gt_verdict)
    pred = _Side(matching.pred, matching.pred_bucket, matching.pair_pred, matching.best_of_pred, groups.pred_verdict)
    tables = {"gt": _columns(matching, gt, pred), "pred": _columns(matching, pred, gt)}
    _add_associations(tables, matching)
    if matching.cable_length is not None:
        tables["gt"]["cable_length"] = matching.cable_length
        tables["pred"]["cable_length"] = [None] * len(pred)
    return tables


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a matching.

    Attributes
    ----------
    owner
        int64 (m,), the instance of this side in each pair.
    best
        int64 (n,), position of the pair of highest IoU, -1 without any.
    verdict
        int8 (n,), index in `GROUP_KINDS`.
    """

    instances: Instances
    bucket: Int8
    owner: Int64
    best: Int64
    verdict: Int8

    def __len__(self) -> int:
        return len(self.instances)


def _columns(matching: Matching, own: _Side, other: _Side) -> Columns:
    touched = own.best >= 0
    iou = np.zeros(len(own))
    iou[touched] = matching.pair_iou[own.best[touched]]
    partner: list[int | None] = [None] * len(own)
    for position, pair in zip(np.flatnonzero(touched).tolist(), own.best[touched].tolist(), strict=True):
        partner[position] = int(other.instances.id[other.owner[pair]])
    columns: Columns = {
        "id": own.instances.id,
        "size": own.instances.size,
        "bucket": [BUCKETS[k] for k in own.bucket.tolist()],
    }
    for axis, name in enumerate("zyx"):
        columns[f"{name}0"], columns[f"{name}1"] = own.instances.box_min[:, axis], own.instances.box_max[:, axis]
    for axis, name in enumerate("zyx"):
        columns[name] = own.instances.centroid[:, axis]
    columns |= {"partner": partner, "iou": iou, "partners": np.bincount(own.owner, minlength=len(own))}
    columns["verdict"] = [GROUP_KINDS[k] for k in own.verdict.tolist()]
    return columns


def _add_associations(tables: dict[str, Columns], matching: Matching) -> None:
    groups = matching.associations
    _, number = np.unique(np.concatenate([groups.gt_group, groups.pred_group]), return_inverse=True)
    numbers = np.split(number, [len(matching.gt)])
    for side, kind, group in zip(("gt", "pred"), (groups.gt_type, groups.pred_type), numbers, strict=True):
        tables[side]["association"] = [ASSOCIATIONS[k] for k in kind.tolist()]
        tables[side]["association_group"] = group
