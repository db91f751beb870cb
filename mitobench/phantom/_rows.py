"""Processes and bodies as rows of numbers, one per segment, as the kernels read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.phantom._kernels import COLUMNS
from mitobench.phantom._processes import AXON, DENDRITE, MYELIN, SPINE, Processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mitobench.phantom._bodies import Body
    from mitobench.phantom._clearance import Clearance
    from mitobench.types import AnyArray, Float64

__all__ = ["body_rows", "segment_rows", "tube_rows"]

_TONES = {AXON: (170.0, 11.0), DENDRITE: (182.0, 9.0), SPINE: (176.0, 11.0), MYELIN: (186.0, 6.0)}


def tube_rows(rng: np.random.Generator, processes: Processes, clearance: Clearance) -> NDArray[np.float32]:
    """Complete the rows of a clearance with the greys, vesicles and synapses of processes."""
    count = len(processes.kind)
    tone = np.array([rng.normal(*_TONES[kind]) for kind in processes.kind.tolist()])
    # Dark processes are as dark as mitochondria.
    tone -= np.where(rng.random(count) < 0.06, rng.uniform(25, 60, count), 0)
    share = np.where(rng.random(count) < 0.75, rng.uniform(0.3, 0.95, count), 0)
    full = share[processes.owner] * processes.bouton
    # In place, for there are millions of them.
    rows = clearance.rows
    first = np.flatnonzero(processes.owner[1:] == processes.owner[:-1])
    owner = processes.owner[first]
    rows[:, 12], rows[:, 13] = full[first], full[first + 1] - full[first]
    rows[:, 15], rows[:, 16] = processes.kind[owner], tone[owner]
    rows[:, 17:21] = _synapses(rng, processes, clearance, full)[first]
    return rows


def segment_rows(
    point: AnyArray, side: AnyArray, radius: AnyArray, value: AnyArray, owner: AnyArray
) -> NDArray[np.float32]:
    """Return the rows of chains: geometry, a value of each node, and the owner."""
    first = np.flatnonzero(owner[1:] == owner[:-1])
    way = point[first + 1] - point[first]
    rows = np.zeros((len(first), COLUMNS), np.float32)
    rows[:, :3], rows[:, 3:6], rows[:, 6] = point[first], way, 1 / np.maximum((way**2).sum(axis=1), 1e-6)
    rows[:, 7], rows[:, 8] = radius[first], radius[first + 1] - radius[first]
    rows[:, 9:12], rows[:, 12], rows[:, 13] = side[first], value[first], value[first + 1] - value[first]
    rows[:, 14] = owner[first]
    return rows


def _synapses(rng: np.random.Generator, processes: Processes, clearance: Clearance, full: AnyArray) -> Float64:
    """Return place and radius of each node's synapse: where its bouton comes nearest to another process."""
    found = np.zeros((len(full), 4))
    peak = np.flatnonzero((full[1:-1] > 0.2) & (full[1:-1] >= full[:-2]) & (full[1:-1] > full[2:])) + 1
    if len(peak) == 0:
        return found
    points = processes.point[peak]
    depth, toward = clearance(points, processes.owner[peak])
    spots = np.column_stack(
        [
            points + toward * (depth / np.maximum(np.linalg.norm(toward, axis=1), 1))[:, None],
            rng.uniform(110, 210, len(peak)),
        ]
    )
    # A node belongs to the nearest peak along its own process.
    place = 1e7 * processes.owner + processes.along
    after = (
        np.clip(np.searchsorted(place[peak], place), 1, len(peak) - 1) if len(peak) > 1 else np.zeros(len(full), int)
    )
    before = np.maximum(after - 1, 0)
    nearer = np.where(np.abs(place[peak[after]] - place) < np.abs(place[peak[before]] - place), after, before)
    close = (np.abs(place[peak[nearer]] - place) < 700) & (depth[nearer] > 0)
    found[close] = spots[nearer[close]]
    return found


def body_rows(bodies: Sequence[Body]) -> NDArray[np.float32]:
    """Return the rows of all segments of bodies."""
    if not bodies:
        return np.zeros((0, COLUMNS), np.float32)
    owner = np.repeat(np.arange(len(bodies)), [len(body.radius) for body in bodies])
    point, side, radius, along = (
        np.concatenate([getattr(body, name) for body in bodies]) for name in ("point", "side", "radius", "along")
    )
    rows = segment_rows(point, side, radius, along, owner)
    of = rows[:, 14].astype(int)
    rows[:, 15] = np.array([body.kind for body in bodies])[of]
    rows[:, 16:21] = np.array([body.look for body in bodies])[of]
    return rows
