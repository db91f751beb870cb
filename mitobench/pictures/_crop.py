"""Where to look: three sections of an instance and a square around it, planned before a voxel is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.types import Shape

__all__ = ["Crop", "plan_crop"]

_PIXELS = 160
"""The most pixels along an edge of a picture."""
_STRIDES = 8
"""The most voxels along a pixel; what is larger is cut."""
_LEAST = 96
"""The fewest voxels along an edge: a small instance is nothing without what lies around it."""
_MARGIN = 0.15
"""Share of the instance's extent that is shown beyond each end of it."""


@dataclass(frozen=True)
class Crop:
    """A square of a few sections.

    Attributes
    ----------
    sections
        z, ascending.
    y, x
        First voxel and the one behind the last, multiples of ``stride`` apart.
    stride
        Voxels along the edge of a pixel.
    whole
        Whether the bounding box lies within, along y and x.
    """

    sections: tuple[int, ...]
    y: tuple[int, int]
    x: tuple[int, int]
    stride: int
    whole: bool

    def box(self, z: int) -> Box:
        """Return the voxels of one section."""
        return Box((z, self.y[0], self.x[0]), (z + 1, self.y[1], self.x[1]))


def plan_crop(box: Box, centroid: Sequence[float], shape: Shape) -> Crop:
    """Return the crop for an instance.

    Parameters
    ----------
    box
        Its bounding box.
    centroid
        (z, y, x) in voxels.
    shape
        Of the volume.

    Examples
    --------
    >>> plan_crop(Box((4, 10, 20), (13, 40, 30)), (8.2, 25.0, 24.0), (20, 200, 200))
    Crop(sections=(6, 8, 10), y=(0, 96), x=(0, 96), stride=1, whole=True)
    """
    extent = max(box.shape[1:])
    edge = max(_LEAST, round(extent * (1 + 2 * _MARGIN)))
    stride = min(_STRIDES, -(-edge // _PIXELS))
    edge = min(-(-edge // stride), _PIXELS) * stride
    y, x = (_span(box, centroid, shape, axis, edge, stride) for axis in (1, 2))
    whole = all(low <= box.start[k] and box.stop[k] <= high for k, (low, high) in ((1, y), (2, x)))
    return Crop(_sections(box, centroid[0], shape[0]), y, x, stride, whole)


def _span(box: Box, centroid: Sequence[float], shape: Shape, axis: int, edge: int, stride: int) -> tuple[int, int]:
    """Return where the square begins and ends: around the middle of the box, or the centroid where it is cut."""
    length = shape[axis]
    edge = min(edge, max(length // stride, 1) * stride)
    fits = box.shape[axis] <= edge
    middle = (box.start[axis] + box.stop[axis]) // 2 if fits else round(centroid[axis])
    low = min(max(middle - edge // 2, 0), length - edge)
    return low, low + edge


def _sections(box: Box, centre: float, depth: int) -> tuple[int, ...]:
    """Return the section of the centroid and one on each side a quarter of the extent away.

    Inside the instance if possible; at an end of the volume both on one side.
    """
    (first, *_), (stop, *_) = box
    middle = min(max(round(centre), first), stop - 1)
    step = max(1, (stop - first) // 4)
    below, above = min(max(middle - step, first), middle - 1), max(min(middle + step, stop - 1), middle + 1)
    if below < 0:
        below, middle, above = middle, above, above + 1
    elif above >= depth:
        below, middle, above = below - 1, below, middle
    return tuple(z for z in (below, middle, above) if 0 <= z < depth)
