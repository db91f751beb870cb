"""Uncompressed voxels that lie in a file one behind the other, seen as chunks of whole rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mitobench.types import RawChunks

if TYPE_CHECKING:
    import numpy as np

    from mitobench.types import Shape

__all__ = ["raw_rows", "row_chunks", "rows_from"]

_BYTES = 1 << 20
"""So much is read at a time."""


def row_chunks(shape: Shape, itemsize: int) -> Shape:
    """Return the chunk: whole rows of one section, about 1 MB of them."""
    rows = max(1, _BYTES // max(1, shape[2] * itemsize))
    return 1, min(rows, shape[1]), shape[2]


def raw_rows(path: str, mapped: np.memmap[Any, Any]) -> RawChunks | None:
    """Return where the rows of an array mapped from a file lie; None if it is not 3D, or not plain rows of numbers.

    Reading them is safer than the map: a file cut by another program is then an error, not a dead process.
    """
    if mapped.ndim != 3 or mapped.size == 0 or not mapped.flags.c_contiguous or not mapped.dtype.isnative:
        return None
    z, y, x = mapped.shape
    return rows_from(path, mapped.offset, (z, y, x), mapped.dtype.itemsize)


def rows_from(path: str, start: int, shape: Shape, itemsize: int) -> RawChunks:
    """Return where the chunks of `row_chunks` lie in a file whose voxels begin at the byte ``start``."""
    (nz, ny, nx), rows = shape, row_chunks(shape, itemsize)[1]
    row_bytes = nx * itemsize
    locations = {
        (z, j, 0): (start + (z * ny + j * rows) * row_bytes, min(rows, ny - j * rows) * row_bytes, 0)
        for z in range(nz)
        for j in range(-(-ny // rows))
    }
    return RawChunks(path, (), locations, fill_value=0, padded=False)
