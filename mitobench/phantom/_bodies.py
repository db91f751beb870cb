"""What lies in the processes: mitochondria, and what resembles them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from mitobench.phantom._processes import DENDRITE, SPINE, Processes

if TYPE_CHECKING:
    from mitobench.phantom._clearance import Clearance
    from mitobench.types import Float64

__all__ = ["DENSE", "MITOCHONDRION", "RETICULUM", "VACUOLE", "Body", "draw_bodies"]

MITOCHONDRION, DENSE, VACUOLE, RETICULUM = range(4)

_WALL = 18.0
"""Cytoplasm in nm between a body and the membrane of its process."""

_THIN = 48.0
"""Least radius in nm of a mitochondrion, in the necks between its swellings."""


@dataclass(frozen=True, eq=False)
class Body:
    """A chain of n >= 2 balls and the cones between them.

    Attributes
    ----------
    kind, process
        What it is, and in what.
    point, side
        float64 (n, 3), z, y, x in nm, and unit vectors across.
    radius, along
        float64 (n,), in nm; way from the first node.
    look
        Grey, and how cristae lie: waves per period along and across, period in nm, unused.
    """

    kind: int
    process: int
    point: Float64
    side: Float64
    radius: Float64
    along: Float64
    look: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Hosts:
    """Processes, how deep their nodes lie, and what is taken of each."""

    processes: Processes
    start: list[int]
    depth: Float64
    clearance: Clearance
    taken: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def free(self, process: int, at: float) -> tuple[float, float]:
        """Return the free stretch around a place along a process; empty where it is taken."""
        low, high = -np.inf, np.inf
        for begin, end in self.taken.get(process, ()):
            if begin <= at <= end:
                return at, at
            low, high = (max(low, end), high) if end < at else (low, min(high, begin))
        return low, high

    def take(self, body: Body, begin: float) -> None:
        """Keep others away from a body whose first node is at a place along its process."""
        first, last = begin - body.radius[0] - 70, begin + body.along[-1] + body.radius[-1] + 70
        self.taken.setdefault(body.process, []).append((first, last))


def draw_bodies(
    rng: np.random.Generator, processes: Processes, clearance: Clearance, size: Float64, count: int, volume: float
) -> list[Body]:
    """Fill processes with about as many mitochondria of a mean volume in nm3, then with distractors."""
    depth, _ = clearance(processes.point, processes.owner)
    hosts = _Hosts(processes, processes.starts().tolist(), depth, clearance)
    bodies = _mitochondria(rng, hosts, size, count, volume)
    kind = processes.kind[processes.owner]
    bodies += _many(rng, hosts, size, round(0.8 * count), DENSE, kind != SPINE)
    bodies += _many(rng, hosts, size, round(0.6 * count), VACUOLE, kind >= 0)
    return bodies + _many(rng, hosts, size, round(2.0 * count), RETICULUM, kind == DENDRITE)


def _mitochondria(rng: np.random.Generator, hosts: _Hosts, size: Float64, count: int, volume: float) -> list[Body]:
    volumes = rng.lognormal(0, 1.3, count)
    volumes *= volume / volumes.mean()
    kind = hosts.processes.kind[hosts.processes.owner]
    nodes = _inside(hosts, size, (hosts.depth > _THIN + _WALL + 10) & (kind != SPINE))
    # The large ones are mostly in dendrites, which have room for them.
    weight = np.clip(hosts.depth[nodes] - 40, 5, 350) ** 2
    roomy = weight * np.where(kind[nodes] == DENDRITE, 12, 1)
    pools = [rng.choice(nodes, 8 * count + 50, p=share / share.sum()).tolist() for share in (weight, roomy)]
    bodies: list[Body] = []
    covered = 0.0
    for tries, (small, large) in enumerate(zip(*pools, strict=True)):
        room = float(volumes[len(bodies)])
        if room > 0.4 * volume:
            # Borders and narrow processes cut off an unknown part: the large ones to come make up for it.
            due = volumes[: len(bodies)].sum()
            room *= min(max((due + volume) / (covered + volume), 0.5), 8)
        node, least = large if room > 0.4 * volume else small, 0.5 * room if tries < 6 * count else 0
        found = _mitochondrion(rng, hosts, node, room, least)[: count - len(bodies)]
        bodies += found
        covered += sum(_volume_inside(body, size) for body in found)
        if len(bodies) == count:
            break
    return bodies


def _volume_inside(body: Body, size: Float64) -> float:
    """Return the volume in nm3 of a body's part within the box, roughly."""
    inside = ((body.point >= 0) & (body.point <= size)).all(axis=1)
    edge = np.pi * body.radius[0] ** 2 * 4 / 3 * body.radius[0]
    return float((np.pi * body.radius**2 * np.gradient(body.along))[inside].sum() + edge * inside.mean())


