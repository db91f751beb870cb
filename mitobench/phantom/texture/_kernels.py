"""The grey of every voxel, from what is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mitobench._compiled import compiled
from mitobench.phantom._kernels import (
    BLOCK,
    EDGE,
    KIND,
    OWNER,
    REACH,
    S21,
    S42,
    SPOT,
    STEEP,
    TONE,
    Near,
    bell,
    between,
    corners,
    few_bodies,
    few_tubes,
    foot,
    hashed,
    noise3,
    surface,
    unit,
)  # fmt: skip

if TYPE_CHECKING:
    from mitobench.types import AnyArray

__all__ = ["develop", "render"]


@compiled
def render(
    tubes: AnyArray,
    bodies: AnyArray,
    near: tuple[Near, Near],
    seed: int,
    place: tuple[float, float, float],
    z: int,
    y0: int,
    out: AnyArray,
) -> None:
    """Render grey values of section z, rows from y0 on, columns from -1 on."""
    corner, at = np.empty((5, 5)), np.empty(5)
    few, inside, gaps = np.empty(4096, np.uint32), np.empty(4096, np.uint32), np.empty(4096, np.float64)
    high, wide = (near[0].start.size - 1) // near[0].wide, near[0].wide
    height, width = out.shape
    for ys in range(y0 // EDGE * EDGE, y0 + height, EDGE):
        for xs in range(-EDGE, width - 1, EDGE):
            block = min(max(ys // BLOCK, 0), high - 1) * wide + min(max(xs // BLOCK, 0), wide - 1)
            half = corners(seed, place, ys, xs, corner)
            count = few_tubes(tubes, near[0], block, corner, half, few, gaps)
            contents = few_bodies(bodies, near[1], block, corner, half * STEEP + 8, inside)
            for y in range(max(ys, y0), min(ys + EDGE, y0 + height)):
                for x in range(max(xs, -1), min(xs + EDGE, width - 1)):
                    between(corner, (y - ys) / EDGE, (x - xs) / EDGE, at)
                    grain = _grain(seed + 3, z, y / 2.2, x / 2.2)
                    grey = _tissue(tubes, few[:count], gaps, _away(at, corner), at, seed, grain)
                    if contents:
                        grey = _content(bodies, inside, contents, at, seed, grain, grey)
                    out[y - y0, x + 1] = grey + 13 * bell(hashed(seed + 4, z, y, x))


@compiled
def _away(at: AnyArray, corner: AnyArray) -> float:
    """Return by how much a distance may differ between a place and the centre of its square."""
    dz, dy, dx = at[0] - corner[4, 0], at[1] - corner[4, 1], at[2] - corner[4, 2]
    return math.sqrt(dz * dz + dy * dy + dx * dx) * STEEP


@compiled
def _grain(seed: int, z: int, y: float, x: float) -> float:
    """Noise of one section, about -1..1, bilinear on a lattice of unit edge."""
    iy, ix = math.floor(y), math.floor(x)
    fy, fx = y - iy, x - ix
    j, i = int(iy), int(ix)
    top = bell(hashed(seed, z, j, i)) * (1 - fx) + bell(hashed(seed, z, j, i + 1)) * fx
    bottom = bell(hashed(seed, z, j + 1, i)) * (1 - fx) + bell(hashed(seed, z, j + 1, i + 1)) * fx
    return top * (1 - fy) + bottom * fy


@compiled
def _tissue(
    tubes: AnyArray, few: AnyArray, gaps: AnyArray, away: float, at: AnyArray, seed: int, grain: float
) -> float:
    """Return the grey of the process that a place is in, or of the membrane."""
    z, y, x = at[0], at[1], at[2]
    gap1, gap2, k1, k2, owner = 1e9, 1e9, -1, -1, -1
    for i in range(few.size):
        if gaps[i] - away > gap2:
            break
        k = few[i]
        gap = surface(tubes, k, z, y, x)
        if tubes[k, OWNER] == owner:
            if gap < gap1:
                gap1, k1 = gap, k
        elif gap < gap1:
            gap2, k2 = gap1, k1
            gap1, k1, owner = gap, k, tubes[k, OWNER]
        elif gap < gap2:
            gap2, k2 = gap, k
    # What no process reaches is glia, with concave outlines.
    loose = 34 + 26 * at[3]
    if gap1 > loose:
        tone = 186 + 13 * grain + 9 * at[4]
        slope = _slope(tubes, k1, z, y, x) if k1 >= 0 else 0.0
        return float(tone + (56 - tone) * _line(gap1 - loose, 11.0, slope))
    t1, az, ay, ax = foot(tubes, k1, z, y, x)
    wall, slope = loose - gap1, 0.0
    long1 = math.sqrt(az * az + ay * ay + ax * ax) + 1e-6
    slope = abs(az) / long1
    if gap2 < REACH:
        _, bz, by, bx = foot(tubes, k2, z, y, x)
        long2 = math.sqrt(bz * bz + by * by + bx * bx) + 1e-6
        nz, ny, nx = az / long1 - bz / long2, ay / long1 - by / long2, ax / long1 - bx / long2
        norm = max(math.sqrt(nz * nz + ny * ny + nx * nx), 0.5)
        if (gap2 - gap1) / norm < wall:
            wall, slope = (gap2 - gap1) / norm, abs(nz) / norm
    tone = _cytoplasm(tubes, k1, t1, (az, ay, ax), (wall, -gap1), at, seed, grain)
    tone += (56 - tone) * _line(wall, 11.0, slope)
    return _density(tubes, k1, k2, at, wall, tone)


@compiled
def _slope(tubes: AnyArray, k: int, z: float, y: float, x: float) -> float:
    _, dz, dy, dx = foot(tubes, k, z, y, x)
    return abs(dz) / (math.sqrt(dz * dz + dy * dy + dx * dx) + 1e-6)


@compiled
def _bump(share: float) -> float:
    """Return nearly exp(-3 share), and 0 from 1 on."""
    rest = max(1 - share, 0.0)
    return rest * rest * rest


@compiled
def _line(distance: float, width: float, slope: float) -> float:
    """Darkness of a membrane at a distance, seen through 30 nm: the more oblique, the broader and fainter."""
    broad2 = width * width + 90 * slope * slope
    if distance * distance >= 6 * broad2:
        return 0.0
    return math.sqrt(width / math.sqrt(broad2)) * _bump(distance * distance / (6 * broad2))


@compiled
def _cytoplasm(
    tubes: AnyArray,
    k: int,
    t: float,
    away: tuple[float, float, float],
    depth: tuple[float, float],
    at: AnyArray,
    seed: int,
    grain: float,
) -> float:
    wall, inward = depth
    kind = tubes[k, KIND]
    tone = tubes[k, TONE] + 15 * grain + 8 * at[4]
    if kind == 3 and inward < 130:
        return 72 + 13 * math.cos(wall * 0.31) + 5 * grain + 70 * _bump(((inward - 126) / 14) ** 2)
    vesicles = tubes[k, 12] + t * tubes[k, 13]
    if vesicles > 0.05 and wall > 22:
        return float(tone - _vesicles(seed + 5, at[0] / 42, at[1] / 42, at[2] / 42, vesicles))
    if kind != 2 and wall > 30:
        return float(tone - _microtubules(tubes, k, away, seed + int(tubes[k, OWNER])))
    return float(tone)


@compiled
def _vesicles(seed: int, z: float, y: float, x: float, share: float) -> float:
    """Darkness of synaptic vesicles: rings around the points of a jittered lattice."""
    iz, iy, ix = math.floor(z), math.floor(y), math.floor(x)
    nearest = 1e9
    for c in range(27):
        jz, jy, jx = iz + c // 9 - 1, iy + (c // 3) % 3 - 1, ix + c % 3 - 1
        bits = hashed(seed, jz, jy, jx)
        if unit(bits >> S42) < share:
            dz, dy = jz + 0.5 - z, jy + 0.15 + 0.7 * unit(bits) - y
            dx = jx + 0.15 + 0.7 * unit(bits >> S21) - x
            nearest = min(nearest, dz * dz + dy * dy + dx * dx)
    ring = (math.sqrt(nearest) * 42 - 13) / 9
    return 74 * _bump(ring * ring / 3)


@compiled
def _microtubules(tubes: AnyArray, k: int, away: tuple[float, float, float], seed: int) -> float:
    """Darkness of microtubules: points of a jittered lattice across the process."""
    sz, sy, sx = tubes[k, 9], tubes[k, 10], tubes[k, 11]
    inverse = math.sqrt(tubes[k, 6])
    tz, ty, tx = tubes[k, 3] * inverse, tubes[k, 4] * inverse, tubes[k, 5] * inverse
    u = away[0] * sz + away[1] * sy + away[2] * sx
    wz, wy, wx = ty * sx - tx * sy, tx * sz - tz * sx, tz * sy - ty * sz
    v = away[0] * wz + away[1] * wy + away[2] * wx
    i, j = math.floor(u / 66), math.floor(v / 66)
    bits = hashed(seed, int(i), int(j), 7)
    if unit(bits >> S42) > 0.62:
        return 0.0
    du, dv = u - 66 * (i + 0.25 + 0.5 * unit(bits)), v - 66 * (j + 0.25 + 0.5 * unit(bits >> S21))
    broad = 70 + 70 * (1 - tz * tz)
    return 75 * math.sqrt(70 / broad) * _bump((du * du + dv * dv) / (6 * broad))


@compiled
def _density(tubes: AnyArray, k1: int, k2: int, at: AnyArray, wall: float, tone: float) -> float:
    """Darken the membranes of a synapse: thinly before, thickly behind."""
    if wall > 70:
        return tone
    for k, depth in ((k1, 14.0), (k2, 40.0)):
        if k >= 0 and tubes[k, SPOT + 3] > 0:
            dz, dy, dx = at[0] - tubes[k, SPOT], at[1] - tubes[k, SPOT + 1], at[2] - tubes[k, SPOT + 2]
            rest = tubes[k, SPOT + 3] - math.sqrt(dz * dz + dy * dy + dx * dx)
            if rest > 0:
                tone += (50 - tone) * min(1.0, rest / 40) * 0.95 * min(max((depth + 8 - wall) / 16, 0.0), 1.0)
    return tone


@compiled
def _content(bodies: AnyArray, few: AnyArray, count: int, at: AnyArray, seed: int, grain: float, grey: float) -> float:
    """Return the grey of the body that a place is in, else that of the tissue."""
    z, y, x = at[0], at[1], at[2]
    gap, k = 0.0, -1
    for i in range(count):
        new = surface(bodies, few[i], z, y, x)
        if new < gap:
            gap, k = new, few[i]
    if k < 0:
        return grey
    b = int(bodies[k, OWNER])
    kind, look = bodies[k, KIND], bodies[k, TONE:]
    t, dz, dy, dx = foot(bodies, k, z, y, x)
    slope = abs(dz) / (math.sqrt(dz * dz + dy * dy + dx * dx) + 1e-6)
    tone = look[0] + 7 * grain + 7 * at[4]
    if kind == 0:
        u = dz * bodies[k, 9] + dy * bodies[k, 10] + dx * bodies[k, 11]
        along = bodies[k, 12] + t * bodies[k, 13]
        tone = _cristae(tone, along, u, look, at, -gap, seed + b)
        tone += (62 - tone) * 0.9 * _line(-gap - 27, 6.0, slope)
        tone += (138 - tone) * 0.6 * _line(-gap - 16, 4.0, slope)
    elif kind == 1:
        tone += 22 * at[3] + 9 * grain
    return float(tone + (60 - tone) * _line(-gap - 6, 7.0, slope))


@compiled
def _cristae(tone: float, along: float, u: float, look: AnyArray, at: AnyArray, depth: float, seed: int) -> float:
    """Darken lamellae across or along a mitochondrion, irregular and here and there absent."""
    a, b, _ = noise3(seed, at[0] / 130, at[1] / 130, at[2] / 130)
    phase = (along * look[1] + u * look[2]) / look[3] + 0.55 * a
    wave = math.cos(6.2832 * phase)
    strength = min(1.0, max(0.0, depth - 24) / 12) * min(1.0, max(0.0, 0.75 + 0.6 * b))
    return tone - strength * (38 * max(wave, 0.0) ** 2 - 14 * max(-wave, 0.0))


@compiled
def develop(grey: AnyArray, look: AnyArray, seed: int, z: int, y0: int, height: int, out: AnyArray) -> None:
    """Turn grey values with a border of one voxel into the rows from y0 on of an image of a height."""
    rows, width = out.shape
    across, down = math.cos(look[6]), math.sin(look[6])
    for j in range(rows):
        fy = (y0 + j) / height
        left = look[2] + fy * (look[4] - look[2])
        right = look[3] + fy * (look[5] - look[3])
        for i in range(width):
            value = 4 * grey[j + 1, i + 1] + 2 * (
                grey[j, i + 1] + grey[j + 2, i + 1] + grey[j + 1, i] + grey[j + 1, i + 2]
            )
            value = (value + grey[j, i] + grey[j, i + 2] + grey[j + 2, i] + grey[j + 2, i + 2]) / 16
            value = 135 + look[0] * (value - 135) + look[1] + left + i / width * (right - left)
            if look[8] > 0:
                far = abs((i - width / 2) * across + (y0 + j - height / 2) * down - look[7] * width)
                value -= 70 * min(max(look[8] + 1 - far, 0.0), 2.0) / 2
            value += 4.5 * bell(hashed(seed + 6, z, y0 + j, i))
            out[j, i] = min(max(value + 0.5, 0.0), 255.0)
