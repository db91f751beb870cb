"""Where chunks lie while a conversion runs, and how the whole becomes a file: one class per format."""

from __future__ import annotations

import itertools
import json
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from mitobench.types import Shape

__all__ = ["Spool", "Store", "ZarrFolder", "chunk_indices", "write_json"]


class Store(Protocol):
    """Holds the chunks of one array. Several threads may put and get at a time."""

    def put(self, unit: int, index: Shape, data: bytes) -> int:
        """Store a chunk of the unit that begins at a section, and return where; no bytes for background."""

    def finish(self, unit: int) -> None:
        """Write out what is still in memory of a unit."""

    def get(self, unit: int, index: Shape, offset: int, size: int) -> bytes:
        """Return what was stored, possibly less of it if the store was damaged."""


@dataclass(frozen=True)
class ZarrFolder:
    """Chunks of an array of Zarr format 3, one file each.

    Attributes
    ----------
    folder
        Of the array.
    """

    folder: Path

    def put(self, unit: int, index: Shape, data: bytes) -> int:  # noqa: ARG002 - the index says where
        """Write the file of a chunk, or delete it: Zarr reads a missing one as background."""
        path = self.path(index)
        if not data:
            path.unlink(missing_ok=True)
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return 0

    def finish(self, unit: int) -> None:
        """Do nothing: every chunk was written at once."""

    def get(self, unit: int, index: Shape, offset: int, size: int) -> bytes:  # noqa: ARG002
        """Return the file of a chunk, nothing where it is missing."""
        try:
            return self.path(index).read_bytes()
        except FileNotFoundError:
            return b""

    def path(self, index: Shape) -> Path:
        """Return the file of a chunk."""
        return self.folder.joinpath("c", *map(str, index))


class Spool:
    """Chunks of an HDF5 dataset, those of a unit in one file, until they are copied to the HDF5 file at the end.

    The HDF5 library gives no promise for a file whose writer was killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as files:
            for file in self._files.values():
                files.push(file)
        self._files.clear()

    def put(self, unit: int, index: Shape, data: bytes) -> int:  # noqa: ARG002 - the offset says where
        """Append a chunk to the file of its unit."""
        if not data:
            return 0
        with self._lock:
            if unit not in self._files:
                self._files[unit] = self.path(unit).open("wb", buffering=0)
            file = self._files[unit]
            offset: int = file.tell()
            _write_all(file, data)
        return offset

    def finish(self, unit: int) -> None:
        """Close the file of a unit."""
        with self._lock:
            file = self._files.pop(unit, None)
        if file is not None:
            file.close()

    def get(self, unit: int, index: Shape, offset: int, size: int) -> bytes:  # noqa: ARG002
        """Return a part of the file of a unit."""
        if not size:
            return b""
        try:
            with self.path(unit).open("rb", buffering=0) as file:
                return os.pread(file.fileno(), size, offset)
        except FileNotFoundError:
            return b""

    def path(self, unit: int) -> Path:
        """Return the file of a unit."""
        return self._folder / f"sections-{unit:06d}.chunks"


def _write_all(file: Any, data: bytes) -> None:  # noqa: ANN401 - a raw file
    """Write all bytes: a raw file may take only some, on a disk that is nearly full."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def chunk_indices(start: int, grid: Shape, depth: int) -> Iterator[Shape]:
    """Yield the index in the whole array of each chunk of a unit that begins at a section."""
    for z, y, x in itertools.product(*map(range, grid)):
        yield start // depth + z, y, x


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a metadata file of Zarr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
