"""The prediction: what becomes of each true instance."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mitobench.phantom._checks import check_range
from mitobench.phantom._geometry import VOXEL_NM, Mitochondria, draw_spots
from mitobench.phantom._paint import NO_PLANE, Strokes, to_strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Float64, Int64, Shape

__all__ = ["Quality", "draw_fates", "merge_groups", "predict"]


@dataclass(frozen=True)
class Quality:
    """How a prediction differs from its ground truth. The defaults give an AP-75 of 0.7 to 0.8.

    Attributes
    ----------
    missed, split, merged
        Fractions of the instances that are absent, cut in two, or share the id of their nearest neighbour. One instance
        suffers at most one of these, so they add up to at most 1.
    false
        Invented instances per true one.
    jitter_scale
        Standard deviation of the logarithm of the radii of a predicted ellipsoid over the true ones.
    jitter_shift
        Standard deviation of its displacement along each axis, in units of its short radius.

    Raises
    ------
    InvalidInputError
        A value is outside 0..1, or missed, split and merged add up to more than 1.
    """

    missed: float = 0.05
    false: float = 0.05
    split: float = 0.04
    merged: float = 0.03
    jitter_scale: float = 0.03
    jitter_shift: float = 0.06

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(field.name, getattr(self, field.name), 0, 1)
        # Rounded, for 0.56 + 0.34 + 0.1 comes out above 1.
        check_range("missed + split + merged", round(self.missed + self.split + self.merged, 9), 0, 1)


def predict(rng: np.random.Generator, gt: Mitochondria, shape: Shape, quality: Quality) -> Strokes:
    """Draw each instance's fate and return what the prediction paints."""
    found, cut, merged = draw_fates(rng, len(gt), quality)
    # An invented instance has the shape of a true one and lies below all others.
    false = rng.integers(len(gt), size=rng.binomial(len(gt), quality.false))
    shown = gt.take(np.concatenate([found, false]))
    group = np.concatenate([merge_groups(shown.centre[: len(found), 0], merged), np.arange(len(found), len(shown))])
    split = np.concatenate([cut, np.zeros(len(false), bool)])
    elsewhere = np.zeros((len(shown), 1, 3))
    copies = shown.take(np.arange(len(found), len(shown)))
    elsewhere[len(found) :] = draw_spots(rng, copies.moved(-copies.centre[:, :1]), shape) - copies.centre[:, :1]
    return _cut(rng, _jitter(rng, shown.moved(elsewhere), quality), group, split, shape)


def draw_fates(
    rng: np.random.Generator, count: int, quality: Quality
) -> tuple[Int64, NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw which instances are found, and which of those are split and which are merged."""
    fate = rng.random(count)
    found = np.flatnonzero(fate >= quality.missed)
    fate = fate[found] - quality.missed
    return found, fate < quality.split, (fate >= quality.split) & (fate < quality.split + quality.merged)


def merge_groups(centre: Float64, merged: NDArray[np.bool_]) -> Int64:
    """Return a group for each instance: the merged ones join their nearest neighbour's."""
    count = len(centre)
    if count < 2:
        return np.arange(count)
    nearest = cKDTree(centre).query(centre, k=[2])[1][:, 0]
    links = coo_array((np.ones(merged.sum()), (np.flatnonzero(merged), nearest[merged])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _jitter(rng: np.random.Generator, mitochondria: Mitochondria, quality: Quality) -> Mitochondria:
    radius, noise = mitochondria.radius, rng.normal(size=(2, len(mitochondria), 3, 3))
    shift = quality.jitter_shift * radius[..., 1:] * noise[0]
    scale = np.exp(quality.jitter_scale * noise[1, ..., :2])
    return Mitochondria(mitochondria.centre + shift, mitochondria.axis, radius * scale)


def _cut(
    rng: np.random.Generator, mitochondria: Mitochondria, group: Int64, split: NDArray[np.bool_], shape: Shape
) -> Strokes:
    """Return the strokes of instances of which some are cut in two, across the chain and near its middle."""
    count = len(group)
    index = np.repeat(np.arange(count), 1 + split)
    # Of a split instance one side of the plane is painted over the whole.
    side = split[index] & (np.diff(index, prepend=-1) > 0)
    names, name = np.unique(np.where(side, count + index, group[index]), return_inverse=True)
    present = mitochondria.radius[..., :1] > 0
    middle = (mitochondria.centre * present).sum(axis=1) / present.sum(axis=1)
    normal, length = mitochondria.axis[:, 0], mitochondria.radius[:, 0, 0]
    offset = (normal * middle).sum(axis=1) + rng.uniform(-0.3, 0.3, count) * length
    plane = np.column_stack([normal * VOXEL_NM, offset])[index]
    plane[~side] = NO_PLANE
    return to_strokes(mitochondria.take(index), rng.permutation(len(names))[name] + 1, shape, plane)
