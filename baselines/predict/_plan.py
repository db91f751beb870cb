"""The pure plan: where the windows lie, and which part of the volume is blended at a time.

The grid of windows depends on the volume and on nothing else. Memory only decides into how many tiles sections are cut.
A tile is followed along z, with sums for as many sections as a window has. Windows that reach over a cut are computed
for both of its sides, in the same order, so that every voxel is the sum of the same numbers whatever the plan is, but
for what the network rounds otherwise in another batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from baselines.predict._window import FLOOR, bell
from mitobench.errors import MemoryLimitError
from mitobench.types import Box

if TYPE_CHECKING:
    from baselines.predict._window import Window
    from mitobench.types import Float64, Shape

__all__ = ["Axis", "Layer", "Plan", "Tile", "plan_prediction"]

Span = tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """Windows along one axis.

    Attributes
    ----------
    size
        Voxels of the volume.
    edge
        Voxels of a window.
    starts
        First voxel of each window, ascending; negative in the padding.
    """

    size: int
    edge: int
    starts: tuple[int, ...]

    @classmethod
    def lay(cls, size: int, edge: int, stride: int, padding: int) -> Axis:
        """Return windows from one end of the padded axis to the other; at least one, and each sees the volume.

        Examples
        --------
        >>> Axis.lay(10, 4, 2, 0).starts, Axis.lay(9, 4, 2, 0).starts, Axis.lay(2, 4, 2, 0).starts
        ((0, 2, 4, 6), (0, 2, 4, 5), (-1,))
        """
        first, last = -padding, size + padding - edge
        if last <= first:
            return cls(size, edge, (-((edge - size) // 2),))
        starts = (*range(first, last, stride), last)
        return cls(size, edge, tuple(s for s in starts if s + edge > 0 and s < size))

    def touching(self, span: Span) -> tuple[int, ...]:
        """Return the starts of the windows that see a voxel of the span."""
        return tuple(s for s in self.starts if s < span[1] and s + self.edge > span[0])

    def reach(self, span: Span) -> Span:
        """Return what these windows see."""
        starts = self.touching(span)
        return starts[0], starts[-1] + self.edge

    def cut(self, count: int) -> tuple[Span, ...]:
        """Return about so many spans of about one size. Cuts lie where windows start: there the fewest cross them."""
        lines = [s for s in self.starts if 0 < s < self.size]
        wanted = (self.size * k / count for k in range(1, count))
        cuts = sorted({min(lines, key=lambda s: (abs(s - at), s)) for at in wanted}) if lines else []
        return tuple(zip([0, *cuts], [*cuts, self.size], strict=True))

    def total(self, profile: Float64) -> Float64:
        """Return for each voxel the sum of a profile over all windows."""
        sums = np.zeros(self.size)
        for s in self.starts:
            lo, hi = max(s, 0), min(s + self.edge, self.size)
            sums[lo:hi] += profile[lo - s : hi - s]
        return sums


class Tile(NamedTuple):
    """Rows and columns that are blended at a time."""

    y: Span
    x: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y[1] - self.y[0], self.x[1] - self.x[0]


class Layer(NamedTuple):
    """Windows that start in one section, and the sections that no later window sees, in parts."""

    start: int
    parts: tuple[Span, ...]

    def boxes(self, tile: Tile) -> list[Box]:
        """Return the parts of a tile that this layer completes."""
        return [Box((lo, tile.y[0], tile.x[0]), (hi, tile.y[1], tile.x[1])) for lo, hi in self.parts]


@dataclass(frozen=True)
class Plan:
    """How a volume is predicted.

    Attributes
    ----------
    shape
        Of the volume.
    axes
        Windows along z, y, x.
    sigma_scale
        Of their weight.
    step
        Most sections that are finished at a time.
    tiles
        Parts of a section, each voxel in exactly one.
    tile_bytes
        What the largest one needs.
    windows
        That are computed in all.
    recomputed
        Share of these that is computed once more because of the cuts.
    """

    shape: Shape
    axes: tuple[Axis, Axis, Axis]
    sigma_scale: float
    step: int
    tiles: tuple[Tile, ...]
    tile_bytes: int
    windows: int
    recomputed: float

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Windows by the section where they start, ascending. Together they complete each section once."""
        z = self.axes[0]
        ends = (*z.starts[1:], z.size)
        spans = ((s, max(s, 0), max(end, 0)) for s, end in zip(z.starts, ends, strict=True))
        return tuple(
            Layer(s, tuple((at, min(at + self.step, hi)) for at in range(lo, hi, self.step))) for s, lo, hi in spans
        )

    def boxes(self) -> list[Box]:
        """Return the parts of the volume in the order in which they are finished; each voxel is in one."""
        return [box for tile in self.tiles for layer in self.layers for box in layer.boxes(tile)]

    def totals(self) -> tuple[tuple[Float64, Float64], ...]:
        """Return along each axis the number of windows that see a voxel, and the sum of their bells.

        The sum of the weights of a voxel is ``FLOOR`` times the product of the first, and the product of the second.
        """
        return tuple(
            (axis.total(np.ones(axis.edge)), axis.total(bell(axis.edge, self.sigma_scale))) for axis in self.axes
        )

    def weight(self) -> Float64:
        """Return the weight of the voxels of a window, (z, y, x)."""
        z, y, x = (bell(axis.edge, self.sigma_scale) for axis in self.axes)
        weights: Float64 = FLOOR + z[:, None, None] * y[:, None] * x
        return weights


