"""The compiled loop that makes one volume of two, whose slow twin is in `mitobench.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench._compiled import compiled

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Uint64

__all__ = ["number_pairs"]


@compiled
def _position(olds: Uint64, news: Uint64, old: np.uint64, new: np.uint64) -> int:
    """Return the position of a pair among the sorted ones, -1 if it is not there."""
    low, high = 0, olds.size
    while low < high:
        middle = (low + high) // 2
        if olds[middle] < old or (olds[middle] == old and news[middle] < new):
            low = middle + 1
        else:
            high = middle
    if low < olds.size and olds[low] == old and news[low] == new:
        return low
    return -1


@compiled
def number_pairs(old: AnyArray, new: AnyArray, olds: Uint64, news: Uint64, out: AnyArray) -> bool:
    """Write 1 + the position of the pair of ids of each voxel, 0 for background on both sides.

    Parameters
    ----------
    old, new
        Unsigned ids, 1D.
    olds, news
        uint64 (n,), the pairs that there are, sorted, without (0, 0).
    out
        uint32, as long as ``old``.

    Returns
    -------
    bool
        Whether all pairs are there.
    """
    number = 0
    for i in range(old.size):
        if i == 0 or old[i] != old[i - 1] or new[i] != new[i - 1]:
            number = 0
            if old[i] != 0 or new[i] != 0:
                number = 1 + _position(olds, news, np.uint64(old[i]), np.uint64(new[i]))
                if number == 0:
                    return False
        out[i] = number
    return True
