"""What a conversion is to make, checked before a voxel is read."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mitobench.dataset.conversion._codec import Codec, check_compression
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.types import PathOrStr, Shape, Volume

__all__ = ["Settings", "default_chunks", "make_settings"]

_SUFFIXES: dict[str, Literal["hdf5", "zarr"]] = {".h5": "hdf5", ".hdf5": "hdf5", ".hdf": "hdf5", ".zarr": "zarr"}
_CHUNK_EDGE = 256
_CHUNK_BYTES = 2**20
_KINDS = {"i": "integers", "u": "integers", "f": "real numbers"}


@dataclass(frozen=True)
class Settings:
    """What is made of a volume. Equal settings and an equal source give equal files.

    Attributes
    ----------
    format
        ``hdf5`` or ``zarr``.
    dataset
        Name inside an HDF5 file.
    chunks
        Shape of a chunk at full resolution.
    compression, level
        As `check_compression` returns them.
    voxel_size
        In nm, (z, y, x).
    levels
        Of the pyramid.
    labels
        Whether voxels are ids, of which no mean is taken.
    dtype
        Name of the type asked for: ``keep``, ``smallest`` or a type.
    metadata
        JSON of what is stored beside the voxels.
    """

    format: Literal["hdf5", "zarr"]
    dataset: str
    chunks: Shape
    compression: str
    level: int
    voxel_size: tuple[float, float, float]
    levels: int
    labels: bool
    dtype: str
    metadata: str

    def codec(self, shape: Shape, dtype: np.dtype[Any]) -> Codec:
        """Return how the chunks of an array of this shape are stored."""
        chunks = self.chunks if self.format == "zarr" else _clipped(self.chunks, shape)
        return Codec(self.format, self.compression, self.level, chunks, dtype)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON gives them back."""
        settings: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return settings


def default_chunks(shape: Shape, itemsize: int) -> Shape:
    """Return the chunk used by default: 256x256, and so many sections that it holds about 1 MB.

    It serves streaming and random crops alike: a section is 16 rows of chunks, a crop of 32x320x320 touches few.

    Examples
    --------
    >>> default_chunks((1000, 4096, 4096), 1), default_chunks((1000, 4096, 4096), 2)
    ((16, 256, 256), (8, 256, 256))
    """
    depth = max(1, _CHUNK_BYTES // (_CHUNK_EDGE**2 * itemsize))
    return _clipped((depth, _CHUNK_EDGE, _CHUNK_EDGE), shape)


def _clipped(chunks: Shape, shape: Shape) -> Shape:
    z, y, x = (min(chunk, n) for chunk, n in zip(chunks, shape, strict=True))
    return z, y, x


def make_settings(
    volume: Volume,
    path: PathOrStr,
    *,
    dataset: str,
    chunks: Sequence[int] | None,
    compression: str | None,
    level: int | None,
    voxel_size: Sequence[float],
    levels: int,
    labels: bool,
    dtype: str,
    metadata: Mapping[str, Any],
) -> Settings:
    """Check what `convert` was asked for.

    Raises
    ------
    InvalidInputError
        Anything has no sense.
    """
    kind = _format(path)
    if volume.dtype.kind not in _KINDS:
        raise InvalidInputError(
            f"{volume.name}: voxels of type {volume.dtype}; expected integers or real numbers; convert them first"
        )
    _check_dtype(volume, dtype, labels=labels)
    if compression == "auto":
        compression = "zstd" if kind == "zarr" else "gzip" if labels else "none"
    name, degree = check_compression(kind, compression or "none", level)
    itemsize = volume.dtype.itemsize if dtype in ("keep", "smallest") else np.dtype(dtype).itemsize
    cut = default_chunks(volume.shape, itemsize) if chunks is None else _checked_chunks(chunks)
    return Settings(
        format=kind,
        dataset=_checked_dataset(dataset),
        chunks=_clipped(cut, volume.shape),
        compression=name,
        level=degree,
        voxel_size=_checked_voxel_size(voxel_size),
        levels=_checked_levels(levels, kind, volume, labels=labels),
        labels=labels,
        dtype=dtype,
        metadata=_json(metadata),
    )


def _format(path: PathOrStr) -> Literal["hdf5", "zarr"]:
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise InvalidInputError(f"{path}: the suffix {suffix!r} tells no format; name the target *.h5 or *.zarr")
    return _SUFFIXES[suffix]


def _check_dtype(volume: Volume, dtype: str, *, labels: bool) -> None:
    if dtype == "keep":
        return
    if dtype == "smallest" and not labels:
        raise InvalidInputError("dtype 'smallest' is for labels; keep the type of an image or name one")
    try:
        kind = "u" if dtype == "smallest" else np.dtype(dtype).kind
    except TypeError as error:
        raise InvalidInputError(f"dtype {dtype!r} is no type; name one such as uint16") from error
    if volume.dtype.kind not in "iu" or kind not in "iu":
        raise InvalidInputError(
            f"{volume.name}: voxels of type {volume.dtype} to {dtype}; only integers become other integers; keep the "
            "type, or convert the voxels yourself"
        )


def _checked_chunks(chunks: Sequence[int]) -> Shape:
    if len(chunks) != 3 or any(int(edge) != edge or edge < 1 for edge in chunks):
        raise InvalidInputError(f"chunks is {tuple(chunks)}, expected three whole numbers of at least 1 (z, y, x)")
    z, y, x = map(int, chunks)
    return z, y, x


def _checked_dataset(dataset: str) -> str:
    if not dataset.strip("/") or "::" in dataset:
        raise InvalidInputError(f"dataset is {dataset!r}, which cannot be named; choose a name such as 'main'")
    return dataset.strip("/")


def _checked_voxel_size(voxel_size: Sequence[float]) -> tuple[float, float, float]:
    if len(voxel_size) != 3 or not all(0 < edge < math.inf for edge in voxel_size):
        raise InvalidInputError(
            f"voxel_size is {tuple(voxel_size)}, expected three positive numbers in nm (z, y, x), such as 30, 8, 8"
        )
    z, y, x = map(float, voxel_size)
    return z, y, x


def _checked_levels(levels: int, kind: str, volume: Volume, *, labels: bool) -> int:
    if not 1 <= levels <= 10:
        raise InvalidInputError(f"levels is {levels}, allowed is 1 to 10; 1 is full resolution alone")
    if levels > 1 and kind != "zarr":
        raise InvalidInputError("levels of a pyramid are for Zarr; name the target *.zarr or leave levels at 1")
    if levels > 1 and not labels and volume.dtype.kind in "iu" and volume.dtype.itemsize == 8:
        raise InvalidInputError(
            f"{volume.name}: an image of type {volume.dtype}, whose means have no exact type; leave levels at 1, or "
            "say that it holds labels (labels=True, --labels)"
        )
    return levels


def _json(metadata: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(metadata), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"metadata cannot be written as JSON ({error}); give texts and numbers") from error
