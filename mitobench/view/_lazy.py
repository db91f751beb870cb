"""Volumes that are sliced like arrays and read only where they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.types import Box
from mitobench.volumes.blocks import GRIDLESS, boxes

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Shape, Volume

__all__ = ["LazyArray", "image_dtype", "label_dtype"]

_KEPT_BYTES = 2**28
"""Decoded chunks that are kept of each volume: 16 sections of 4096 x 4096 bytes."""

_IMAGE_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32")


def label_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the unsigned type of the same width.

    Examples
    --------
    >>> label_dtype(np.dtype("int64"))
    dtype('uint64')
    """
    return np.dtype(f"u{dtype.itemsize}")


def image_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type if neuroglancer draws it, else float32."""
    return dtype if dtype.name in _IMAGE_TYPES else np.dtype("f4")


class LazyArray:
    """A volume with the part of NumPy's interface that viewers use. Several threads may slice it at once.

    Parameters
    ----------
    volume
        What is read, in whole stored chunks, of which the last ones are kept.
    dtype
        Type of the voxels that come out. Negative values become 0 where it is unsigned.
    """

    def __init__(self, volume: Volume, dtype: np.dtype[Any]) -> None:
        self._volume = volume
        self._edges = volume.chunks
        self._chunks: OrderedDict[tuple[int, ...], AnyArray] = OrderedDict()
        self._kept_bytes = 0
        self._lock = Lock()
        self.shape: Shape = volume.shape
        self.dtype = dtype
        self.ndim = 3

    @property
    def size(self) -> int:
        """Number of voxels."""
        return Box((0, 0, 0), self.shape).voxels

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> AnyArray:  # noqa: ANN401 - integers, slices and an ellipsis, as in NumPy
        cuts = [_cut(part, n) for part, n in zip(_full(index), self.shape, strict=True)]
        z, y, x = ((start, stop) for start, stop, _ in cuts)
        block = self.read(Box((z[0], y[0], x[0]), (z[1], y[1], x[1])))
        return block[tuple(inner for _, _, inner in cuts)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:  # noqa: ANN401, FBT001 - NumPy's
        return np.asarray(self[...], dtype)

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of a box, which must lie inside.

        Raises
        ------
        UnusableFileError
            The file is damaged, or closed.
        """
        if self._edges == GRIDLESS:
            return self._converted(self._volume.read(box))
        block = np.empty(box.shape, self.dtype)
        with self._lock:
            for part in boxes(box, self._edges):
                chunk = self._chunk_box(part)
                block[part.within(box)] = self._converted(self._chunk(chunk)[part.within(chunk)])
        return block

    def _chunk_box(self, part: Box) -> Box:
        edges = zip(part.start, self._edges, self.shape, strict=True)
        (z0, z1), (y0, y1), (x0, x1) = ((s // e * e, min(s // e * e + e, n)) for s, e, n in edges)
        return Box((z0, y0, x0), (z1, y1, x1))

    def _chunk(self, box: Box) -> AnyArray:
        """Read a chunk, or find it among those read last."""
        if box.start not in self._chunks:
            self._chunks[box.start] = chunk = self._volume.read(box)
            self._kept_bytes += chunk.nbytes
        self._chunks.move_to_end(box.start)
        while self._kept_bytes > _KEPT_BYTES and len(self._chunks) > 1:
            self._kept_bytes -= self._chunks.popitem(last=False)[1].nbytes
        return self._chunks[box.start]

    def _converted(self, block: AnyArray) -> AnyArray:
        if self.dtype.kind == "u" and block.dtype.kind == "i":
            block = np.maximum(block, 0)
        return block.astype(self.dtype, copy=False)


def _full(index: Any) -> list[Any]:  # noqa: ANN401
    """Return one part of an index for each of the three axes."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    dots = next(i for i, part in enumerate(parts) if part is Ellipsis)
    missing = [slice(None)] * (4 - len(parts))
    full = [*parts[:dots], *missing, *parts[dots + 1 :]]
    if len(full) != 3:
        raise IndexError(f"{len(full)} indices into an array of 3 axes")
    return full


def _cut(part: Any, length: int) -> tuple[int, int, int | slice]:  # noqa: ANN401
    """Return the first voxel to read along an axis, the one after the last, and the index into what was read."""
    if not isinstance(part, slice):
        start = range(length)[int(part)]
        return start, start + 1, 0
    wanted = range(length)[part]
    if not wanted:
        return 0, 0, slice(None)
    return min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1, slice(None, None, part.step)
