"""Arrays put aside and taken up again: in memory as long as they are small, then in a temporary file."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mitobench.errors import UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mitobench.types import AnyArray

__all__ = ["Place", "Spool"]

Place = tuple[int, tuple[tuple[np.dtype[Any], int], ...]]
"""Byte offset, and type and length of each array."""


class Spool:
    """Keeps arrays until it is closed. For one thread.

    Parameters
    ----------
    memory
        Bytes kept in memory.
    folder
        Where the temporary file lies, that of the system by default. It is gone when it is closed.

    Examples
    --------
    >>> with Spool(10) as spool:
    ...     places = [spool.put(np.arange(3)), spool.put(np.ones(2), np.arange(5))]
    ...     [array.tolist() for array in spool.get(places[1])]
    [[1.0, 1.0], [0, 1, 2, 3, 4]]
    """

    def __init__(self, memory: int, folder: Path | None = None) -> None:
        self._folder = folder
        self._file = tempfile.SpooledTemporaryFile(max_size=max(1, memory), dir=None if folder is None else str(folder))  # noqa: SIM115 - __exit__
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, *arrays: AnyArray) -> Place:
        """Keep flat arrays, and return where."""
        place = self._end, tuple((array.dtype, len(array)) for array in arrays)
        with self._plain_errors():
            self._file.seek(self._end)
            for array in arrays:
                self._file.write(np.ascontiguousarray(array).data)
            self._end = self._file.tell()
        return place

    def get(self, place: Place) -> list[AnyArray]:
        """Return the arrays of a place."""
        offset, kinds = place
        with self._plain_errors():
            self._file.seek(offset)
            arrays = [np.empty(count, dtype) for dtype, count in kinds]
            for array in arrays:
                self._file.readinto(array.data)
            return arrays

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            folder = self._folder or tempfile.gettempdir()
            raise UnusableFileError(
                f"cannot write a temporary file in {folder}: {error.strerror or error}; free space or name "
                "another folder"
            ) from error
