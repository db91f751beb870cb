"""Stretches of voxels along x: what is kept of a volume once it was looked at, and which of them are connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import join_runs, move_values

if TYPE_CHECKING:
    from baselines.decode._methods import Connectivity
    from mitobench.types import AnyArray, Int64, Shape

__all__ = ["Runs", "connected", "positions", "steps_of", "taken", "unique_pairs"]


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
        int64 (n,).
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


def positions(start: Int64, shape: Shape) -> Int64:
    """Return where voxels lie in the raster of a volume with one more row and one more column than this shape.

    There a step along y or z is the same number everywhere, and what is not adjacent does not seem to be.

    Examples
    --------
    >>> positions(np.arange(8), (2, 2, 2)).tolist()
    [0, 1, 3, 4, 9, 10, 12, 13]
    """
    _, height, width = shape
    row = start // width
    return start + row + row // height * (width + 1)


def steps_of(shape: Shape, connectivity: Connectivity) -> tuple[Int64, Int64]:
    """Return the steps from a row to those before it with neighbours, and how far these reach along x.

    See `join_runs`, for positions as of `positions`.
    """
    row, section = shape[2] + 1, (shape[1] + 1) * (shape[2] + 1)
    if connectivity == 6:
        return np.array([row, section]), np.array([0, 0])
    across = int(connectivity == 26)
    return np.array([row, section, section + row, section - row]), np.array([1, 1, across, across])


def connected(start: Int64, length: Int64, shape: Shape, connectivity: Connectivity) -> tuple[Int64, int]:
    """Return of each run, in raster order, the number of its component, from 1 on; and how many there are.

    Examples
    --------
    >>> start, length = np.array([0, 3, 7]), np.array([2, 1, 1])  # xx.x
    >>> connected(start, length, (1, 2, 4), 6)[0].tolist()         # ...x
    [1, 2, 2]
    """
    place = positions(start, shape)
    labels, number = join_runs(place, place + length, *steps_of(shape, connectivity))
    return labels, int(number)


def unique_pairs(a: Int64, b: Int64) -> Int64:
    """Return each pair of numbers below 2 ** 31 once, (n, 2).

    Examples
    --------
    >>> unique_pairs(np.array([4, 2, 4]), np.array([1, 9, 1])).tolist()
    [[2, 9], [4, 1]]
    """
    return np.stack(np.divmod(np.unique(a << 31 | b), 1 << 31), axis=1)


def taken(values: AnyArray, at: Int64, length: Int64) -> tuple[AnyArray, Int64]:
    """Return bytes run by run, and the sum of each run.

    Examples
    --------
    >>> found, total = taken(np.arange(9, dtype=np.uint8), np.array([7, 0]), np.array([2, 3]))
    >>> found.tolist(), total.tolist()
    ([7, 8, 0, 1, 2], [15, 3])
    """
    ends = np.cumsum(length)
    found = np.empty(ends[-1] if len(ends) else 0, np.uint8)
    return found, move_values(values, at, found, ends - length, length)
