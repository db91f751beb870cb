"""From the overlap table of two versions of an annotation to what was edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.overlap import OverlapTable
    from mitobench.strata import Int8
    from mitobench.types import Float64, Int64

    Bools = NDArray[np.bool_]

__all__ = ["EDIT_KINDS", "TOUCH_UP_IOU", "UNCHANGED", "Edits", "Pairs", "find_edits", "pairs_of"]

EDIT_KINDS = ("unchanged", "removed", "added", "split", "merged", "rearranged", "reshaped", "touched-up")
"""What became of a group of instances."""
TOUCH_UP_IOU = 0.9
"""IoU from which a new shape of one instance is a touch-up."""

UNCHANGED, _REMOVED, _ADDED, _SPLIT, _MERGED, _REARRANGED, _RESHAPED, _TOUCHED_UP = range(len(EDIT_KINDS))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Old and new instances that share a voxel, by ascending old one, then new one.

    Attributes
    ----------
    old, new
        int64 (m,), positions in the table's ``gt`` (the old instances) and ``pred`` (the new ones).
    shared
        int64 (m,), voxels.
    iou
        float64 (m,).
    """

    old: Int64
    new: Int64
    shared: Int64
    iou: Float64


@dataclass(frozen=True, eq=False)
class Edits:
    """Groups of old and new instances, each instance in exactly one.

    They are numbered by their first instance: old ones by ascending id, after them new ones by ascending id.

    Attributes
    ----------
    kind
        int8 (n,), index in `EDIT_KINDS` of each group.
    old_group, new_group
        int64, the group of each instance.
    iou
        float64 (n,), of the old voxels of the group with its new ones.
    changed
        int64 (n,), voxels of either version that do not stay with their instance.
    renumbered
        bool (n,), whether only the id is another one.
    kept
        Voxels that stay with their instance, in all groups.
    """

    kind: Int8
    old_group: Int64
    new_group: Int64
    iou: Float64
    changed: Int64
    renumbered: Bools
    kept: int

    def __len__(self) -> int:
        return len(self.kind)


def pairs_of(table: OverlapTable) -> Pairs:
    """Return the pairs of an overlap table of an old annotation and a new one."""
    rows = np.flatnonzero((table.gt_id != 0) & (table.pred_id != 0))
    old = np.searchsorted(table.gt.id, table.gt_id[rows])
    new = np.searchsorted(table.pred.id, table.pred_id[rows])
    shared = table.count[rows]
    return Pairs(old, new, shared, shared / (table.gt.size[old] + table.pred.size[new] - shared))


