"""The probabilities: checked when they are opened, then read layer by layer."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.decode._methods import MarkerWatershed
from mitobench.errors import InvalidInputError, MemoryLimitError
from mitobench.overlap import stream, stream_one
from mitobench.volumes import SectionRange, open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.decode._methods import Method
    from mitobench.types import AnyArray, Box, Shape, Volume

__all__ = ["Layers", "Source", "open_probability", "plan_layers"]

_LAYER_VOXELS = 1 << 26
"""Voxels of a layer, unless its chunks are deeper: what is known of it before it is joined stays small."""

_TILE_VOXELS = 1 << 19
"""Voxels that are labelled at a time: they stay in the cache, and many tiles have no foreground at all."""


@dataclass(frozen=True)
class Layers:
    """A volume cut into layers of whole sections, and these into tiles.

    Attributes
    ----------
    shape
        Of the volume.
    depth
        Sections of a layer; the last one may have fewer.
    edge
        Of a tile, along y and x.
    """

    shape: Shape
    depth: int
    edge: int

    @property
    def count(self) -> int:
        """Number of layers."""
        return -(-self.shape[0] // self.depth)

    @property
    def voxels(self) -> int:
        """Of a layer, as all but the last one have."""
        return self.depth * self.shape[1] * self.shape[2]

    def sections(self, layer: int) -> tuple[int, int]:
        """First section of a layer, and the one behind its last."""
        return layer * self.depth, min((layer + 1) * self.depth, self.shape[0])

    def tiles(self) -> list[tuple[slice, slice]]:
        """Rows and columns of the tiles of every layer."""
        rows, columns = ([slice(i, min(i + self.edge, n)) for i in range(0, n, self.edge)] for n in self.shape[1:])
        return list(product(rows, columns))


def plan_layers(shape: Shape, chunk_depth: int, channels: int, memory: int, name: str) -> Layers:
    """Choose layers that fit in memory, and of whole chunks if that is possible.

    Raises
    ------
    MemoryLimitError
        Not even one section fits.
    """
    depth, height, width = shape
    # Two layers are in memory; beside them, four planes of labels, and what inflates chunks takes a quarter.
    section = height * width
    fit = (memory // 4 * 3 - 16 * section) // (2 * channels * section)
    if fit < 1:
        raise MemoryLimitError(
            f"{name}: sections of {height} x {width} voxels do not fit in the memory limit of {memory:,} bytes; give "
            f"at least {8 * (channels + 8) * section // 3 + 4:,} (memory=, --memory)"
        )
    fit = max(1, min(fit, depth, max(chunk_depth, _LAYER_VOXELS // section)))
    if fit > chunk_depth:
        fit -= fit % chunk_depth
    return Layers(shape, fit, max(1, math.isqrt(_TILE_VOXELS // fit)))


@dataclass(frozen=True)
class Source:
    """Channels of one volume of probabilities, uint8.

    Attributes
    ----------
    mask
        Channel 0.
    contour
        Channel 1 where the method looks at it, or None.
    """

    mask: Volume
    contour: Volume | None

    @property
    def channels(self) -> tuple[Volume, ...]:
        """Those that are read."""
        return (self.mask,) if self.contour is None else (self.mask, self.contour)

    def read(self, start: int, stop: int, *, memory: int, workers: int) -> list[AnyArray]:
        """Return some sections of each channel, (z, y, x)."""
        parts = [SectionRange(channel, start, stop) for channel in self.channels]
        copied = _Copied([np.empty(part.shape, np.uint8) for part in parts])
        # Each thread copies what it inflated into its own boxes.
        if len(parts) == 1:
            stream_one(parts[0], lambda: copied, memory=memory, workers=workers)
        else:
            stream(parts[0], parts[1], lambda: copied, memory=memory, workers=workers)
        return copied.arrays


class _Copied:
    """Puts the boxes of a pass together again."""

    def __init__(self, arrays: list[AnyArray]) -> None:
        self.arrays = arrays

    def add(self, *blocks_and_box: Any) -> None:  # noqa: ANN401 - one block or two, then their box
        """Copy the blocks of one box."""
        *blocks, box = blocks_and_box
        place: Box = box
        for array, block in zip(self.arrays, blocks, strict=True):
            array[place.slices] = block


@contextmanager
def open_probability(probability: Any, method: Method) -> Iterator[Source]:  # noqa: ANN401 - paths and arrays
    """Open probabilities and check that they are what the method needs; files are closed at the end.

    Raises
    ------
    InvalidInputError
        They are not bytes, or the number of channels is not that of the method.
    """
    volumes = open_image(probability)
    try:
        yield _checked(volumes, method)
    finally:
        volumes[0].close()


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
