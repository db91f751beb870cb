"""The skeleton of one instance, by kimimaro, as one call of kimimaro on the whole volume would make it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Box, Shape

__all__ = ["TEASAR", "Crop", "Vector", "skeleton_length"]

Vector = tuple[float, float, float]

TEASAR = {
    "scale": 1.5,
    "const": 300,
    "pdrf_scale": 100000,
    "pdrf_exponent": 4,
    "soma_acceptance_threshold": 3500,
    "soma_detection_threshold": 750,
    "soma_invalidation_const": 300,
    "soma_invalidation_scale": 2,
}
"""Kimimaro's defaults, which the public tool uses."""

_NO_SKELETON = 1.0
"""Length of an instance without a skeleton, in the public tool."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One instance, cut out of its volume.

    Attributes
    ----------
    id
        The instance.
    mask
        bool (z, y, x), the voxels of the instance, with a margin of one voxel wherever the volume goes on.
    box
        Where the mask lies in the volume.
    targets
        Voxels of the volume where skeletons must end at its borders, in kimimaro's order.
    fills_volume
        Whether the volume has no other voxels.
    """

    id: int
    mask: NDArray[np.bool_]
    box: Box
    targets: tuple[Shape, ...]
    fills_volume: bool


def skeleton_length(crop: Crop, *, anisotropy: Vector, voxel_size: Vector) -> float:
    """Return the summed length of the edges of an instance's skeleton, in the unit of ``voxel_size``.

    Parameters
    ----------
    crop
        The instance.
    anisotropy
        Size of a voxel in the units that the TEASAR parameters are in, (z, y, x).
    voxel_size
        Size of a voxel in the unit of the result, (z, y, x).
    """
    try:
        parts = _skeletons(crop, np.array(anisotropy, np.float32))
    except Exception as error:
        error.add_note(f"while the skeleton of instance {crop.id} was traced")
        raise
    if not parts:
        return _NO_SKELETON
    whole = parts[0].simple_merge(parts).consolidate()
    ends = whole.vertices.astype(np.float64)[whole.edges]
    steps = (ends[:, 1] - ends[:, 0]) * voxel_size
    return float(np.sqrt((steps * steps).sum(axis=1)).sum())


def _skeletons(crop: Crop, anisotropy: NDArray[np.float32]) -> list[Any]:
    """Return a skeleton per connected component, its vertices in voxels from the start of the crop."""
    import cc3d
    import edt

    components = cc3d.connected_components(np.asfortranarray(crop.mask))
    distance = edt.edt(components, anisotropy=anisotropy, black_border=crop.fills_volume)
    targets = _targets_by_component(crop, components)
    skeletons = []
    for number, box in enumerate(_boxes(components), 1):
        start = [side.start for side in box]
        inside = components[box] == number
        ends = [np.subtract(target, start).tolist() for target in targets[number]]
        skeleton = _trace(inside, np.where(inside, distance[box], 0), ends, anisotropy)
        if skeleton is not None:
            skeleton.vertices = skeleton.vertices + np.array(start, skeleton.vertices.dtype)
            skeletons.append(skeleton)
    return skeletons


def _boxes(components: NDArray[Any]) -> list[tuple[slice, ...]]:
    # Imported here because it takes a tenth of a second, also where no skeleton is asked for.
    from scipy import ndimage

    # Along the order of the memory this is several times faster.
    return [box[::-1] for box in ndimage.find_objects(components.T)]


def _targets_by_component(crop: Crop, components: NDArray[Any]) -> dict[int, list[Shape]]:
    """Return the targets of each component, in voxels from the start of the crop.

    Kimimaro takes the last one as the root, from a list made of a set of voxels of the volume. So the same set is made
    here: the order of its elements depends on their values and on the order in which they came.
    """
    found: defaultdict[int, set[Shape]] = defaultdict(set)
    for target in crop.targets:
        found[int(components[tuple(np.subtract(target, crop.box.start))])].add(target)
    local: defaultdict[int, list[Shape]] = defaultdict(list)
    for number, targets in found.items():
        local[number] = [tuple(np.subtract(target, crop.box.start).tolist()) for target in targets]
    return local


def _trace(
    inside: NDArray[np.bool_], distance: NDArray[np.float32], ends: list[Any], anisotropy: NDArray[np.float32]
) -> Any:  # noqa: ANN401 - kimimaro has no types
    """Return the skeleton of one component, None for a single voxel or where kimimaro finds none."""
    from kimimaro.trace import trace

    if inside.size == 1:
        return None
    root = ends.pop() if ends else None
    skeleton = trace(
        inside,
        distance,
        anisotropy=anisotropy,
        fix_branching=True,
        manual_targets_before=ends,
        manual_targets_after=[],
        root=root,
        **TEASAR,
    )
    return None if skeleton.empty() else skeleton
