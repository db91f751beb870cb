"""Stretches of voxels of one label along x: what is kept of a volume once it was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64

__all__ = ["Runs", "places_of", "runs_of"]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of a volume.

    Attributes
    ----------
    start
        int64 (n,), index of the first voxel in the raster of the whole volume.
    length
        int64 (n,), voxels; no run goes beyond its row.
    label
        int64 (n,), 1 and up.
    """

    start: Int64
    length: Int64
    label: Int64

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, which: AnyArray | slice) -> Runs:
        return Runs(self.start[which], self.length[which], self.label[which])

    @classmethod
    def joined(cls, parts: list[Runs]) -> Runs:
        """Return the runs of all parts, one part behind the other."""
        if not parts:
            return cls(*(np.empty(0, np.int64) for _ in range(3)))
        return cls(*(np.concatenate([getattr(part, f) for part in parts]) for f in ("start", "length", "label")))


def runs_of(labels: AnyArray) -> Runs:
    """Return the runs of an array that are not 0, in raster order, placed in the raster of the array.

    Parameters
    ----------
    labels
        (z, y, x), contiguous.

    Examples
    --------
    >>> found = runs_of(np.array([[[0, 7, 7, 3], [3, 3, 0, 0]]]))
    >>> found.start.tolist(), found.length.tolist(), found.label.tolist()
    ([1, 3, 4], [2, 1, 2], [7, 3, 3])
    """
    flat = labels.reshape(-1)
    changes = np.empty(flat.size, np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=changes[1:])
    changes[:: labels.shape[-1]] = True
    start = np.flatnonzero(changes)
    length = np.diff(start, append=flat.size)
    label = flat[start]
    inside = label != 0
    return Runs(start[inside], length[inside], label[inside].astype(np.int64))


def places_of(start: Int64, length: Int64) -> Int64:
    """Return the index of every voxel of runs, one run behind the other.

    Examples
    --------
    >>> places_of(np.array([5, 20]), np.array([3, 2])).tolist()
    [5, 6, 7, 20, 21]
    """
    ends = np.cumsum(length)
    if len(ends) == 0:
        return ends
    return np.repeat(start - ends + length, length) + np.arange(ends[-1])
