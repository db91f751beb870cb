"""Instances cut out of a volume: few reads of many neighbouring instances, within a memory limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mitobench.cable._borders import border_planes
from mitobench.cable._skeleton import Crop
from mitobench.errors import MemoryLimitError
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.overlap import Instances
    from mitobench.types import LabelVolume, Shape

__all__ = ["BYTES_PER_VOXEL", "check_memory", "cut_out", "margins", "tracing_share"]

BYTES_PER_VOXEL = 40
"""What tracing takes at its peak per voxel of a crop: 33 for a solid block, 25 for a rod; and copies of its mask."""

_READ_SHARE = 8
"""This part of the memory limit at most is used for reading, the rest for tracing."""


def margins(shape: Shape, instances: Instances) -> list[Box]:
    """Return the box of each instance with a margin of one voxel, within the volume."""
    starts = np.maximum(instances.box_min - 1, 0)
    stops = np.minimum(instances.box_max + 1, shape)
    return [Box(tuple(a), tuple(b)) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]


def tracing_share(memory: int) -> int:
    """Return how much of the memory limit is left for tracing."""
    return memory - memory // _READ_SHARE


def check_memory(volume: LabelVolume, instances: Instances, boxes: list[Box], memory: int) -> None:
    """Refuse a memory limit in which not even one instance alone, or one border of the volume, could be traced.

    Raises
    ------
    MemoryLimitError
        Says which, how much it needs, and what to do.
    """
    borders = [(box.voxels, f"the border of {box.shape} voxels") for _, box in border_planes(volume.shape, instances)]
    named = zip(instances.id.tolist(), boxes, strict=True)
    crops = [(box.voxels, f"instance {instance}, a box of {box.shape} voxels,") for instance, box in named]
    voxels, what = max(borders + crops)
    tracing = voxels * BYTES_PER_VOXEL
    if tracing > tracing_share(memory):
        needed = tracing + (tracing - 1) // (_READ_SHARE - 1)
        raise MemoryLimitError(
            f"{volume.name}: the skeleton of {what} needs {needed:,} bytes, but the limit is {memory:,}; raise it "
            "(memory=, --memory), or give a table of cable lengths"
        )


def cut_out(
    volume: LabelVolume, instances: Instances, boxes: list[Box], targets: Mapping[int, list[Shape]], memory: int
) -> Iterator[Crop]:
    """Yield the crop of every instance, neighbours from one read, large ones first.

    Parameters
    ----------
    volume
        The labels.
    instances
        Its instances.
    boxes
        Where to cut, of each instance.
    targets
        Border targets by id.
    memory
        Bytes for everything; reading takes its share.
    """
    limit = memory // _READ_SHARE // volume.dtype.itemsize
    total = math.prod(volume.shape)
    for batch in _batches(boxes, limit):
        around = _around([boxes[row] for row in batch])
        labels = volume.read(around)
        for row in batch:
            instance = int(instances.id[row])
            mask = labels[boxes[row].within(around)] == labels.dtype.type(instance)
            yield Crop(instance, mask, boxes[row], tuple(targets.get(instance, ())), bool(instances.size[row] == total))


def _batches(boxes: list[Box], limit: int) -> list[list[int]]:
    """Return positions of boxes that are read together: neighbours, as long as the box around them is small enough."""
    edge = max(1, round((limit / 8) ** (1 / 3)))
    middles = np.array([np.add(*box) // 2 for box in boxes]) // edge
    batches: list[list[int]] = []
    around = boxes[0]
    for row in np.lexsort(middles.T[::-1]).tolist():
        joined = _around([around, boxes[row]])
        if batches and (middles[batches[-1][-1]] == middles[row]).all() and joined.voxels <= limit:
            batches[-1].append(row)
            around = joined
        else:
            batches.append([row])
            around = boxes[row]
    for batch in batches:
        batch.sort(key=lambda row: -boxes[row].voxels)
    return sorted(batches, key=lambda batch: -boxes[batch[0]].voxels)


def _around(boxes: list[Box]) -> Box:
    starts, stops = np.array([box.start for box in boxes]), np.array([box.stop for box in boxes])
    return Box(tuple(starts.min(axis=0).tolist()), tuple(stops.max(axis=0).tolist()))
