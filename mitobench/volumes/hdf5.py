"""HDF5 datasets as volumes: chunked or contiguous, any filter that h5py reads."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.errors import UnusableFileError
from mitobench.types import AnyArray, Box, RawChunks, Shape
from mitobench.volumes._datasets import choose_dataset
from mitobench.volumes._rows import row_chunks, rows_from
from mitobench.volumes.array import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py
    import numpy as np

    from mitobench.volumes.window import FileWindow

__all__ = ["Hdf5Volume", "open_hdf5", "open_window", "volume_of_dataset"]

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
"""HDF5 filter numbers that we decode ourselves; a dataset with any other is read through h5py."""


@dataclass(frozen=True, eq=False)
class Hdf5Volume:
    """One 3D dataset, or one channel of a 4D dataset (channel, z, y, x).

    Attributes
    ----------
    dataset
        Where the voxels are.
    name
        How messages call it.
    channel
        Index on the first axis of a 4D dataset; None for a 3D dataset.
    file
        What `close` closes; None for a dataset that the caller opened.
    window
        What the HDF5 file was opened from with `open_window`; None for a file of its own.
    """

    dataset: h5py.Dataset
    name: str
    channel: int | None = None
    file: h5py.File | None = None
    window: FileWindow | None = None

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        shape = self.dataset.shape
        return shape if self.channel is None else shape[1:]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels, in the byte order of this machine."""
        return self.dataset.dtype.newbyteorder("=")  # type: ignore[no-any-return]

    @property
    def chunks(self) -> Shape:
        """Stored chunks; for a contiguous dataset, whole rows of about 1 MB."""
        if self.dataset.chunks is not None:
            return self.dataset.chunks[-3:]  # type: ignore[no-any-return]
        return row_chunks(self.shape, self.dtype.itemsize)

    @cached_property
    def raw(self) -> RawChunks | None:
        """Where the chunks lie in the file, unless only h5py can read them."""
        with reading(f"{self.name}: cannot find the chunks"):
            return _raw_chunks(self)

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box, read by h5py (one thread at a time)."""
        index = box.slices if self.channel is None else (self.channel, *box.slices)
        with reading(f"{self.name}: cannot read the voxels from {box.start} to {box.stop}"):
            return self.dataset[index].astype(self.dtype, copy=False)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the file, unless it is the caller's."""
        if self.file is not None:
            self.file.close()


def open_hdf5(path: str, dataset: str | None) -> Hdf5Volume:
    """Open one dataset of a file.

    Raises
    ------
    UnusableFileError
        The file is missing, truncated or not HDF5.
    UnknownNameError, InvalidInputError
        The dataset is not there, or none was named and there are several.
    """
    with ExitStack() as files, reading(f"{path}: cannot be opened as HDF5"):
        file = files.enter_context(_open_file(path))
        chosen = choose_dataset(_dataset_names(file), dataset, path)
        volume = Hdf5Volume(file[chosen], path if dataset is None else f"{path}::{chosen}", file=file)
        files.pop_all()
        return volume


def open_window(window: FileWindow, name: str) -> h5py.File:
    """Open an HDF5 file that lies inside another file. The caller closes it, and the window after it.

    Parameters
    ----------
    window
        Where it lies.
    name
        How messages call it.

    Raises
    ------
    UnusableFileError
        It is truncated or not HDF5.
    """
    import h5py

    with reading(f"{name}: cannot be opened as HDF5"), _explained(name, window.size, "one; write it again"):
        return h5py.File(window, "r")


def volume_of_dataset(
    dataset: h5py.Dataset, name: str | None = None, *, window: FileWindow | None = None
) -> Hdf5Volume:
    """Use a dataset that the caller opened, from a window or a file of its own, and closes."""
    return Hdf5Volume(dataset, name or f"{dataset.file.filename}::{dataset.name.lstrip('/')}", window=window)


def _open_file(path: str) -> h5py.File:
    import h5py

    if not Path(path).exists():
        raise UnusableFileError(f"{path}: the file does not exist; check the path")
    with _explained(path, Path(path).stat().st_size, "HDF5, Zarr, TIFF, PNG sections or NumPy"):
        return h5py.File(path, "r", locking="best-effort")


