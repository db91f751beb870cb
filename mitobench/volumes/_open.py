"""Open a volume by the name or the array that the user gives."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.volumes._datasets import split_source
from mitobench.volumes.array import ArrayVolume, reading
from mitobench.volumes.hdf5 import Hdf5Volume, open_hdf5, volume_of_dataset
from mitobench.volumes.npy import open_npy, open_npz
from mitobench.volumes.sections import open_sections
from mitobench.volumes.tiff import open_tiff
from mitobench.volumes.zarr import open_zarr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitobench.types import LabelVolume, Volume

__all__ = ["open_image", "open_labels"]

_FORMATS = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
    ".he5": "hdf5",
    ".npy": "npy",
    ".npz": "npz",
    ".tif": "tiff",
    ".tiff": "tiff",
}
_HOLDS_DATASETS: dict[str, Callable[[str, str | None], Volume]] = {
    "hdf5": open_hdf5,
    "npz": open_npz,
    "zarr": open_zarr,
}
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ZARR_MARKS = (".zarray", ".zgroup", "zarr.json")
_EXPECTED = "HDF5, Zarr, TIFF, .npy, .npz or a folder of PNG or TIFF sections"


def open_labels(source: Any, *, rgb: bool = False) -> LabelVolume:  # noqa: ANN401 - arrays of several libraries
    """Open a volume of instance ids. No voxel is read yet, so negative ids are found later.

    Parameters
    ----------
    source
        ``path`` or ``path::dataset`` of HDF5, Zarr, TIFF, NumPy or a folder of PNG or TIFF sections; or an array
        (NumPy, h5py, Zarr, Dask) or an open volume of shape (z, y, x).
    rgb
        Decode the colours of TIFF and PNG sections as ids, R*65536 + G*256 + B; grey sections are read as they are.

    Returns
    -------
    LabelVolume
        Shape (z, y, x), of a signed or unsigned integer type.

    Raises
    ------
    UnusableFileError
        The file is missing, damaged or of an unknown format.
    UnknownNameError
        The dataset is not in the file.
    InvalidInputError
        Not 3 axes, an empty axis, no integers, colours without ``rgb``, or several datasets and none named.
    MissingExtraError
        A library for the format is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> open_labels(np.zeros((4, 5, 6), np.uint16)).shape
    (4, 5, 6)
    """
    volume = _open(source, rgb=rgb)
    with _closed_on_error(source, volume):
        _check_axes(volume, {3: "(z, y, x)"})
        _check_ids(volume)
    return volume


def open_image(source: Any) -> tuple[Volume, ...]:  # noqa: ANN401 - arrays of several libraries
    """Open an image, one volume per channel. No voxel is read yet.

    Parameters
    ----------
    source
        As in `open_labels`, of shape (z, y, x) or (channel, z, y, x). Closing one channel closes the file of all.

    Returns
    -------
    tuple of Volume
        Shape (z, y, x) each, of an integer or real floating type.

    Raises
    ------
    UnusableFileError
        The file is missing, damaged or of an unknown format.
    UnknownNameError
        The dataset is not in the file.
    InvalidInputError
        Not 3 or 4 axes, an empty axis, no real numbers, colours, or several datasets and none named.
    MissingExtraError
        A library for the format is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> [channel.name for channel in open_image(np.zeros((2, 4, 5, 6), np.uint8))]
    ['array[0]', 'array[1]']
    """
    volume = _open(source, rgb=False)
    with _closed_on_error(source, volume):
        _check_axes(volume, {3: "(z, y, x)", 4: "(channel, z, y, x)"})
        if volume.dtype.kind not in "iuf":
            raise InvalidInputError(
                f"{volume.name}: voxels of type {volume.dtype}; expected integers or real numbers; convert them first"
            )
    return _channels(volume)


@contextmanager
def _closed_on_error(source: object, volume: Volume) -> Iterator[None]:
    """Close a volume that is refused, unless it belongs to the caller."""
    try:
        yield
    except InvalidInputError:
        if isinstance(source, str | os.PathLike):
            volume.close()
        raise


def _open(source: Any, *, rgb: bool) -> Volume:  # noqa: ANN401
    """Open anything that has voxels; the number of axes is not checked yet."""
    if isinstance(source, str | os.PathLike):
        return _open_path(os.fsdecode(source), rgb=rgb)
    if _is_volume(source):
        return source
    # An h5py dataset can only be here if h5py was imported.
    h5py = sys.modules.get("h5py")
    if h5py is not None and isinstance(source, h5py.Dataset):
        return volume_of_dataset(source)
    try:
        np.dtype(source.dtype), tuple(source.shape), source.__getitem__
    except (AttributeError, TypeError) as error:
        kind = f"{type(source).__module__}.{type(source).__qualname__}"
        raise InvalidInputError(
            f"{kind}: not a volume; expected a path, or an array of shape (z, y, x) from NumPy, h5py, Zarr or Dask; "
            "convert it with numpy.asarray"
        ) from error
    return ArrayVolume(source)


def _is_volume(source: object) -> TypeGuard[Volume]:
    """Tell an open volume, ours or of another maker, from a bare array."""
    return all(hasattr(source, name) for name in ("name", "shape", "dtype", "chunks", "raw", "read", "close"))


def _open_path(source: str, *, rgb: bool) -> Volume:
    path, dataset = split_source(source)
    with reading(f"{path}: cannot be opened"):
        kind = _format(Path(path))
    if kind in _HOLDS_DATASETS:
        return _HOLDS_DATASETS[kind](path, dataset)
    if dataset is not None:
        raise InvalidInputError(
            f"{path}: one volume without datasets, but {dataset!r} was asked for; give the path alone"
        )
    if kind == "npy":
        return open_npy(path)
    return open_tiff(path, rgb=rgb) if kind == "tiff" else open_sections(path, rgb=rgb)


def _format(path: Path) -> str:
    """Tell the format by the content of a folder, the suffix of a file, or the first bytes of a file."""
    if not path.exists():
        raise UnusableFileError(f"{path}: does not exist; expected {_EXPECTED}; check the path")
    if path.is_dir():
        marked = any((path / mark).exists() for mark in _ZARR_MARKS) or path.suffix.lower() == ".zarr"
        return "zarr" if marked else "sections"
    if path.suffix.lower() in _FORMATS:
        return _FORMATS[path.suffix.lower()]
    with path.open("rb") as file:
        if file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE:
            return "hdf5"
    remedy = "name the folder of its section" if path.suffix.lower() == ".png" else "convert it to one of these"
    raise UnusableFileError(f"{path}: not a format that holds a volume; expected {_EXPECTED}; {remedy}")


def _channels(volume: Volume) -> tuple[Volume, ...]:
    shape: tuple[int, ...] = volume.shape
    if len(shape) == 3 or not isinstance(volume, ArrayVolume | Hdf5Volume):
        return (volume,)
    return tuple(replace(volume, name=f"{volume.name}[{channel}]", channel=channel) for channel in range(shape[0]))


def _check_axes(volume: Volume, allowed: dict[int, str]) -> None:
    shape = tuple(map(int, volume.shape))
    if len(shape) not in allowed:
        expected = " or ".join(f"{count} axes {axes}" for count, axes in allowed.items())
        raise InvalidInputError(f"{volume.name}: shape {shape}; expected {expected}; {_remedy(shape)}")
    if 0 in shape:
        raise InvalidInputError(
            f"{volume.name}: shape {shape} has an empty axis; expected at least one voxel; check how it was written"
        )


def _remedy(shape: tuple[int, ...]) -> str:
    """Say which index makes three axes of the shape."""
    surplus = len(shape) - 3
    if surplus < 0:
        return "stack its sections into one array; a single section is array[None]"
    single = [axis for axis, n in enumerate(shape) if n == 1][:surplus]
    dropped = single if len(single) == surplus else list(range(surplus))
    index = ", ".join("0" if axis in dropped else ":" for axis in range(max(dropped) + 1))
    action = "drop the axis of length 1" if dropped is single else "keep one part"
    return f"{action}: array[{index}]"


def _check_ids(volume: Volume) -> None:
    if volume.dtype.kind == "b":
        raise InvalidInputError(
            f"{volume.name}: this is a binary mask of type bool; expected instance ids of an integer type; label its "
            "connected components first"
        )
    if volume.dtype.kind not in "iu":
        raise InvalidInputError(
            f"{volume.name}: voxels of type {volume.dtype}; expected instance ids of an integer type; if the values "
            "are whole numbers, convert them with array.astype('uint32')"
        )
