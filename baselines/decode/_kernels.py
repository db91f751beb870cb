"""The compiled loops of decoding. All work on flat arrays, most of them on runs: stretches of voxels along x."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64

__all__ = ["compiled", "cut_runs", "find_runs", "join_pairs", "join_runs", "link_runs", "move_values", "paint"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on the first call, without the GIL; keep the result where there is a folder for it."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Neither beside this file nor in the user's cache, as in a locked-down container: compile in every run.
        return cast("F", njit(nogil=True)(function))


@compiled
def _mark(mask: AnyArray, contour: AnyArray, bytes_: AnyArray, kinds: AnyArray, ends: AnyArray) -> None:
    """Tell the kind of each voxel of a row, and where it changes. Loops this plain are compiled to vector code."""
    above, seed_above, seed_below = bytes_[0], bytes_[1], bytes_[2]
    for x in range(mask.size):
        seed = (mask[x] > seed_above) & (contour[x] < seed_below)
        kinds[x + 1] = np.uint8(mask[x] > above) | np.uint8(seed) << np.uint8(1)
    for x in range(mask.size + 1):
        ends[x] = kinds[x] != kinds[x + 1]


@compiled
def find_runs(
    mask: AnyArray, contour: AnyArray, bytes_: AnyArray, starts: AnyArray, stops: AnyArray, kinds: AnyArray
) -> int:
    """List the runs of voxels of one kind: 1 is foreground, 2 is seed, and 3 is both.

    Parameters
    ----------
    mask, contour
        uint8 (rows, x).
    bytes_
        uint8: foreground is above the first; a seed is above the second, and its contour below the third.
    starts, stops, kinds
        Filled, in the raster of the rows; there must be room for as many runs as voxels.

    Returns
    -------
    int
        Runs.
    """
    rows, width = mask.shape
    line = np.zeros(width + 2, np.uint8)
    ends = np.zeros(width + 8, np.uint8)
    # Most voxels are background: eight that do not change are passed at a time.
    words = ends[: (width + 8) // 8 * 8].view(np.uint64)
    used = 0
    for row in range(rows):
        _mark(mask[row], contour[row], bytes_, line, ends)
        for word in range(words.size):
            if words[word] == 0:
                continue
            for x in range(8 * word, 8 * word + 8):
                if ends[x] != 0:
                    if line[x] != 0:
                        stops[used] = row * width + x
                        used += 1
                    if line[x + 1] != 0:
                        starts[used], kinds[used] = row * width + x, line[x + 1]
    return used


@compiled
def move_values(source: AnyArray, source_at: Int64, target: AnyArray, target_at: Int64, lengths: Int64) -> Int64:
    """Copy runs of values to their places in another array; return the sum of each."""
    sums = np.zeros(lengths.size, np.int64)
    for run in range(lengths.size):
        before, after, total = source_at[run], target_at[run], 0
        for i in range(lengths[run]):
            value = source[before + i]
            target[after + i] = value
            total += value
        sums[run] = total
    return sums


@compiled
def _root(parent: Int64, one: int) -> int:
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


@compiled
def _unite(parent: Int64, a: int, b: int) -> None:
    """Join two sets; the first member of a set stands for it."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@compiled
def join_runs(starts: Int64, stops: Int64, steps: Int64, reaches: Int64) -> tuple[Int64, int]:
    """Find which runs are connected.

    Parameters
    ----------
    starts, stops
        int64, ascending, by positions at which no two rows touch.
    steps
        int64, from a row to those before it that it may touch.
    reaches
        int64, of each step 1 if voxels there are neighbours also when they are one apart along x, else 0.

    Returns
    -------
    labels
        int64, the set of each run, from 1 on in the order of their first runs.
    number
        Sets.
    """
    parent = np.arange(starts.size)
    for run in range(1, starts.size):
        if starts[run] == stops[run - 1]:
            _unite(parent, run - 1, run)
    for step, reach in zip(steps, reaches):  # noqa: B905 - numba knows no strict
        first = 0
        for run in range(starts.size):
            low, high = starts[run] - step - reach, stops[run] - step + reach
            while stops[first] <= low:
                first += 1
            other = first
            while starts[other] < high:
                _unite(parent, other, run)
                other += 1
    return _numbered(parent)


@compiled
def join_pairs(pairs: Int64, number: int) -> tuple[Int64, int]:
    """Find which of the things from 0 to number - 1 the pairs (n, 2) connect; return as `join_runs` does."""
    parent = np.arange(number)
    for pair in pairs:
        _unite(parent, pair[0], pair[1])
    return _numbered(parent)


@compiled
def _numbered(parent: Int64) -> tuple[Int64, int]:
    """Give each set a number, in the order of their first members."""
    labels, number = np.zeros(parent.size, np.int64), 0
    for one in range(parent.size):
        if parent[one] == one:
            number += 1
            labels[one] = number
        else:
            labels[one] = labels[_root(parent, one)]
    return labels, number


@compiled
def link_runs(starts: Int64, lengths: Int64, places: Int64, step: int, links: AnyArray, before: int) -> None:
    """Note the neighbours that the voxels of a component have one step away.

    Parameters
    ----------
    starts, lengths
        int64, runs of the component, ascending, by positions at which no two rows touch.
    places
        int64, where the voxels of each run begin in the lists of the component.
    step
        From a row to the one before it that it may touch.
    links
        (voxels, columns), filled: each voxel's neighbour one step before it in the column ``before``, and the one a
        step behind it in the one after that.
    before
        A column.
    """
    first = 0
    for run in range(starts.size):
        low = starts[run] - step
        high = low + lengths[run]
        while starts[first] + lengths[first] <= low:
            first += 1
        other = first
        while starts[other] < high:
            begin, end = max(low, starts[other]), min(high, starts[other] + lengths[other])
            here, there = places[run] + begin - low, places[other] + begin - starts[other]
            for i in range(end - begin):
                links[here + i, before] = there + i
                links[there + i, before + 1] = here + i
            other += 1


@compiled
def cut_runs(values: AnyArray, labels: AnyArray, places: Int64, lengths: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    """Cut runs where the labels of their voxels change.

    Returns
    -------
    runs, offsets, lengths, totals
        int64, of each piece its run and its first voxel in it, its voxels and the sum of their values.
    """
    number = 0
    for run in range(lengths.size):
        number += 1
        for place in range(places[run] + 1, places[run] + lengths[run]):
            number += labels[place] != labels[place - 1]
    runs, offsets = np.empty(number, np.int64), np.empty(number, np.int64)
    voxels, totals, piece = np.zeros(number, np.int64), np.zeros(number, np.int64), -1
    for run in range(lengths.size):
        for i in range(lengths[run]):
            place = places[run] + i
            if i == 0 or labels[place] != labels[place - 1]:
                piece += 1
                runs[piece], offsets[piece] = run, i
            voxels[piece] += 1
            totals[piece] += values[place]
    return runs, offsets, voxels, totals


@compiled
def paint(target: AnyArray, starts: Int64, lengths: AnyArray, labels: AnyArray, values: AnyArray) -> None:
    """Fill runs of a flat array, as far as they lie inside, each with the value of its label unless that is 0."""
    for run in range(starts.size):
        value = values[labels[run]]
        if value != 0:
            for place in range(max(0, starts[run]), min(target.size, starts[run] + lengths[run])):
                target[place] = value
