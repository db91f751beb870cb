"""Cable length of every instance of a volume."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from mitobench.cable._borders import border_targets
from mitobench.cable._crops import BYTES_PER_VOXEL, check_memory, cut_out, margins, tracing_share
from mitobench.cable._pool import in_processes
from mitobench.cable._skeleton import skeleton_length
from mitobench.errors import InvalidInputError, MissingExtraError
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitobench.cable._skeleton import Crop, Vector
    from mitobench.overlap import Instances
    from mitobench.types import LabelVolume, Progress

__all__ = ["cable_lengths", "need_kimimaro"]

_DEFAULT_MEMORY = 8 * 10**9
_VOXELS_WORTH_PROCESSES = 10**7
"""Voxels of crops, about four seconds of tracing, below which starting processes takes longer than it saves."""


def cable_lengths(
    volume: LabelVolume,
    instances: Instances,
    *,
    anisotropy: Vector = (1.0, 1.0, 1.0),
    voxel_size: Vector = (30.0, 8.0, 8.0),
    workers: int | None = None,
    memory: int = _DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> dict[int, float]:
    """Return the cable length of each instance: the summed length of the edges of its skeleton.

    Skeletons are made by kimimaro with its default TEASAR parameters, without a dust threshold, with ``fix_branching``
    and ``fix_borders``, as the public tool TIMISE does. A connected component (26 neighbours) of one voxel has no
    skeleton, and an instance of nothing else has length 1, as in that tool.

    Each instance is traced in a crop of its own, and yet its skeleton is the one of a single call of
    ``kimimaro.skeletonize`` on the whole volume, and the lengths are equal to the bit. What that call takes from
    outside an instance is where the borders of the volume cut it, which is found beforehand on whole border planes, and
    whether the volume is nothing but this instance. Where every voxel of a border plane is a piece of its own, such as
    at the ends of a volume that is one voxel wide, kimimaro itself fails; here a skeleton ends at each such voxel.

    Parameters
    ----------
    volume
        Labels (z, y, x).
    instances
        All its instances, as an overlap table has them.
    anisotropy
        Size of a voxel in the unit of the TEASAR parameters, which are meant in nm, (z, y, x). With ``(1, 1, 1)``, as
        in the public tool, the invalidation radius of 300 swallows all side branches and distances count every axis
        alike; ``(30, 8, 8)`` is sensible.
    voxel_size
        nm (z, y, x).
    workers
        Processes; as many as processors by default, and none besides this one for a small volume.
    memory
        Bytes for labels and for the crops that are being traced; an interpreter and its libraries take another 150 MB
        for each worker.
    progress
        Called with (instances done, instances in all).

    Returns
    -------
    dict
        nm by id, ascending.

    Raises
    ------
    InvalidInputError
        A size is not positive, or ``workers`` or ``memory`` is below 1.
    MemoryLimitError
        One instance does not fit in ``memory``, or a process died for want of memory.
    MissingExtraError
        kimimaro is not installed.
    UnusableFileError
        The file is damaged.

    References
    ----------
    M. Sato et al., TEASAR: tree-structure extraction algorithm for accurate and robust skeletons, Pacific Graphics,
    2000.
    https://github.com/seung-lab/kimimaro, https://github.com/danifranco/TIMISE

    Examples
    --------
    >>> import numpy as np
    >>> from mitobench.overlap import overlap_pass
    >>> from mitobench.volumes import open_labels
    >>> rods = np.zeros((9, 9, 9), "u1")
    >>> rods[1:8, 2, 2], rods[5, 5, 1:8], rods[8, 8, 8] = 1, 2, 3
    >>> volume = open_labels(rods)
    >>> cable_lengths(volume, overlap_pass(volume, volume).gt)
    {1: 180.0, 2: 48.0, 3: 1.0}
    """
    need_kimimaro(volume.name)
    workers = default_workers() if workers is None else workers
    if workers < 1 or memory < 1:
        raise InvalidInputError(f"workers and memory must be at least 1, got workers={workers} and memory={memory}")
    _check_size("anisotropy", anisotropy)
    _check_size("voxel_size", voxel_size)
    if len(instances) == 0:
        return {}
    boxes = margins(volume.shape, instances)
    check_memory(volume, instances, boxes, memory)
    crops = cut_out(volume, instances, boxes, border_targets(volume, instances, anisotropy), memory)
    if sum(box.voxels for box in boxes) < _VOXELS_WORTH_PROCESSES:
        workers = 1
    lengths: dict[int, float] = {}

    def done(instance: int, length: float) -> None:
        lengths[instance] = length
        if progress is not None:
            progress(len(lengths), len(instances))

    _measure(crops, partial(skeleton_length, anisotropy=anisotropy, voxel_size=voxel_size), done, workers, memory)
    return dict(sorted(lengths.items()))


def _measure(
    crops: Iterator[Crop],
    measure: Callable[[Crop], float],
    done: Callable[[int, float], None],
    workers: int,
    memory: int,
) -> None:
    if workers == 1:
        for crop in crops:
            done(crop.id, measure(crop))
        return
    costed = ((crop.id, crop, crop.mask.size * BYTES_PER_VOXEL) for crop in crops)
    in_processes(measure, costed, done, workers=workers, budget=tracing_share(memory))


def need_kimimaro(name: str) -> None:
    """Refuse to measure without the library.

    Parameters
    ----------
    name
        Of the volume, for the message.

    Raises
    ------
    MissingExtraError
        kimimaro is not installed.
    """
    try:
        import kimimaro  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"{name}: measuring cable lengths needs the kimimaro library, which is not installed; run "
            "pip install 'mitobench[cable]', or give a table of cable lengths"
        ) from error


def _check_size(name: str, size: Vector) -> None:
    if len(size) != 3 or not all(math.isfinite(side) and side > 0 for side in size):
        raise InvalidInputError(f"{name} is {size}; expected three positive numbers, along z, y and x")
