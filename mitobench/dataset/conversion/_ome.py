"""Metadata of OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5/) in Zarr format 3."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.dataset.conversion._codec import Codec
    from mitobench.types import Shape

__all__ = ["array_json", "group_json", "level_factors"]

_CODECS = {"gzip": ["level"], "zstd": ["level", "checksum"]}


def level_factors(voxel_size: tuple[float, float, float], levels: int) -> list[Shape]:
    """Return how many voxels of the level above become one, for each level below full resolution.

    An axis is halved while its voxels are clearly shorter than the longest; all axes are once they are alike.

    Examples
    --------
    >>> level_factors((30, 8, 8), 4)
    [(1, 2, 2), (1, 2, 2), (2, 2, 2)]
    """
    factors: list[Shape] = []
    size = voxel_size
    for _ in range(levels - 1):
        longest = max(size)
        z, y, x = (2 if edge * math.sqrt(2) < longest else 1 for edge in size)
        factors.append((z, y, x) if (z, y, x) != (1, 1, 1) else (2, 2, 2))
        size = _times(size, factors[-1])
    return factors


def _times(size: tuple[float, float, float], factors: Shape) -> tuple[float, float, float]:
    z, y, x = (edge * factor for edge, factor in zip(size, factors, strict=True))
    return z, y, x


def array_json(shape: Shape, codec: Codec) -> dict[str, Any]:
    """Return the ``zarr.json`` of an array."""
    bytes_codec: dict[str, Any] = {"name": "bytes"}
    if codec.dtype.itemsize > 1:
        bytes_codec["configuration"] = {"endian": "little"}
    codecs = [bytes_codec]
    if codec.compression != "none":
        values = {"level": codec.level, "checksum": False}
        configuration = {key: values[key] for key in _CODECS[codec.compression]}
        codecs.append({"name": codec.compression, "configuration": configuration})
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": codec.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(codec.chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if codec.dtype.kind == "f" else 0,
        "codecs": codecs,
        "attributes": {},
        "dimension_names": ["z", "y", "x"],
    }


def group_json(
    name: str,
    voxel_size: tuple[float, float, float],
    factors: Sequence[Shape],
    *,
    labels: bool,
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the ``zarr.json`` of the group: one image or label image, with its pyramid."""
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [_multiscale(name, voxel_size, factors, labels=labels)]}
    if labels:
        ome["image-label"] = {}
    return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome, "mitobench": dict(attributes)}}


def _multiscale(
    name: str, voxel_size: tuple[float, float, float], factors: Sequence[Shape], *, labels: bool
) -> dict[str, Any]:
    method = "first voxel of each block" if labels else "mean of each block, rounded half up"
    return {
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": _datasets(voxel_size, factors, labels=labels),
        "type": "nearest" if labels else "mean",
        "metadata": {"description": method, "method": "mitobench.dataset.convert"},
    }


def _datasets(
    voxel_size: tuple[float, float, float], factors: Sequence[Shape], *, labels: bool
) -> list[dict[str, Any]]:
    datasets, size = [], voxel_size
    for level in range(len(factors) + 1):
        if level:
            size = _times(size, factors[level - 1])
        transforms: list[dict[str, Any]] = [{"type": "scale", "scale": list(size)}]
        if level and not labels:
            # The mean of a block lies at its middle; coordinates count from the middle of the first voxel.
            shift = [(coarse - fine) / 2 for coarse, fine in zip(size, voxel_size, strict=True)]
            transforms.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    return datasets
