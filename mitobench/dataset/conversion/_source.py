"""What a conversion reads: sections of a volume, what its files looked like, and the levels of a pyramid."""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.types import AnyArray, Box, RawChunks, Shape, Volume
from mitobench.volumes._datasets import split_source
from mitobench.volumes.blocks import GRIDLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Executor

__all__ = ["Sections", "Shrunk", "cast", "fingerprints", "sections_of", "smallest_dtype"]


@dataclass(frozen=True, eq=False)
class Sections:
    """Some neighbouring sections of a volume, as a volume.

    Attributes
    ----------
    volume
        The whole.
    start, stop
        First section and the one after the last.
    """

    volume: Volume
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Name of the whole."""
        return self.volume.name

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        return self.stop - self.start, self.volume.shape[1], self.volume.shape[2]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.volume.dtype

    @property
    def chunks(self) -> Shape:
        """Chunks of the whole, whose grid may begin elsewhere."""
        return self.volume.chunks

    @property
    def raw(self) -> RawChunks | None:
        """Nothing: the grid of the whole is not that of the part."""
        return None

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box."""
        (z0, y0, x0), (z1, y1, x1) = box
        return self.volume.read(Box((z0 + self.start, y0, x0), (z1 + self.start, y1, x1)))

    def close(self) -> None:
        """Close the whole."""
        self.volume.close()


def sections_of(volume: Volume, start: int | None, stop: int | None) -> Volume:
    """Return the sections from ``start`` up to, not including, ``stop``, as a volume; None is the first or the end.

    Raises
    ------
    InvalidInputError
        They are not all there, or none.
    """
    start = 0 if start is None else start
    stop = volume.shape[0] if stop is None else stop
    if not 0 <= start < stop <= volume.shape[0]:
        raise InvalidInputError(
            f"{volume.name}: sections {start}:{stop} were asked for, allowed is 0:{volume.shape[0]} and parts of it; "
            "give the first section and the one after the last"
        )
    return Sections(volume, start, stop)


def cast(voxels: AnyArray, dtype: np.dtype[Any], volume: Volume, box: Box) -> AnyArray:
    """Return the voxels of a box if the type can hold them all; they are converted where they are copied to.

    Raises
    ------
    InvalidInputError
        A voxel does not fit.
    """
    if np.can_cast(voxels.dtype, dtype):
        return voxels
    limits = np.iinfo(dtype)
    low, high = int(voxels.min()), int(voxels.max())
    if low < limits.min or high > limits.max:
        first = volume.start if isinstance(volume, Sections) else 0
        where = f"sections {box.start[0] + first} to {box.stop[0] - 1 + first}"
        raise InvalidInputError(
            f"{volume.name}: {where} have voxels from {low} to {high}, but {dtype.name} holds {limits.min} to "
            f"{limits.max}; choose a larger type (dtype=, --dtype)"
        )
    return voxels


def fingerprints(volume: Volume) -> Sequence[str]:
    """Return for each section what tells whether its file has changed: size and time of change.

    Where there is not one file for each section, all of them stand for every section. What is not read from a file is
    known by its first and its last section.
    """
    if isinstance(volume, Sections):
        return fingerprints(volume.volume)[volume.start : volume.stop]
    path, depth = Path(split_source(volume.name)[0]), volume.shape[0]
    if path.is_file():
        return [_stat(path)] * depth
    if not path.is_dir():
        return [_sample(volume)] * depth
    files = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    if len(files) == depth and volume.chunks[0] == 1:
        return [_stat(file) for file in sorted(files, key=_natural_key)]
    return [_digest("".join(map(_stat, files)))] * depth


def _natural_key(path: Path) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path.name)]


def _stat(path: Path) -> str:
    facts = path.stat()
    return f"{path.name} {facts.st_size} {facts.st_mtime_ns};"


def _sample(volume: Volume) -> str:
    depth, y, x = volume.shape
    ends = [volume.read(Box((z, 0, 0), (z + 1, y, x))) for z in (0, depth - 1)]
    return _digest(*(np.ascontiguousarray(end).tobytes() for end in ends))


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A volume seen at a coarser resolution.

    Attributes
    ----------
    volume
        At full resolution.
    factors
        Voxels along z, y, x that become one: 1 or 2.
    labels
        Take the first of them, an id that is there; otherwise their mean, rounded half up.
    """

    volume: Volume
    factors: Shape
    labels: bool

    @property
    def name(self) -> str:
        """Name of the volume."""
        return self.volume.name

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x; a last single voxel becomes one too."""
        return _divided(self.volume.shape, self.factors)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.volume.dtype

    @property
    def chunks(self) -> Shape:
        """What whole chunks of the volume become."""
        chunks = self.volume.chunks
        return GRIDLESS if chunks == GRIDLESS else _divided(chunks, self.factors)

    @property
    def raw(self) -> RawChunks | None:
        """Nothing is stored."""
        return None

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box."""
        start, stop = ([n * f for n, f in zip(corner, self.factors, strict=True)] for corner in box)
        z, y, x = (min(n, edge) for n, edge in zip(stop, self.volume.shape, strict=True))
        voxels = self.volume.read(Box((start[0], start[1], start[2]), (z, y, x)))
        if self.labels:
            fz, fy, fx = self.factors
            return voxels[::fz, ::fy, ::fx]
        return _mean(voxels, self.factors)

    def close(self) -> None:
        """Close the volume."""
        self.volume.close()


def _divided(edges: Shape, factors: Shape) -> Shape:
    z, y, x = (-(-n // f) for n, f in zip(edges, factors, strict=True))
    return z, y, x


def _mean(voxels: AnyArray, factors: Shape) -> AnyArray:
    """Average neighbours; a last single voxel stands for the missing ones too."""
    floating = voxels.dtype.kind == "f"
    total = voxels.astype(np.float64 if floating else f"{voxels.dtype.kind}{2 * voxels.dtype.itemsize}")
    for axis, factor in enumerate(factors):
        if factor == 2:
            if total.shape[axis] % 2:
                total = np.concatenate([total, np.take(total, [-1], axis)], axis)
            first, second = (total[(slice(None),) * axis + (slice(k, None, 2),)] for k in (0, 1))
            total = first + second
    count = math.prod(factors)
    mean: AnyArray = total / count if floating else (total + count // 2) // count
    return mean.astype(voxels.dtype)


def smallest_dtype(volume: Volume, boxes: Iterable[Box], pool: Executor) -> str:
    """Return the smallest unsigned type that holds all voxels.

    Raises
    ------
    InvalidInputError
        There are negative ones.
    """

    def extent(box: Box) -> tuple[int, int]:
        voxels = volume.read(box)
        return int(voxels.min()), int(voxels.max())

    extents = list(pool.map(extent, boxes))
    low, high = min(low for low, _ in extents), max(high for _, high in extents)
    if low < 0:
        raise InvalidInputError(f"{volume.name}: an id is {low}; expected 0 for background and positive ids")
    return np.min_scalar_type(high).name
