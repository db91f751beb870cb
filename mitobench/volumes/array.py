"""Arrays as volumes: NumPy in memory or mapped from disk, and anything that is sliced like NumPy (Zarr, Dask, h5py)."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mitobench.errors import InvalidInputError, MitobenchError, UnusableFileError
from mitobench.volumes._rows import row_chunks
from mitobench.volumes.blocks import GRIDLESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitobench.types import AnyArray, Box, RawChunks, Shape

__all__ = ["ArrayLike", "ArrayVolume", "reading"]


_WHOLE_SHARD_BYTES = 1 << 26


class ArrayLike(Protocol):
    """What an array must offer to be read as a volume."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:  # noqa: ANN401 - each library has its own type
        """Type of the voxels."""

    def __getitem__(self, index: Any, /) -> Any:  # noqa: ANN401
        """Return the voxels of a tuple of slices, as something that ``numpy.asarray`` accepts."""


def _nothing() -> None:
    """Release nothing: the array belongs to the caller or to the garbage collector."""


@dataclass(frozen=True, eq=False)
class ArrayVolume:
    """A (z, y, x) array, or one channel of a (channel, z, y, x) array.

    Attributes
    ----------
    array
        NumPy array or lazy array. Several threads may slice it at once.
    name
        How messages call it.
    channel
        Index on the first axis of a 4D array; None for a 3D array.
    release
        Closes the files behind the array; shared by the channels of one array.
    raw
        Where the voxels lie in a file, if they do so as plain rows.
    """

    array: ArrayLike
    name: str = "array"
    channel: int | None = None
    release: Callable[[], None] = _nothing
    raw: RawChunks | None = None

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        shape = tuple(self.array.shape)
        return shape if self.channel is None else shape[1:]  # type: ignore[return-value]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels, in the byte order of this machine."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype.newbyteorder("=")

    @property
    def chunks(self) -> Shape:
        """Stored chunks or, where there are any, shards; none for an array in memory, of which any box is a view."""
        if self.raw is not None:
            return row_chunks(self.shape, self.dtype.itemsize)
        chunks = _stored_chunks(self.array)
        if chunks is None:
            return GRIDLESS
        z, y, x = (max(1, min(chunk, n)) for chunk, n in zip(chunks[-3:], self.shape, strict=True))
        return z, y, x

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box; a view where the array is in memory or mapped, and of native byte order.

        Raises
        ------
        InvalidInputError
            The box reaches outside the volume.
        UnusableFileError
            The library behind the array failed.
        """
        index = box.slices if self.channel is None else (self.channel, *box.slices)
        with reading(f"{self.name}: cannot read the voxels from {box.start} to {box.stop}"):
            block = np.asarray(self.array[index])
        if block.shape != box.shape or min(box.start) < 0:
            raise InvalidInputError(
                f"{self.name}: the box from {box.start} to {box.stop} reaches outside the volume of shape {self.shape}"
            )
        return block.astype(self.dtype, copy=False)

    def close(self) -> None:
        """Release the files behind the array. Arrays that the caller opened stay open."""
        self.release()


@contextmanager
def reading(failure: str) -> Iterator[None]:
    """Turn whatever a format library raises on a damaged file into one line that starts with ``failure``.

    Raises
    ------
    UnusableFileError
        Anything but an error of ours or a lack of memory was raised inside the block.
    """
    try:
        yield
    except (MitobenchError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnusableFileError(
            f"{failure} ({reason}); check that the file is whole and readable, or write it again"
        ) from error


def _stored_chunks(array: ArrayLike) -> tuple[int, ...] | None:
    # A Zarr shard holds many chunks in one object, which is best read whole if it is not too large.
    shards = getattr(array, "shards", None)
    if shards is not None and math.prod(shards) * np.dtype(array.dtype).itemsize <= _WHOLE_SHARD_BYTES:
        return tuple(shards)
    # Dask's ``chunks`` lists every chunk along each axis.
    for attribute in ("chunksize", "chunks"):
        chunks = getattr(array, attribute, None)
        if chunks is not None:
            return tuple(chunks)
    return None
