"""Where skeletons end at the borders of the volume: kimimaro's ``fix_borders``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.cable._skeleton import Vector
    from mitobench.overlap import Instances
    from mitobench.types import AnyArray, LabelVolume, Shape

__all__ = ["border_planes", "border_targets"]


def border_planes(shape: Shape, instances: Instances) -> Iterator[tuple[int, Box]]:
    """Yield (axis, box one voxel thick) of the borders that instances touch, in kimimaro's order."""
    for axis in (2, 1, 0):
        touched = {
            0: (instances.box_min[:, axis] == 0).any(),
            shape[axis] - 1: (instances.box_max[:, axis] == shape[axis]).any(),
        }
        for index, is_touched in touched.items():
            if is_touched:
                start, stop = [0, 0, 0], list(shape)
                start[axis], stop[axis] = index, index + 1
                yield axis, Box(tuple(start), tuple(stop))  # type: ignore[arg-type]


def border_targets(volume: LabelVolume, instances: Instances, anisotropy: Vector) -> dict[int, list[Shape]]:
    """Return, per id, the middle voxel of each of its pieces in each border plane of the volume.

    Planes are looked at whole, because ties between voxels are broken by where they lie in the plane.
    """
    targets: defaultdict[int, list[Shape]] = defaultdict(list)
    for axis, box in border_planes(volume.shape, instances):
        plane = np.ascontiguousarray(volume.read(box).take(0, axis))
        weights = np.delete(np.array(anisotropy, np.float32), axis)
        for u, v in _middles(plane, weights):
            target = [u, v]
            target.insert(axis, box.start[axis])
            targets[int(plane[u, v])].append(tuple(target))  # type: ignore[arg-type]
    return targets


def _middles(plane: AnyArray, weights: Any) -> list[tuple[int, int]]:  # noqa: ANN401
    import cc3d
    import edt
    from kimimaro.skeletontricks import find_border_targets

    pieces = cc3d.connected_components(plane)
    if pieces.max() == pieces.size:
        # Every voxel is a piece of its own, for which kimimaro's table of centroids is one row too short.
        return [(int(u), int(v)) for v, u in np.argwhere(pieces.T)]
    distance = edt.edt(pieces, black_border=True, anisotropy=tuple(weights))
    found = find_border_targets(distance, pieces, *weights)
    return [(int(u), int(v)) for u, v in found.values()]
