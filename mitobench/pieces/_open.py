"""Pieces that may go on where nothing has been read yet, and the runs by which they would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mitobench.pieces._kernels import join_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mitobench.types import Box, Int64, Shape, Uint64

    Bools = NDArray[np.bool_]

__all__ = ["Joined", "OpenPieces", "join", "neighbour_steps", "stitch"]


def neighbour_steps(shape: Shape, connectivity: Literal[6, 26]) -> Int64:
    """Return how far apart, in positions, the lines are whose runs may touch, and by how much a run reaches out there.

    Parameters
    ----------
    shape
        Of the volume.
    connectivity
        Neighbours of a voxel.

    Returns
    -------
    int64 (n, 2)
        The first row is for neighbouring lines of one section.
    """
    line = shape[2] + 1
    section = (shape[1] + 1) * line
    if connectivity == 6:
        return np.array([(line, 0), (section, 0)])
    return np.array([(line, 1), (section, 1), (section - line, 1), (section + line, 1)])


@dataclass(frozen=True, eq=False)
class OpenPieces:
    """Pieces that may go on outside of what was read, each with all of its runs that may touch what is outside.

    Attributes
    ----------
    start, stop
        int64 (runs,), positions.
    piece
        int64 (runs,), index of the piece.
    id
        uint64 (pieces,).
    size
        int64 (pieces,), voxels, those of runs not listed included.
    """

    start: Int64
    stop: Int64
    piece: Int64
    id: Uint64
    size: Int64


@dataclass(frozen=True, eq=False)
class Joined:
    """What is known of the pieces in one place.

    Attributes
    ----------
    open
        Those that may go on outside.
    closed_id
        uint64 (n,), id of each of the others.
    closed_size
        int64 (n,), their voxels.
    """

    open: OpenPieces
    closed_id: Uint64
    closed_size: Int64


def join(
    start: Int64, stop: Int64, ids: Uint64, sizes: Int64, parent: Int64, *, at_face: Bools, steps: Int64
) -> Joined:
    """Join runs that touch, and part the pieces that may go on outside from those that cannot.

    Parameters
    ----------
    start, stop
        int64 (runs,), positions, ascending.
    ids
        uint64 (runs,); used up.
    sizes
        int64 (runs,), voxels that each run brings along; used up.
    parent
        int64 (runs,), an earlier run of the same piece, or the run itself; used up.
    at_face
        bool (runs,), whether something outside may touch the run.
    steps
        As of `neighbour_steps`, and (0, 1) where blocks may meet in a line.
    """
    kept = np.flatnonzero(at_face)
    open_ids, open_sizes = np.empty(len(kept), np.uint64), np.empty(len(kept), np.int64)
    opened, closed = join_runs(start, stop, ids, sizes, parent, at_face.copy(), steps, open_ids, open_sizes)
    still = OpenPieces(start[kept], stop[kept], parent[kept], open_ids[:opened].copy(), open_sizes[:opened].copy())
    return Joined(still, ids[:closed].copy(), sizes[:closed].copy())


def stitch(parts: Sequence[OpenPieces], steps: Int64, region: Box, shape: Shape) -> Joined:
    """Join the pieces of neighbouring blocks.

    Parameters
    ----------
    parts
        The pieces of each block, no voxel in two of them.
    steps
        As of `neighbour_steps`, and (0, 1) where blocks may meet in a line.
    region
        What the blocks fill, as wide as the volume. Pieces with a run at a face behind which the volume goes on are
        open.
    shape
        Of the volume.
    """
    start = np.concatenate([part.start for part in parts])
    order = np.argsort(start, kind="stable")
    start, stop = start[order], np.concatenate([part.stop for part in parts])[order]
    offsets = np.cumsum([0, *(len(part.id) for part in parts)])
    piece = np.concatenate([part.piece + offset for part, offset in zip(parts, offsets[:-1], strict=True)])[order]
    ids = np.concatenate([part.id for part in parts])
    # Of the runs of one piece, the last one to be assigned is the first one.
    first = np.empty(len(ids), np.int64)
    first[piece[::-1]] = np.arange(len(piece))[::-1]
    sizes = np.zeros(len(piece), np.int64)
    sizes[first] = np.concatenate([part.size for part in parts])
    at_face = _at_face(start, region, shape)
    return join(start, stop, ids[piece], sizes, first[piece], at_face=at_face, steps=steps)


def _at_face(start: Int64, region: Box, shape: Shape) -> Bools:
    """Return which runs lie at a face of a region, as wide as the volume, behind which the volume goes on."""
    line = start // (shape[2] + 1)
    z = line // (shape[1] + 1)
    found = np.zeros(len(start), np.bool_)
    for place, axis in ((z, 0), (line - z * (shape[1] + 1), 1)):
        if region.start[axis] > 0:
            found |= place == region.start[axis]
        if region.stop[axis] < shape[axis]:
            found |= place == region.stop[axis] - 1
    return found
