"""The compiled loops of decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Int64

__all__ = ["flood", "paint"]

F = TypeVar("F", bound=Callable[..., Any])

_AGES = 1 << 40
"""More than voxels can enter the heap: a key is the depth below the highest value times this, plus the age."""


def _compiled(function: F) -> F:
    """Compile on the first call, without the GIL; keep the result where there is a folder for it."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Neither beside this file nor in the user's cache, as in a locked-down container: compile in every run.
        return cast("F", njit(nogil=True)(function))


@_compiled
def flood(image: AnyArray, labels: AnyArray, steps: Int64, voxels: int) -> None:
    """Flood an image from its seeds, the highest values first, and of equal ones those that were reached first.

    Seed voxels of one value are of one age, so that among them the heap decides. It is a plain binary heap, filled in
    raster order: then they come out as in scikit-image.

    Parameters
    ----------
    image
        uint8, flat. 0 is outside; every voxel at a face of the volume must be.
    labels
        Integers, flat: seeds, in the end the label of every voxel that a seed reaches.
    steps
        int64, from a voxel to its neighbours, in the order in which they are looked at.
    voxels
        That are not outside.
    """
    keys = np.empty(voxels, np.int64)
    places = np.empty(voxels, np.int64)
    size = 0
    for place in range(image.size):
        if labels[place] != 0:
            _push(keys, places, size, np.int64(255 - image[place]) * _AGES, place)
            size += 1
    age = 0
    while size > 0:
        depth, place = keys[0] // _AGES, places[0]
        size -= 1
        _sink(keys, places, size)
        for step in steps:
            other = place + step
            if image[other] != 0 and labels[other] == 0:
                labels[other] = labels[place]
                age += 1
                # Behind a ridge the water stands as high as the ridge.
                _push(keys, places, size, max(depth, np.int64(255 - image[other])) * _AGES + age, other)
                size += 1


@_compiled
def _push(keys: Int64, places: Int64, size: int, key: np.int64, place: int) -> None:
    """Add an entry to a heap of this size."""
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if key >= keys[parent]:
            break
        keys[at], places[at] = keys[parent], places[parent]
        at = parent
    keys[at], places[at] = key, place


@_compiled
def _sink(keys: Int64, places: Int64, size: int) -> None:
    """Let the entry behind a heap of this size take the place of the first one, and sink to where it belongs."""
    key, place = keys[size], places[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        # Of two equal entries below, the first one rises.
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[at], places[at] = keys[below], places[below]
        at = below
    keys[at], places[at] = key, place


@_compiled
def paint(target: AnyArray, starts: Int64, lengths: Int64, values: AnyArray) -> None:
    """Fill runs of a flat array, as far as they lie inside, each with its value."""
    for run in range(starts.size):
        for place in range(max(0, starts[run]), min(target.size, starts[run] + lengths[run])):
            target[place] = values[run]
