"""From ellipsoids to voxels: each row of voxels that an ellipsoid crosses is an interval, found by one square root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mitobench.phantom._geometry import VOXEL_NM, Mitochondria

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import AnyArray, Float64, Int64, Shape

__all__ = ["NO_PLANE", "Strokes", "paint", "to_strokes"]

NO_PLANE = (0.0, 0.0, 0.0, np.inf)


@dataclass(frozen=True, eq=False)
class Strokes:
    """Ellipsoids in voxel units, each with the id that it paints; an earlier one covers a later one.

    A voxel p belongs to a stroke if (p - centre)' form (p - centre) <= 1 and plane[:3] p <= plane[3]; it is looked for
    in the box low <= p < high.
    """

    label: Int64
    centre: Float64
    form: Float64
    plane: Float64
    low: Int64
    high: Int64


def to_strokes(mitochondria: Mitochondria, label: Int64, shape: Shape, plane: Float64 | None = None) -> Strokes:
    """Turn chains into ellipsoids in voxel units; those without any voxel are left out."""
    voxel = np.array(VOXEL_NM)
    middle, half = mitochondria.centre / voxel, mitochondria.half_extent() / voxel
    low = np.clip(np.ceil(middle - half), 0, shape).astype(np.int64)
    high = np.clip(np.floor(middle + half) + 1, 0, shape).astype(np.int64)
    owner, part = np.nonzero((mitochondria.radius[..., 0] > 0) & (low < high).all(axis=-1))
    long, short = mitochondria.radius[owner, part].T[..., None, None] ** -2.0
    axis = mitochondria.axis[owner, part]
    form = (short * np.eye(3) + (long - short) * axis[:, :, None] * axis[:, None, :]) * np.outer(voxel, voxel)
    plane = np.broadcast_to(NO_PLANE, (len(label), 4)) if plane is None else plane
    return Strokes(label[owner], middle[owner, part], form, plane[owner], low[owner, part], high[owner, part])


def paint(out: AnyArray, z0: int, strokes: Strokes) -> AnyArray:
    """Paint the sections from z0 on, the last stroke first."""
    z1 = z0 + len(out)
    for i in np.flatnonzero((strokes.low[:, 0] < z1) & (strokes.high[:, 0] > z0))[::-1]:
        (z_low, y_low, _), (z_high, y_high, _) = strokes.low[i], strokes.high[i]
        z = np.arange(max(z_low, z0), min(z_high, z1))
        first, stop = _row_ends(strokes, i, z[:, None], np.arange(y_low, y_high), out.shape[2])
        x0, x1 = first.min(), stop.max()
        x = np.arange(x0, x1)
        inside = (x >= first[..., None]) & (x < stop[..., None])
        np.copyto(
            out[z[0] - z0 : z[-1] + 1 - z0, y_low:y_high, x0:x1], strokes.label[i], where=inside, casting="unsafe"
        )
    return out


def _row_ends(
    strokes: Strokes, i: np.intp, z: Int64, y: Int64, width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Solve the quadratic form for x: first voxel and stop of each row (z, y), clipped to the width."""
    (centre_z, centre_y, centre_x), form = strokes.centre[i], strokes.form[i]
    dz, dy = z - centre_z, y - centre_y
    half_b = form[2, 0] * dz + form[2, 1] * dy
    c = form[0, 0] * dz * dz + 2 * form[0, 1] * dz * dy + form[1, 1] * dy * dy - 1
    root2 = half_b * half_b - form[2, 2] * c
    root = np.sqrt(np.maximum(root2, 0))
    low, high = centre_x - (half_b + root) / form[2, 2], centre_x + (root - half_b) / form[2, 2]
    *normal, offset = strokes.plane[i]
    if np.isfinite(offset):
        bound = (offset - normal[0] * z - normal[1] * y) / normal[2]
        low, high = (low, np.minimum(high, bound)) if normal[2] > 0 else (np.maximum(low, bound), high)
    first = np.clip(np.ceil(low), 0, width).astype(np.int32)
    stop = np.where(root2 >= 0, np.clip(np.floor(high) + 1, 0, width), 0).astype(np.int32)
    return first, stop
