"""HDF5 datasets as volumes: chunked or contiguous, any filter that h5py reads."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.errors import UnusableFileError
from mitobench.types import AnyArray, Box, RawChunks, Shape
from mitobench.volumes._datasets import choose_dataset
from mitobench.volumes._rows import row_chunks, rows_from
from mitobench.volumes.array import reading

if TYPE_CHECKING:
    import h5py
    import numpy as np

__all__ = ["Hdf5Volume", "open_hdf5", "volume_of_dataset"]

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
    """

    dataset: h5py.Dataset
    name: str
    channel: int | None = None
    file: h5py.File | None = None

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


def volume_of_dataset(dataset: h5py.Dataset, name: str | None = None) -> Hdf5Volume:
    """Use a dataset that the caller opened, and closes."""
    return Hdf5Volume(dataset, name or f"{dataset.file.filename}::{dataset.name.lstrip('/')}")


def _open_file(path: str) -> h5py.File:
    import h5py

    if not Path(path).exists():
        raise UnusableFileError(f"{path}: the file does not exist; check the path")
    try:
        return h5py.File(path, "r", locking="best-effort")
    except PermissionError as error:
        raise UnusableFileError(f"{path}: no permission to read the file; change its mode") from error
    except OSError as error:
        reason = str(error)
        if "truncated file" in reason:
            raise UnusableFileError(
                f"{path}: the HDF5 file is truncated ({Path(path).stat().st_size} bytes are there); copy it again"
            ) from error
        if "file signature not found" in reason:
            raise UnusableFileError(
                f"{path}: not an HDF5 file; expected HDF5, Zarr, TIFF, PNG sections or NumPy"
            ) from error
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
    on_disk = dataset.file.mode == "r" and dataset.file.driver == "sec2" and not dataset.is_virtual
    plain = dataset.dtype.isnative and dataset.external is None and volume.channel is None
    if filters is None or not on_disk or not plain:
        return None
    path = dataset.file.filename
    if dataset.chunks is not None:
        return RawChunks(path, filters, _chunk_locations(dataset), dataset.fillvalue.item(), padded=True)
    # Without a place in the file, nothing was written yet or the voxels lie inside the header.
    start = dataset.id.get_offset()
    return None if start is None else rows_from(path, start, volume.shape, volume.dtype.itemsize)


def _known_filters(dataset: h5py.Dataset) -> tuple[str, ...] | None:
    plist = dataset.id.get_create_plist()
    codes = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if any(code not in _FILTERS for code in codes):
        return None
    return tuple(_FILTERS[code] for code in codes)


def _chunk_locations(dataset: h5py.Dataset) -> dict[Shape, tuple[int, int, int]]:
    cz, cy, cx = dataset.chunks
    locations: dict[Shape, tuple[int, int, int]] = {}

    def note(info: Any) -> None:  # noqa: ANN401 - h5py's StoreInfo has no type
        z, y, x = info.chunk_offset
        locations[z // cz, y // cy, x // cx] = info.byte_offset, info.size, info.filter_mask

    dataset.id.chunk_iter(note)
    return locations
