"""Edits as tables: by kind and bucket, one row per edit, one row per instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.annotation._edits import EDIT_KINDS, UNCHANGED, pairs_of
from mitobench.associations import best_pairs
from mitobench.strata import ALL, BUCKETS

if TYPE_CHECKING:
    from mitobench.annotation._edits import Edits
    from mitobench.overlap import Instances, OverlapTable
    from mitobench.strata import Int8
    from mitobench.types import Float64, Int64

    Columns = dict[str, list[Any]]

__all__ = ["Versions", "count_kinds", "count_voxels", "edit_columns", "instance_columns"]


@dataclass(frozen=True, eq=False)
class Versions:
    """Two versions of an annotation, what was edited, and how long or large the instances are.

    Attributes
    ----------
    table
        The overlap table, old instances in the place of the ground truth.
    edits
        Of that table.
    buckets
        int8 (n,), index in `mitobench.strata.BUCKETS` of each old instance, and of each new one.
    lengths
        float64 (n,), nm of cable of each old instance, and of each new one; None where they are not known.
    """

    table: OverlapTable
    edits: Edits
    buckets: tuple[Int8, Int8]
    lengths: tuple[Float64 | None, Float64 | None]


def count_voxels(table: OverlapTable, edits: Edits) -> dict[str, int]:
    """Return how many voxels were annotated, and what became of them.

    Returns
    -------
    dict
        ``old`` and ``new`` (foreground of each), ``to_background``, ``to_foreground``, ``relabelled`` (foreground of
        both whose instance is another one) and ``changed``, the sum of these three.
    """
    old, new = table.gt_id != 0, table.pred_id != 0
    gone, come = int(table.count[~new].sum()), int(table.count[~old].sum())
    relabelled = int(table.count[old & new].sum()) - edits.kept
    return {
        "old": int(table.count[old].sum()),
        "new": int(table.count[new].sum()),
        "to_background": gone,
        "to_foreground": come,
        "relabelled": relabelled,
        "changed": gone + come + relabelled,
    }


def count_kinds(versions: Versions) -> dict[str, dict[str, Any]]:
    """Return the number of edits, instances by bucket, and changed voxels of each kind."""
    edits = versions.edits
    old, new = (
        _by_bucket(edits.kind[group], bucket)
        for group, bucket in zip((edits.old_group, edits.new_group), versions.buckets, strict=True)
    )
    return {
        name: {
            "edits": int((edits.kind == kind).sum()),
            "old": old[kind],
            "new": new[kind],
            "voxels": int(edits.changed[edits.kind == kind].sum()),
        }
        for kind, name in enumerate(EDIT_KINDS)
    }


def _by_bucket(kind: Int8, bucket: Int8) -> list[dict[str, int]]:
    """Return how many instances of each kind are in each bucket."""
    flat = np.bincount(kind * np.int64(len(BUCKETS)) + bucket, minlength=len(EDIT_KINDS) * len(BUCKETS))
    return [
        {ALL: int(row.sum()), **dict(zip(BUCKETS, row.tolist(), strict=True))} for row in flat.reshape(-1, len(BUCKETS))
    ]


def edit_columns(versions: Versions) -> Columns:
    """Return one row per group that is not unchanged.

    Returns
    -------
    dict
        Columns ``edit`` (its number), ``kind``, ``bucket`` (the highest of its instances), ``old_ids``, ``new_ids``,
        ``old_voxels``, ``new_voxels``, ``voxels_changed``, ``iou`` (of its old voxels with its new ones), the half-open
        bounding box ``z0`` ... ``x1`` and the centroid ``z``, ``y``, ``x`` of all its voxels.
    """
    table, edits = versions.table, versions.edits
    chosen = np.flatnonzero(edits.kind != UNCHANGED)
    bucket = np.zeros(len(edits), np.int8)
    for group, of_instances in zip((edits.old_group, edits.new_group), versions.buckets, strict=True):
        np.maximum.at(bucket, group, of_instances)
    low, high, centre = _extents(table, edits)
    old_ids, new_ids = _members(edits.old_group, table.gt, edits), _members(edits.new_group, table.pred, edits)
    return {
        "edit": chosen.tolist(),
        "kind": [EDIT_KINDS[k] for k in edits.kind[chosen].tolist()],
        "bucket": [BUCKETS[k] for k in bucket[chosen].tolist()],
        "old_ids": [old_ids[k] for k in chosen.tolist()],
        "new_ids": [new_ids[k] for k in chosen.tolist()],
        "old_voxels": _voxels(edits.old_group, table.gt, edits)[chosen].tolist(),
        "new_voxels": _voxels(edits.new_group, table.pred, edits)[chosen].tolist(),
        "voxels_changed": edits.changed[chosen].tolist(),
        "iou": edits.iou[chosen].tolist(),
        **_places(low[chosen], high[chosen], centre[chosen]),
    }


def _members(group: Int64, instances: Instances, edits: Edits) -> list[list[int]]:
    """Return the ids of each group, ascending."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=len(edits))
    return [ids.tolist() for ids in np.split(instances.id[order], np.cumsum(counts)[:-1])]


