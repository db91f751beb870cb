"""The surface of one instance, from the voxels of its bounding box alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.types import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Shape, Volume

    Bools = NDArray[np.bool_]

__all__ = ["LARGEST_BOX", "coarse_mask", "strides"]

LARGEST_BOX = 2**29
"""Voxels of the largest box that is read for one surface."""

_MASK_VOXELS = 2**22
_SLAB_VOXELS = 2**24


def strides(shape: Shape, voxel_size: tuple[float, float, float]) -> Shape:
    """Return which voxels to take along each axis so that few enough are left, as cubic as possible.

    Examples
    --------
    >>> strides((50, 200, 200), (30, 8, 8))
    (1, 1, 1)
    >>> strides((100, 2000, 2000), (30, 8, 8))
    (2, 8, 8)
    """
    steps = [1, 1, 1]
    while np.prod([-(-n // step) for n, step in zip(shape, steps, strict=True)]) > _MASK_VOXELS:
        finest = min(range(3), key=lambda axis: steps[axis] * voxel_size[axis])
        steps[finest] *= 2
    return steps[0], steps[1], steps[2]


def coarse_mask(volume: Volume, own: int, box: Box, steps: Shape) -> Bools:
    """Return where an instance is inside a box, at every so many voxels, reading slab by slab."""
    (z0, y0, x0), (z1, y1, x1) = box
    depth = max(1, _SLAB_VOXELS // Box((0, y0, x0), (1, y1, x1)).voxels // steps[0]) * steps[0]
    slabs = [Box((z, y0, x0), (min(z + depth, z1), y1, x1)) for z in range(z0, z1, depth)]
    label = volume.dtype.type(own)
    return np.concatenate([volume.read(slab)[:: steps[0], :: steps[1], :: steps[2]] == label for slab in slabs])
