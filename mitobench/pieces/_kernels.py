"""The compiled loops of the count of pieces, whose slow twin is in `mitobench.testing`.

A run is a stretch of voxels of one id in one line. Runs are placed in the volume by their *position*: the index of a
voxel in a volume one voxel larger along y and x than the real one. No voxel lies in this margin, so that a step of one
line or one section is the same number everywhere, and runs that touch by their positions touch in the volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench._compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import AnyArray, Int64, Uint64

    Bools = NDArray[np.bool_]

__all__ = ["find_runs", "join_runs"]


@compiled
def _mark_ends(ids: AnyArray, start: int, ends: AnyArray, count: int) -> None:
    """Set ends[i] where the voxel after i holds another id. A loop this plain is compiled to vector code."""
    line = ids[start : start + count + 1]
    for i in range(count):
        ends[i] = line[i] != line[i + 1]


@compiled
def find_runs(
    ids: AnyArray,
    strides: tuple[int, int],
    start: tuple[int, int, int],
    stop: tuple[int, int, int],
    volume: tuple[int, int, int],
    first_line: int,
    starts: Int64,
    stops: Int64,
    run_ids: Uint64,
    at_face: Bools,
    used: int,
    ends: AnyArray,
    ends_by_8: Uint64,
) -> tuple[int, int]:
    """List the runs of one box that are not background, by ascending position.

    Parameters
    ----------
    ids
        Unsigned ids, 1D; the line (z, y) of the box starts at z * strides[0] + y * strides[1] and is contiguous.
    strides
        In voxels, along z and y.
    start, stop
        Place of the box in the volume, (z, y, x).
    volume
        Shape of the volume.
    first_line
        Lines of the box already listed by an earlier call.
    starts, stops
        int64: positions of the first voxel of each run and of the one behind the last.
    run_ids
        uint64.
    at_face
        bool, whether the run has a voxel at a face of the box behind which the volume goes on.
    used
        Runs already listed.
    ends, ends_by_8
        Scratch: uint8, longer than a line by at least 8, and the same memory as uint64.

    Returns
    -------
    lines, used
        Lines listed so far: all of them, or fewer when the lists have to grow before the next one; and runs in them.
    """
    ny, nx = stop[1] - start[1], stop[2] - start[2]
    lines = (stop[0] - start[0]) * ny
    words = (nx + 7) // 8
    for line in range(first_line, lines):
        if used + nx > starts.size:
            return line, used
        z, y = start[0] + line // ny, start[1] + line % ny
        first = line // ny * strides[0] + line % ny * strides[1]
        whole = (z == start[0] and z > 0) or (z == stop[0] - 1 and z < volume[0] - 1)
        whole = whole or (y == start[1] and y > 0) or (y == stop[1] - 1 and y < volume[1] - 1)
        position = (z * (volume[1] + 1) + y) * (volume[2] + 1) + start[2]
        # With the voxel behind the line, where there is one, the count is that of whole vectors for most widths.
        _mark_ends(ids, first, ends, nx if first + nx < ids.size else nx - 1)
        ends[nx - 1] = 1
        for i in range(nx, 8 * words):
            ends[i] = 0
        run_start = 0
        for word in range(words):
            if ends_by_8[word] == 0:
                continue
            for i in range(8 * word, 8 * word + 8):
                if ends[i] == 0:
                    continue
                run_id = np.uint64(ids[first + i])
                if run_id != 0:
                    starts[used], stops[used], run_ids[used] = position + run_start, position + i + 1, run_id
                    low, high = run_start == 0 and start[2] > 0, i == nx - 1 and stop[2] < volume[2]
                    at_face[used] = whole or low or high
                    used += 1
                run_start = i + 1
    return lines, used


@compiled
def _root(parent: Int64, run: int) -> int:
    """Return the first run that this one is joined with, and shorten the way there."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _join(starts: Int64, stops: Int64, ids: Uint64, step: int, reach: int, parent: Int64) -> None:
    """Join the runs of one id that touch a run one step further on, when grown by the reach at both ends."""
    low = 0
    for run in range(starts.size):
        start, stop = starts[run] - step - reach, stops[run] - step + reach
        while stops[low] <= start:
            low += 1
        other = low
        while other < run and starts[other] < stop:
            if ids[other] == ids[run]:
                a, b = _root(parent, other), _root(parent, run)
                parent[max(a, b)] = min(a, b)
            other += 1


@compiled
def _add_up(parent: Int64, sizes: Int64, is_open: Bools) -> None:
    """Let all runs of a piece point to its first one, and gather there its voxels and whether any run is open."""
    for run in range(parent.size):
        first = parent[parent[run]]
        parent[run] = first
        if first != run:
            sizes[first] += sizes[run]
            is_open[first] |= is_open[run]


@compiled
def join_runs(
    starts: Int64,
    stops: Int64,
    ids: Uint64,
    sizes: Int64,
    parent: Int64,
    is_open: Bools,
    steps: Int64,
    open_ids: Uint64,
    open_sizes: Int64,
) -> tuple[int, int]:
    """Join runs that touch, and part the open pieces, those with an open run, from the closed ones.

    Parameters
    ----------
    starts, stops
        Positions of the runs, ascending.
    ids
        uint64, id of each run. In the end those of the closed pieces come first.
    sizes
        int64, voxels that each run brings along. In the end those of the closed pieces come first.
    parent
        int64, an earlier run of the same piece, or the run itself. In the end the index of the piece among the open
        ones, for the runs of those.
    is_open
        bool, whether something may still touch the run. In the end the same of its piece, for the first run of a piece.
    steps
        int64 (n, 2): runs of one id touch when one, moved on by the first number, overlaps with the other, grown by
        the second at both ends.
    open_ids, open_sizes
        uint64 and int64, with room for a piece for each run that is open: in the end id and voxels of the open pieces
        come first.

    Returns
    -------
    opened, closed
        Number of open and of closed pieces.
    """
    for k in range(steps.shape[0]):
        _join(starts, stops, ids, steps[k, 0], steps[k, 1], parent)
    _add_up(parent, sizes, is_open)
    opened = closed = 0
    for run in range(parent.size):
        first = parent[run]
        if first != run:
            parent[run] = parent[first]
        elif is_open[run]:
            open_ids[opened], open_sizes[opened], parent[run] = ids[run], sizes[run], opened
            opened += 1
        else:
            ids[closed], sizes[closed] = ids[run], sizes[run]
            closed += 1
    return opened, closed
