"""NumPy files: ``.npy`` mapped from disk, and the arrays of ``.npz`` archives."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.volumes._datasets import choose_dataset
from mitobench.volumes._rows import raw_rows
from mitobench.volumes.array import ArrayVolume, reading

if TYPE_CHECKING:
    from mitobench.types import AnyArray

__all__ = ["open_npy", "open_npz"]


def open_npy(path: str) -> ArrayVolume:
    """Map a ``.npy`` file, so that only the voxels asked for are read.

    Raises
    ------
    UnusableFileError
        The file is truncated or not a NumPy file.
    InvalidInputError
        The file holds pickled Python objects.
    """
    with reading(f"{path}: cannot be opened as a .npy file"):
        with Path(path).open("rb") as file:
            _header(file, path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return ArrayVolume(np.asarray(array), path, raw=raw_rows(path, array))


def open_npz(path: str, member: str | None) -> ArrayVolume:
    """Open one array of a ``.npz`` archive.

    An archive of ``numpy.savez_compressed`` cannot be read in parts: the first read decodes the whole array, which then
    stays in memory.

    Raises
    ------
    UnusableFileError
        The archive is damaged.
    UnknownNameError, InvalidInputError
        The array is not there, or none was named and there are several, or it holds pickled Python objects.
    """
    with reading(f"{path}: cannot be opened as a .npz archive"):
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            chosen = choose_dataset(list(members), member, path)
            name = path if member is None else f"{path}::{chosen}"
            with archive.open(members[chosen]) as file:
                shape, dtype = _header(file, name)
        return ArrayVolume(_ZippedArray(path, members[chosen], shape, dtype), name)


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and type of the array that follows in the file, and refuse pickles."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InvalidInputError(
            f"{name}: the array holds pickled Python objects, which are never loaded; expected numbers; save it again "
            "with an integer dtype, as in array.astype('uint32')"
        )
    return shape, dtype


@dataclass(eq=False)
class _ZippedArray:
    """An array that is decoded from its archive when the first voxel is asked for."""

    path: str
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _lock: Lock = field(default_factory=Lock)
    _decoded: AnyArray | None = None

    def __getitem__(self, index: Any) -> AnyArray:  # noqa: ANN401 - any index that NumPy takes
        return self._array()[index]  # type: ignore[no-any-return]

    def _array(self) -> AnyArray:
        with self._lock:
            if self._decoded is None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    self._decoded = np.lib.format.read_array(file, allow_pickle=False)
            return self._decoded