def _inside(hosts: _Hosts, size: Float64, wanted: np.ndarray) -> np.ndarray:
    """Return the wanted nodes in the box, or those nearest to it."""
    point = hosts.processes.point
    margin = np.minimum(80, 0.3 * size)
    outside = np.linalg.norm(point - np.clip(point, margin, size - margin), axis=1)
    outside[~wanted] = np.inf
    return np.flatnonzero(outside == outside.min())


class _Wish(TypedDict):
    """What a mitochondrion is to be like."""

    radius: float
    length: float
    look: tuple[float, ...]
    beads: bool


def _mitochondrion(rng: np.random.Generator, hosts: _Hosts, node: int, volume: float, least: float) -> list[Body]:
    """Return a mitochondrion through a node, or two that touch, or none where there is too little room."""
    depth = float(hosts.depth[node])
    radius = float(np.clip((depth - _WALL) * rng.uniform(0.75, 1), _THIN + 12, rng.uniform(150, 310)))
    radius = min(radius, float(np.cbrt(0.24 * volume)))
    length = float(np.clip(volume / (np.pi * radius**2) - 1.33 * radius, 0.2 * radius, 14_000))
    beads = rng.random() < 0.25 and length > 1500
    angle, lane = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1) * max(depth - _WALL - radius, 0)
    wish = _Wish(radius=radius, length=length, look=_cristae(rng), beads=beads)
    pair = rng.random()
    if pair < 0.15 and depth - _WALL > 2.1 * radius:
        sides = (angle, radius - 5), (angle + np.pi, radius - 5)
        return _both(hosts, [_along(rng, hosts, node, lane=side, **wish) for side in sides])
    body = _along(rng, hosts, node, lane=(angle, lane), **wish)
    if body is None or np.pi * np.median(body[0].radius) ** 2 * (body[0].along[-1] + radius) < least:
        return []
    hosts.take(body[0], body[1])
    return _halved(rng, body[0]) if pair > 0.85 else [body[0]]


def _both(hosts: _Hosts, drawn: list[tuple[Body, float] | None]) -> list[Body]:
    found = [body for body in drawn if body is not None]
    for body, begin in found:
        hosts.take(body, begin)
    return [body for body, _ in found]


def _halved(rng: np.random.Generator, body: Body) -> list[Body]:
    """Cut a long mitochondrion into two whose ends touch."""
    radius = float(np.median(body.radius))
    if body.along[-1] < 5 * radius:
        return [body]
    middle = body.along[-1] * rng.uniform(0.3, 0.7)
    gap = 0.8 * radius
    grids = np.linspace(0, middle - gap, 12), np.linspace(middle + gap, body.along[-1], 12)
    return [_resampled(body, grid) for grid in grids]


def _resampled(body: Body, grid: Float64) -> Body:
    def at(values: Float64) -> Float64:
        return np.stack([np.interp(grid, body.along, column) for column in values.T], axis=-1)

    radius = np.interp(grid, body.along, body.radius)
    return Body(body.kind, body.process, at(body.point), at(body.side), radius, grid - grid[0], body.look)


def _cristae(rng: np.random.Generator) -> tuple[float, ...]:
    tilt = rng.uniform(0, 0.5 * np.pi)
    return float(rng.normal(110, 8)), float(np.cos(tilt)), float(np.sin(tilt)), float(rng.uniform(52, 85)), 0.0


