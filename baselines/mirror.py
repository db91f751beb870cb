"""Volumes continued beyond their ends by their mirror image, without a second copy of the outermost voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.types import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import AnyArray, Volume

__all__ = ["mirrored_places", "read_mirrored"]


def mirrored_places(start: int, stop: int, size: int) -> NDArray[np.intp]:
    """Return which voxel of an axis stands at each place of a range that may reach outside.

    Examples
    --------
    >>> mirrored_places(-2, 5, 3).tolist(), mirrored_places(-1, 2, 1).tolist()
    ([2, 1, 0, 1, 2, 1, 0], [0, 0, 0])
    """
    period = max(1, 2 * (size - 1))
    places = np.arange(start, stop) % period
    return np.minimum(places, period - places)


def read_mirrored(volume: Volume, box: Box) -> AnyArray:
    """Return the voxels of a box that may reach outside, (z, y, x); no more of the volume is read than they need."""
    places = [mirrored_places(lo, hi, n) for lo, hi, n in zip(*box, volume.shape, strict=True)]
    (z0, z1), (y0, y1), (x0, x1) = ((int(at.min()), int(at.max()) + 1) for at in places)
    inside = Box((z0, y0, x0), (z1, y1, x1))
    voxels = volume.read(inside)
    return voxels if inside == box else voxels[np.ix_(*(at - lo for at, lo in zip(places, inside.start, strict=True)))]