def find_edits(table: OverlapTable) -> Edits:
    """Return what was edited between two versions of an annotation.

    An old and a new instance are linked if they share more than half of the voxels of either. What is linked, directly
    or through others, is one group, and its kind is

    ============== ===================================================================
    ``unchanged``  one old, one new, voxel for voxel; the id may be another one
    ``touched-up`` one old, one new, IoU at least `TOUCH_UP_IOU`
    ``reshaped``   one old, one new, IoU below it
    ``removed``    an old instance alone
    ``added``      a new instance alone
    ``split``      one old instance, several new ones
    ``merged``     several old instances, one new one: a corrected MOAS
    ``rearranged`` several of both
    ============== ===================================================================

    Swapping the versions swaps ``removed`` with ``added`` and ``split`` with ``merged``.

    An instance hands its voxels on to one heir at most, and is the heir of one at most, among those that it is linked
    with, so that as many voxels as possible stay with their instance. All others have changed: in a split into 60 and
    40 voxels, the 40.

    Parameters
    ----------
    table
        Of the old annotation, in the place of the ground truth, and the new one.

    Examples
    --------
    >>> from mitobench.testing import table_from_counts
    >>> def kinds(counts):
    ...     edits = find_edits(table_from_counts(counts))
    ...     return [(EDIT_KINDS[k], changed) for k, changed in zip(edits.kind, edits.changed.tolist())]
    >>> kinds({(1, 7): 60, (2, 2): 95, (2, 0): 5, (3, 3): 40, (3, 0): 60, (4, 0): 9, (0, 9): 8})
    [('unchanged', 0), ('touched-up', 5), ('reshaped', 60), ('removed', 9), ('added', 8)]
    >>> kinds({(1, 1): 60, (1, 2): 40}), kinds({(1, 1): 60, (2, 1): 40})
    ([('split', 40)], [('merged', 40)])
    >>> kinds({(1, 1): 60, (1, 2): 40, (2, 2): 30})
    [('rearranged', 40)]
    """
    pairs = pairs_of(table)
    n_old, n_new = len(table.gt), len(table.pred)
    linked = np.flatnonzero(2 * pairs.shared > np.minimum(table.gt.size[pairs.old], table.pred.size[pairs.new]))
    label = _components(pairs.old[linked], n_old + pairs.new[linked], n_old + n_new)
    old_group, new_group = label[:n_old], label[n_old:]
    groups = int(label.max(initial=-1)) + 1
    inside = old_group[pairs.old] == new_group[pairs.new]
    shared = _sums(old_group[pairs.old[inside]], pairs.shared[inside], groups)
    union = _sums(old_group, table.gt.size, groups) + _sums(new_group, table.pred.size, groups) - shared
    heirs = linked[_heirs(pairs.old[linked], pairs.new[linked], pairs.shared[linked])]
    kept = _sums(old_group[pairs.old[heirs]], pairs.shared[heirs], groups)
    iou = shared / union
    olds, news = np.bincount(old_group, minlength=groups), np.bincount(new_group, minlength=groups)
    kind = _kinds(olds, news, iou, shared == union)
    renumbered = np.zeros(groups, bool)
    renamed = table.gt.id[pairs.old[linked]] != table.pred.id[pairs.new[linked]]
    renumbered[old_group[pairs.old[linked[renamed]]]] = True
    renumbered &= kind == UNCHANGED
    return Edits(kind, old_group, new_group, iou, union - kept, renumbered, int(kept.sum()))


def _kinds(olds: Int64, news: Int64, iou: Float64, same: Bools) -> Int8:
    alone = (olds == 1) & (news == 1)
    return np.select(
        [alone & same, alone & (iou >= TOUCH_UP_IOU), alone, news == 0, olds == 0, olds == 1, news == 1],
        [UNCHANGED, _TOUCHED_UP, _RESHAPED, _REMOVED, _ADDED, _SPLIT, _MERGED],
        default=_REARRANGED,
    ).astype(np.int8)


def _components(one: Int64, other: Int64, nodes: int) -> Int64:
    """Return the connected component of each node of a graph, numbered from 0 in the order in which they occur."""
    # Imported here because it takes half a second.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if nodes == 0:
        return np.empty(0, np.int64)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(nodes, nodes))
    label = connected_components(links, directed=False)[1]
    _, first, position = np.unique(label, return_index=True, return_inverse=True)
    number: Int64 = np.argsort(np.argsort(first))[position]
    return number


def _sums(group: Int64, values: Int64, groups: int) -> Int64:
    """Return the sum of the values of each group; float64 holds sums below 2^53 exactly."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.int64)


def _heirs(old: Int64, new: Int64, shared: Int64) -> Int64:
    """Return the positions of the one-to-one pairs that share the most voxels in all."""
    contested = (np.bincount(old)[old] > 1) | (np.bincount(new)[new] > 1)
    free, rest = np.flatnonzero(~contested), np.flatnonzero(contested)
    return np.append(free, rest[_most_shared(old[rest], new[rest], shared[rest])]) if len(rest) else free


def _most_shared(old: Int64, new: Int64, shared: Int64) -> Int64:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, row = np.unique(old, return_inverse=True)
    columns, column = np.unique(new, return_inverse=True)
    alone = np.arange(len(rows))
    # The solver wants a partner for every row, so each gets a column of its own, which stands for no heir.
    none = shared.max() + 1.0
    cost = coo_array(
        (
            np.append(none - shared, np.full(len(rows), none)),
            (np.append(row, alone), np.append(column, len(columns) + alone)),
        ),
        shape=(len(rows), len(columns) + len(rows)),
    )
    chosen_row, chosen_column = min_weight_full_bipartite_matching(cost.tocsr())
    partner = np.full(len(rows), -1, np.int64)
    partner[chosen_row] = chosen_column
    return np.flatnonzero(partner[row] == column)
