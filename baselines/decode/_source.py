"""The probabilities: checked when they are opened, then read strip by strip."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.decode._methods import MarkerWatershed
from mitobench.errors import InvalidInputError, MemoryLimitError
from mitobench.types import Box
from mitobench.volumes import open_image
from mitobench.volumes.reader import ThreadReaders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.decode._methods import Method
    from mitobench.types import AnyArray, Shape, Volume

__all__ = ["Layers", "Source", "open_probability", "plan_layers"]

_LAYER_SECTIONS = 16
"""Sections of a layer, unless chunks are deeper or rows of chunks larger than a strip."""

_STRIP_VOXELS = 1 << 22
"""Voxels of a strip, unless a row of chunks is larger: few enough to stay in the cache, many enough to hide Python."""


@dataclass(frozen=True)
class Layers:
    """A volume cut into layers of whole sections, and these into strips of whole rows.

    Attributes
    ----------
    shape
        Of the volume.
    depth
        Sections of a layer; the last one may have fewer.
    rows
        Of a strip; the last one of a layer may have fewer.
    at_once
        Strips for whose reading there is memory.
    """

    shape: Shape
    depth: int
    rows: int
    at_once: int

    @property
    def count(self) -> int:
        """Number of layers."""
        return -(-self.shape[0] // self.depth)

    @property
    def voxels(self) -> int:
        """Of a layer, as all but the last one have."""
        return self.depth * self.shape[1] * self.shape[2]

    def strips(self, layer: int) -> list[Box]:
        """Boxes of the strips of a layer."""
        depth, height, width = self.shape
        z = layer * self.depth
        stop = min(z + self.depth, depth)
        return [Box((z, y, 0), (stop, min(y + self.rows, height), width)) for y in range(0, height, self.rows)]


def plan_layers(shape: Shape, chunk: Shape, channels: int, *, memory: int, workers: int, name: str) -> Layers:
    """Choose strips of whole chunks, and smaller ones, for which chunks are read again, if these do not fit in memory.

    Raises
    ------
    MemoryLimitError
        Not even one row fits.
    """
    depth, height, width = shape
    sections, rows = min(chunk[0], depth), min(chunk[1], height)
    sections *= max(1, min(_LAYER_SECTIONS // sections, _STRIP_VOXELS // (sections * rows * width)))
    rows *= max(1, _STRIP_VOXELS // (sections * rows * width))
    # Half of the memory; a voxel being read lies in a chunk, in a box, and perhaps in runs with its value.
    room = memory // (8 * channels)
    if width > room:
        raise MemoryLimitError(
            f"{name}: rows of {width} voxels do not fit in the memory limit of {memory:,} bytes; give at least "
            f"{8 * channels * width:,} (memory=, --memory)"
        )
    if sections * rows * width > room:
        rows = max(1, room // (sections * width))
    sections, rows = min(sections, depth, max(1, room // (rows * width))), min(rows, height)
    return Layers(shape, sections, rows, max(1, min(workers, room // (sections * rows * width))))


class Source:
    """Channels of one volume of probabilities, uint8. Threads may read at the same time.

    Parameters
    ----------
    mask
        Channel 0.
    contour
        Channel 1 where the method looks at it, or None.
    """

    def __init__(self, mask: Volume, contour: Volume | None) -> None:
        self.mask = mask
        self.channels = 1 if contour is None else 2
        self._readers = [ThreadReaders(volume) for volume in (mask, contour) if volume is not None]

    def read(self, box: Box) -> list[AnyArray]:
        """Return the voxels of each channel in a box, valid until this thread's next call."""
        # One kind of array, so that loops are compiled once.
        return [np.require(reader.read(box), requirements=["C", "W"]) for reader in self._readers]

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            reader.close()


@contextmanager
def open_probability(probability: Any, method: Method) -> Iterator[Source]:  # noqa: ANN401 - paths and arrays
    """Open probabilities and check that they are what the method needs; files are closed at the end.

    Raises
    ------
    InvalidInputError
        They are not bytes, or the number of channels is not that of the method.
    """
    volumes = open_image(probability)
    with ExitStack() as opened:
        opened.callback(volumes[0].close)
        source = _checked(volumes, method)
        opened.callback(source.close)
        yield source


def _checked(volumes: tuple[Volume, ...], method: Method) -> Source:
    first = volumes[0]
    name = first.name.removesuffix("[0]")
    watershed = isinstance(method, MarkerWatershed)
    allowed, expected = ({2}, "2, mask and contour") if watershed else ({1, 2}, "1, the mask, or 2, mask and contour")
    if len(volumes) not in allowed:
        raise InvalidInputError(
            f"{name}: {len(volumes)} channels; expected {expected}, as (channel, z, y, x); keep those or choose the "
            "method that fits the network"
        )
    if first.dtype != np.uint8:
        raise InvalidInputError(
            f"{name}: probabilities of type {first.dtype}; expected uint8, 255 for 1; convert probabilities p from 0 "
            "to 1 with (255 * p).astype('uint8')"
        )
    return Source(first, volumes[1] if watershed else None)