def _many(
    rng: np.random.Generator, hosts: _Hosts, size: Float64, count: int, kind: int, wanted: np.ndarray
) -> list[Body]:
    """Place distractors of a kind where there is room."""
    nodes = _inside(hosts, size, wanted & (hosts.depth > 70))
    bodies = []
    for node in rng.choice(nodes, count).tolist() if len(nodes) else ():
        depth = float(hosts.depth[node])
        length, low, high, grey = _DISTRACTORS[kind]
        radius = min(float(rng.uniform(low, high)), depth - _WALL)
        lane = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1) * max(depth - _WALL - radius, 0)
        look = (float(rng.normal(*grey)), 0.0, 0.0, 1.0, 0.0)
        drawn = _along(rng, hosts, node, radius=radius, length=rng.exponential(length), lane=lane, look=look, kind=kind)
        if drawn is not None:
            bodies.append(drawn[0])
            if kind != RETICULUM:
                hosts.take(*drawn)
    return bodies


_DISTRACTORS = {
    DENSE: (110.0, 45.0, 170.0, (88.0, 14.0)),
    VACUOLE: (60.0, 40.0, 120.0, (192.0, 12.0)),
    RETICULUM: (900.0, 17.0, 30.0, (140.0, 25.0)),
}
"""Mean length, least and largest radius in nm, mean and deviation of the grey."""


def _along(
    rng: np.random.Generator,
    hosts: _Hosts,
    node: int,
    *,
    radius: float,
    length: float,
    lane: tuple[float, float],
    look: tuple[float, ...],
    kind: int = MITOCHONDRION,
    beads: bool = False,
) -> tuple[Body, float] | None:
    """Lay a body along a process, as far as there is room, and return it with where it begins."""
    processes, process = hosts.processes, int(hosts.processes.owner[node])
    part = slice(hosts.start[process], hosts.start[process + 1])
    way, middle = processes.along[part], float(processes.along[node])
    low, high = hosts.free(process, middle)
    begin = max(middle - rng.uniform(0.1, 0.9) * length, low + radius, float(way[0]) + radius)
    end = min(begin + length, high - radius, float(way[-1]) - radius)
    if (kind != RETICULUM and low >= high) or end <= begin + 1:
        return None
    grid = np.linspace(begin, end, max(2, int((end - begin) / (0.6 * radius + 20)) + 2))
    depth = np.interp(grid, way, hosts.depth[part])
    shape = _swollen(rng, grid, radius, beads=beads) if kind == MITOCHONDRION else np.full(len(grid), radius)
    shift = np.minimum(lane[1], np.maximum(depth - _WALL - shape, 0))
    direction = processes.point[part][-1] - processes.point[part][0]
    side = processes.side[part][0]
    other = np.cross(direction / np.linalg.norm(direction), side)
    point = np.stack([np.interp(grid, way, column) for column in processes.point[part].T], axis=-1)
    point += shift[:, None] * (np.cos(lane[0]) * side + np.sin(lane[0]) * other)
    depth, _ = hosts.clearance(point, np.full(len(point), process))
    tube = np.minimum(shape, depth - _WALL)
    fits = _run(tube > min(_THIN, 0.8 * radius), int(np.abs(grid - middle).argmin()))
    if fits is None:
        return None
    grid, sides = grid[fits], np.broadcast_to(side, (fits.stop - fits.start, 3))
    return Body(kind, process, point[fits], sides, tube[fits], grid - grid[0], look), float(grid[0])


def _swollen(rng: np.random.Generator, grid: Float64, radius: float, *, beads: bool) -> Float64:
    """Return radii along a mitochondrion: slightly uneven, or swellings on a string."""
    period, phase = rng.uniform(500, 1100), rng.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * grid / period + phase)
    if not beads:
        return np.asarray(radius * (0.92 + 0.08 * wave))
    swelling = np.clip(0.5 + 1.1 * wave, 0, 1)
    return np.asarray(_THIN + 4 + (1.1 * radius - _THIN - 4) * swelling**2 * (3 - 2 * swelling))


def _run(fits: np.ndarray, middle: int) -> slice | None:
    """Return the stretch of True around a place, None if it is shorter than two."""
    if not fits[middle]:
        return None
    breaks = np.flatnonzero(~fits)
    first = int(breaks[breaks < middle].max(initial=-1)) + 1
    stop = int(breaks[breaks > middle].min(initial=len(fits)))
    return slice(first, stop) if stop - first >= 2 else None
