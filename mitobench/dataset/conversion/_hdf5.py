"""HDF5 files of finished chunks: copied from the spool, or written in place where nothing is compressed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.dataset.conversion._codec import ABSENT, PLAIN, Codec
from mitobench.dataset.conversion._store import Spool, chunk_indices
from mitobench.errors import UnusableFileError
from mitobench.volumes.hdf5 import open_hdf5

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mitobench.dataset.conversion._journal import UnitNote
    from mitobench.types import Shape

__all__ = ["Hdf5Chunks", "make_room", "set_attributes", "write_hdf5_file"]


class Hdf5Chunks:
    """Chunks of an HDF5 file, at the places that the file gives them.

    A file whose chunks are not compressed has them from the beginning, see `make_room`, and its writer may be killed:
    nothing but voxels changes.

    Parameters
    ----------
    path
        The file.
    dataset
        Name of the dataset.

    Raises
    ------
    UnusableFileError
        The file is not whole.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        volume = open_hdf5(str(path), dataset)
        try:
            raw = volume.raw
        finally:
            volume.close()
        if raw is None:
            raise UnusableFileError(f"{path}: its chunks cannot be found; run the same command again")
        self._locations = raw.locations
        self._descriptor = os.open(path, os.O_RDWR)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def put(self, unit: int, index: Shape, data: bytes) -> int:  # noqa: ARG002 - the file says where
        """Write a chunk to its place."""
        offset = self._locations[index][0]
        rest, at = memoryview(data), offset
        while rest:
            written = os.pwrite(self._descriptor, rest, at)
            rest, at = rest[written:], at + written
        return offset

    def finish(self, unit: int) -> None:
        """Do nothing: every chunk was written at once."""

    def get(self, unit: int, index: Shape, offset: int, size: int) -> bytes:  # noqa: ARG002
        """Return the stored bytes of a chunk, none where it is missing."""
        if index not in self._locations:
            return b""
        start, count, _ = self._locations[index]
        return os.pread(self._descriptor, count, start)

    def count(self) -> int:
        """Return how many chunks have a place."""
        return len(self._locations)


def make_room(path: Path, dataset: str, shape: Shape, codec: Codec) -> Hdf5Chunks:
    """Return the chunks of a file without compression; make it if it is not there, or not whole."""
    total = int(np.prod([-(-n // edge) for n, edge in zip(shape, codec.chunks, strict=True)]))
    if path.exists():
        try:
            chunks = Hdf5Chunks(path, dataset)
        except (UnusableFileError, LookupError, ValueError):
            pass
        else:
            if chunks.count() == total:
                return chunks
            chunks.close()
    _make_room(path, dataset, shape, codec)
    return Hdf5Chunks(path, dataset)


def _make_room(path: Path, dataset: str, shape: Shape, codec: Codec) -> None:
    import h5py

    places = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    places.set_chunk(codec.chunks)
    places.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    places.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    places.set_obj_track_times(False)  # equal calls make equal files
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    with h5py.File(path, "w") as file:
        kind, space = h5py.h5t.py_create(codec.dtype, logical=True), h5py.h5s.create_simple(shape)
        h5py.h5d.create(file.id, dataset.encode(), kind, space, dcpl=places, lcpl=links)


def set_attributes(path: Path, dataset: str, attributes: Mapping[str, Any]) -> None:
    """Describe the dataset of a file that is whole."""
    import h5py

    with h5py.File(path, "r+") as file:
        # An earlier call may have come this far; writing them again would leave other bytes.
        if set(attributes) != set(file[dataset].attrs):
            _describe(file[dataset], attributes)


def _describe(target: Any, attributes: Mapping[str, Any]) -> None:  # noqa: ANN401 - h5py has no types
    for name, value in attributes.items():
        target.attrs[name] = value if isinstance(value, str) else np.asarray(value)


def write_hdf5_file(
    path: Path,
    dataset: str,
    shape: Shape,
    codec: Codec,
    spool: Spool,
    notes: Sequence[UnitNote],
    *,
    attributes: Mapping[str, Any],
) -> None:
    """Copy chunks as they are stored into a new HDF5 file; equal chunks give equal files."""
    import h5py

    options = {
        "compression": codec.compression,
        "compression_opts": codec.level if codec.compression == "gzip" else None,
    }
    with h5py.File(path, "w") as file:
        target = file.create_dataset(dataset, shape, codec.dtype, chunks=codec.chunks, **options)
        _describe(target, attributes)
        for note in notes:
            _copy_unit(target, note, spool, codec.chunks)


def _copy_unit(target: Any, note: UnitNote, spool: Spool, chunks: Shape) -> None:  # noqa: ANN401 - h5py has no types
    indices = chunk_indices(note.start, note.chunks.shape, chunks[0])
    for index, chunk in zip(indices, note.chunks.reshape(-1), strict=True):
        if chunk["state"] == ABSENT:
            continue
        data = spool.get(note.start, index, int(chunk["offset"]), int(chunk["size"]))
        origin = tuple(i * edge for i, edge in zip(index, chunks, strict=True))
        target.id.write_direct_chunk(origin, data, filter_mask=int(chunk["state"] == PLAIN))