def plan_prediction(
    shape: Shape, window: Window, *, images: int = 1, channels: int = 2, itemsize: int = 1, memory: int = 2 * 10**9
) -> Plan:
    """Choose the tiles that fit in memory with the fewest windows computed twice.

    Parameters
    ----------
    shape
        Of the volume, in voxels.
    window
        The windows.
    images, channels
        Images in, probabilities out.
    itemsize
        Bytes of a voxel of the image, as it is stored.
    memory
        Bytes for sums, sections of the image and the results; what the network itself needs comes on top.

    Raises
    ------
    MemoryLimitError
        Not even the smallest tile fits.

    Examples
    --------
    >>> from baselines.predict import Window
    >>> plan = plan_prediction((500, 4096, 4096), Window(), memory=3 * 10**9)
    >>> len(plan.tiles), plan.tile_bytes < 3 * 10**9, round(plan.recomputed, 3)
    (3, True, 0.065)
    """
    edges = zip(shape, window.patch, window.stride, window.padding, strict=True)
    z, y, x = (Axis.lay(*edge) for edge in edges)
    costs = _Costs(window, images, channels, itemsize)
    choices = [(costs.bytes(a, b), a.windows * b.windows, a, b) for a, b in product(_cuttings(y), _cuttings(x))]
    least = min(needed for needed, *_ in choices)
    if least > memory:
        raise MemoryLimitError(
            f"windows of {window.patch} in batches of {window.at_a_time} need {least:,} bytes, more than the memory "
            f"limit of {memory:,}; raise the limit (memory=, --memory) or predict with smaller windows or batches"
        )
    needed, seen, rows, columns = min((c for c in choices if c[0] <= memory), key=lambda c: (c[1], len(c[2].spans)))
    tiles = tuple(Tile(a, b) for a, b in product(rows.spans, columns.spans))
    once = len(y.starts) * len(x.starts)
    step = window.stride[0]
    return Plan(shape, (z, y, x), window.sigma_scale, step, tiles, needed, len(z.starts) * seen, seen / once - 1)


class _Cutting(NamedTuple):
    """One axis cut into spans."""

    spans: tuple[Span, ...]
    longest: int
    reach: int
    windows: int


def _cuttings(axis: Axis) -> list[_Cutting]:
    """Return the axis whole, in two, and so on up to one span for each window."""
    found: list[_Cutting] = []
    for count in range(1, len(axis.starts) + 1):
        spans = axis.cut(count)
        reaches = [axis.reach(span) for span in spans]
        windows = sum(len(axis.touching(span)) for span in spans)
        found.append(_Cutting(spans, max(b - a for a, b in spans), max(b - a for a, b in reaches), windows))
    return found


@dataclass(frozen=True)
class _Costs:
    """What a tile needs."""

    window: Window
    images: int
    channels: int
    itemsize: int

    def bytes(self, rows: _Cutting, columns: _Cutting) -> int:
        """Return the bytes of the largest tile of two cuttings."""
        depth, step = self.window.patch[0], self.window.stride[0]
        blended, seen = rows.longest * columns.longest, rows.reach * columns.reach
        # Sums in float32 and the finished sections in uint8; sums of weights and one section on its way.
        sums = self.channels * (4 * depth + step) + 4 * (4 + 3 * self.channels)
        # The sections of this layer, those of the next one, and a few that are read for it and mirrored.
        image = self.itemsize * (2 * self.images * depth + 2 * step)
        batch = self.window.at_a_time * math.prod(self.window.patch)
        return blended * sums + seen * image + batch * (self.images * (self.itemsize + 8) + 8 * self.channels)
