"""One strip of a volume: its foreground and its seeds as runs, and which of these are connected within it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import find_runs
from baselines.decode._methods import Components, byte_of
from baselines.decode._runs import Runs, connected, taken, unique_pairs
from baselines.decode._stitch import at_faces

if TYPE_CHECKING:
    from baselines.decode._methods import Connectivity, Method
    from baselines.decode._source import Source
    from mitobench.types import AnyArray, Box, Int64, Shape

__all__ = ["FoundStrip", "PiecesOfStrip", "Strip", "connectivities", "find_strip"]

_FOREGROUND, _SEED = 1, 2
"""Bits of the kind of a run."""


@dataclass(frozen=True, eq=False)
class Strip:
    """The runs of foreground in one strip, in the order of the raster.

    Attributes
    ----------
    start
        int64, in the raster of the volume.
    length
        int32, voxels.
    piece, seed
        uint32, the piece of the foreground, from 1 on within the strip; that of a seed, 0 for none.
    values
        uint8, the mask at every voxel, one run behind the other; empty where nothing is flooded.
    """

    start: Int64
    length: AnyArray
    piece: AnyArray
    seed: AnyArray
    values: AnyArray


@dataclass(frozen=True, eq=False)
class PiecesOfStrip:
    """The pieces of one kind in one strip.

    Attributes
    ----------
    faces
        Runs with neighbours in other strips, labelled by their pieces.
    voxels, total, first
        int64 (n,), as in `Pieces`, without a row for background.
    """

    faces: Runs
    voxels: Int64
    total: Int64
    first: Int64


@dataclass(frozen=True, eq=False)
class FoundStrip:
    """What was found in one strip; ``pairs`` are as in `Scan`."""

    box: Box
    strip: Strip
    foreground: PiecesOfStrip
    seeds: PiecesOfStrip
    pairs: Int64


def find_strip(source: Source, method: Method, shape: Shape, box: Box) -> FoundStrip:
    """Find the runs of one strip and which of them are connected."""
    arrays = source.read(box)
    runs = _runs_of(arrays, method, box, shape)
    within, beyond = connectivities(method)
    values, total = _values_of(arrays[0], runs, box, shape)
    piece, foreground = _label(runs, _FOREGROUND, total, box, shape, within)
    seed, seeds = _label(runs, _SEED, total, box, shape, beyond)
    if isinstance(method, Components):
        values = values[:0]
    inside = piece > 0
    both = inside & (seed > 0)
    pairs = unique_pairs(piece[both], seed[both])
    length, piece, seed = runs.length[inside].astype(np.int32), piece[inside], seed[inside]
    strip = Strip(runs.start[inside], length, piece.astype(np.uint32), seed.astype(np.uint32), values)
    return FoundStrip(box, strip, foreground, seeds, pairs)


def connectivities(method: Method) -> tuple[Connectivity, Connectivity]:
    """Return the neighbours of a voxel in the foreground, and in a seed."""
    return (method.connectivity, 6) if isinstance(method, Components) else (6, method.seed_connectivity)


def _runs_of(arrays: list[AnyArray], method: Method, box: Box, shape: Shape) -> Runs:
    """List the runs of a strip in the raster of the volume, labelled by the bits of their kind."""
    if isinstance(method, Components):
        bytes_ = byte_of(method.threshold), 255, 0
    else:
        bytes_ = byte_of(method.foreground), byte_of(method.seed_mask), byte_of(method.seed_contour)
    mask, contour = (array.reshape(-1, shape[2]) for array in (arrays[0], arrays[-1]))
    # Hardly ever as many as voxels: what is not written to takes no memory.
    start, stop = np.empty(mask.size, np.int64), np.empty(mask.size, np.int64)
    kind = np.empty(mask.size, np.uint8)
    used = find_runs(mask, contour, np.array(bytes_, np.uint8), start, stop, kind)
    return Runs(_moved(start[:used], box, shape), stop[:used] - start[:used], kind[:used].astype(np.int64))


def _moved(start: Int64, box: Box, shape: Shape) -> Int64:
    """Move places in the raster of a box of whole rows to that of the volume."""
    rows, height = box.shape[1], shape[1]
    before = (box.start[0] * height + box.start[1]) * shape[2]
    return start + before + start // (rows * shape[2]) * ((height - rows) * shape[2])


def _values_of(mask: AnyArray, runs: Runs, box: Box, shape: Shape) -> tuple[AnyArray, Int64]:
    """Return the mask in the foreground, run by run, and its sum over each run, 0 for those outside."""
    z, y, x = np.unravel_index(runs.start, shape)
    place = np.ravel_multi_index((z - box.start[0], y - box.start[1], x), box.shape)
    return taken(mask.reshape(-1), place, np.where(runs.label & _FOREGROUND, runs.length, 0))


def _label(
    runs: Runs, bit: int, total: Int64, box: Box, shape: Shape, connectivity: Connectivity
) -> tuple[Int64, PiecesOfStrip]:
    """Give each piece of one kind a number.

    Returns
    -------
    piece
        int64, of each run, 0 for runs of the other kind.
    pieces
        What is known of them.
    """
    chosen = np.flatnonzero(runs.label & bit)
    start, length = runs.start[chosen], runs.length[chosen]
    label, number = connected(start, length, shape, connectivity)
    piece = np.zeros(len(runs), np.int64)
    piece[chosen] = label
    first = np.empty(number + 1, np.int64)
    # Of what is written to one place the last stays.
    first[label[::-1]] = start[::-1]
    faces = Runs(start, length, label)[at_faces(start, box, shape)]
    voxels, total = _added(label, length, number), _added(label, total[chosen], number)
    return piece, PiecesOfStrip(faces, voxels[1:], total[1:], first[1:])


def _added(label: Int64, amount: Int64, number: int) -> Int64:
    """Add up amounts by label, exactly below 2 ** 53."""
    return np.bincount(label, amount, number + 1).astype(np.int64)
