"""Part of a file as a file of its own, such as a member that a zip file holds as it is."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitobench.types import PathOrStr

__all__ = ["FileWindow"]


class FileWindow(io.RawIOBase):
    """Some consecutive bytes of a file, only for reading.

    Parameters
    ----------
    path
        The file.
    start
        Where the bytes begin.
    size
        How many there are.

    Examples
    --------
    >>> with FileWindow(__file__, 3, 4) as window:
    ...     window.seek(2)
    ...     window.read()
    2
    b'rt'
    """

    def __init__(self, path: PathOrStr, start: int, size: int) -> None:
        super().__init__()
        self.path = os.fspath(path)
        self.start = start
        self.size = size
        self._file = io.FileIO(self.path)
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte, counted from the first of the window."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as in any file; places beyond the end are allowed, and hold nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"{self.path}: place {base + offset} is in front of the first byte")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - what holds bytes has a type since Python 3.12
        """Fill the buffer as far as there are bytes; return how many there were."""
        target = memoryview(buffer).cast("B")[: max(0, self.size - self._at)]
        self._file.seek(self.start + self._at)
        done = 0
        while done < len(target) and (count := self._file.readinto(target[done:])):
            done += count
        self._at += done
        return done

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
