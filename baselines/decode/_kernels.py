"""The compiled loops of decoding. All work on flat arrays, most of them on runs: stretches of voxels along x."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64

__all__ = ["cut_runs", "find_runs", "flood", "join_runs", "link_runs", "move_values", "paint"]

F = TypeVar("F", bound=Callable[..., Any])

_AGE_BITS = 40
"""A key of the heap is the depth below the highest value, and in the bits behind it the age."""

_NEVER = np.iinfo(np.int64).max
"""A key above all others."""


def _compiled(function: F) -> F:
    """Compile on the first call, without the GIL; keep the result where there is a folder for it."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Neither beside this file nor in the user's cache, as in a locked-down container: compile in every run.
        return cast("F", njit(nogil=True)(function))


@_compiled
def _mark(mask: AnyArray, contour: AnyArray, bytes_: AnyArray, kinds: AnyArray, ends: AnyArray) -> None:
    """Tell the kind of each voxel of a row, and where it changes. Loops this plain are compiled to vector code."""
    above, seed_above, seed_below = bytes_[0], bytes_[1], bytes_[2]
    for x in range(mask.size):
        seed = (mask[x] > seed_above) & (contour[x] < seed_below)
        kinds[x + 1] = np.uint8(mask[x] > above) | np.uint8(seed) << np.uint8(1)
    for x in range(mask.size + 1):
        ends[x] = kinds[x] != kinds[x + 1]


@_compiled
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


@_compiled
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


@_compiled
def _root(parent: Int64, run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@_compiled
def _unite(parent: Int64, a: int, b: int) -> None:
    """Join two sets; the first run of a set stands for it."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@_compiled
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
    labels, number = np.zeros(starts.size, np.int64), 0
    for run in range(starts.size):
        if parent[run] == run:
            number += 1
            labels[run] = number
        else:
            labels[run] = labels[_root(parent, run)]
    return labels, number


@_compiled
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


@_compiled
def flood(values: AnyArray, labels: AnyArray, links: AnyArray, voxels: int) -> None:
    """Flood a component from its seeds, the highest values first, and of equal ones those that were reached first.

    Seed voxels of one value are of one age, so that among them the heap decides. It is a plain binary heap, filled in
    raster order: then they come out as in scikit-image.

    Parameters
    ----------
    values
        uint8, in the order of the raster, with a place that is no voxel between any two that are not neighbours.
    labels
        Integers: 0 for no voxel, 1 where the flood may go, and seeds from 2 on. In the end the label of every voxel
        that a seed reaches.
    links
        (places, 4), neighbours along -z, +z, -y, +y; those along x lie beside the voxel.
    voxels
        How many there are.
    """
    keys, places = np.empty(voxels, np.int64), np.empty(voxels, links.dtype)
    others = np.empty(6, np.int64)
    size = 0
    for place in range(labels.size):
        if labels[place] > 1:
            # Most voxels of a seed lie inside of it: they are in the heap only for the order of the others.
            edge = labels[place - 1] == 1 or labels[place + 1] == 1
            for other in links[place]:
                edge |= labels[other] == 1
            _push(keys, places, size, 255 - int(values[place]) << _AGE_BITS, place if edge else 0)
            size += 1
    age = 0
    while size > 0:
        depth, place = int(keys[0]) >> _AGE_BITS, int(places[0])
        size -= 1
        _sink(keys, places, size)
        if place == 0:
            continue
        # In the order of their raster, as in scikit-image.
        others[0], others[1], others[2] = links[place, 0], links[place, 2], place - 1
        others[3], others[4], others[5] = place + 1, links[place, 3], links[place, 1]
        for other in others:
            if labels[other] == 1:
                labels[other] = labels[place]
                age += 1
                # Behind a ridge the water stands as high as the ridge.
                level = max(depth, 255 - int(values[other]))
                _push(keys, places, size, (level << _AGE_BITS) + age, int(other))
                size += 1


@_compiled
def _push(keys: Int64, places: AnyArray, size: int, key: int, place: int) -> None:
    """Add an entry to a heap of this size."""
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if key >= keys[parent]:
            break
        keys[at], places[at] = keys[parent], places[parent]
        at = parent
    keys[at], places[at] = key, place


@_compiled
def _sink(keys: Int64, places: AnyArray, size: int) -> None:
    """Let the entry behind a heap of this size take the place of the first one, and sink to where it belongs."""
    key, place = keys[size], places[size]
    # So that the last entry need not be asked whether it has a sibling.
    keys[size] = _NEVER
    at, below = 0, 1
    while below < size:
        # Of two equal entries below, the first one rises. An addition, as a branch would often be predicted wrongly.
        below += keys[below + 1] < keys[below]
        if keys[below] >= key:
            break
        keys[at], places[at] = keys[below], places[below]
        at, below = below, 2 * below + 1
    keys[at], places[at] = key, place


@_compiled
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


@_compiled
def paint(target: AnyArray, starts: Int64, lengths: AnyArray, labels: AnyArray, values: AnyArray) -> None:
    """Fill runs of a flat array, as far as they lie inside, each with the value of its label unless that is 0."""
    for run in range(starts.size):
        value = values[labels[run]]
        if value != 0:
            for place in range(max(0, starts[run]), min(target.size, starts[run] + lengths[run])):
                target[place] = value
