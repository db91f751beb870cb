"""The flood of one component: the compiled loop and its heap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import compiled

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64

__all__ = ["flood"]

_AGE_BITS = 40
"""A key of the heap is the depth below the highest value, and in the bits behind it the age."""

_NEVER = np.iinfo(np.int64).max
"""A key above all others."""


@compiled
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
    seeds, age = size, 0
    # When the last voxel has its label, nothing that is still in the heap can change it.
    while size > 0 and age < voxels - seeds:
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


@compiled
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


@compiled
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
