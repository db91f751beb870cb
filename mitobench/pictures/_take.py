"""Read the few voxels of each picture and make it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.pictures._choose import Chosen, worst_errors
from mitobench.pictures._crop import Crop, plan_crop
from mitobench.pictures._outline import outlines
from mitobench.pictures._picture import Outline, Picture, Section
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mitobench.report import VolumeReport
    from mitobench.types import AnyArray, LabelVolume, Shape, Volume

__all__ = ["check_shape", "error_pictures"]

_GREYS = 48
"""Levels of grey in a picture: as many as an eye tells apart, and half the bytes of 256."""
_ROLES = ("other", "partner", "focus")
_CLIPPED = (0.5, 99.5)
"""Percentiles that become black and white."""


def error_pictures(
    volume: VolumeReport,
    *,
    gt: LabelVolume,
    pred: LabelVolume,
    image: Volume | None = None,
    per_class: int = 3,
    voxel_size: tuple[float, float, float] = (30.0, 8.0, 8.0),
) -> list[Picture]:
    """Return pictures of the largest mistakes of each verdict: missed, false, split, merged, many-to-many, boundary.

    Each shows three sections around the instance. A few boxes of one section are read, never a whole volume.

    Parameters
    ----------
    volume
        The report of the pair.
    gt, pred
        The volumes that it is of.
    image
        What was segmented, if the pictures are to show it.
    per_class
        The most pictures of each verdict.
    voxel_size
        (z, y, x) in nm.

    Raises
    ------
    InvalidInputError
        The volumes differ in shape from what the report is of.
    UnusableFileError
        A file is damaged.

    Examples
    --------
    >>> from mitobench.evaluate import evaluate_pair
    >>> from mitobench.volumes import open_labels
    >>> gt = np.zeros((4, 32, 32), np.uint16)
    >>> gt[:, 2:10, 2:10] = 1
    >>> volume = evaluate_pair(np.zeros_like(gt), gt).volumes[0]
    >>> [picture] = error_pictures(volume, gt=open_labels(gt), pred=open_labels(np.zeros_like(gt)))
    >>> picture.name, picture.verdict, [section.z for section in picture.sections]
    ('ground truth 1', 'missed', [1, 2, 3])
    """
    for other, what in ((gt, "ground truth"), (pred, "prediction"), (image, "image")):
        if other is not None:
            check_shape(other, what, volume.name, volume.shape)
    chosen = worst_errors(volume.instances, per_class)
    return [_picture(volume, one, {"gt": gt, "pred": pred}, image, voxel_size) for one in chosen]


def check_shape(other: Volume, what: str, labels: str, shape: Shape) -> None:
    """Refuse a volume of another shape than the labels of that name have."""
    if other.shape == shape:
        return
    hint = "cut or resample it to the same region first"
    if sorted(other.shape) == sorted(shape):
        hint = "one shape is a permutation of the other: transpose it to the axis order (z, y, x)"
    raise InvalidInputError(
        f"{other.name}: the {what} has the shape {other.shape}, but the labels of {labels} have {shape}; "
        f"pictures need the same (z, y, x) shape: {hint}"
    )


def _picture(
    volume: VolumeReport,
    chosen: Chosen,
    labels: Mapping[str, LabelVolume],
    image: Volume | None,
    voxel_size: Sequence[float],
) -> Picture:
    row = {name: column[chosen.row] for name, column in volume.instances[chosen.side].items()}
    crop = plan_crop(_box(row), (row["z"], row["y"], row["x"]), volume.shape)
    if crop.stride > 1:
        crop = _nearer(crop, labels[chosen.side], row, volume.shape)
    sections = [
        {side: _thinned(labels[side].read(crop.box(z))[0], crop.stride) for side in labels} for z in crop.sections
    ]
    pngs = [None] * len(sections) if image is None else _pngs(image, crop)
    height, width = sections[0]["gt"].shape
    return Picture(
        volume=volume.name,
        side=chosen.side,
        **{key: row[key] for key in ("id", "verdict", "size", "bucket", "partner", "iou", "partners")},
        corner=(crop.y[0], crop.x[0]),
        height=height,
        width=width,
        stride=crop.stride,
        pixel_size=(voxel_size[1] * crop.stride, voxel_size[2] * crop.stride),
        whole=crop.whole,
        sections=tuple(
            Section(z, png, _outlines(both, chosen.side, row["id"]))
            for z, png, both in zip(crop.sections, pngs, sections, strict=True)
        ),
    )


def _nearer(crop: Crop, labels: LabelVolume, row: Mapping[str, Any], shape: Shape) -> Crop:
    """Return the crop around what these sections hold of an instance, which can be far less than its bounding box."""
    sections = [_thinned(labels.read(crop.box(z))[0], crop.stride) for z in crop.sections]
    y, x = np.nonzero(np.any([section == section.dtype.type(row["id"]) for section in sections], axis=0))
    if len(y) == 0:
        return crop
    box = _box(row)
    start = crop.y[0] + int(y.min()) * crop.stride, crop.x[0] + int(x.min()) * crop.stride
    stop = crop.y[0] + (int(y.max()) + 1) * crop.stride, crop.x[0] + (int(x.max()) + 1) * crop.stride
    seen = Box((box.start[0], *start), (box.stop[0], *stop))
    middle = [(low + high) / 2 for low, high in zip(start, stop, strict=True)]
    return replace(plan_crop(seen, (row["z"], *middle), shape), whole=crop.whole)


def _box(row: Mapping[str, int]) -> Box:
    return Box((row["z0"], row["y0"], row["x0"]), (row["z1"], row["y1"], row["x1"]))


def _outlines(labels: Mapping[str, AnyArray], side: str, focus: int) -> tuple[Outline, ...]:
    """Return all outlines of a section, the least important first, so that the focus is painted over the others."""
    other = "pred" if side == "gt" else "gt"
    mask = labels[side] == labels[side].dtype.type(focus)
    roles = {(side, focus): "focus"} | {
        (other, partner): "partner" for partner in np.unique(labels[other][mask]).tolist()
    }
    found = [
        Outline(which, label, roles.get((which, label), "other"), path)
        for which, section in labels.items()
        for label, path in outlines(section).items()
    ]
    return tuple(sorted(found, key=lambda outline: _ROLES.index(outline.role)))


def _thinned(section: AnyArray, stride: int) -> AnyArray:
    """Take the middle voxel of each pixel: ids have no mean."""
    return section[stride // 2 :: stride, stride // 2 :: stride]


def _pngs(image: Volume, crop: Crop) -> list[bytes]:
    """Return the sections of the image, with one contrast for all of them."""
    from imagecodecs import png_encode

    means = [_mean(image.read(crop.box(z))[0], crop.stride) for z in crop.sections]
    return [png_encode(grey, level=9) for grey in _greys(np.stack(means))]


def _mean(section: AnyArray, stride: int) -> NDArray[np.float64]:
    height, width = (n // stride for n in section.shape)
    pixels = section[: height * stride, : width * stride].reshape(height, stride, width, stride)
    mean: NDArray[np.float64] = pixels.mean(axis=(1, 3), dtype=np.float64)
    return mean


def _greys(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Map values to the levels of grey from black to white; what is not finite is black."""
    values = np.where(np.isfinite(values), values, np.nan)
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, _CLIPPED) if known.size else (0.0, 0.0)
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else np.full_like(values, 0.5)
    levels = np.rint(np.nan_to_num(share) * (_GREYS - 1))
    greys: NDArray[np.uint8] = np.rint(levels * (255 / (_GREYS - 1))).astype(np.uint8)
    return greys
