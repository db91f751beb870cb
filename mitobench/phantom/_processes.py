"""Axons, dendrites and spines as bent tubes that fill a box: drawn as random lines, then pushed apart."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mitobench.types import Float64, Int64

    Float32 = NDArray[np.float32]
    Int32 = NDArray[np.int32]

__all__ = ["AXON", "DENDRITE", "MYELIN", "SPINE", "Processes", "draw_processes"]

AXON, DENDRITE, SPINE, MYELIN = range(4)

MARGIN = 1400.0
"""Tissue in nm that is made around the volume, so that its border is like its inside."""


@dataclass(frozen=True)
class _Sort:
    """One sort of process: share of the volume, radius in nm (median, spread of its logarithm, bounds)."""

    share: float
    median: float
    spread: float
    bounds: tuple[float, float]


_SORTS = {
    AXON: _Sort(0.38, 100, 0.3, (58, 200)),
    DENDRITE: _Sort(0.38, 300, 0.45, (150, 900)),
    SPINE: _Sort(0.15, 82, 0.25, (55, 150)),
    MYELIN: _Sort(0.035, 430, 0.25, (330, 650)),
}
_AT_A_TIME = 20_000
"""Points whose neighbours are looked up at a time, which bounds the memory."""

_SPINE_NM = (900.0, 2600.0)


@dataclass(frozen=True, eq=False)
class Processes:
    """Nodes of all processes, those of one process in a row.

    Attributes
    ----------
    point, side
        float64 and float32 (n, 3), z, y, x in nm from the first voxel, and a unit vector across.
    radius, along, bouton
        float32 (n,): in nm; way from the process's first node in nm; 0..1, how much a node is in a bouton.
    owner
        int32 (n,), process of each node, rising.
    kind
        int64 (m,), sort of each process.
    """

    point: Float64
    side: Float32
    radius: Float32
    along: Float32
    bouton: Float32
    owner: Int32
    kind: Int64

    def starts(self) -> Int64:
        """First node of each process, and the number of nodes last."""
        return np.searchsorted(self.owner, np.arange(len(self.kind) + 1))


def draw_processes(rng: np.random.Generator, size: Float64) -> Processes:
    """Fill a box of a size in nm, and `MARGIN` around it."""
    parts = [_draw_sort(rng, kind, size) for kind in _SORTS]
    first = np.cumsum([0] + [len(part.kind) for part in parts])
    parts = [replace(part, owner=part.owner + np.int32(base)) for part, base in zip(parts, first[:-1], strict=True)]
    drawn = Processes(
        **{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Processes)}
    )
    for _ in range(10):
        drawn = replace(drawn, point=_pushed(drawn))
    return drawn


def _draw_sort(rng: np.random.Generator, kind: int, size: Float64) -> Processes:
    """Draw straight lines through the box, uniform and isotropic, then bend them."""
    sort, low, high = _SORTS[kind], np.full(3, -MARGIN), size + MARGIN
    ball = np.linalg.norm(high - low) / 2
    mean_area = np.pi * (sort.median * np.exp(sort.spread**2)) ** 2 * (1.7 if kind in (AXON, SPINE) else 1.0)
    if kind == SPINE:
        length = rng.uniform(*_SPINE_NM, rng.poisson(np.prod(high - low) * sort.share / mean_area / np.mean(_SPINE_NM)))
        direction = _isotropic(rng, len(length))
        origin = low + rng.random((len(length), 3)) * (high - low)
        begin, end = -length / 2, length / 2
    else:
        count = rng.poisson(np.pi * ball**2 * sort.share / mean_area)
        direction = _isotropic(rng, count)
        across = _across(direction)
        disk = ball * np.sqrt(rng.random(count)) * np.exp(2j * np.pi * rng.random(count))
        origin = (low + high) / 2 + across * disk.real[:, None] + np.cross(direction, across) * disk.imag[:, None]
        begin, end = _chord(origin, direction, low, high)
    hit = end > begin + 200
    origin, direction, begin, end = origin[hit], direction[hit], begin[hit], end[hit]
    radius = np.clip(rng.lognormal(np.log(sort.median), sort.spread, len(origin)), *sort.bounds)
    return _bent(rng, kind, origin + begin[:, None] * direction, direction, end - begin, radius)


def _isotropic(rng: np.random.Generator, count: int) -> Float64:
    vectors = rng.normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _across(direction: Float64) -> Float64:
    """Return unit vectors at right angles."""
    helper = np.where(np.abs(direction[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    across = np.cross(direction, helper)
    return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))


def _chord(origin: Float64, direction: Float64, low: Float64, high: Float64) -> tuple[Float64, Float64]:
    """Return where lines enter and leave a box."""
    ends = np.sort(np.stack([(low - origin) / direction, (high - origin) / direction]), axis=0)
    return ends[0].max(axis=1), ends[1].min(axis=1)


def _bent(
    rng: np.random.Generator,
    kind: int,
    origin: Float64,
    direction: Float64,
    length: Float64,
    radius: Float64,
) -> Processes:
    """Set nodes along lines, displaced by slow waves, with the radii of their sort."""
    step = np.clip(1.4 * radius, 150, 320)
    nodes = np.maximum(2, np.ceil(length / step).astype(int) + 1)
    owner = np.repeat(np.arange(len(nodes)), nodes)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(nodes) - nodes, nodes)
    share = rank / (nodes - 1)[owner]
    along = share * length[owner]
    across = _across(direction)
    other = np.cross(direction, across)
    point = origin[owner] + along[:, None] * direction[owner]
    for axis in (across, other):
        point += _waves(rng, along, owner, len(nodes), 70 + 0.25 * radius)[:, None] * axis[owner]
    tube, bouton = _profile(rng, kind, along, share, owner, radius)
    side, thick, way, full = (values.astype(np.float32) for values in (across[owner], tube, along, bouton))
    return Processes(point, side, thick, way, full, owner.astype(np.int32), np.full(len(nodes), kind))


def _waves(rng: np.random.Generator, along: Float64, owner: Int64, count: int, amplitude: Float64) -> Float64:
    """Return the sum of three waves of 1.2 to 7 um for each node."""
    total = np.zeros(len(along))
    for low, high, gain in ((1200, 2000, 0.7), (2000, 3500, 1.3), (3500, 7000, 2.5)):
        period, phase = rng.uniform(low, high, count), rng.uniform(0, 2 * np.pi, count)
        total += (gain * amplitude)[owner] * np.sin(2 * np.pi * along / period[owner] + phase[owner])
    return total


def _profile(
    rng: np.random.Generator, kind: int, along: Float64, share: Float64, owner: Int64, radius: Float64
) -> tuple[Float64, Float64]:
    """Return radius and share of bouton of each node."""
    count, bouton = len(radius), np.zeros(len(along))
    wobble = 1 + _waves(rng, along, owner, count, np.full(count, 0.05))
    if kind == SPINE:
        head = rng.uniform(1.6, 3.4, count)[owner]
        return radius[owner] * np.clip(wobble, 0.8, 1.2) * (1 + (head - 1) * _step((share - 0.6) / 0.25)), bouton
    if kind == AXON:
        period, phase = rng.uniform(2600, 5200, count), rng.random(count)
        turn = along / period[owner] + phase[owner]
        away = np.abs(turn - np.floor(turn) - 0.5) * period[owner]
        bouton = _step((800 - away) / 450)
        swell = rng.uniform(80, 230, count)[owner]
        return radius[owner] * np.clip(wobble, 0.75, 1.3) + swell * bouton, bouton
    return radius[owner] * np.clip(wobble, 0.7, 1.35), bouton


def _step(value: Float64) -> Float64:
    value = np.clip(value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value))


def _neighbours(tree: cKDTree, points: Float64, count: int) -> Iterator[tuple[slice, Float64, Int64]]:
    """Yield the nearest nodes of points, some points at a time to bound the memory."""
    for start in range(0, len(points), _AT_A_TIME):
        part = slice(start, min(start + _AT_A_TIME, len(points)))
        distance, index = tree.query(points[part], k=range(1, min(count, tree.n) + 1), workers=-1)
        yield part, distance, index


def _pushed(processes: Processes) -> Float64:
    """Return the points after one step that parts overlapping processes and keeps each of them smooth."""
    point, radius, owner = processes.point, processes.radius, processes.owner
    moved = point.copy()
    for part, distance, index in _neighbours(cKDTree(point), point, 24):
        deep = radius[part, None] + radius[index] - distance
        deep = np.where((owner[index] != owner[part, None]) & (deep > 0), deep, 0)
        # The thin one gives way.
        gives = radius[index] ** 2 / (radius[index] ** 2 + radius[part, None] ** 2)
        push = (deep * gives / np.maximum(distance, 1))[..., None] * (point[part, None] - point[index])
        weight = np.maximum((deep > 0).sum(axis=1), 1)[:, None]
        moved[part] += 0.9 * push.sum(axis=1) / weight**0.7
    return _smoothed(moved, owner)


def _smoothed(point: Float64, owner: Int32) -> Float64:
    """Move inner nodes a part of the way to the middle of their neighbours."""
    inner = np.flatnonzero((owner[1:-1] == owner[:-2]) & (owner[1:-1] == owner[2:])) + 1
    smooth = point.copy()
    smooth[inner] += 0.35 * ((point[inner - 1] + point[inner + 1]) / 2 - point[inner])
    return smooth