@contextmanager
def _explained(name: str, size: int, expected: str) -> Iterator[None]:
    """Say what HDF5 means when it refuses a file of so many bytes."""
    try:
        yield
    except PermissionError as error:
        raise UnusableFileError(f"{name}: no permission to read the file; change its mode") from error
    except OSError as error:
        reason = str(error)
        if "truncated file" in reason:
            raise UnusableFileError(
                f"{name}: the HDF5 file is truncated ({size} bytes are there); copy it again"
            ) from error
        if "file signature not found" in reason:
            raise UnusableFileError(f"{name}: not an HDF5 file; expected {expected}") from error
        raise


def _dataset_names(file: h5py.File) -> list[str]:
    """Names of the 3D datasets or, where there are none, of all, so that the error can list them."""
    import h5py

    found: dict[str, int] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item.ndim

    file.visititems(visit)
    return [name for name, ndim in found.items() if ndim == 3] or list(found)


def _raw_chunks(volume: Hdf5Volume) -> RawChunks | None:
    """Describe where the chunks lie, or return None when h5py has to read them."""
    dataset = volume.dataset
    filters = _known_filters(dataset)
    # A file open for writing may hold newer chunks in memory than on disk.
    in_file = dataset.file.driver == "sec2" or volume.window is not None
    on_disk = dataset.file.mode == "r" and in_file and not dataset.is_virtual
    # A chunk of several channels would have to be inflated for each of them.
    of_one_channel = volume.channel is None or dataset.chunks is None or dataset.chunks[0] == 1
    plain = dataset.dtype.isnative and dataset.external is None and of_one_channel
    if filters is None or not on_disk or not plain:
        return None
    chunks = _chunks_in_file(volume, filters)
    return chunks if chunks is None or volume.window is None else _moved(chunks, volume.window, volume.name)


def _chunks_in_file(volume: Hdf5Volume, filters: tuple[str, ...]) -> RawChunks | None:
    dataset = volume.dataset
    path = dataset.file.filename
    if dataset.chunks is not None:
        locations = _chunk_locations(dataset, volume.channel)
        return RawChunks(path, filters, locations, dataset.fillvalue.item(), padded=True)
    # Without a place in the file, nothing was written yet or the voxels lie inside the header.
    start = dataset.id.get_offset()
    if start is None:
        return None
    before = (volume.channel or 0) * math.prod(volume.shape) * volume.dtype.itemsize
    return rows_from(path, start + before, volume.shape, volume.dtype.itemsize)


def _moved(chunks: RawChunks, window: FileWindow, name: str) -> RawChunks:
    """Return where the chunks lie in the file around the window; none may lie outside of the window."""
    for offset, size, _ in chunks.locations.values():
        if offset + size > window.size:
            raise UnusableFileError(f"{name}: the HDF5 file lists a chunk behind its end; copy it again")
    moved = {index: (window.start + offset, size, mask) for index, (offset, size, mask) in chunks.locations.items()}
    return replace(chunks, path=window.path, locations=moved)


def _known_filters(dataset: h5py.Dataset) -> tuple[str, ...] | None:
    plist = dataset.id.get_create_plist()
    codes = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if any(code not in _FILTERS for code in codes):
        return None
    return tuple(_FILTERS[code] for code in codes)


def _chunk_locations(dataset: h5py.Dataset, channel: int | None) -> dict[Shape, tuple[int, int, int]]:
    """Return where the chunks are, of a dataset of channels those of one."""
    cz, cy, cx = dataset.chunks[-3:]
    locations: dict[Shape, tuple[int, int, int]] = {}

    def note(info: Any) -> None:  # noqa: ANN401 - h5py's StoreInfo has no type
        *first, z, y, x = info.chunk_offset
        if not first or first[0] == channel:
            locations[z // cz, y // cy, x // cx] = info.byte_offset, info.size, info.filter_mask

    dataset.id.chunk_iter(note)
    return locations