def _voxels(group: Int64, instances: Instances, edits: Edits) -> Int64:
    return np.bincount(group, weights=instances.size, minlength=len(edits)).astype(np.int64)


def _extents(table: OverlapTable, edits: Edits) -> tuple[Int64, Int64, Float64]:
    """Return the bounding boxes and the centroids of the voxels of each group, in whichever version they are in it."""
    old, new = np.flatnonzero(table.gt_id != 0), np.flatnonzero(table.pred_id != 0)
    of_old = np.full(len(table), -1)
    of_old[old] = edits.old_group[np.searchsorted(table.gt.id, table.gt_id[old])]
    of_new = edits.new_group[np.searchsorted(table.pred.id, table.pred_id[new])]
    only_new = of_new != of_old[new]
    group, row = np.append(of_old[old], of_new[only_new]), np.append(old, new[only_new])
    low = np.full((len(edits), 3), np.iinfo(np.int64).max)
    high, coords, voxels = np.zeros((3, len(edits), 3), np.int64)
    np.minimum.at(low, group, table.box_min[row])
    np.maximum.at(high, group, table.box_max[row])
    np.add.at(coords, group, table.coord_sum[row])
    np.add.at(voxels, group, table.count[row, None])
    return low, high, coords / voxels


def _places(low: Int64, high: Int64, centre: Float64) -> Columns:
    columns: Columns = {}
    for axis, name in enumerate("zyx"):
        columns |= {f"{name}0": low[:, axis].tolist(), f"{name}1": high[:, axis].tolist()}
    return columns | {name: centre[:, axis].tolist() for axis, name in enumerate("zyx")}


def instance_columns(versions: Versions) -> dict[str, Columns]:
    """Return one row per instance of each version.

    Returns
    -------
    dict
        ``"old"`` and ``"new"``, each with the columns ``id``, ``size`` (voxels), ``bucket``, ``kind``, ``edit`` (the
        number of its group), ``partner`` (id in the other version with the highest IoU, ties: smallest; None without
        any), ``iou`` with it (0 without any), the half-open bounding box ``z0`` ... ``x1``, the centroid ``z``, ``y``,
        ``x``, and ``cable_length`` (nm; None where it is not known). Rows by ascending id.
    """
    table, edits, pairs = versions.table, versions.edits, pairs_of(versions.table)
    sides = {
        "old": (table.gt, edits.old_group, pairs.old, table.pred.id[pairs.new]),
        "new": (table.pred, edits.new_group, pairs.new, table.gt.id[pairs.old]),
    }
    columns = {}
    for (side, (instances, group, owner, other)), bucket, lengths in zip(
        sides.items(), versions.buckets, versions.lengths, strict=True
    ):
        best = best_pairs(owner, pairs.iou, len(instances)).tolist()
        columns[side] = {
            "id": instances.id.tolist(),
            "size": instances.size.tolist(),
            "bucket": [BUCKETS[k] for k in bucket.tolist()],
            "kind": [EDIT_KINDS[k] for k in edits.kind[group].tolist()],
            "edit": group.tolist(),
            "partner": [int(other[k]) if k >= 0 else None for k in best],
            "iou": [float(pairs.iou[k]) if k >= 0 else 0.0 for k in best],
            **_places(instances.box_min, instances.box_max, instances.centroid),
            "cable_length": [None] * len(instances) if lengths is None else lengths.tolist(),
        }
    return columns
