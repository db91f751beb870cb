"""The first pass: foreground and seeds are labelled tile by tile, and kept as runs."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._methods import Components, byte_of
from baselines.decode._runs import Runs, runs_of
from baselines.decode._stitch import Stitcher, components, faces_of
from mitobench.errors import MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.decode._methods import Connectivity, Method
    from baselines.decode._source import Layers, Source
    from baselines.decode._spool import Place, Spool
    from baselines.decode._stitch import Faces
    from mitobench.types import AnyArray, Int64, Progress

__all__ = ["Layer", "Pieces", "Scan", "load", "scan"]

_PIECE_BYTES = 160
"""What a piece, a component of one tile, takes with the copies that are made when pieces are joined."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The components of single tiles; row 0 is background.

    Attributes
    ----------
    component
        int64 (n + 1,), of the whole volume that each belongs to, from 1 on.
    components
        How many there are.
    voxels, total
        int64 (n + 1,), voxels of each and the sum of the mask over them.
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


@dataclass(frozen=True, eq=False)
class Scan:
    """What is known after the first pass.

    Attributes
    ----------
    layers
        How the volume was cut.
    foreground, seeds
        Their pieces; of the seeds also voxels outside of the foreground are counted.
    pairs
        int64 (n, 2): piece of the foreground and piece of a seed in it.
    kept
        Where the runs of each layer are.
    """

    layers: Layers
    foreground: Pieces
    seeds: Pieces
    pairs: Int64
    kept: tuple[Place, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """The runs of one layer, labelled by their pieces.

    Attributes
    ----------
    foreground
        Its runs.
    values
        uint8, the mask at every voxel of these, one run behind the other; empty where nothing is flooded.
    seeds
        Runs of seeds in the foreground.
    within
        int64, the piece of the foreground that each of them lies in.
    """

    foreground: Runs
    values: AnyArray
    seeds: Runs
    within: Int64


def load(spool: Spool, place: Place) -> Layer:
    """Return what was kept of a layer."""
    start, length, label, values, seed_start, seed_length, seed_label, within = spool.get(place)
    seeds = Runs(seed_start, seed_length.astype(np.int64), seed_label.astype(np.int64))
    return Layer(Runs(start, length.astype(np.int64), label.astype(np.int64)), values, seeds, within.astype(np.int64))


def scan(
    source: Source,
    method: Method,
    layers: Layers,
    spool: Spool,
    *,
    memory: int,
    workers: int,
    progress: Progress | None = None,
) -> Scan:
    """Label the foreground and the seeds of a volume.

    Raises
    ------
    MemoryLimitError
        There are too many pieces, or chunks are too large.
    UnusableFileError
        A chunk is damaged, or a temporary file cannot be written.
    """
    found = _Found(method, layers, memory, source.mask.name)
    with ThreadPoolExecutor(workers, thread_name_prefix="mitobench") as pool:
        labelled: Iterator[_Tile | None] = iter(())
        for layer, arrays in enumerate(_read_ahead(source, layers, memory=memory // 4, workers=workers)):
            # While the tiles of this layer are labelled, and the next layer is read, those of the last one are joined.
            ready, labelled = labelled, pool.map(partial(_label_tile, method, arrays), layers.tiles())
            if layer:
                found.add(layer - 1, ready, spool)
            if progress is not None:
                progress(layers.sections(layer)[1] * layers.shape[1] * layers.shape[2], math.prod(layers.shape))
        found.add(layers.count - 1, labelled, spool)
    return found.finish()


def _read_ahead(source: Source, layers: Layers, *, memory: int, workers: int) -> Iterator[list[AnyArray]]:
    """Yield the channels of each layer, while the next one is read."""
    with ThreadPoolExecutor(1, thread_name_prefix="mitobench") as pool:
        read = [partial(source.read, *layers.sections(i), memory=memory, workers=workers) for i in range(layers.count)]
        ahead = pool.submit(read[0])
        for following in read[1:]:
            arrays, ahead = ahead.result(), pool.submit(following)
            yield arrays
        yield ahead.result()


@dataclass(frozen=True, eq=False)
class _Labels:
    """The components of a mask in one tile.

    Attributes
    ----------
    faces
        What the neighbours have to know.
    runs
        Placed in the raster of the layer, those of seeds only where foreground is.
    voxels
        int64 (number + 1,).
    """

    faces: Faces
    runs: Runs
    voxels: Int64


@dataclass(frozen=True, eq=False)
class _Tile:
    """One tile; `sums` are of the mask over each run of the foreground, the rest is as in `Layer`."""

    foreground: _Labels
    sums: Int64
    values: AnyArray
    seeds: _Labels | None
    within: Int64


def _label_tile(method: Method, arrays: list[AnyArray], place: tuple[slice, slice]) -> _Tile | None:
    """Label one tile of a layer; return None where there is nothing."""
    mask = arrays[0][:, *place]
    label = partial(_label, place=place, shape=arrays[0].shape)
    nothing = np.empty(0, np.int64)
    if isinstance(method, Components):
        inside = mask > byte_of(method.threshold)
        if not inside.any():
            return None
        foreground = label(inside, method.connectivity)
        return _Tile(foreground, _sums(mask[inside], foreground.runs), nothing.astype(np.uint8), None, nothing)
    is_seed, inside = mask > byte_of(method.seed_mask), mask > byte_of(method.foreground)
    if not (is_seed.any() or inside.any()):
        return None
    is_seed &= arrays[1][:, *place] < byte_of(method.seed_contour)
    foreground, values = label(inside, 6), mask[inside]
    reaches_out = byte_of(method.seed_mask) < byte_of(method.foreground)
    seeds = label(is_seed, method.seed_connectivity, inside if reaches_out else None)
    # Runs of seeds lie in one of the foreground each, the last one that begins no later.
    within = np.searchsorted(foreground.runs.start, seeds.runs.start, side="right") - 1
    return _Tile(foreground, _sums(values, foreground.runs), values, seeds, foreground.runs.label[within])


def _label(
    mask: AnyArray,
    connectivity: Connectivity,
    inside: AnyArray | None = None,
    *,
    place: tuple[slice, slice],
    shape: tuple[int, ...],
) -> _Labels:
    """Label the mask of a tile in a layer of this shape; runs are those of the part of it that is inside."""
    labels, number = components(mask, connectivity)
    runs = runs_of(labels)
    voxels = _added(runs.label, runs.length, number)
    if inside is not None:
        runs = runs_of(labels * inside)
    z, y, x = np.unravel_index(runs.start, labels.shape)
    start = np.ravel_multi_index((z, y + place[0].start, x + place[1].start), shape).astype(np.int64)
    return _Labels(faces_of(labels, number, place), Runs(start, runs.length, runs.label), voxels)


def _sums(values: AnyArray, runs: Runs) -> Int64:
    """Add up the values of each run."""
    if not len(runs):
        return runs.length
    return np.add.reduceat(values, np.cumsum(runs.length) - runs.length, dtype=np.int64)


def _added(label: Int64, amount: Int64, number: int) -> Int64:
    """Add up amounts by label, exactly below 2 ** 53."""
    return np.bincount(label, amount, number + 1).astype(np.int64)


class _Kind:
    """The pieces of one kind, layer by layer."""

    def __init__(self, connectivity: Connectivity, layers: Layers) -> None:
        self._layers = layers
        self._stitcher = Stitcher(connectivity)
        self._columns: list[tuple[Int64, ...]] = [(np.zeros(1, np.int64),) * 4]

    @property
    def number(self) -> int:
        """Pieces so far."""
        return self._stitcher.number

    def add(self, layer: int, tiles: list[_Labels], sums: list[Int64]) -> tuple[Runs, list[int]]:
        """Take in the tiles of a layer, with the sum over each run.

        Returns
        -------
        runs
            Of all tiles, placed in the volume and labelled by their pieces.
        offsets
            What was added to the labels of each tile.
        """
        z0, z1 = self._layers.sections(layer)
        offsets = self._stitcher.add([tile.faces for tile in tiles], (z1 - z0, *self._layers.shape[1:]))
        runs = []
        for tile, total, offset in zip(tiles, sums, offsets, strict=True):
            number, label = tile.faces.number, tile.runs.label
            start = tile.runs.start + layer * self._layers.voxels
            first = np.full(number + 1, np.iinfo(np.int64).max)
            # Runs are in raster order, and of what is written to one place the last stays.
            first[label[::-1]] = start[::-1]
            columns = tile.voxels, _added(label, total, number), first, np.full(number + 1, layer)
            self._columns.append(tuple(column[1:] for column in columns))
            runs.append(Runs(start, tile.runs.length, label + offset))
        return Runs.joined(runs), offsets

    def finish(self) -> Pieces:
        """Return all of them."""
        component, components = self._stitcher.finish()
        return Pieces(component, components, *map(np.concatenate, zip(*self._columns, strict=True)))


class _Found:
    """What the first pass has found so far."""

    def __init__(self, method: Method, layers: Layers, memory: int, name: str) -> None:
        self._memory = memory
        self._name = name
        self._layers = layers
        self._foreground = _Kind(method.connectivity if isinstance(method, Components) else 6, layers)
        self._seeds = _Kind(6 if isinstance(method, Components) else method.seed_connectivity, layers)
        self._pairs: list[Int64] = [np.empty((0, 2), np.int64)]
        self._kept: list[Place] = []

    def add(self, layer: int, labelled: Iterator[_Tile | None], spool: Spool) -> None:
        """Take in the tiles of the next layer."""
        tiles = [tile for tile in labelled if tile is not None]
        runs, offsets = self._foreground.add(layer, [t.foreground for t in tiles], [t.sums for t in tiles])
        seeded = [tile.seeds for tile in tiles if tile.seeds is not None]
        seeds, _ = self._seeds.add(layer, seeded, [one.runs.length for one in seeded])
        within = [np.empty(0, np.int64), *(t.within + offset for t, offset in zip(tiles, offsets, strict=True))]
        self._pairs.append(np.unique(np.stack([np.concatenate(within), seeds.label], axis=1), axis=0))
        self._check()
        values = np.concatenate([np.empty(0, np.uint8), *(tile.values for tile in tiles)])
        self._kept.append(spool.put(*_small(runs), values, *_small(seeds), np.concatenate(within).astype(np.uint32)))

    def finish(self) -> Scan:
        """Join what belongs together."""
        foreground, seeds = self._foreground.finish(), self._seeds.finish()
        return Scan(self._layers, foreground, seeds, np.concatenate(self._pairs), tuple(self._kept))

    def _check(self) -> None:
        number = self._foreground.number + self._seeds.number
        if number * _PIECE_BYTES > self._memory // 2:
            raise MemoryLimitError(
                f"{self._name}: falls into {number:,} pieces or more, too many for the memory limit of "
                f"{self._memory:,} bytes; are these probabilities? If so raise the limit (memory=, --memory)"
            )


def _small(runs: Runs) -> tuple[AnyArray, AnyArray, AnyArray]:
    return runs.start, runs.length.astype(np.int32), runs.label.astype(np.uint32)
