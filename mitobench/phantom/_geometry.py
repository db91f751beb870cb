"""Shapes and places of mitochondria, in nm, before any voxel is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Float64, Shape

__all__ = ["VOXEL_NM", "Mitochondria", "draw_chains", "draw_spots"]

VOXEL_NM = (30.0, 8.0, 8.0)


@dataclass(frozen=True, eq=False)
class Mitochondria:
    """Geometry of n instances, each a bent chain of one to three overlapping ellipsoids of revolution.

    Attributes
    ----------
    centre
        float64 (n, 3, 3): instance, ellipsoid (the middle one first), then (z, y, x) in nm from the first voxel.
    axis
        float64 (n, 3, 3), unit vectors (z, y, x) along the long axes.
    radius
        float64 (n, 3, 2), long and short semi-axis in nm; 0 for ellipsoids that a shorter chain lacks.
    """

    centre: Float64
    axis: Float64
    radius: Float64

    def __len__(self) -> int:
        return len(self.centre)

    def take(self, index: NDArray[Any]) -> Mitochondria:
        """Return the instances of an index or a mask."""
        return Mitochondria(self.centre[index], self.axis[index], self.radius[index])

    def moved(self, offset: Float64) -> Mitochondria:
        """Return them displaced by nm that broadcast against `centre`."""
        return Mitochondria(self.centre + offset, self.axis, self.radius)

    def scaled(self, factor: float) -> Mitochondria:
        """Return them larger by a factor in length, the middle of each chain in place."""
        middle = self.centre[:, :1]
        return Mitochondria(middle + factor * (self.centre - middle), self.axis, factor * self.radius)

    def half_extent(self) -> Float64:
        """Half the edges of the ellipsoids' bounding boxes, (n, 3, 3) in nm."""
        long2, short2 = np.moveaxis(self.radius[..., None] ** 2, 2, 0)
        return np.asarray(np.sqrt(short2 + (long2 - short2) * self.axis**2))


def draw_chains(rng: np.random.Generator, count: int, mean_nm3: float) -> Mitochondria:
    """Draw chains around the origin: log-normal volumes, the larger ones mostly longer."""
    volume = rng.lognormal(0, 1.3, count)
    volume *= mean_nm3 / volume.mean()
    rank = volume.argsort().argsort() / count
    length = np.clip(1 + 3 * rank + rng.normal(0, 0.5, count), 1, 3).astype(int)
    slender = rng.uniform(1.3, 2.3, count) * (1 + rank)
    short = np.cbrt(volume / (3.6 * length * slender))[:, None] * rng.lognormal(0, 0.12, (count, 3))
    present = np.arange(3) < length[:, None]
    radius = np.stack([short * slender[:, None], short], axis=-1) * present[..., None]
    axis = _unit(_unit(rng.normal(size=(count, 1, 3))) + 0.25 * rng.normal(size=(count, 3, 3)))
    reach = 0.6 * radius[..., :1] * axis
    side = np.array([0, 1, -1])[:, None] * present[..., None]
    return Mitochondria(side * (reach[:, :1] + reach), axis, radius)


def _unit(vectors: Float64) -> Float64:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def draw_spots(rng: np.random.Generator, chains: Mitochondria, shape: Shape) -> Float64:
    """Return random places, (n, 1, 3) in nm, mostly inside and apart: the later of two that collide tries elsewhere."""
    edge = (np.array(shape) - 1) * VOXEL_NM
    extent = (np.abs(chains.centre) + chains.half_extent()).max(axis=1)
    margin = np.minimum(0.8 * extent, 0.4 * edge)
    place = np.zeros((len(chains), 3))
    late = np.ones(len(chains), bool)
    for _ in range(20):
        spot = margin + rng.random(margin.shape) * (edge - 2 * margin)
        # On a voxel's centre even the smallest instance covers one voxel.
        place[late] = (np.rint(spot / VOXEL_NM) * VOXEL_NM)[late]
        late = _collided(chains.moved(place[:, None]))
    return place[:, None]


def _collided(mitochondria: Mitochondria) -> NDArray[np.bool_]:
    """Tell which instances come too close to an earlier one: centres within an ellipsoid grown by the other's waist."""
    collided = np.zeros(len(mitochondria), bool)
    if len(mitochondria) < 2:
        return collided
    instance, part = np.nonzero(mitochondria.radius[..., 0])
    centre, axis = mitochondria.centre[instance, part], mitochondria.axis[instance, part]
    long, short = mitochondria.radius[instance, part].T
    distance, other = cKDTree(centre).query(centre, k=range(1, min(12, len(centre)) + 1))
    along2 = ((centre[:, None] - centre[other]) * axis[other]).sum(axis=-1) ** 2
    waist = short[:, None]
    apart2 = along2 / (long[other] + waist) ** 2 + (distance**2 - along2) / (short[other] + waist) ** 2
    close = (apart2 < 0.8) & (instance[other] != instance[:, None])
    collided[np.maximum(instance[other], instance[:, None])[close]] = True
    return collided
