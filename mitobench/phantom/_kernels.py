"""Where things are: every voxel is a function of its place alone, worked out in squares of 8 x 8."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mitobench._compiled import compiled

if TYPE_CHECKING:
    from mitobench.types import AnyArray

__all__ = [
    "BLOCK", "COLUMNS", "EDGE", "KIND", "OWNER", "REACH", "S21", "S42", "SPOT", "STEEP", "TONE", "Labels", "Near",
    "bell", "between", "corners", "few_bodies", "few_tubes", "foot", "hashed", "list_near", "measure_depth", "noise3",
    "paint_labels", "surface", "unit",
]  # fmt: skip

EDGE = 8
"""Voxels along a square in which the warp is bilinear and candidates are shared."""

BLOCK = 32
"""Voxels along a square that has a list of all that is near."""

REACH = 200.0
"""Distance in nm from the surface of a process beyond which it is of no interest."""

COLUMNS = 21
"""Numbers of a segment: its first point (0 to 2), the way to its second (3 to 5), one over its length squared (6),
radius and its growth (7, 8), a unit vector across (9 to 11), share of vesicles or way along and its growth (12, 13)."""

OWNER, KIND, TONE, SPOT = 14, 15, 16, 17
"""Columns of the process or body, its kind, its grey; then place and radius of a synapse, or cristae."""

STEEP = 1.15
_U = np.uint64
_A, _B, _C = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F), _U(0x165667B19E3779F9)
_M1, _M2 = _U(0xBF58476D1CE4E5B9), _U(0x94D049BB133111EB)
_S16, S21, _S27, _S30, _S31, _S32, S42, _S48 = (_U(n) for n in (16, 21, 27, 30, 31, 32, 42, 48))
_LOW16, _LOW21 = _U(0xFFFF), _U(0x1FFFFF)


class Labels(NamedTuple):
    """Per body: displacement and scale, and an id on either side of a cut; then the most by which a surface moves."""

    shift: AnyArray
    scale: AnyArray
    cut: AnyArray
    before: AnyArray
    after: AnyArray
    reach: float


class Near(NamedTuple):
    """Segments near each `BLOCK` of a section: those of block i are item[start[i]:start[i + 1]]."""

    start: AnyArray
    item: AnyArray
    wide: int


@compiled
def hashed(seed: int, a: int, b: int, c: int) -> np.uint64:
    """Hash four integers to 64 bits (the finaliser of splitmix64)."""
    h = _U(seed) ^ (_U(a) * _A) ^ (_U(b) * _B) ^ (_U(c) * _C)
    h = (h ^ (h >> _S30)) * _M1
    h = (h ^ (h >> _S27)) * _M2
    return h ^ (h >> _S31)


@compiled
def unit(bits: np.uint64) -> float:
    return (bits & _LOW21) * (1.0 / 2097152.0)


@compiled
def bell(bits: np.uint64) -> float:
    """Return a nearly normal deviate of variance 1: the sum of four uniform ones."""
    total = (bits & _LOW16) + ((bits >> _S16) & _LOW16) + ((bits >> _S32) & _LOW16) + (bits >> _S48)
    return (total * (1.0 / 65536.0) - 2.0) * 1.7320508


@compiled
def noise3(seed: int, z: float, y: float, x: float) -> tuple[float, float, float]:
    """Smooth noise of three components in -1..1 on a lattice of unit edge."""
    iz, iy, ix = math.floor(z), math.floor(y), math.floor(x)
    fz, fy, fx = z - iz, y - iy, x - ix
    fz, fy, fx = fz * fz * (3 - 2 * fz), fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    a = b = c = 0.0
    for corner in range(8):
        dz, dy, dx = corner >> 2, (corner >> 1) & 1, corner & 1
        weight = (fz if dz else 1 - fz) * (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
        bits = hashed(seed, int(iz) + dz, int(iy) + dy, int(ix) + dx)
        a += weight * unit(bits)
        b += weight * unit(bits >> S21)
        c += weight * unit(bits >> S42)
    return 2 * a - 1, 2 * b - 1, 2 * c - 1


@compiled
def _warp(seed: int, z: float, y: float, x: float, out: AnyArray) -> None:
    """Set out to the warped place, then a slow noise for tones."""
    a, b, c = noise3(seed, z / 420, y / 420, x / 420)
    d, e, f = noise3(seed + 1, z / 150, y / 150, x / 150)
    g, h, _ = noise3(seed + 2, z / 110, y / 110, x / 110)
    out[0], out[1], out[2] = z + 65 * a + 19 * d, y + 65 * b + 19 * e, x + 65 * c + 19 * f
    out[3], out[4] = g, h


@compiled
def foot(rows: AnyArray, k: int, z: float, y: float, x: float) -> tuple[float, float, float, float]:
    """Return where on segment k its nearest point is, 0..1, and the vector from there."""
    pz, py, px = z - rows[k, 0], y - rows[k, 1], x - rows[k, 2]
    bz, by, bx = rows[k, 3], rows[k, 4], rows[k, 5]
    t = min(max((pz * bz + py * by + px * bx) * rows[k, 6], 0.0), 1.0)
    return t, pz - t * bz, py - t * by, px - t * bx


@compiled
def surface(rows: AnyArray, k: int, z: float, y: float, x: float) -> float:
    """Return the distance in nm from the surface of segment k, negative inside."""
    t, dz, dy, dx = foot(rows, k, z, y, x)
    return float(math.sqrt(dz * dz + dy * dy + dx * dx) - (rows[k, 7] + t * rows[k, 8]))


@compiled
def list_near(
    rows: AnyArray,
    reach: float,
    place: tuple[float, float, float],
    blocks: tuple[int, int],
) -> tuple[AnyArray, AnyArray]:
    """List the segments whose surface is within reach of each block of the section at a place."""
    high, wide = blocks
    step = BLOCK * 8.0
    # Half a block's diagonal, and the farthest that the warp displaces.
    slack = 0.7072 * step + 100 + reach
    start = np.zeros(high * wide + 1, np.int64)
    item = np.empty(0, np.uint32)
    for turn in range(2):
        for k in range(len(rows)):
            row = rows[k]
            far = slack + row[7] + max(row[8], 0.0)
            if row[0] + min(row[3], 0.0) - far > place[0] or row[0] + max(row[3], 0.0) + far < place[0]:
                continue
            y0, y1 = row[1] + min(row[4], 0.0) - far, row[1] + max(row[4], 0.0) + far
            x0, x1 = row[2] + min(row[5], 0.0) - far, row[2] + max(row[5], 0.0) + far
            for j in range(max(0, int((y0 - place[1]) // step)), min(high, int((y1 - place[1]) // step) + 1)):
                for i in range(max(0, int((x0 - place[2]) // step)), min(wide, int((x1 - place[2]) // step) + 1)):
                    y, x = place[1] + (j + 0.5) * step, place[2] + (i + 0.5) * step
                    if surface(rows, k, place[0], y, x) < slack:
                        if turn:
                            item[start[j * wide + i]] = k
                        start[j * wide + i + (1 - turn)] += 1
        if turn == 0:
            start = np.cumsum(start)
            item = np.empty(start[-1], np.uint32)
    # The second turn moved every start to its block's end.
    start[1:] = start[:-1].copy()
    start[0] = 0
    return start, item


@compiled
def corners(seed: int, place: tuple[float, float, float], y0: int, x0: int, corner: AnyArray) -> float:
    """Fill in the corners of a square and its centre; return the radius around the centre that holds the square."""
    for i in range(4):
        y, x = y0 + EDGE * (i >> 1), x0 + EDGE * (i & 1)
        _warp(seed, place[0], place[1] + y * 8.0, place[2] + x * 8.0, corner[i])
    far = 0.0
    for a in range(5):
        corner[4, a] = (corner[0, a] + corner[1, a] + corner[2, a] + corner[3, a]) / 4
    for i in range(4):
        far = max(
            far,
            (corner[i, 0] - corner[4, 0]) ** 2
            + (corner[i, 1] - corner[4, 1]) ** 2
            + (corner[i, 2] - corner[4, 2]) ** 2,
        )
    return math.sqrt(far)


@compiled
def between(corner: AnyArray, fy: float, fx: float, place: AnyArray) -> None:
    """Interpolate the corners."""
    for a in range(5):
        top = corner[0, a] + fx * (corner[1, a] - corner[0, a])
        bottom = corner[2, a] + fx * (corner[3, a] - corner[2, a])
        place[a] = top + fy * (bottom - top)


@compiled
def few_tubes(
    tubes: AnyArray, near: Near, block: int, corner: AnyArray, half: float, few: AnyArray, gaps: AnyArray
) -> int:
    """Keep the segments that can be first or second anywhere in a square, by rising distance from its centre."""
    z, y, x = corner[4, 0], corner[4, 1], corner[4, 2]
    best, second, owner = 1e9, 1e9, -1
    first, stop = near.start[block], near.start[block + 1]
    for i in range(first, stop):
        k = near.item[i]
        gap = surface(tubes, k, z, y, x)
        gaps[i - first] = gap
        if tubes[k, OWNER] == owner:
            best = min(best, gap)
        elif gap < best:
            best, second, owner = gap, best, tubes[k, OWNER]
        elif gap < second:
            second = gap
    limit = min(second, REACH) + 2 * half * STEEP + 1
    count = 0
    for i in range(first, stop):
        if gaps[i - first] <= limit and count + 1 < few.size:
            few[count] = near.item[i]
            gaps[count] = gaps[i - first]
            count += 1
    return _nearest_of_each(tubes, few, gaps, count, 2 * half * STEEP + 1)


@compiled
def _nearest_of_each(tubes: AnyArray, few: AnyArray, gaps: AnyArray, count: int, slack: float) -> int:
    """Keep of each process the segments that are not much farther than its nearest."""
    kept = 0
    for i in range(count):
        gap, k = gaps[i], few[i]
        best = gap
        owner = tubes[k, OWNER]
        for j in range(count):
            if gaps[j] < best and tubes[few[j], OWNER] == owner:
                best = gaps[j]
        if gap <= best + slack:
            few[kept], gaps[kept] = k, gap
            kept += 1
    for i in range(1, kept):
        gap, k, j = gaps[i], few[i], i
        while j > 0 and gaps[j - 1] > gap:
            few[j], gaps[j] = few[j - 1], gaps[j - 1]
            j -= 1
        few[j], gaps[j] = k, gap
    return kept


@compiled
def few_bodies(bodies: AnyArray, near: Near, block: int, corner: AnyArray, limit: float, few: AnyArray) -> int:
    """Keep the bodies that can be in a square."""
    count = 0
    for i in range(near.start[block], near.start[block + 1]):
        k = near.item[i]
        gap = surface(bodies, k, corner[4, 0], corner[4, 1], corner[4, 2])
        if gap <= limit and count < few.size:
            few[count] = k
            count += 1
    return count


@compiled
def paint_labels(
    bodies: AnyArray,
    labels: Labels,
    near: Near,
    seed: int,
    place: tuple[float, float, float],
    y0: int,
    out: AnyArray,
) -> None:
    """Paint ids on the rows from y0 on of the section at a place; of two bodies the one deeper inside is on top."""
    corner, at, few = np.empty((5, 5)), np.empty(5), np.empty(4096, np.uint32)
    height, width = out.shape
    for ys in range(y0 // EDGE * EDGE, y0 + height, EDGE):
        for xs in range(0, width, EDGE):
            block = (ys // BLOCK) * near.wide + xs // BLOCK
            if near.start[block] == near.start[block + 1]:
                continue
            half = corners(seed, place, ys, xs, corner)
            count = few_bodies(bodies, near, block, corner, half * STEEP + labels.reach, few)
            if count == 0:
                continue
            for y in range(max(ys, y0), min(ys + EDGE, y0 + height)):
                for x in range(xs, min(xs + EDGE, width)):
                    between(corner, (y - ys) / EDGE, (x - xs) / EDGE, at)
                    out[y - y0, x] = _label(bodies, labels, few, count, at)


@compiled
def _label(bodies: AnyArray, labels: Labels, few: AnyArray, count: int, at: AnyArray) -> int:
    deepest, label = 0.0, 0
    for i in range(count):
        k = few[i]
        b = int(bodies[k, OWNER])
        if labels.before[b] == 0 and labels.after[b] == 0:
            continue
        z, y, x = at[0] - labels.shift[b, 0], at[1] - labels.shift[b, 1], at[2] - labels.shift[b, 2]
        t, dz, dy, dx = foot(bodies, k, z, y, x)
        radius = bodies[k, 7] + t * bodies[k, 8]
        gap = math.sqrt(dz * dz + dy * dy + dx * dx) - labels.scale[b] * radius
        if gap < deepest:
            along = bodies[k, 12] + t * bodies[k, 13]
            deepest, label = gap, labels.before[b] if along < labels.cut[b] else labels.after[b]
    return label


@compiled
def measure_depth(
    rows: AnyArray,
    owners: AnyArray,
    points: AnyArray,
    owner: AnyArray,
    index: AnyArray,
    depth: AnyArray,
    toward: AnyArray,
) -> None:
    """Set how deep each point is in its process, and the vector to the nearest other one, by the nodes of an index."""
    for i in range(len(points)):
        z, y, x = points[i, 0], points[i, 1], points[i, 2]
        mine, other = 1e9, 1e9
        for node in index[i]:
            # A process of n nodes has n - 1 rows.
            for k in range(max(node - owners[node] - 1, 0), min(node - owners[node] + 1, len(rows))):
                t, dz, dy, dx = foot(rows, k, z, y, x)
                gap = math.sqrt(dz * dz + dy * dy + dx * dx) - (rows[k, 7] + t * rows[k, 8])
                if rows[k, OWNER] == owner[i]:
                    mine = min(mine, gap)
                elif gap < other:
                    other = gap
                    toward[i, 0], toward[i, 1], toward[i, 2] = -dz, -dy, -dx
        depth[i] = min((other - mine) / 2, 8 - mine)
