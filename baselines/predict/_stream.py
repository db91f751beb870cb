"""The pass: tile by tile, along z, windows are predicted and blended into sums that finished sections leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from baselines.predict._heap import apart
from baselines.predict._window import FLOOR
from mitobench.errors import InvalidInputError
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from torch import Tensor

    from baselines.predict._image import Image
    from baselines.predict._model import Model
    from baselines.predict._plan import Layer, Plan, Tile
    from mitobench.types import AnyArray

__all__ = ["blended"]

_ROUNDING = 1e-6
"""What sums in single precision may lack: without it a probability of 1 could become 254."""


class _Slab(NamedTuple):
    """What the windows of one layer see of the image."""

    box: Box
    voxels: AnyArray
    """(channel, z, y, x)"""


def blended(
    plan: Plan, image: Image, model: Model, batch: int, *, as_bytes: bool, done: Container[Box] = ()
) -> Iterator[tuple[Box, AnyArray]]:
    """Yield the probabilities of each part of the volume, (channel, z, y, x), in ascending order of tile and section.

    Parameters
    ----------
    plan
        Windows and tiles.
    image
        What is predicted.
    model
        Predicts windows.
    batch
        Windows at a time.
    as_bytes
        Whether to return ``floor(255 p)`` in place of float32.
    done
        Parts that are not asked for.

    Raises
    ------
    InvalidInputError
        The network gives values that are no numbers.
    """
    weight = torch.from_numpy(plan.weight()).float().to(model.device)
    for tile in plan.tiles:
        wanted = [box for layer in plan.layers for box in layer.boxes(tile) if box not in done]
        if not wanted:
            continue
        sums = _Sums(plan, tile, weight, model.channels)
        for layer, slab in _slabs(plan, tile, _needed(plan, wanted), image):
            sums.advance(layer.start)
            for at, windows in _batches(plan, tile, slab, batch):
                sums.add(at, model(windows))
            for box in layer.boxes(tile):
                if box in wanted:
                    yield box, _finished(sums, box, image.name, as_bytes=as_bytes)


def _needed(plan: Plan, wanted: list[Box]) -> list[Layer]:
    """Return the layers whose windows see a section that is wanted."""
    depth = plan.axes[0].edge
    return [
        layer
        for layer in plan.layers
        if any(layer.start < box.stop[0] and layer.start + depth > box.start[0] for box in wanted)
    ]


def _slabs(plan: Plan, tile: Tile, layers: list[Layer], image: Image) -> Iterator[tuple[Layer, _Slab]]:
    """Yield the image of each layer; the next one is read while this one is predicted."""
    (y0, y1), (x0, x1) = plan.axes[1].reach(tile.y), plan.axes[2].reach(tile.x)
    boxes = [Box((layer.start, y0, x0), (layer.start + plan.axes[0].edge, y1, x1)) for layer in layers]
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_read, image, boxes[0], None, plan.step)
        for k, layer in enumerate(layers):
            slab = reading.result()
            if k + 1 < len(layers):
                reading = pool.submit(_read, image, boxes[k + 1], slab, plan.step)
            yield layer, slab


def _read(image: Image, box: Box, last: _Slab | None, step: int) -> _Slab:
    """Read a slab, a few sections at a time, but for those that the last one has too."""
    (z0, y0, x0), (z1, y1, x1) = box
    voxels = apart((len(image.channels), *box.shape), image.dtype)
    known = 0 if last is None else max(0, last.box.stop[0] - z0)
    if last is not None and known:
        voxels[:, :known] = last.voxels[:, -known:]
    for z in range(z0 + known, z1, step):
        stop = min(z + step, z1)
        image.read(Box((z, y0, x0), (stop, y1, x1)), out=voxels[:, z - z0 : stop - z0])
    return _Slab(box, voxels)


def _batches(plan: Plan, tile: Tile, slab: _Slab, batch: int) -> Iterator[tuple[list[tuple[int, int]], AnyArray]]:
    """Yield places (y, x) of windows, row by row, and what they see."""
    _, height, width = (axis.edge for axis in plan.axes)
    _, y0, x0 = slab.box.start
    places = list(product(plan.axes[1].touching(tile.y), plan.axes[2].touching(tile.x)))
    # Batches of about one size: a single window left over would be slow.
    count = -(-len(places) // batch)
    for k in range(count):
        at = places[k * len(places) // count : (k + 1) * len(places) // count]
        seen = [slab.voxels[:, :, y - y0 : y - y0 + height, x - x0 : x - x0 + width] for y, x in at]
        yield at, np.stack(seen)


class _Sums:
    """Sums of weighted probabilities of a tile, for as many sections as a window has."""

    def __init__(self, plan: Plan, tile: Tile, weight: Tensor, channels: int) -> None:
        self._tile = tile
        self._weight = weight
        self._depth = plan.axes[0].edge
        self._sums = torch.from_numpy(apart((channels, self._depth, *tile.shape), np.float32)).to(weight.device)
        self._start = 0
        (self._count, self._bell), rows, columns = plan.totals()
        (self._counts, self._bells) = (
            torch.from_numpy(np.outer(row[slice(*tile.y)], column[slice(*tile.x)])).float().to(weight.device)
            for row, column in zip(rows, columns, strict=True)
        )

    def __len__(self) -> int:
        """Return the number of channels."""
        return len(self._sums)

    def advance(self, start: int) -> None:
        """Let the sums begin with another section; what was before it is forgotten."""
        shift, self._start = start - self._start, start
        for z in range(self._depth):
            if z + shift < self._depth:
                self._sums[:, z] = self._sums[:, z + shift]
            else:
                self._sums[:, z] = 0

    def add(self, places: list[tuple[int, int]], probabilities: Tensor) -> None:
        """Add windows that start in the first section."""
        for (y, x), probability in zip(places, probabilities, strict=True):
            (rows, seen_rows), (columns, seen_columns) = (
                _overlap(at, edge, span)
                for at, edge, span in zip((y, x), probability.shape[2:], self._tile, strict=True)
            )
            self._sums[:, :, rows, columns].addcmul_(
                probability[:, :, seen_rows, seen_columns], self._weight[:, seen_rows, seen_columns]
            )

    def section(self, z: int) -> Tensor:
        """Return the probabilities of a section, (channel, y, x)."""
        total = (FLOOR * float(self._count[z])) * self._counts + float(self._bell[z]) * self._bells
        return self._sums[:, z - self._start] / total


def _finished(sums: _Sums, box: Box, name: str, *, as_bytes: bool) -> AnyArray:
    """Return sections that no later window sees."""
    shape = (len(sums), *box.shape)
    found = apart(shape, np.uint8 if as_bytes else np.float32)
    for z in range(box.start[0], box.stop[0]):
        section = sums.section(z)
        if not bool(torch.isfinite(section).all()):
            raise InvalidInputError(
                f"{name}: the network gives values that are no numbers in section {z}; check its weights"
            )
        found[:, z - box.start[0]] = (_bytes(section) if as_bytes else section).cpu().numpy()
    return found


def _bytes(probability: Tensor) -> Tensor:
    """Return probabilities as bytes, rounded down."""
    return (255 * (probability + _ROUNDING).clamp_(max=1)).to(torch.uint8)


def _overlap(at: int, edge: int, span: tuple[int, int]) -> tuple[slice, slice]:
    """Return where a window lies in a tile, and which part of the window that is."""
    lo, hi = max(at, span[0]), min(at + edge, span[1])
    return slice(lo - span[0], hi - span[0]), slice(lo - at, hi - at)
