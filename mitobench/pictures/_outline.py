"""Outlines of labels along the edges of their pixels, as SVG path data."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import AnyArray

__all__ = ["outline_path", "outlines"]

Point = tuple[int, int]


def outlines(labels: AnyArray) -> dict[int, str]:
    """Return id -> path of every label of a section but 0, by ascending id.

    Parameters
    ----------
    labels
        Integers (y, x).

    Examples
    --------
    >>> outlines(np.array([[7, 7, 0], [7, 0, 9]]))
    {7: 'M0 0h2v1h-1v1h-1z', 9: 'M2 1h1v1h-1z'}
    """
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    paths = {}
    for position, place in enumerate(ndimage.find_objects(index + 1)):
        if ids[position] != 0:
            offset = place[0].start, place[1].start
            paths[int(ids[position])] = outline_path(index[place] == position, offset)
    return paths


def outline_path(mask: NDArray[np.bool_], offset: Point = (0, 0)) -> str:
    """Return the borders of a mask as closed loops of horizontal and vertical lines.

    Parameters
    ----------
    mask
        Bools (y, x).
    offset
        Where its first pixel lies, (y, x).

    Examples
    --------
    >>> outline_path(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool))
    'M0 0h3v3h-3zM1 1v1h1v-1z'
    """
    follows = _edges(np.pad(mask, 1))
    path = []
    while follows:
        loop = _corners(_loop(follows, next(iter(follows))))
        path.append(_closed(loop, offset))
    return "".join(path)


def _edges(mask: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Return start -> ends of the edges between the mask and the rest, the mask on the right; points are (y, x)."""
    follows: defaultdict[Point, list[Point]] = defaultdict(list)
    right, left = mask[1:, 1:], mask[1:, :-1]
    for sign, y, x in _changes(left, right):
        # Of the right pixel this is the left border, which runs upwards.
        start, end = ((y + 1, x), (y, x)) if sign > 0 else ((y, x), (y + 1, x))
        follows[start].append(end)
    above, below = mask[:-1, 1:], mask[1:, 1:]
    for sign, y, x in _changes(above, below):
        start, end = ((y, x), (y, x + 1)) if sign > 0 else ((y, x + 1), (y, x))
        follows[start].append(end)
    return dict(sorted(follows.items()))


def _changes(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> list[list[int]]:
    """Return (1 where the mask begins or -1 where it ends, y, x) of every change between two neighbours."""
    change = after.astype(np.int8) - before
    y, x = np.nonzero(change)
    rows: list[list[int]] = np.stack([change[y, x].astype(np.int64), y, x], axis=1).tolist()
    return rows


def _loop(follows: dict[Point, list[Point]], start: Point) -> list[Point]:
    """Take one closed loop out of the edges."""
    loop, point = [start], _next(follows, start)
    while point != start:
        loop.append(point)
        point = _next(follows, point)
    return loop


def _next(follows: dict[Point, list[Point]], point: Point) -> Point:
    ends = follows[point]
    end = ends.pop()
    if not ends:
        del follows[point]
    return end


def _corners(loop: list[Point]) -> list[Point]:
    """Leave out the points at which the loop goes straight on."""
    around = zip(loop[-1:] + loop, loop, loop[1:] + loop[:1], strict=False)
    return [point for before, point, after in around if before[0] != after[0] and before[1] != after[1]]


def _closed(corners: list[Point], offset: Point) -> str:
    """Return path data of a loop of corners; the last line back is left to ``z``."""
    steps = []
    for (y0, x0), (y1, x1) in pairwise(corners):
        steps.append(f"h{x1 - x0}" if y0 == y1 else f"v{y1 - y0}")
    y, x = corners[0]
    return f"M{x + offset[1]} {y + offset[0]}{''.join(steps)}z"
