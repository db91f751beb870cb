"""The same scene as layers for napari, without importing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.view._lazy import LazyArray, label_dtype
from mitobench.view._mistakes import SIDES, VERDICT_COLOURS, Mistake
from mitobench.view._scene import MITOEM_VOXEL, Scene, VoxelSize, open_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.report import Report

__all__ = ["LayerData", "napari_layers"]

LayerData = tuple[Any, dict[str, Any], str]
"""Data, options and kind of a layer, as napari's plugins exchange them."""

_FEATURES = ("side", "id", "verdict", "bucket", "size", "iou")


def napari_layers(
    report: Report,
    *,
    volume: str | None = None,
    gt: Any = None,  # noqa: ANN401 - paths, arrays of several libraries
    pred: Any = None,  # noqa: ANN401
    image: Any = None,  # noqa: ANN401
    voxel_size: VoxelSize = MITOEM_VOXEL,
    rgb: bool = False,
) -> list[LayerData]:
    """Return the image, the labels of both sides, and a point for each error, to be added to a napari viewer.

    Parameters
    ----------
    report, volume, gt, pred, image, voxel_size, rgb
        As in `mitobench.view.open_scene`. Files stay open for as long as the layers are used.

    Returns
    -------
    list of tuple
        ``(data, options, kind)``, each for ``getattr(viewer, f"add_{kind}")(data, **options)``. Volumes are read where
        they are looked at. The points carry ``features``: side, id, verdict, bucket, size and IoU, the largest first.

    Raises
    ------
    UnknownNameError, UnusableFileError, InvalidInputError
        As in `mitobench.view.open_scene`.
    """
    scene = open_scene(report, volume=volume, gt=gt, pred=pred, image=image, voxel_size=voxel_size, rgb=rgb)
    layers = [_image(scene, position) for position in range(len(scene.image))]
    layers += [_labels(scene, side) for side in SIDES]
    return [*layers, _points(scene.mistakes, voxel_size)]


def _image(scene: Scene, position: int) -> LayerData:
    channel = scene.image[position]
    options = {
        "name": "image" if len(scene.image) == 1 else f"image {position}",
        "scale": scene.voxel_size,
        "contrast_limits": scene.contrast(channel),
        "visible": position == 0,
    }
    return LazyArray(channel, channel.dtype), options, "image"


def _labels(scene: Scene, side: str) -> LayerData:
    volume = getattr(scene, side)
    options = {"name": SIDES[side], "scale": scene.voxel_size, "opacity": 0.4}
    return LazyArray(volume, label_dtype(volume.dtype)), options, "labels"


def _points(mistakes: Sequence[Mistake], voxel_size: VoxelSize) -> LayerData:
    import pandas as pd

    options = {
        "name": "errors",
        "scale": voxel_size,
        "features": pd.DataFrame({name: [getattr(mistake, name) for mistake in mistakes] for name in _FEATURES}),
        "face_color": [VERDICT_COLOURS.get(mistake.verdict, "#ffffff") for mistake in mistakes] or "#ffffff",
        "text": {"string": "{verdict}", "size": 8, "color": "white", "anchor": "upper_left"},
    }
    return np.array([mistake.centre for mistake in mistakes], np.float64).reshape(-1, 3), options, "points"
