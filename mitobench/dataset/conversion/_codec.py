"""Chunks to stored bytes and back, as the filters of HDF5 and the codecs of Zarr define them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from mitobench.errors import InvalidInputError, did_you_mean

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Shape

__all__ = ["ABSENT", "PACKED", "PLAIN", "Codec", "check_compression", "content_crc"]

ABSENT, PACKED, PLAIN = 0, 1, 2
"""A chunk of background is not stored; one that does not shrink is stored as it is where the format allows that."""

_LEVELS = {
    "hdf5": {"gzip": range(10), "lzf": range(1), "none": range(1)},
    "zarr": {"zstd": range(1, 20), "gzip": range(10), "none": range(1)},
}
_NAMES = {"hdf5": "HDF5", "zarr": "Zarr"}


def check_compression(kind: str, name: str, level: int | None) -> tuple[str, int]:
    """Return the compression and its level, which is 1 if the caller does not say and there is a choice.

    Raises
    ------
    InvalidInputError
        The format has no such compression, or the compression no such level.
    """
    allowed = _LEVELS[kind]
    if name not in allowed:
        remedy = "; HDF5 reads zstd with a plug-in only" if (kind, name) == ("hdf5", "zstd") else ""
        raise InvalidInputError(
            f"compression is {name!r}{did_you_mean(name, allowed)}; {_NAMES[kind]} can have "
            f"{', '.join(map(repr, allowed))}{remedy}; choose one of them"
        )
    levels = allowed[name]
    if level is None:
        return name, min(1, levels[-1])
    if level not in levels:
        raise InvalidInputError(
            f"level is {level}, allowed for {name} is {levels[0]} to {levels[-1]}; give another or none"
        )
    return name, level


def content_crc(content: AnyArray) -> int:
    """Return the CRC-32 of the bytes of an array that lies in one piece."""
    return int(imagecodecs.zlibng_crc32(content.reshape(-1).view(np.uint8)))


@dataclass(frozen=True)
class Codec:
    """How the chunks of one array are stored.

    Attributes
    ----------
    kind
        ``hdf5`` or ``zarr``.
    compression, level
        As `check_compression` returns them.
    chunks
        Shape of a chunk; chunks are stored whole, filled up with 0 where the volume ends within them.
    dtype
        Type of the voxels, little-endian.
    """

    kind: str
    compression: str
    level: int
    chunks: Shape
    dtype: np.dtype[Any]

    @property
    def in_place(self) -> bool:
        """Whether every chunk has its place in the file before it is written."""
        return self.kind == "hdf5" and self.compression == "none"

    def whole(self, voxels: AnyArray) -> AnyArray:
        """Return a chunk in one piece, filled up to its whole shape."""
        if voxels.shape == self.chunks:
            return np.ascontiguousarray(voxels)
        chunk = np.zeros(self.chunks, self.dtype)
        z, y, x = voxels.shape
        chunk[:z, :y, :x] = voxels
        return chunk

    def encode(self, chunk: AnyArray) -> tuple[bytes, int]:
        """Return the bytes to store for a chunk from `whole`, and how they are stored; nothing for background."""
        content = chunk.reshape(-1).view(np.uint8)
        if not self.in_place and not content.any():
            return b"", ABSENT
        if self.compression == "none":
            return content.tobytes(), PACKED
        data = self._compress(content)
        if self.kind == "hdf5" and len(data) >= len(content):
            return content.tobytes(), PLAIN
        return data, PACKED

    def _compress(self, content: AnyArray) -> bytes:
        if self.compression == "zstd":
            return bytes(imagecodecs.zstd_encode(content, level=self.level))
        if self.compression == "lzf":
            return bytes(imagecodecs.lzf_encode(content))
        if self.kind == "zarr":
            return bytes(imagecodecs.gzip_encode(content, level=self.level))
        return bytes(imagecodecs.deflate_encode(content, level=self.level, raw=False))

    def decode(self, data: bytes, state: int) -> AnyArray:
        """Return the chunk that was stored.

        Raises
        ------
        ValueError, RuntimeError
            The bytes do not hold a chunk.
        """
        if state == ABSENT:
            return np.zeros(self.chunks, self.dtype)
        chunk = np.empty(self.chunks, self.dtype)
        out = chunk.reshape(-1).view(np.uint8)
        if state == PLAIN or self.compression == "none":
            out[...] = np.frombuffer(data, np.uint8)
        elif len(self._expand(data, out)) != len(out):
            raise ValueError("it is cut off")
        return chunk

    def _expand(self, data: bytes, out: AnyArray) -> AnyArray:
        if self.compression == "zstd":
            expanded: AnyArray = imagecodecs.zstd_decode(data, out=out)
        elif self.compression == "lzf":
            expanded = imagecodecs.lzf_decode(data, out=out)
        elif self.kind == "zarr":
            expanded = imagecodecs.gzip_decode(data, out=out)
        else:
            expanded = imagecodecs.zlibng_decode(data, out=out)
        return expanded
