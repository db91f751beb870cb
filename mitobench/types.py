"""The few types that every room of the house shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AnyArray",
    "Box",
    "Float64",
    "Int64",
    "LabelVolume",
    "PathOrStr",
    "Progress",
    "RawChunks",
    "Shape",
    "Uint64",
    "Volume",
]

Shape = tuple[int, int, int]
PathOrStr = str | PathLike[str]
AnyArray = NDArray[Any]
Uint64 = NDArray[np.uint64]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

Progress = Callable[[int, int], None]
"""Called with (voxels done, voxels in all)."""


class Box(NamedTuple):
    """Half-open box of voxels, in (z, y, x)."""

    start: Shape
    stop: Shape

    @property
    def shape(self) -> Shape:
        """Edge lengths in voxels."""
        (z0, y0, x0), (z1, y1, x1) = self
        return z1 - z0, y1 - y0, x1 - x0

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        z, y, x = self.shape
        return z * y * x

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index that cuts the box out of a whole (z, y, x) array."""
        (z0, y0, x0), (z1, y1, x1) = self
        return slice(z0, z1), slice(y0, y1), slice(x0, x1)

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """Index that cuts this box out of an array that holds the voxels of ``outer``."""
        (z0, y0, x0), (z1, y1, x1) = self
        oz, oy, ox = outer.start
        return slice(z0 - oz, z1 - oz), slice(y0 - oy, y1 - oy), slice(x0 - ox, x1 - ox)


@dataclass(frozen=True)
class RawChunks:
    """Where the stored chunks of a volume lie in one file, so that they can be fetched and decoded in parallel.

    Attributes
    ----------
    path
        The file.
    filters
        Names of the filters in the order in which they were applied when writing, from ``shuffle``, ``gzip``, ``lzf``,
        ``fletcher32``.
    locations
        Grid index (z, y, x) of a chunk -> (byte offset, byte count, mask of skipped filters). Chunks that were never
        written are absent: all their voxels have ``fill_value``.
    fill_value
        Value of voxels that were never written.
    padded
        Whether chunks are stored whole where the volume ends within them.
    """

    path: str
    filters: tuple[str, ...]
    locations: dict[Shape, tuple[int, int, int]]
    fill_value: float
    padded: bool


class Volume(Protocol):
    """A (z, y, x) array on disk or in memory, read box by box. ``read`` may be called from several threads."""

    @property
    def name(self) -> str:
        """How the volume is called in messages and reports: ``path``, ``path::dataset`` or ``array``."""

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""

    @property
    def chunks(self) -> Shape:
        """Natural unit of reading: whole chunks of this grid are read without waste."""

    @property
    def raw(self) -> RawChunks | None:
        """Location of the stored chunks when they can be decoded without the format's library."""

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box. The array may be a view and must not be written to."""

    def close(self) -> None:
        """Release files."""


class LabelVolume(Volume, Protocol):
    """A volume of integer instance ids, 0 for background, negative ids refused."""
