"""Two versions of an annotation compared the slow and obvious way, voxel by voxel and link by link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from mitobench.types import AnyArray

    Groups = list[tuple[frozenset[int], frozenset[int]]]

__all__ = ["edit_groups", "intermediate", "pair_numbers"]


def edit_groups(old: AnyArray, new: AnyArray) -> Groups:
    """Return the groups of `mitobench.annotation`, as (old ids, new ids) in any order.

    Examples
    --------
    >>> edit_groups(np.array([[[1, 1, 1, 2, 0]]]), np.array([[[5, 5, 7, 0, 8]]]))[-1]
    (frozenset({1}), frozenset({5, 7}))
    """
    groups: Groups = [(frozenset({i}), frozenset()) for i in np.unique(old).tolist() if i]
    groups += [(frozenset(), frozenset({i})) for i in np.unique(new).tolist() if i]
    for i in np.unique(old).tolist():
        for j in np.unique(new[old == i]).tolist():
            shared = int(((old == i) & (new == j)).sum())
            if i and j and (2 * shared > (old == i).sum() or 2 * shared > (new == j).sum()):
                joined = [group for group in groups if i in group[0] or j in group[1]]
                groups = [group for group in groups if group not in joined]
                olds, news = zip(*joined, strict=True)
                groups.append((frozenset().union(*olds), frozenset().union(*news)))
    return groups


def intermediate(old: AnyArray, new: AnyArray, gone: AbstractSet[int], come: AbstractSet[int]) -> AnyArray:
    """Return the annotation in which some edits are applied: the labels that `mitobench.annotation` scores.

    Parameters
    ----------
    old, new
        Labels (z, y, x).
    gone, come
        Ids of the old and the new instances of these edits.

    Returns
    -------
    int64 (z, y, x)
        1 + the position of an old instance by ascending id; those of the new ones are counted on after them.
    """
    olds, news = ([i for i in np.unique(labels).tolist() if i] for labels in (old, new))
    labels = np.zeros(old.shape, np.int64)
    for where in np.ndindex(old.shape):
        i, j = int(old[where]), int(new[where])
        if j in come:
            labels[where] = 1 + len(olds) + news.index(j)
        elif i and i not in gone:
            labels[where] = 1 + olds.index(i)
    return labels


def pair_numbers(old: AnyArray, new: AnyArray) -> AnyArray:
    """Return 1 + the position of the pair of ids of each voxel among the sorted pairs that there are, 0 for (0, 0)."""
    pairs = sorted(set(zip(old.ravel().tolist(), new.ravel().tolist(), strict=True)) - {(0, 0)})
    numbers = [
        pairs.index(pair) + 1 if any(pair) else 0
        for pair in zip(old.ravel().tolist(), new.ravel().tolist(), strict=True)
    ]
    return np.array(numbers).reshape(old.shape)
