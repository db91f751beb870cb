"""The first pass: foreground and seeds are found and joined strip by strip, and kept as runs."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from baselines.decode._runs import Runs
from baselines.decode._stitch import Stitcher
from baselines.decode._strips import Strip, connectivities, find_strip
from mitobench.errors import MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from baselines.decode._methods import Connectivity, Method
    from baselines.decode._source import Layers, Source
    from baselines.decode._spool import Place, Spool
    from baselines.decode._strips import FoundStrip, PiecesOfStrip
    from mitobench.types import Box, Int64, Progress

__all__ = ["Kept", "Pieces", "Scan", "load", "scan"]

_PIECE_BYTES = 160
"""What a piece, a component of one strip, takes with the copies that are made when pieces are joined."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The components of single strips; row 0 is background.

    Attributes
    ----------
    component
        int64 (n + 1,), of the whole volume that each belongs to, from 1 on.
    components
        How many there are.
    voxels, total
        int64 (n + 1,), voxels of each and the sum of the mask over them, as far as they are foreground.
    first
        int64 (n + 1,), index of the first voxel in the raster of the volume.
    layer
        int64 (n + 1,), where each lies.
    """

    component: Int64
    components: int
    voxels: Int64
    total: Int64
    first: Int64
    layer: Int64


class Kept(NamedTuple):
    """Where the runs of a strip are kept, and the pieces of foreground and of seeds before its own."""

    place: Place
    foreground: int
    seeds: int


@dataclass(frozen=True, eq=False)
class Scan:
    """What is known after the first pass.

    Attributes
    ----------
    layers
        How the volume was cut.
    foreground, seeds
        Their pieces; those of seeds with the voxels outside of the foreground.
    pairs
        int64 (n, 2): piece of the foreground and piece of a seed in it.
    kept
        Of each layer, its strips.
    """

    layers: Layers
    foreground: Pieces
    seeds: Pieces
    pairs: Int64
    kept: tuple[tuple[Kept, ...], ...]


def load(spool: Spool, kept: Kept) -> Strip:
    """Return what was kept of a strip."""
    return Strip(*spool.get(kept.place))


def scan(
    source: Source,
    method: Method,
    layers: Layers,
    spool: Spool,
    *,
    memory: int,
    progress: Progress | None = None,
) -> Scan:
    """Find the foreground and the seeds of a volume.

    Raises
    ------
    MemoryLimitError
        There are too many pieces.
    UnusableFileError
        A chunk is damaged, or a temporary file cannot be written.
    """
    found = _Found(method, layers, memory, source.mask.name)
    done = 0
    for strip in _in_order(partial(find_strip, source, method, layers.shape), layers):
        found.add(strip, spool)
        done += strip.box.voxels
        if progress is not None:
            progress(done, math.prod(layers.shape))
    return found.finish()


def _in_order(find: Callable[[Box], FoundStrip], layers: Layers) -> Iterator[FoundStrip]:
    """Yield what is found in each strip, while the following ones are read."""
    boxes = (box for layer in range(layers.count) for box in layers.strips(layer))
    with ThreadPoolExecutor(layers.at_once, thread_name_prefix="mitobench") as pool:
        ahead = deque(pool.submit(find, box) for box in islice(boxes, 2 * layers.at_once))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(find, box) for box in islice(boxes, 1))


class _Kind:
    """The pieces of one kind, strip by strip."""

    def __init__(self, connectivity: Connectivity, layers: Layers) -> None:
        self._layers = layers
        self._stitcher = Stitcher(layers.shape, connectivity)
        self._columns: list[tuple[Int64, ...]] = [(np.zeros(1, np.int64),) * 4]
        self._faces: list[Runs] = []
        self.number = 0

    def add(self, labels: PiecesOfStrip, box: Box) -> int:
        """Take in the next strip; return the number of pieces before its own."""
        before, number, faces = self.number, len(labels.voxels), labels.faces
        self.number += number
        layer = np.full(number, box.start[0] // self._layers.depth)
        self._columns.append((labels.voxels, labels.total, labels.first, layer))
        self._faces.append(Runs(faces.start, faces.length, faces.label + before))
        if box.stop[1] == self._layers.shape[1]:
            self._stitcher.add(self._faces, box.stop[0])
            self._faces = []
        return before

    def finish(self) -> Pieces:
        """Return all of them."""
        component, components = self._stitcher.finish(self.number)
        return Pieces(component, components, *map(np.concatenate, zip(*self._columns, strict=True)))


class _Found:
    """What the first pass has found so far."""

    def __init__(self, method: Method, layers: Layers, memory: int, name: str) -> None:
        within, beyond = connectivities(method)
        self._memory = memory
        self._name = name
        self._layers = layers
        self._foreground, self._seeds = _Kind(within, layers), _Kind(beyond, layers)
        self._pairs = [np.empty((0, 2), np.int64)]
        self._kept: list[list[Kept]] = [[] for _ in range(layers.count)]

    def add(self, found: FoundStrip, spool: Spool) -> None:
        """Take in the next strip."""
        box, strip = found.box, found.strip
        before = self._foreground.add(found.foreground, box), self._seeds.add(found.seeds, box)
        self._check()
        self._pairs.append(found.pairs + before)
        place = spool.put(strip.start, strip.length, strip.piece, strip.seed, strip.values)
        self._kept[box.start[0] // self._layers.depth].append(Kept(place, *before))

    def finish(self) -> Scan:
        """Join what belongs together."""
        foreground, seeds = self._foreground.finish(), self._seeds.finish()
        return Scan(self._layers, foreground, seeds, np.concatenate(self._pairs), tuple(map(tuple, self._kept)))

    def _check(self) -> None:
        number = self._foreground.number + self._seeds.number
        if number * _PIECE_BYTES > self._memory // 2:
            raise MemoryLimitError(
                f"{self._name}: falls into {number:,} pieces or more, too many for the memory limit of "
                f"{self._memory:,} bytes; are these probabilities? If so raise the limit (memory=, --memory)"
            )
